#include "journal.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 4096 /* requests */

static const char *const faults[] = { "throttle", "error500", "error503",
	"reset", "truncate", "stall", "bitflip", "garbage", "denied",
	"rate" };

struct entry {
	enum op op;
	int status;
	int64_t at_unix;
	uint64_t bytes, serial;
	const char *fault; /* one of `faults`, or NULL */
	char method[16], region[32];
	char bucket[64], key[1025];
	char agent[256], kms_key[256], kms_context[1024];
};

struct journal {
	pthread_mutex_t lock;
	uint64_t ops[OP_COUNT]; /* [lock], as all below */
	uint64_t refused; /* replies of 400 and above */
	uint64_t faults[NELEMS(faults)];
	uint64_t bytes;
	uint64_t total, since_reset;
	struct entry ring[KEPT];
};

struct journal *
journal_new(void)
{
	struct journal *j = xcalloc(1, sizeof *j);

	pthread_mutex_init(&j->lock, NULL);
	return j;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static void
copy(char *to, size_t size, const char *from)
{
	size_t len = from != NULL ? strlen(from) : 0;

	if (len >= size)
		len = size - 1;
	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

#define COPY(to, from) copy(to, sizeof(to), from)

void
journal_add(struct journal *j, const struct request *req, int64_t at_unix)
{
	const struct reply *r = &req->reply;
	struct entry *e;

	pthread_mutex_lock(&j->lock);
	e = &j->ring[j->total++ % KEPT];
	j->since_reset++;
	j->ops[req->op]++;
	j->refused += r->status >= 400;
	e->bytes = r->bodyless ? 0 : r->shared != NULL ? r->len : r->body.len;
	j->bytes += e->bytes;
	e->op = req->op;
	e->status = r->status;
	e->at_unix = at_unix;
	e->serial = req->serial;
	e->fault = NULL;
	for (size_t i = 0; req->fault != NULL && i < NELEMS(faults); i++) {
		if (strcmp(req->fault, faults[i]) == 0) {
			j->faults[i]++;
			e->fault = faults[i];
		}
	}
	COPY(e->method, req->method);
	COPY(e->region, req->region);
	COPY(e->bucket, req->bucket);
	COPY(e->key, req->key);
	COPY(e->agent, request_header(req, "user-agent"));
	COPY(e->kms_key, req->kms_key);
	COPY(e->kms_context, req->kms_context);
	pthread_mutex_unlock(&j->lock);
}

void
journal_reset(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	memset(j->ops, 0, sizeof j->ops);
	memset(j->faults, 0, sizeof j->faults);
	j->bytes = j->refused = j->since_reset = 0;
	j->total = 0;
	pthread_mutex_unlock(&j->lock);
}

void
journal_counters(struct journal *j, struct buf *b)
{
	pthread_mutex_lock(&j->lock);
	buf_str(b, "{");
	for (int i = 0; i < OP_COUNT; i++)
		buf_fmt(b, "\"%s\": %llu, ", op_name((enum op)i),
		    (unsigned long long)j->ops[i]);
	for (size_t i = 0; i < NELEMS(faults); i++)
		buf_fmt(b, "\"faults.%s\": %llu, ", faults[i],
		    (unsigned long long)j->faults[i]);
	buf_fmt(b, "\"refused\": %llu, \"bytes_out\": %llu, \"total\": %llu}\n",
	    (unsigned long long)j->refused, (unsigned long long)j->bytes,
	    (unsigned long long)j->since_reset);
	pthread_mutex_unlock(&j->lock);
}

/* What a client sent may be no UTF-8; such a field shows as null. */
static json_t *
text(const char *s)
{
	json_t *ret = *s != '\0' ? json_string(s) : NULL;

	return ret != NULL ? ret : json_null();
}

static json_t *
entry_json(const struct entry *e)
{
	json_t *o = json_object();
	char id[24];

	snprintf(id, sizeof id, "%016llX", (unsigned long long)e->serial);
	json_object_set_new(o, "request_id", json_string(id));
	json_object_set_new(o, "op", json_string(op_name(e->op)));
	json_object_set_new(o, "method", text(e->method));
	json_object_set_new(o, "bucket", text(e->bucket));
	json_object_set_new(o, "key", text(e->key));
	json_object_set_new(o, "status", json_integer(e->status));
	json_object_set_new(o, "fault", text(e->fault != NULL ? e->fault : ""));
	json_object_set_new(o, "bytes", json_integer((json_int_t)e->bytes));
	json_object_set_new(o, "region", text(e->region));
	json_object_set_new(o, "user_agent", text(e->agent));
	json_object_set_new(o, "kms_key", text(e->kms_key));
	json_object_set_new(o, "kms_context", text(e->kms_context));
	json_object_set_new(o, "at", json_integer(e->at_unix));
	return o;
}

void
journal_log(struct journal *j, size_t n, struct buf *b)
{
	json_t *list = json_array();
	char *s;

	pthread_mutex_lock(&j->lock);
	if (n > KEPT)
		n = KEPT;
	if (n > j->total)
		n = j->total;
	for (uint64_t i = j->total - n; i < j->total; i++)
		json_array_append_new(list, entry_json(&j->ring[i % KEPT]));
	pthread_mutex_unlock(&j->lock);
	s = json_dumps(list, JSON_INDENT(1));
	buf_str(b, s != NULL ? s : "[]");
	buf_char(b, '\n');
	free(s);
	json_decref(list);
}
