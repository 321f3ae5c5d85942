/* cmd_check.c -- says what a mount would lack, before it does. */
#include <stdarg.h>
#include <stdio.h>

#include "fs/check.h"
#include "fs/cmd.h"
#include "fs/text.h"

void
check_note(struct check *k, const char *name, enum check_result result,
    const char *fix, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "warn", "MISSING" };
	char detail[1024];
	va_list ap;
	json_t *obj;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	k->missing += result == CHECK_MISSING;
	if (!k->c->json) {
		printf("%-8s %-10s ", words[result], name);
		text_print(stdout, detail, SIZE_MAX);
		if (fix != NULL)
			printf("\n%19s  -> %s", "", fix);
		putchar('\n');
		fflush(stdout);
		return;
	}
	obj = json_pack("{s:s, s:s, s:o}", "check", name, "result",
	    words[result], "detail", text_json(detail));
	if (fix != NULL)
		json_object_set_new(obj, "fix", json_string(fix));
	json_array_append_new(k->list, obj);
}

int
cmd_check(const struct config *c)
{
	struct check k = { .c = c, .list = json_array() };

	check_machine(&k);
	if (graph_open(c, GRAPH_CLOUD, &k.g) < 0) {
		check_note(&k, "aws", CHECK_MISSING,
		    "see the line above; --region, --profile", "cannot start");
	} else {
		check_cloud(&k);
		check_keys(&k);
		check_queue(&k);
		s3_object_free(&k.sample);
		graph_close(&k.g);
	}
	if (c->json)
		text_dump(stdout, k.list, JSON_INDENT(2));
	json_decref(k.list);
	if (fflush(stdout) != 0)
		return cmd_fail(1, "cannot write");
	return k.missing > 0 ? 1 : 0;
}
