/* objects.h -- the buckets, in memory.
 *
 * A bucket is one array of references sorted by key, so that listing is a
 * walk; a million objects fit. Objects do not change once stored: whatever
 * alters one (even tampering) stores another in its place, so a reply that is
 * being sent keeps what it started with. One read-write lock guards it all,
 * and is held only for look-ups and walks. */
#ifndef CLOUD_OBJECTS_H
#define CLOUD_OBJECTS_H

#include "digest.h"
#include "request.h"

#define BUCKET_NAME_MAX 63

struct object;

/* Something that can make an object's contents anew whenever asked, so that a
 * million messages need no memory for them. Its functions are thread-safe. */
struct maker {
	int refs; /* atomic */
	void (*meta)(const struct maker *, const struct object *,
	    struct arena *, struct pair **ret, size_t *ret_n);
	void (*body)(const struct maker *, const struct object *, struct buf *);
	void (*plain)(const struct maker *, const struct object *,
	    struct buf *);
	void (*free)(struct maker *);
};

/* What is kept of an object whose contents came from outside. */
struct stored {
	struct arena arena;
	struct pair *meta; /* names without x-amz-meta-, lower case */
	size_t nmeta;
	const char *content_type;
	const char *storage_class;
	struct bytes *body;
	struct bytes *plain; /* what it decrypts to; NULL when not known */
};

struct object {
	int refs; /* atomic */
	uint32_t index; /* for the maker */
	uint32_t plain_len; /* for the maker */
	int64_t mtime; /* unix seconds */
	size_t len; /* bytes of the body */
	uint8_t etag[MD5_LEN];
	struct maker *maker; /* this, or `stored` */
	struct stored *stored;
	char key[];
};

/* Make an object with an empty `stored`; body and the rest are set by the
 * caller, then object_seal(). Ends in object_unref() or the store. */
struct object *object_new(const char *key, int64_t mtime) MUST_CHECK;

/* Take `body` over and compute length and ETag. */
void object_set_body(struct object *o, struct buf *body);

/* Add user metadata; copies. */
void object_add_meta(struct object *o, const char *name, const char *value);

/* Make an object whose contents `maker` (a reference is taken) will make. */
struct object *object_new_made(const char *key, int64_t mtime, size_t len,
    struct maker *maker, uint32_t index) MUST_CHECK;

/* A stored copy of `o` under `key`, which may then be altered. Metadata is
 * left out unless `with_meta`. */
struct object *object_copy(const struct object *o, const char *key,
    bool with_meta) MUST_CHECK;

struct object *object_ref(struct object *o);
void object_unref(struct object *o);
void object_unrefp(struct object **o);

/* Metadata, in the arena. */
void object_meta(const struct object *o, struct arena *a, struct pair **ret,
    size_t *ret_n);

/* The body: a reference. */
struct bytes *object_body(const struct object *o) MUST_CHECK;

/* What it decrypts to, or NULL when nobody knows. A reference. */
struct bytes *object_plain(const struct object *o) MUST_CHECK;

const char *object_storage_class(const struct object *o);

/* The ETag in hex, without quotes. */
void object_etag(const struct object *o, char ret[2 * MD5_LEN + 1]);

struct bucket_info {
	char name[BUCKET_NAME_MAX + 1];
	char region[32];
	char owner[16];
	int64_t created; /* unix seconds */
	bool requester_pays;
	char access_point[BUCKET_NAME_MAX + 1]; /* NAME-ACCOUNT, or "" */
};

struct store;
struct store *store_new(void) MUST_CHECK;
void store_free(struct store *s);

/* 0, or -EEXIST. */
int store_create(struct store *s, const struct bucket_info *info);

/* Change everything but the name and the date. 0 or -ENOENT. */
int store_alter(struct store *s, const struct bucket_info *info) MUST_CHECK;

/* 0, -ENOENT, or -ENOTEMPTY. */
int store_remove(struct store *s, const char *bucket) MUST_CHECK;

/* 0 or -ENOENT. */
int store_info(struct store *s, const char *bucket,
    struct bucket_info *ret) MUST_CHECK;

/* The bucket behind an access point (NAME-ACCOUNT). 0 or -ENOENT. */
int store_behind(struct store *s, const char *access_point,
    struct bucket_info *ret) MUST_CHECK;

/* All buckets by name; an array the caller frees. */
size_t store_buckets(struct store *s, struct bucket_info **ret);

/* A reference, or NULL. */
struct object *store_get(struct store *s, const char *bucket,
    const char *key) MUST_CHECK;

/* What must hold of the object that is in the place, judged together with the
 * change. Zero means anything goes. */
struct store_if {
	bool absent; /* If-None-Match: * */
	const char *etag; /* If-Match; NULL when not asked */
};

/* Put `o` (taken over, even on failure) in its place. 0; -ENOENT no such
 * bucket, or, with an etag, no such object; -EEXIST; -ESTALE. */
int store_put(struct store *s, const char *bucket, struct object *o,
    const struct store_if *cond);

/* Put many at once (all taken over). 0 or -ENOENT. */
int store_put_many(struct store *s, const char *bucket, struct object **o,
    size_t n);

/* 0; -ENOENT no such bucket. A key that is not there is no error. */
int store_delete(struct store *s, const char *bucket, const char *key);

/* Visitor of a walk; runs with the store locked, so must not call it.
 * Returns 0 to go on, 1 to stop, or 2 to skip every key that begins with the
 * `*skip_len` first bytes of this one. */
typedef int store_visit_fn(void *arg, const struct object *o,
    size_t *skip_len);

/* Walk keys in byte order from the first that is >= `from`. 0 or -ENOENT. */
int store_walk(struct store *s, const char *bucket, const char *from,
    store_visit_fn *visit, void *arg) MUST_CHECK;

#endif
