#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/cmd.h"
#include "fs/graph.h"
#include "fs/maildir.h"
#include "fs/text.h"

/* ---- which object? ---- */

struct by_name {
	const char *name; /* a Maildir name */
	size_t len;	  /* of its part before the sizes and ":2," */
	int64_t id;
};

/* The name is a function of the object; what a client made of it is not. */
static int
match_name(void *arg, const struct object *o)
{
	struct by_name *b = arg;
	char name[MAILDIR_NAME_MAX];

	maildir_name(o->key, o->etag, o->last_modified_unix, o->plain_size,
	    o->crlf_size, name);
	if (strncmp(name, b->name, b->len) != 0 ||
	    (name[b->len] != '\0' && name[b->len] != ','))
		return 0;
	b->id = o->id;
	return 1;
}

static int
find_by_name(struct index *ix, const char *text, struct object *ret)
{
	const char *base = strrchr(text, '/'), *end;
	struct by_name b = { .name = base != NULL ? base + 1 : text };
	int r;

	if ((end = strstr(b.name, ".sesfs")) == NULL)
		return -ENOENT;
	b.len = (size_t)(end - b.name) + strlen(".sesfs");
	r = index_each_object(ix, OBJECT_READY, match_name, &b);
	if (r < 0)
		return r;
	return r == 0 ? -ENOENT : index_object(ix, b.id, ret);
}

/* A whole key, one relative to the prefix, or a Maildir name. */
static int
find_object(struct index *ix, const char *prefix, const char *text,
    struct object *ret)
{
	char *key;
	int r = index_object_by_key(ix, text, ret);

	if (r != -ENOENT)
		return r;
	if (asprintf(&key, "%s%s", prefix, text) < 0)
		return -ENOMEM;
	r = index_object_by_key(ix, key, ret);
	free(key);
	return r != -ENOENT ? r : find_by_name(ix, text, ret);
}

/* ---- its bytes ---- */

static int
write_all(struct slice data)
{
	while (data.len > 0) {
		ssize_t n = write(STDOUT_FILENO, data.ptr, data.len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data.ptr += n;
			data.len -= (size_t)n;
		}
	}
	return 0;
}

static int
print_message(struct graph *g, struct audit *audit, const struct object *o)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	struct source_trace trace;
	int r = source_open_traced(g->source, o->id, &trace, &m);

	if (r == -EBADMSG)
		return cmd_fail(1, "refused: not a byte of it is "
		    "trustworthy; the line above says why");
	if (r == -ENOKEY)
		return cmd_fail(1, "KMS refuses its key; sesfs check says what "
		    "is missing");
	if (r == -ENOENT)
		return cmd_fail(1, "it is gone from the bucket");
	if (r < 0)
		return cmd_fail(1, "cat: %s%s", graph_error(r),
		    graph_advice(r));
	if (cmd_record(audit, o->key, &trace) < 0)
		return cmd_fail(1, "not shown without a line in the audit");
	message_served(m, message_data(m).len);
	if ((r = write_all(message_data(m))) < 0)
		return r == -EPIPE ? 1 : cmd_fail(1, "write: %s", strerror(-r));
	return 0;
}

static int
print_object(struct graph *g, struct audit *audit, const struct object *o)
{
	switch (o->state) {
	case OBJECT_READY:
		return print_message(g, audit, o);
	case OBJECT_REFUSED:
		return cmd_fail(1, "refused: %s; see REFUSALS in "
		    "sesfs(7)", refusal_name(o->why));
	case OBJECT_PENDING:
		return cmd_fail(1, "not looked at yet; run sesfs sync");
	case OBJECT_GONE:
		break;
	}
	return cmd_fail(1, "it is gone from the bucket");
}

int
cmd_cat(const struct config *c)
{
	CLEANUP(audit_closep) struct audit *audit = NULL;
	struct graph g;
	struct object o = { 0 };
	int r, status;

	if (cmd_audit(c, &audit) < 0 ||
	    graph_open(c, GRAPH_CLOUD | GRAPH_INDEX_RO | GRAPH_SOURCE, &g) < 0)
		return 1;
	r = find_object(g.index, c->location.prefix, c->args[1], &o);
	if (r == -ENOENT)
		status = cmd_fail(1, "no such message in the index; "
		    "sesfs sync looks for new ones");
	else if (r < 0)
		status = cmd_fail(1, "index: %s", strerror(-r));
	else
		status = print_object(&g, audit, &o);
	object_clear(&o);
	graph_close(&g);
	return status;
}
