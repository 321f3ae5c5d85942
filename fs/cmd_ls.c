/* cmd_ls.c -- the messages of the index, as a table or as JSON lines. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "fs/cmd.h"
#include "fs/filter.h"
#include "fs/graph.h"
#include "fs/maildir.h"
#include "fs/progress.h"
#include "fs/text.h"

/* Columns of the table. The subject takes what is left. */
#define FOLDER_COLUMNS 12
#define FROM_COLUMNS 22
#define FIXED_COLUMNS (FOLDER_COLUMNS + 1 + 16 + 1 + FROM_COLUMNS + 1 + 1 + \
	10 + 1 + 6 + 1 + 9)
#define SUBJECT_COLUMNS 20 /* at least */

struct ls {
	const struct config *c;
	struct graph g;
	struct filter filter;
	bool is_tty;
	size_t subject_columns;
	bool with_headers;
	uint64_t without; /* messages whose header fields could not be had */
	int first_error;  /* why the first of them */
	int64_t folder_dir;	      /* of the directory last seen: */
	char folder[INDEX_NAME_MAX + 1];
	bool is_new;
	struct rfc822 headers; /* wiped at the end */
};

/* ---- the table ---- */

static void
set_width(struct ls *ls)
{
	struct winsize ws;
	size_t width = 80;

	ls->is_tty = isatty(STDOUT_FILENO) == 1;
	if (ls->is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
	    ws.ws_col > 0)
		width = ws.ws_col;
	ls->subject_columns = SUBJECT_COLUMNS;
	if (width > FIXED_COLUMNS + SUBJECT_COLUMNS)
		ls->subject_columns = width - FIXED_COLUMNS;
}

/* A column: cut on a terminal, whole for other programs. */
static void
print_column(const struct ls *ls, const char *text, size_t columns)
{
	size_t used = text_print(stdout, text, ls->is_tty ? columns : SIZE_MAX);

	printf("%*s", used < columns ? (int)(columns - used) + 1 : 1, "");
}

static const char *
short_time(int64_t unix_s, char ret[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(ret, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(ret, 32, "?");
	return ret;
}

/* "FAIL/FAIL" worth a look; "" when both passed. */
static const char *
verdicts(const struct rfc822 *h, char ret[32])
{
	const char *spam = h->value[RFC822_SPAM];
	const char *virus = h->value[RFC822_VIRUS];

	ret[0] = '\0';
	if ((*spam != '\0' && strcmp(spam, "PASS") != 0) ||
	    (*virus != '\0' && strcmp(virus, "PASS") != 0))
		snprintf(ret, 32, "%.12s/%.12s", *spam ? spam : "-",
		    *virus ? virus : "-");
	return ret;
}

static void
print_head(const struct ls *ls)
{
	if (ls->c->json)
		return;
	if (ls->c->refused) {
		puts("REASON                 ARRIVED                SIZE KEY");
		return;
	}
	print_column(ls, "FOLDER", FOLDER_COLUMNS);
	print_column(ls, "DATE", 16);
	print_column(ls, "FROM", FROM_COLUMNS);
	print_column(ls, "SUBJECT", ls->subject_columns);
	puts("      SIZE FLAGS  VERDICTS");
}

static void
print_row(const struct ls *ls, const struct filter_message *m)
{
	static const struct rfc822 none;
	const struct rfc822 *h = m->headers != NULL ? m->headers : &none;
	const char *unknown = m->headers != NULL ? "" : "-";
	char buf[32], size[32], flags[32];

	print_column(ls, *m->folder != '\0' ? m->folder : "INBOX",
	    FOLDER_COLUMNS);
	print_column(ls, short_time(filter_date(m), buf), 16);
	print_column(ls, m->headers ? h->value[RFC822_FROM] : unknown,
	    FROM_COLUMNS);
	print_column(ls, m->headers ? h->value[RFC822_SUBJECT] : unknown,
	    ls->subject_columns);
	snprintf(flags, sizeof(flags), "%s%.28s", m->is_new ? "N" : "",
	    m->flags);
	printf("%10s ", progress_size(m->size, size));
	print_column(ls, flags, 6);
	text_print(stdout, verdicts(h, buf), SIZE_MAX);
	putchar('\n');
}

/* ---- JSON ---- */

/* Print an object (taken over) on a line of its own. */
static int
print_json(json_t *obj)
{
	int r;

	if (obj == NULL)
		return -ENOMEM;
	r = text_dump(stdout, obj, JSON_COMPACT);
	json_decref(obj);
	return r;
}

static int
print_json_row(const struct filter_message *m, const char *name,
    const struct object *o)
{
	char date[32], arrived[32];
	json_t *obj = json_pack(
	    "{s:o, s:o, s:s, s:s, s:o, s:b, s:o, s:I, s:I}",
	    "key", text_json(m->key),
	    "folder", text_json(*m->folder != '\0' ? m->folder : "INBOX"),
	    "date", text_time(filter_date(m), date),
	    "arrived", text_time(m->arrived_unix, arrived),
	    "flags", text_json(m->flags), "new", (int)m->is_new,
	    "name", text_json(name),
	    "size", (json_int_t)m->size,
	    "stored_size", (json_int_t)o->size);

	for (int i = 0; m->headers != NULL && obj != NULL &&
	     i < RFC822_FIELDS; i++)
		if (i != RFC822_DATE)
			json_object_set_new(obj,
			    rfc822_field_name((enum rfc822_field)i),
			    text_json(m->headers->value[i]));
	return print_json(obj);
}

/* ---- the walk ---- */

static int
set_folder(struct ls *ls, int64_t dir)
{
	int r = 0;

	if (dir == ls->folder_dir)
		return 0;
	r = mailbox_folder_of(ls->g.mailbox, dir, ls->folder,
	    sizeof(ls->folder), &ls->is_new);
	if (r == 0)
		ls->folder_dir = dir;
	return r;
}

/* The header fields, or NULL. Once KMS or S3 cannot be reached it is not asked
 * for every message again. */
static const struct rfc822 *
get_headers(struct ls *ls, const struct object *o)
{
	int r;

	if (!ls->with_headers)
		return NULL;
	r = ls->first_error != 0 && graph_is_offline(ls->first_error) ?
	    ls->first_error :
	    source_headers(ls->g.source, o, &ls->headers);
	if (r == 0)
		return &ls->headers;
	ls->without++;
	if (ls->first_error == 0)
		ls->first_error = r;
	return NULL;
}

static int
on_entry(void *arg, int64_t dir, const char *name, const struct node *n,
    const struct object *o)
{
	struct ls *ls = arg;
	struct filter_message m = {
		.key = o->key,
		.flags = maildir_flags(name),
		.size = o->plain_size,
		.arrived_unix = o->last_modified_unix,
	};
	int r = set_folder(ls, dir);

	if (r < 0)
		return r == -ENOTDIR ? 0 : r; /* moved somewhere odd */
	m.folder = ls->folder;
	m.is_new = ls->is_new;
	m.headers = get_headers(ls, o);
	if (!filter_matches(&ls->filter, &m))
		return 0;
	if (ls->c->json)
		return print_json_row(&m, name, o);
	print_row(ls, &m);
	return ferror(stdout) ? -EIO : 0;
}

static int
on_refused(void *arg, const struct object *o)
{
	struct ls *ls = arg;
	const struct filter_message m = {
		.key = o->key,
		.flags = "",
		.size = o->size,
		.arrived_unix = o->last_modified_unix,
	};
	char at[32], size[32];

	if (!filter_matches(&ls->filter, &m))
		return 0;
	text_time(o->last_modified_unix, at);
	if (ls->c->json)
		return print_json(json_pack("{s:o, s:s, s:s, s:I}", "key",
		    text_json(o->key), "reason", refusal_name(o->why),
		    "arrived", at, "stored_size", (json_int_t)o->size));
	printf("%-22s %-20s %6s ", refusal_name(o->why), at,
	    progress_size(o->size, size));
	text_print(stdout, o->key, SIZE_MAX);
	putchar('\n');
	return ferror(stdout) ? -EIO : 0;
}

static int
list(struct ls *ls)
{
	const struct config *c = ls->c;
	unsigned parts = GRAPH_INDEX_RO | GRAPH_MAILBOX;
	int r;

	ls->with_headers = !c->brief && !c->refused;
	if (ls->with_headers)
		parts |= GRAPH_CLOUD | GRAPH_SOURCE;
	if (graph_open(c, parts, &ls->g) < 0)
		return 1;
	print_head(ls);
	r = c->refused ? index_each_object(ls->g.index, OBJECT_REFUSED,
			     on_refused, ls) :
			 index_each_entry(ls->g.index, 0, on_entry, ls);
	sodium_memzero(&ls->headers, sizeof(ls->headers));
	graph_close(&ls->g);
	if (cmd_printed(0) != 0)
		return 1;
	if (r < 0)
		return cmd_fail(1, "index: %s", strerror(-r));
	if (ls->without > 0)
		return cmd_fail(1, "the header fields of %" PRIu64 " messages "
		    "could not be had: %s%s; --brief does without",
		    ls->without, graph_error(ls->first_error),
		    graph_advice(ls->first_error));
	return 0;
}

int
cmd_ls(const struct config *c)
{
	char err[FILTER_ERR_MAX];
	struct ls *ls = calloc(1, sizeof(*ls));
	int status;

	if (ls == NULL)
		return cmd_fail(1, "out of memory");
	ls->c = c;
	if (filter_parse((const char *const *)c->args + 1, c->args_n - 1,
		&ls->filter, err) < 0) {
		status = cmd_fail(EXIT_USE, "%s", err);
	} else if ((c->brief || c->refused) &&
	    filter_needs_headers(&ls->filter)) {
		status = cmd_fail(EXIT_USE, "--%s knows no header fields to "
		    "filter by", c->brief ? "brief" : "refused");
	} else {
		set_width(ls);
		status = list(ls);
	}
	free(ls);
	return status;
}
