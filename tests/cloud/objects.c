#include "objects.h"

#include "stamp.h"

#include <stdlib.h>
#include <string.h>

struct object *
object_new(const char *key, int64_t mtime)
{
	size_t len = strlen(key);
	struct object *o = xcalloc(1, sizeof *o + len + 1);

	o->refs = 1;
	o->mtime = mtime;
	o->stored = xcalloc(1, sizeof *o->stored);
	o->stored->content_type = "binary/octet-stream";
	o->stored->storage_class = "STANDARD";
	memcpy(o->key, key, len);
	return o;
}

void
object_set_body(struct object *o, struct buf *body)
{
	digest_md5(body->p, body->len, o->etag);
	o->len = body->len;
	bytes_unref(o->stored->body);
	o->stored->body = bytes_new(body);
}

void
object_add_meta(struct object *o, const char *name, const char *value)
{
	struct stored *s = o->stored;
	struct pair *grown;

	grown = arena_alloc(&s->arena, (s->nmeta + 1) * sizeof *grown);
	if (s->nmeta > 0)
		memcpy(grown, s->meta, s->nmeta * sizeof *grown);
	grown[s->nmeta++] = (struct pair){
		arena_str(&s->arena, name, strlen(name)),
		arena_str(&s->arena, value, strlen(value)) };
	s->meta = grown;
}

struct object *
object_new_made(const char *key, int64_t mtime, size_t len,
    struct maker *maker, uint32_t index)
{
	size_t key_len = strlen(key);
	struct object *o = xcalloc(1, sizeof *o + key_len + 1);

	o->refs = 1;
	o->mtime = mtime;
	o->len = len;
	o->index = index;
	o->maker = maker;
	__atomic_add_fetch(&maker->refs, 1, __ATOMIC_RELAXED);
	memcpy(o->key, key, key_len);
	return o;
}

struct object *
object_copy(const struct object *o, const char *key, bool with_meta)
{
	struct object *ret = object_new(key, o->mtime);
	struct stored *s = ret->stored;
	struct arena a = { 0 };
	struct pair *meta;
	size_t n;

	ret->len = o->len;
	memcpy(ret->etag, o->etag, sizeof ret->etag);
	s->body = object_body(o);
	s->plain = object_plain(o);
	if (o->stored != NULL) {
		s->content_type = arena_fmt(&s->arena, "%s",
		    o->stored->content_type);
		s->storage_class = arena_fmt(&s->arena, "%s",
		    o->stored->storage_class);
	}
	object_meta(o, &a, &meta, &n);
	for (size_t i = 0; with_meta && i < n; i++)
		object_add_meta(ret, meta[i].name, meta[i].value);
	arena_free(&a);
	return ret;
}

struct object *
object_ref(struct object *o)
{
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

void
object_unref(struct object *o)
{
	if (o == NULL || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (o->maker != NULL &&
	    __atomic_sub_fetch(&o->maker->refs, 1, __ATOMIC_ACQ_REL) == 0)
		o->maker->free(o->maker);
	if (o->stored != NULL) {
		bytes_unref(o->stored->body);
		bytes_unref(o->stored->plain);
		arena_free(&o->stored->arena);
		free(o->stored);
	}
	free(o);
}

void
object_unrefp(struct object **o)
{
	object_unref(*o);
}

void
object_meta(const struct object *o, struct arena *a, struct pair **ret,
    size_t *ret_n)
{
	if (o->maker != NULL) {
		o->maker->meta(o->maker, o, a, ret, ret_n);
		return;
	}
	*ret = o->stored->meta;
	*ret_n = o->stored->nmeta;
}

struct bytes *
object_body(const struct object *o)
{
	struct buf b = { 0 };

	if (o->maker == NULL)
		return bytes_ref(o->stored->body);
	o->maker->body(o->maker, o, &b);
	return bytes_new(&b);
}

struct bytes *
object_plain(const struct object *o)
{
	struct buf b = { 0 };

	if (o->maker == NULL)
		return o->stored->plain != NULL ? bytes_ref(o->stored->plain)
						: NULL;
	o->maker->plain(o->maker, o, &b);
	return bytes_new(&b);
}

const char *
object_storage_class(const struct object *o)
{
	return o->stored != NULL ? o->stored->storage_class : "STANDARD";
}

void
object_etag(const struct object *o, char ret[2 * MD5_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < MD5_LEN; i++) {
		ret[2 * i] = hex[o->etag[i] >> 4];
		ret[2 * i + 1] = hex[o->etag[i] & 15];
	}
	ret[2 * MD5_LEN] = '\0';
}
