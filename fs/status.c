/* status.c -- gathers the figures; status_print.c lays them out. */
#include "fs/status.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/text.h"
#include "store/stamp.h"

double
status_cost_usd(const struct aws_stats *s)
{
	static const double price[AWS_OPS] = {
		[AWS_S3_LIST] = 0.005 / 1000,
		[AWS_S3_PUT] = 0.005 / 1000,
		[AWS_S3_GET] = 0.0004 / 1000,
		[AWS_S3_HEAD] = 0.0004 / 1000,
		[AWS_KMS_DECRYPT] = 0.03 / 10000,
		[AWS_KMS_GENERATE] = 0.03 / 10000,
		[AWS_KMS_DESCRIBE] = 0.03 / 10000,
	};
	double sum = 0;

	for (size_t i = 0; i < AWS_OPS; i++)
		sum += price[i] * (double)s->requests[i];
	return sum;
}

/* Sets an integer member; jansson's is signed. */
static void
set_u64(json_t *obj, const char *name, uint64_t v)
{
	json_object_set_new(obj, name, json_integer(
	    v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static json_t *
json_counts(const struct index_counts *c)
{
	json_t *obj = json_object(), *why = json_object();

	set_u64(obj, "ready", c->ready);
	set_u64(obj, "pending", c->pending);
	set_u64(obj, "refused", c->refused);
	set_u64(obj, "gone", c->gone);
	set_u64(obj, "stored_bytes", c->stored_bytes);
	set_u64(obj, "plain_bytes", c->plain_bytes);
	for (int i = 1; i < REFUSAL_COUNT; i++)
		if (c->by_refusal[i] > 0)
			set_u64(why, refusal_name((enum refusal)i),
			    c->by_refusal[i]);
	json_object_set_new(obj, "by_reason", why);
	return obj;
}

struct refused_list {
	json_t *array;
	size_t max;
	bool is_cut;
};

static int
add_refused(void *arg, const struct object *o)
{
	struct refused_list *l = arg;

	if (json_array_size(l->array) >= l->max) {
		l->is_cut = true;
		return 1;
	}
	json_array_append_new(l->array, json_pack("{s:o,s:s}", "key",
	    text_json(o->key), "reason", refusal_name(o->why)));
	return 0;
}

static int
set_refused(json_t *doc, struct index *ix, bool all)
{
	struct refused_list l = { .array = json_array(),
		.max = all ? STATUS_REFUSED_ALL : STATUS_REFUSED_FEW };
	int r = index_each_object(ix, OBJECT_REFUSED, add_refused, &l);

	json_object_set_new(doc, "refused", l.array);
	json_object_set_new(doc, "refused_is_complete",
	    json_boolean(!l.is_cut));
	return r < 0 ? r : 0;
}

static json_t *
json_sync(struct sync *sync)
{
	static const char *const phases[] = { "idle", "listing", "fetching" };
	struct sync_status s;
	char at[32];
	json_t *obj;

	sync_get_status(sync, &s);
	obj = json_pack("{s:s, s:I, s:I, s:f}",
	    "phase", phases[s.progress.phase],
	    "next_pass_in_s", (json_int_t)s.next_pass_in_s,
	    "poll_s", (json_int_t)s.poll_s,
	    "list_usd_per_month", s.list_usd_per_month);
	set_u64(obj, "listed", s.progress.listed);
	set_u64(obj, "added", s.progress.added);
	set_u64(obj, "replaced", s.progress.replaced);
	set_u64(obj, "removed", s.progress.removed);
	set_u64(obj, "todo", s.progress.todo);
	set_u64(obj, "done", s.progress.done);
	set_u64(obj, "failed", s.progress.failed);
	json_object_set_new(obj, "last_pass", s.last_pass_unix == 0 ?
	    json_null() :
	    json_string(text_time(s.last_pass_unix, at)));
	json_object_set_new(obj, "last_error", s.last_error == 0 ?
	    json_null() :
	    json_string(graph_error(s.last_error)));
	return obj;
}

static void
set_requests(json_t *doc, struct aws *aws)
{
	json_t *requests = json_object();
	uint64_t retries = 0, throttled = 0, failed = 0;
	struct aws_stats s;

	aws_get_stats(aws, &s);
	for (size_t i = 0; i < AWS_OPS; i++) {
		set_u64(requests, aws_op_name((enum aws_op)i), s.requests[i]);
		retries += s.retries[i];
		throttled += s.throttled[i];
		failed += s.failed[i];
	}
	json_object_set_new(doc, "requests", requests);
	set_u64(doc, "retries", retries);
	set_u64(doc, "throttled", throttled);
	set_u64(doc, "failed_requests", failed);
	set_u64(doc, "bytes_in", s.bytes_in);
	set_u64(doc, "bytes_out", s.bytes_out);
	json_object_set_new(doc, "cost_usd", json_real(status_cost_usd(&s)));
}

static json_t *
json_cache(struct blobcache *cache)
{
	struct blobcache_stats s;
	json_t *obj = json_object();

	blobcache_get_stats(cache, &s);
	set_u64(obj, "bytes", s.bytes);
	set_u64(obj, "limit", s.limit);
	set_u64(obj, "objects", s.objects);
	set_u64(obj, "hits", s.hits);
	set_u64(obj, "misses", s.misses);
	set_u64(obj, "evictions", s.evictions);
	return obj;
}

static json_t *
json_keys(const struct graph *g)
{
	struct keyring_stats k;
	struct source_stats s;
	json_t *obj = json_object();

	keyring_get_stats(g->keyring, &k);
	source_get_stats(g->source, &s);
	set_u64(obj, "slots", k.slots);
	set_u64(obj, "used", k.used);
	json_object_set_new(obj, "locked", json_boolean(k.is_locked));
	set_u64(obj, "ttl_s", g->c->key_ttl_s);
	set_u64(obj, "evictions", k.evictions);
	set_u64(obj, "expiries", k.expiries);
	set_u64(obj, "from_ring", s.keys_from_ring);
	set_u64(obj, "from_seal", s.keys_from_seal);
	set_u64(obj, "from_kms", s.keys_from_kms);
	set_u64(obj, "early", s.keys_early);
	set_u64(obj, "unused", s.keys_unused);
	return obj;
}

static json_t *
json_kms(struct http *http)
{
	struct http_pace p;
	json_t *obj = json_object();

	http_get_pace(http, HTTP_LANE_KMS, &p);
	json_object_set_new(obj, "rate", json_real(p.rate));
	json_object_set_new(obj, "rate_limit", json_real(p.limit));
	set_u64(obj, "waiting", p.waiting);
	return obj;
}

static json_t *
json_messages(struct source *source)
{
	struct source_stats s;
	json_t *obj = json_object();

	source_get_stats(source, &s);
	set_u64(obj, "opens", s.opens);
	set_u64(obj, "decrypts", s.decrypts);
	set_u64(obj, "auth_failures", s.auth_failures);
	set_u64(obj, "in_memory", s.plain_messages);
	set_u64(obj, "in_memory_bytes", s.plain_bytes);
	return obj;
}

static json_t *
json_ahead(struct prefetch *prefetch)
{
	struct stream_stats s;
	json_t *obj = json_object();

	prefetch_get_stats(prefetch, &s);
	set_u64(obj, "fetched", s.fetched);
	set_u64(obj, "fetched_bytes", s.fetched_bytes);
	set_u64(obj, "read", s.hits);
	set_u64(obj, "unread_bytes", s.unread_bytes);
	set_u64(obj, "wasted_bytes", s.wasted_bytes);
	return obj;
}

static json_t *
json_seal(struct seal *seal)
{
	static const char *const states[] = {
		[SEAL_OFF] = "memory only",
		[SEAL_LOCKED] = "locked",
		[SEAL_OPEN] = "open",
		[SEAL_DENIED] = "denied",
		[SEAL_OFFLINE] = "offline",
	};
	char arn[KMS_ARN_MAX] = "";
	enum seal_state s = seal_get_state(seal, arn);

	return json_pack("{s:s,s:s}", "state", states[s], "key", arn);
}

static json_t *
json_fuse(struct mount *mount)
{
	struct mount_stats s;
	json_t *obj = json_object();

	mount_get_stats(mount, &s);
	for (int i = 0; i < OPS_COUNTS; i++)
		set_u64(obj, mount_count_name((enum ops_count)i), s.count[i]);
	return obj;
}

static json_t *
json_audit(struct audit *a)
{
	struct audit_stats s;
	json_t *obj;

	if (a == NULL)
		return json_null();
	audit_get_stats(a, &s);
	obj = json_pack("{s:o}", "to", text_json(s.dest));
	set_u64(obj, "lines", s.lines);
	set_u64(obj, "failed", s.failed);
	return obj;
}

/* When what was put off is tried again; null: nothing was. */
static int
set_next_try(json_t *doc, struct index *ix)
{
	int64_t at, in;
	int r = index_next_try(ix, KMS_ACCESS, &at);

	if (r < 0)
		return r;
	in = at - stamp_now_unix();
	json_object_set_new(doc, "next_try_in_s", at == 0 ? json_null() :
	    json_integer(in > 0 ? in : 0));
	return 0;
}

int
status_json(const struct status_opts *o, bool all, json_t **ret)
{
	const struct graph *g = o->graph;
	struct index_counts counts;
	json_t *doc;
	int r;

	*ret = NULL;
	if ((r = index_counts(g->index, &counts)) < 0)
		return r;
	doc = json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:b}",
	    "version", SESFS_VERSION, "pid", (int)getpid(),
	    "uptime_s", (json_int_t)(graph_now_s() - o->started_s),
	    "source", text_json(g->c->location.url),
	    "mountpoint", text_json(g->c->mountpoint),
	    "state_dir", text_json(g->c->state_dir),
	    "read_only", (int)g->c->read_only);
	if (doc == NULL)
		return -ENOMEM;
	json_object_set_new(doc, "objects", json_counts(&counts));
	if ((r = set_next_try(doc, g->index)) < 0) {
		json_decref(doc);
		return r;
	}
	json_object_set_new(doc, "sync", json_sync(g->sync));
	set_requests(doc, g->aws);
	json_object_set_new(doc, "kms", json_kms(g->http));
	json_object_set_new(doc, "cache", json_cache(g->cache));
	json_object_set_new(doc, "keys", json_keys(g));
	json_object_set_new(doc, "messages", json_messages(g->source));
	json_object_set_new(doc, "ahead", json_ahead(g->prefetch));
	json_object_set_new(doc, "seal", json_seal(g->seal));
	json_object_set_new(doc, "audit", json_audit(o->audit));
	json_object_set_new(doc, "fuse", json_fuse(o->mount));
	if ((r = set_refused(doc, g->index, all)) < 0) {
		json_decref(doc);
		return r;
	}
	*ret = doc;
	return 0;
}
