/* cmd_check.c -- says what a mount would lack, before it does. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/check.h"
#include "fs/cmd.h"
#include "fs/text.h"
#include "store/log.h"

#define DETAIL_MAX 4096

static const struct {
	const char *word, *colour;
} results[] = {
	[CHECK_OK] = { "ok", "32" },
	[CHECK_WARN] = { "warn", "33" },
	[CHECK_MISSING] = { "MISSING", "1;31" },
	[CHECK_SKIP] = { "skip", "2" },
};

/* ---- one finding ---- */

static void
print(const struct check *k, const struct check_finding *f, const char *detail)
{
	const char *word = results[f->result].word;

	if (k->has_colour)
		printf("\033[%sm%-8s\033[0m %-10s ",
		    results[f->result].colour, word, f->name);
	else
		printf("%-8s %-10s ", word, f->name);
	text_print(stdout, detail, SIZE_MAX);
	if (f->fix != NULL) {
		printf("\n%19s  -> ", "");
		text_print(stdout, f->fix, SIZE_MAX);
	}
	putchar('\n');
	fflush(stdout);
}

static void
set_text(json_t *obj, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_object_set_new(obj, name, text_json(value));
}

static void
append(struct check *k, const struct check_finding *f, const char *detail)
{
	const struct aws_outcome *o = aws_outcome();
	json_t *obj = json_pack("{s:s, s:s, s:o}", "check", f->name, "result",
	    results[f->result].word, "detail", text_json(detail));

	set_text(obj, "cause", f->cause);
	if (o->is_set) {
		set_text(obj, "code", o->error.code);
		set_text(obj, "request_id", o->error.request_id);
		set_text(obj, "host_id", o->error.host_id);
	}
	set_text(obj, "missing", f->missing);
	set_text(obj, "fix", f->fix);
	json_array_append_new(k->list, obj);
}

static void
report(struct check *k, const struct check_finding *f, const char *detail)
{
	k->missing += f->result == CHECK_MISSING;
	if (k->c->json)
		append(k, f, detail);
	else
		print(k, f, detail);
	/* The next finding is about another call. */
	aws_outcome_clear();
}

void
check_note(struct check *k, const struct check_finding *f, const char *fmt, ...)
{
	char detail[DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	report(k, f, detail);
}

void
check_quote(struct check *k, const struct check_finding *f,
    const char *before, const char *line)
{
	const char *advice = strstr(line, "; ");
	size_t len = advice != NULL ? (size_t)(advice - line) : strlen(line);
	struct check_finding with_fix = *f;

	if (advice != NULL)
		with_fix.fix = advice + 2;
	check_note(k, &with_fix, "%s: %.*s", before, (int)len, line);
}

void
check_ok(struct check *k, const char *name, const char *fmt, ...)
{
	const struct check_finding f = { .name = name, .result = CHECK_OK };
	char detail[DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	report(k, &f, detail);
}

void
check_skip(struct check *k, const char *name, const char *fmt, ...)
{
	const struct check_finding f = { .name = name, .result = CHECK_SKIP };
	char detail[DETAIL_MAX] = "not tried: ";
	size_t len = strlen(detail);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail + len, sizeof(detail) - len, fmt, ap);
	va_end(ap);
	report(k, &f, detail);
}

/* The log, to which some words of graph_error() point, is silent here. */
static int
words_len(const char *words)
{
	const char *pointer = strstr(words, " (the line before");

	return pointer != NULL ? (int)(pointer - words) : (int)strlen(words);
}

void
check_failed(struct check *k, const struct check_call *call, int err,
    const char *fmt, ...)
{
	const struct aws_outcome *o = aws_outcome();
	struct check_cause c = check_cause(err, &o->error);
	char what[DETAIL_MAX / 2], detail[DETAIL_MAX], fix[CHECK_FIX_MAX];
	char action[AWSERR_ACTION_MAX];
	const char *words;
	struct check_finding f = { call->name, call->result, c.cause, NULL,
		c.fix };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	words = o->is_set && o->why[0] != '\0' ? o->why : graph_error(err);
	snprintf(detail, sizeof(detail), "%s: %.*s", what, words_len(words),
	    words);
	if (c.fix == NULL) {
		if (!awserr_is_denied(&o->error, call->action, action))
			snprintf(action, sizeof(action), "%s", call->action);
		snprintf(fix, sizeof(fix), "allow %s on %s", action, call->on);
		f.missing = action;
		f.fix = fix;
	}
	if (call->fix != NULL)
		f.fix = call->fix;
	report(k, &f, detail);
}

/* ---- the command ---- */

/* As https://no-color.org asks. */
static bool
wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0;
}

/* A finding says what its log lines would, unless they are asked for. */
static void
silence_log(const struct config *c)
{
	if (!c->verbose && !c->debug &&
	    config_level(c, "log-level") <= LEVEL_DEFAULT)
		log_set_level(LOG_LEVEL_NONE);
}

static void
check_cloud(struct check *k)
{
	char why[DETAIL_MAX / 2] = "";
	int r;

	log_keep(why, sizeof(why));
	r = graph_open(k->c, GRAPH_CLOUD | GRAPH_TRY, &k->g);
	log_keep(NULL, 0);
	aws_outcome_clear();
	if (r < 0) {
		check_quote(k, &(struct check_finding){ "aws", CHECK_MISSING,
		    "setting", NULL, "mend what this names" },
		    "nothing can be asked", why);
		return;
	}
	check_net(k);
	check_bucket(k);
	check_keys(k);
	check_queue(k);
	envelope_free(k->envelope);
	s3_object_free(&k->sample);
	graph_close(&k->g);
}

int
cmd_check(const struct config *c)
{
	struct check k = { .c = c, .list = json_array(),
		.has_colour = wants_colour() };

	silence_log(c);
	check_state(&k);
	check_machine(&k);
	check_audit(&k);
	check_cloud(&k);
	if (c->json)
		text_dump(stdout, k.list, JSON_INDENT(2));
	json_decref(k.list);
	return cmd_printed(k.missing > 0 ? 1 : 0);
}
