#include <inttypes.h>
#include <stdio.h>

#include "fs/cmd.h"
#include "fs/progress.h"
#include "store/stamp.h"

struct shown {
	struct progress bar;
	int64_t started_ms;
};

static void
on_progress(void *arg, const json_t *j)
{
	struct shown *s = arg;
	int64_t now = stamp_now_ms();
	const struct progress_state st = {
		.verb = "warming",
		.done = control_u64(j, "done"),
		.todo = control_u64(j, "todo"),
		.bytes = control_u64(j, "bytes"),
		.failed = control_u64(j, "failed"),
		.elapsed_ms = now - s->started_ms,
	};

	progress_show(&s->bar, &st, now, false);
}

static int
print_result(const json_t *j)
{
	uint64_t done = control_u64(j, "done");
	uint64_t failed = control_u64(j, "failed");
	uint64_t fetched = control_u64(j, "fetched");
	char size[32];

	printf("%" PRIu64 " messages at hand, %" PRIu64 " of them fetched now "
	    "(%s), %" PRIu64 " failed\n", done - failed, fetched,
	    progress_size(control_u64(j, "bytes"), size), failed);
	if (json_is_true(json_object_get(j, "is_full")))
		fprintf(stderr, "sesfs: the cache is full, %" PRIu64 " older "
		    "messages were left out; --cache-size makes it larger\n",
		    control_u64(j, "todo") - done);
	return failed > 0 ? cmd_fail(1, "%" PRIu64 " messages could not be "
	    "had; the log of the mount says why", failed) : 0;
}

/* {"cmd":"warm"} with the folder, when one was named. */
static char *
request(const struct config *c)
{
	json_t *req = json_pack("{s:s}", "cmd", "warm");
	char *text = NULL;

	if (req != NULL && (c->args_n < 2 ||
	    json_object_set_new(req, "folder", json_string(c->args[1])) == 0))
		text = json_dumps(req, JSON_COMPACT);
	json_decref(req);
	return text;
}

int
cmd_warm(const struct config *c)
{
	struct shown s = { .started_ms = stamp_now_ms() };
	char dir[CMD_PATH_MAX], *text;
	json_t *j;
	int status;

	if ((status = cmd_state_dir(c->mountpoint, dir)) != 0)
		return status;
	if ((text = request(c)) == NULL)
		return cmd_fail(EXIT_USE, "warm: the folder's name is not "
		    "UTF-8");
	progress_init(&s.bar, stderr);
	status = cmd_ask(dir, text, on_progress, &s, &j);
	progress_end(&s.bar);
	free(text);
	if (status == 0 && json_object_get(j, "problem") != NULL)
		status = cmd_fail(1, "warm: %s",
		    json_string_value(json_object_get(j, "problem")));
	else if (status == 0)
		status = print_result(j);
	json_decref(j);
	return status;
}
