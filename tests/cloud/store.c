/* The buckets; see objects.h. */
#include "objects.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bucket {
	struct bucket_info info;
	struct object **o; /* by key */
	size_t n, cap;
};

struct store {
	pthread_rwlock_t lock;
	struct bucket **b; /* [lock] by name */
	size_t n; /* [lock] */
};

struct store *
store_new(void)
{
	struct store *s = xcalloc(1, sizeof *s);

	pthread_rwlock_init(&s->lock, NULL);
	return s;
}

static void
bucket_free(struct bucket *b)
{
	for (size_t i = 0; i < b->n; i++)
		object_unref(b->o[i]);
	free(b->o);
	free(b);
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		bucket_free(s->b[i]);
	free(s->b);
	pthread_rwlock_destroy(&s->lock);
	free(s);
}

/* Where the bucket is, or would be. */
static size_t
bucket_place(const struct store *s, const char *name)
{
	size_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(s->b[mid]->info.name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct bucket *
bucket_find(const struct store *s, const char *name)
{
	size_t i = bucket_place(s, name);

	return i < s->n && strcmp(s->b[i]->info.name, name) == 0 ? s->b[i]
								 : NULL;
}

/* The first place from `lo` on whose key is >= `key`. */
static size_t
object_place(const struct bucket *b, size_t lo, const char *key)
{
	size_t hi = b->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(b->o[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
is_at(const struct bucket *b, size_t i, const char *key)
{
	return i < b->n && strcmp(b->o[i]->key, key) == 0;
}

int
store_create(struct store *s, const struct bucket_info *info)
{
	struct bucket *b;
	size_t i;
	int r = -EEXIST;

	pthread_rwlock_wrlock(&s->lock);
	i = bucket_place(s, info->name);
	if (bucket_find(s, info->name) == NULL) {
		b = xcalloc(1, sizeof *b);
		b->info = *info;
		s->b = xrealloc(s->b, (s->n + 1) * sizeof(struct bucket *));
		memmove(&s->b[i + 1], &s->b[i],
		    (s->n - i) * sizeof(struct bucket *));
		s->b[i] = b;
		s->n++;
		r = 0;
	}
	pthread_rwlock_unlock(&s->lock);
	return r;
}

int
store_alter(struct store *s, const struct bucket_info *info)
{
	struct bucket *b;

	pthread_rwlock_wrlock(&s->lock);
	b = bucket_find(s, info->name);
	if (b != NULL)
		b->info = *info;
	pthread_rwlock_unlock(&s->lock);
	return b != NULL ? 0 : -ENOENT;
}

int
store_remove(struct store *s, const char *bucket)
{
	struct bucket *b;
	size_t i;
	int r = 0;

	pthread_rwlock_wrlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b == NULL) {
		r = -ENOENT;
	} else if (b->n > 0) {
		r = -ENOTEMPTY;
	} else {
		i = bucket_place(s, bucket);
		memmove(&s->b[i], &s->b[i + 1],
		    (s->n - i - 1) * sizeof(struct bucket *));
		s->n--;
		bucket_free(b);
	}
	pthread_rwlock_unlock(&s->lock);
	return r;
}

int
store_info(struct store *s, const char *bucket, struct bucket_info *ret)
{
	struct bucket *b;

	pthread_rwlock_rdlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b != NULL)
		*ret = b->info;
	pthread_rwlock_unlock(&s->lock);
	return b != NULL ? 0 : -ENOENT;
}

int
store_behind(struct store *s, const char *access_point,
    struct bucket_info *ret)
{
	int r = -ENOENT;

	pthread_rwlock_rdlock(&s->lock);
	for (size_t i = 0; i < s->n && r < 0; i++)
		if (strcmp(s->b[i]->info.access_point, access_point) == 0) {
			*ret = s->b[i]->info;
			r = 0;
		}
	pthread_rwlock_unlock(&s->lock);
	return r;
}

size_t
store_buckets(struct store *s, struct bucket_info **ret)
{
	size_t n;

	pthread_rwlock_rdlock(&s->lock);
	n = s->n;
	*ret = xcalloc(n, sizeof **ret);
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = s->b[i]->info;
	pthread_rwlock_unlock(&s->lock);
	return n;
}

struct object *
store_get(struct store *s, const char *bucket, const char *key)
{
	struct object *ret = NULL;
	struct bucket *b;
	size_t i;

	pthread_rwlock_rdlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b != NULL) {
		i = object_place(b, 0, key);
		if (is_at(b, i, key))
			ret = object_ref(b->o[i]);
	}
	pthread_rwlock_unlock(&s->lock);
	return ret;
}

static void
bucket_grow(struct bucket *b, size_t n)
{
	if (b->n + n <= b->cap)
		return;
	b->cap = b->n + n > 2 * b->cap ? b->n + n : 2 * b->cap;
	b->o = xrealloc(b->o, b->cap * sizeof(struct object *));
}

static int
condition(const struct store_if *cond, const struct object *there)
{
	char etag[2 * MD5_LEN + 1];

	if (cond->absent && there != NULL)
		return -EEXIST;
	if (cond->etag == NULL)
		return 0;
	if (there == NULL)
		return -ENOENT;
	object_etag(there, etag);
	return strcmp(etag, cond->etag) == 0 ? 0 : -ESTALE;
}

/* Returns the object that is no longer wanted. */
static struct object *
put_locked(struct bucket *b, struct object *o, const struct store_if *cond,
    int *ret)
{
	size_t i = object_place(b, 0, o->key);
	struct object *old = is_at(b, i, o->key) ? b->o[i] : NULL;

	if ((*ret = condition(cond, old)) < 0)
		return o;
	if (old == NULL) {
		bucket_grow(b, 1);
		memmove(&b->o[i + 1], &b->o[i],
		    (b->n - i) * sizeof(struct object *));
		b->n++;
	}
	b->o[i] = o;
	return old;
}

int
store_put(struct store *s, const char *bucket, struct object *o,
    const struct store_if *cond)
{
	static const struct store_if always = { 0 };
	struct object *unwanted = o;
	struct bucket *b;
	int r = -ENOENT;

	pthread_rwlock_wrlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b != NULL)
		unwanted = put_locked(b, o, cond != NULL ? cond : &always, &r);
	pthread_rwlock_unlock(&s->lock);
	object_unref(unwanted);
	return r;
}

static int
by_key(const void *va, const void *vb)
{
	const struct object *const *a = va, *const *b = vb;

	return strcmp((*a)->key, (*b)->key);
}

/* Merge `o`, sorted, into the bucket. Of equal keys the later one stays. */
static void
merge_locked(struct bucket *b, struct object **o, size_t n)
{
	struct object **out = xmalloc((b->n + n) * sizeof(struct object *));
	size_t i = 0, j = 0, len = 0;
	struct object *next;

	while (i < b->n || j < n) {
		if (j == n || (i < b->n && by_key(&b->o[i], &o[j]) <= 0))
			next = b->o[i++];
		else
			next = o[j++];
		if (len > 0 && strcmp(out[len - 1]->key, next->key) == 0)
			object_unref(out[--len]);
		out[len++] = next;
	}
	free(b->o);
	b->o = out;
	b->cap = b->n + n;
	b->n = len;
}

int
store_put_many(struct store *s, const char *bucket, struct object **o, size_t n)
{
	struct bucket *b;

	qsort(o, n, sizeof(struct object *), by_key);
	pthread_rwlock_wrlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b != NULL)
		merge_locked(b, o, n);
	pthread_rwlock_unlock(&s->lock);
	for (size_t i = 0; b == NULL && i < n; i++)
		object_unref(o[i]);
	return b != NULL ? 0 : -ENOENT;
}

int
store_delete(struct store *s, const char *bucket, const char *key)
{
	struct object *old = NULL;
	struct bucket *b;
	size_t i;

	pthread_rwlock_wrlock(&s->lock);
	b = bucket_find(s, bucket);
	if (b != NULL) {
		i = object_place(b, 0, key);
		if (is_at(b, i, key)) {
			old = b->o[i];
			memmove(&b->o[i], &b->o[i + 1],
			    (b->n - i - 1) * sizeof(struct object *));
			b->n--;
		}
	}
	pthread_rwlock_unlock(&s->lock);
	object_unref(old);
	return b != NULL ? 0 : -ENOENT;
}

/* The first place from `lo` on whose key does not begin like b->o[lo]. */
static size_t
after_prefix(const struct bucket *b, size_t lo, size_t prefix_len)
{
	const char *prefix = b->o[lo]->key;
	size_t hi = b->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strncmp(b->o[mid]->key, prefix, prefix_len) == 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
store_walk(struct store *s, const char *bucket, const char *from,
    store_visit_fn *visit, void *arg)
{
	struct bucket *b;
	size_t i, skip_len = 0;
	int r;

	pthread_rwlock_rdlock(&s->lock);
	b = bucket_find(s, bucket);
	for (i = b != NULL ? object_place(b, 0, from) : 0;
	     b != NULL && i < b->n;) {
		r = visit(arg, b->o[i], &skip_len);
		if (r == 1)
			break;
		i = r == 2 ? after_prefix(b, i, skip_len) : i + 1;
	}
	pthread_rwlock_unlock(&s->lock);
	return b != NULL ? 0 : -ENOENT;
}
