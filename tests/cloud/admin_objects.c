/* Commands about objects: put them, spoil them, say what they should be. */
#include "admin.h"
#include "generate.h"
#include "s3.h"
#include "stamp.h"
#include "vectors.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The object that bucket= and key= name, or NULL and a reply. */
static struct object *
named(struct cloud *c, struct request *req)
{
	const char *bucket = admin_need(req, "bucket");
	const char *key = bucket != NULL ? admin_need(req, "key") : NULL;
	struct object *o;

	if (key == NULL)
		return NULL;
	o = store_get(c->store, bucket, key);
	if (o == NULL)
		admin_say(req, 404, "no such object");
	return o;
}

/* A number from the query; false, and a reply, when it is none. */
static bool
number(struct request *req, const char *name, int64_t standard, int64_t *ret)
{
	const char *v = request_query(req, name);
	char *end;

	*ret = standard;
	if (v == NULL)
		return true;
	*ret = strtoll(v, &end, 10);
	if (end != v && *end == '\0' && *ret >= 0)
		return true;
	admin_say(req, 400, "%s: not a number", name);
	return false;
}

static void
put_back(struct cloud *c, struct request *req, struct object *o)
{
	if (store_put(c->store, request_query(req, "bucket"), o, NULL) < 0)
		admin_say(req, 404, "no such bucket");
	else
		admin_say(req, 200, "ok");
}

void
admin_put(struct cloud *c, struct request *req)
{
	const char *bucket = admin_need(req, "bucket");
	const char *key = bucket != NULL ? admin_need(req, "key") : NULL;
	const char *modified = request_header(req, "last-modified");
	int64_t mtime = cloud_now(c);
	struct object *o;

	if (modified != NULL && stamp_parse_http(modified, &mtime) < 0) {
		admin_say(req, 400, "last-modified: not an HTTP date");
		return;
	}
	if (key == NULL || !number(req, "mtime", mtime, &mtime))
		return;
	o = s3_object_from(req, key, mtime);
	if (o == NULL)
		return;
	cloud_need_bucket(c, bucket);
	put_back(c, req, o);
}

void
admin_delete(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);

	if (o == NULL)
		return;
	store_delete(c->store, request_query(req, "bucket"), o->key);
	admin_say(req, 200, "ok");
}

void
admin_touch(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);
	struct object *copy;
	int64_t mtime;

	if (o == NULL || !number(req, "mtime", cloud_now(c), &mtime))
		return;
	copy = object_copy(o, o->key, true);
	copy->mtime = mtime;
	put_back(c, req, copy);
}

/* Store other bytes under the same metadata; what it decrypted to is kept, as
 * that is what a reader must not be given now. */
static void
spoil(struct cloud *c, struct request *req, const struct object *o,
    struct buf *body)
{
	struct object *copy = object_copy(o, o->key, true);

	object_set_body(copy, body);
	put_back(c, req, copy);
}

void
admin_flip(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);
	struct buf b = { 0 };
	struct bytes *body;
	int64_t at;

	if (o == NULL || !number(req, "offset", 0, &at))
		return;
	if ((uint64_t)at >= o->len) {
		admin_say(req, 400, "offset: beyond the end");
		return;
	}
	body = object_body(o);
	buf_add(&b, body->p, body->len);
	bytes_unref(body);
	b.p[at] ^= 1;
	spoil(c, req, o, &b);
}

void
admin_truncate(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);
	struct buf b = { 0 };
	struct bytes *body;
	int64_t size;

	if (o == NULL || !number(req, "size", 0, &size))
		return;
	body = object_body(o);
	buf_add(&b, body->p, (uint64_t)size < body->len ? (size_t)size
							: body->len);
	bytes_unref(body);
	spoil(c, req, o, &b);
}

void
admin_meta(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);
	const char *name = o != NULL ? admin_need(req, "name") : NULL;
	const char *value = request_query(req, "value");
	struct object *copy;
	struct pair *meta;
	size_t n;

	if (name == NULL)
		return;
	copy = object_copy(o, o->key, false);
	object_meta(o, &req->arena, &meta, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(meta[i].name, name) != 0)
			object_add_meta(copy, meta[i].name, meta[i].value);
	if (value != NULL)
		object_add_meta(copy, name, value);
	put_back(c, req, copy);
}

static void
send_bytes(struct request *req, struct bytes *b)
{
	reply_reset(req, 200);
	reply_header(req, "Content-Type", "application/octet-stream");
	req->reply.shared = b;
	req->reply.len = b->len;
}

void
admin_body(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);

	if (o != NULL)
		send_bytes(req, object_body(o));
}

void
admin_plain(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = named(c, req);
	struct bytes *b = o != NULL ? object_plain(o) : NULL;

	if (b != NULL)
		send_bytes(req, b);
	else if (o != NULL)
		admin_say(req, 404, "its plaintext is not known");
}

struct manifest {
	const char *prefix, *after;
	int64_t left;
	struct object **o;
	size_t n, cap;
};

static int
manifest_visit(void *arg, const struct object *o, size_t *skip_len)
{
	struct manifest *m = arg;
	size_t len = strlen(m->prefix);
	struct object *mine;

	if (strncmp(o->key, m->prefix, len) != 0 || m->left == 0)
		return 1;
	if (*m->after != '\0' && strcmp(o->key, m->after) <= 0)
		return 0;
	if (m->n == m->cap) {
		m->cap = m->cap > 0 ? 2 * m->cap : 256;
		m->o = xrealloc(m->o, m->cap * sizeof(struct object *));
	}
	memcpy(&mine, &o, sizeof mine); /* only a reference is taken */
	m->o[m->n++] = object_ref(mine);
	m->left--;
	return 0;
}

static void
manifest_entry(struct buf *b, const struct object *o, bool sum)
{
	char etag[2 * MD5_LEN + 1], hex[2 * SHA256_LEN + 1];
	struct bytes *plain = NULL;
	json_t *e = json_object();
	char *s;

	object_etag(o, etag);
	json_object_set_new(e, "key", json_string(o->key));
	json_object_set_new(e, "etag", json_string(etag));
	json_object_set_new(e, "size", json_integer((json_int_t)o->len));
	json_object_set_new(e, "mtime", json_integer(o->mtime));
	if (o->maker != NULL)
		json_object_set_new(e, "plain_size",
		    json_integer(o->plain_len));
	if (o->maker == NULL || sum)
		plain = object_plain(o);
	if (plain != NULL) {
		digest_sha256_hex(plain->p, plain->len, hex);
		json_object_set_new(e, "sha256", json_string(hex));
		json_object_set_new(e, "plain_size",
		    json_integer((json_int_t)plain->len));
		bytes_unref(plain);
	}
	s = json_dumps(e, JSON_COMPACT);
	buf_str(b, s != NULL ? s : "null");
	free(s);
	json_decref(e);
}

void
admin_manifest(struct cloud *c, struct request *req)
{
	const char *bucket = admin_need(req, "bucket");
	const char *prefix = request_query(req, "prefix");
	const char *after = request_query(req, "after");
	const char *sum = request_query(req, "sha256");
	struct manifest m = { prefix != NULL ? prefix : "",
		after != NULL ? after : "" };
	struct buf *b = &req->reply.body;

	if (bucket == NULL || !number(req, "limit", INT64_MAX, &m.left))
		return;
	if (store_walk(c->store, bucket,
		strcmp(m.after, m.prefix) > 0 ? m.after : m.prefix,
		manifest_visit, &m) < 0) {
		admin_say(req, 404, "no such bucket");
		return;
	}
	reply_reset(req, 200);
	reply_header(req, "Content-Type", "application/json");
	buf_char(b, '[');
	for (size_t i = 0; i < m.n; i++) {
		buf_str(b, i > 0 ? ",\n" : "");
		manifest_entry(b, m.o[i], sum == NULL || strcmp(sum, "0") != 0);
		object_unref(m.o[i]);
	}
	buf_str(b, "]\n");
	free(m.o);
}

void
admin_generate(struct cloud *c, struct request *req)
{
	char why[128];
	size_t n;

	if (generate(c, req->query, req->nquery, why, &n) < 0)
		admin_say(req, 400, "%s", why);
	else
		admin_say(req, 200, "%zu objects", n);
}

void
admin_vectors(struct cloud *c, struct request *req)
{
	const char *path = admin_need(req, "path");
	char why[128];
	struct stat st;
	int r;

	if (path == NULL)
		return;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = vectors_load(c, path, why);
	else
		r = vectors_load_file(c, path, why);
	if (r < 0)
		admin_say(req, 400, "%s", why);
	else
		admin_say(req, 200, "ok");
}
