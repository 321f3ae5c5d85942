/* cmd_verify.c -- reads everything again and believes nothing.
 *
 * Every message is fetched from S3, decrypted and compared with what the index
 * says of it; nothing is taken from the local cache, and nothing is changed. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cmd.h"
#include "fs/graph.h"
#include "fs/progress.h"
#include "fs/text.h"
#include "store/hdrpack.h"
#include "store/http.h"
#include "store/lock.h"
#include "store/stamp.h"

#define WORKERS_MAX 32

struct verify {
	const struct config *c;
	struct graph g;
	struct audit *audit; /* NULL: none */
	struct progress bar;
	int64_t *id;
	size_t n, cap;
	int64_t started_ms;
	pthread_mutex_t lock;
	size_t next, done;    /* [lock] */
	uint64_t wrong;	      /* [lock] */
	uint64_t unknown;     /* [lock] could not be read now */
	uint64_t bytes;	      /* [lock] */
	json_t *report;	      /* [lock] for --json */
};

static atomic_bool interrupted;

static void
on_interrupt(int sig)
{
	atomic_store(&interrupted, true);
}

/* ---- one message ---- */

/* The header fields as sealed and as read again; NULL when they agree. */
static const char *
compare_headers(struct verify *v, const struct object *o,
    const struct rfc822 *fresh)
{
	uint8_t packed[HDRPACK_MAX], sealed[HDRPACK_MAX];
	size_t len = hdrpack_pack(fresh, packed, sizeof(packed));
	const char *ret = NULL;
	int r;

	if (o->headers_sealed != NULL) {
		if (o->headers_sealed_len != len + SEAL_OVERHEAD)
			ret = "header fields differ from the index";
		else if ((r = seal_open(v->g.seal, SEAL_HEADERS, o->id,
			      o->headers_sealed, o->headers_sealed_len,
			      sealed)) == -EBADMSG)
			ret = "sealed header fields do not open";
		else if (r == 0 && sodium_memcmp(packed, sealed, len) != 0)
			ret = "header fields differ from the index";
	}
	sodium_memzero(packed, sizeof(packed));
	sodium_memzero(sealed, sizeof(sealed));
	return ret;
}

static const char *
compare(struct verify *v, const struct object *o, struct slice msg)
{
	struct rfc822 *h;
	const char *ret = NULL;

	if (msg.len != o->plain_size)
		return "size differs from the index";
	if ((h = malloc(sizeof(*h))) == NULL)
		return "out of memory";
	rfc822_parse(msg.ptr, msg.len, h);
	if (o->crlf_size != 0 && h->crlf_size != o->crlf_size)
		ret = "W= differs from the index";
	else
		ret = compare_headers(v, o, h);
	sodium_memzero(h, sizeof(*h));
	free(h);
	return ret;
}

/* NULL when all is well. *ret_unknown: it could not be told now. */
static const char *
verify_object(struct verify *v, const struct object *o, bool *ret_unknown)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	struct source_trace trace;
	int r = source_open_traced(v->g.source, o->id, &trace, &m);

	*ret_unknown = false;
	if (r == 0 && cmd_record(v->audit, o->key, &trace) < 0) {
		*ret_unknown = true;
		return "not read without a line in the audit";
	}
	switch (r) {
	case 0:
		message_served(m, message_data(m).len);
		return compare(v, o, message_data(m));
	case -EBADMSG:
		return "refused, or another one than was indexed";
	case -ENOKEY:
		return "KMS refuses its key";
	case -ENOENT:
		return "gone from the bucket";
	default:
		*ret_unknown = true;
		return graph_error(r);
	}
}

/* ---- the workers ---- */

static void
report(struct verify *v, const char *key, const char *what)
{
	if (v->c->json) {
		json_array_append_new(v->report, json_pack("{s:o, s:s}", "key",
		    text_json(key), "problem", what));
		return;
	}
	progress_end(&v->bar);
	text_print(stdout, key, SIZE_MAX);
	printf(": %s\n", what);
	fflush(stdout);
}

static void
settle(struct verify *v, const struct object *o, const char *what,
    bool is_unknown)
{
	struct progress_state s = { .verb = "verifying", .todo = v->n };

	LOCK_SCOPE(&v->lock);
	s.done = ++v->done;
	s.bytes = v->bytes += o->size;
	v->wrong += what != NULL && !is_unknown;
	v->unknown += what != NULL && is_unknown;
	s.refused = v->wrong;
	s.failed = v->unknown;
	s.elapsed_ms = stamp_now_ms() - v->started_ms;
	if (what != NULL)
		report(v, o->key, what);
	progress_show(&v->bar, &s, stamp_now_ms(), false);
}

static int64_t
next_id(struct verify *v)
{
	LOCK_SCOPE(&v->lock);
	if (v->next == v->n || atomic_load(&interrupted))
		return 0;
	return v->id[v->next++];
}

static void *
worker_main(void *arg)
{
	struct verify *v = arg;
	int64_t id;

	http_set_thread_prio(HTTP_BACKGROUND);
	while ((id = next_id(v)) != 0) {
		struct object o = { 0 };
		const char *what;
		bool is_unknown;

		if (index_object(v->g.index, id, &o) < 0)
			continue; /* gone meanwhile */
		what = verify_object(v, &o, &is_unknown);
		settle(v, &o, what, is_unknown);
		object_clear(&o);
	}
	return NULL;
}

/* Ids first: workers take them in key order without holding the index. */
static int
collect(void *arg, const struct object *o)
{
	struct verify *v = arg;

	if (randombytes_uniform(100) >= v->c->sample)
		return 0;
	if (v->n == v->cap) {
		size_t cap = v->cap == 0 ? 1024 : v->cap * 2;
		int64_t *id = reallocarray(v->id, cap, sizeof(*id));

		if (id == NULL)
			return -ENOMEM;
		v->id = id;
		v->cap = cap;
	}
	v->id[v->n++] = o->id;
	return 0;
}

static int
run_workers(struct verify *v)
{
	unsigned n = v->c->jobs < WORKERS_MAX ? (unsigned)v->c->jobs :
						WORKERS_MAX;
	pthread_t thread[WORKERS_MAX];
	unsigned started = 0;
	int r = 0;

	while (started < n && r == 0) {
		r = pthread_create(&thread[started], NULL, worker_main, v);
		started += r == 0;
	}
	if (started == 0)
		return -r;
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static int
print_result(struct verify *v)
{
	if (v->c->json) {
		json_t *doc = json_pack("{s:I, s:I, s:I, s:I, s:O}",
		    "messages", (json_int_t)v->n, "verified",
		    (json_int_t)(v->done - v->wrong - v->unknown), "wrong",
		    (json_int_t)v->wrong, "unknown", (json_int_t)v->unknown,
		    "problems", v->report);

		text_dump(stdout, doc, JSON_INDENT(2));
		json_decref(doc);
	} else {
		printf("%zu of %zu messages verified, %" PRIu64 " wrong, %"
		    PRIu64 " could not be read\n",
		    v->done - v->wrong - v->unknown, v->n, v->wrong,
		    v->unknown);
	}
	if (cmd_printed(0) != 0)
		return 1;
	if (atomic_load(&interrupted))
		return cmd_fail(EXIT_INTERRUPTED, "interrupted");
	return v->wrong > 0 || v->unknown > 0 ? 1 : 0;
}

int
cmd_verify(const struct config *c)
{
	struct verify v = { .c = c, .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct sigaction sa = { .sa_handler = on_interrupt,
		.sa_flags = SA_RESETHAND };
	int r, status;

	if (cmd_audit(c, &v.audit) < 0)
		return 1;
	if (graph_open(c, GRAPH_CLOUD | GRAPH_INDEX_RO | GRAPH_SOURCE |
		     GRAPH_NO_CACHE, &v.g) < 0) {
		audit_close(v.audit);
		return 1;
	}
	v.report = json_array();
	progress_init(&v.bar, stderr);
	v.started_ms = stamp_now_ms();
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if ((r = index_each_object(v.g.index, OBJECT_READY, collect, &v)) == 0)
		r = run_workers(&v);
	progress_end(&v.bar);
	status = r < 0 ? cmd_fail(1, "verify: %s", strerror(-r)) :
			 print_result(&v);
	json_decref(v.report);
	free(v.id);
	graph_close(&v.g);
	audit_close(v.audit);
	return status;
}
