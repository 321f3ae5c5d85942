#include "store/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

#define NONE UINT32_MAX

/* A place in one of two orders of the used slots. */
struct link {
	uint32_t prev, next;
};

struct list {
	uint32_t first, last;
};

/* What is known of a slot outside of the slab. */
struct meta {
	int64_t id;
	int64_t put_at_s;
	uint32_t chain;	 /* next in the hash bucket, or the free list */
	struct link use; /* least recently used first */
	struct link age; /* put first first, which is the order of expiry */
};

/* The mapping. A forked child finds it zero, `alive` included. */
struct slab {
	uint32_t alive;
	struct content_key key[];
};

struct keyring {
	unsigned slots, buckets; /* constant; buckets is a power of two */
	int64_t ttl_s;		 /* constant */
	size_t slab_len;	 /* constant, bytes */
	pthread_mutex_t lock;
	struct slab *slab;     /* constant; [lock] what is in it */
	struct meta *meta;     /* constant; [lock] what is in it */
	uint32_t *bucket;      /* constant; [lock] what is in it */
	uint32_t free;	       /* [lock] first free slot */
	struct list use, age;  /* [lock] */
	struct keyring_stats stats; /* [lock] */
};

static struct link *
link_of(struct keyring *k, const struct list *l, uint32_t i)
{
	return l == &k->use ? &k->meta[i].use : &k->meta[i].age;
}

/* Put slot i into the list behind slot `after`, NONE: at the front. */
static void
list_insert(struct keyring *k, struct list *l, uint32_t i, uint32_t after)
{
	struct link *n = link_of(k, l, i);

	n->prev = after;
	n->next = after == NONE ? l->first : link_of(k, l, after)->next;
	*(after == NONE ? &l->first : &link_of(k, l, after)->next) = i;
	*(n->next == NONE ? &l->last : &link_of(k, l, n->next)->prev) = i;
}

static void
list_remove(struct keyring *k, struct list *l, uint32_t i)
{
	struct link *n = link_of(k, l, i);

	*(n->prev == NONE ? &l->first : &link_of(k, l, n->prev)->next) =
	    n->next;
	*(n->next == NONE ? &l->last : &link_of(k, l, n->next)->prev) =
	    n->prev;
}

static uint32_t *
bucket_of(struct keyring *k, int64_t id)
{
	/* Fibonacci hashing spreads ascending ids. */
	uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);

	return &k->bucket[(h >> 32) & (k->buckets - 1)];
}

/* Empty all tables; the slab is the caller's. */
static void
reset_locked(struct keyring *k)
{
	for (uint32_t i = 0; i < k->slots; i++)
		k->meta[i].chain = i + 1 < k->slots ? i + 1 : NONE;
	memset(k->bucket, 0xFF, k->buckets * sizeof(*k->bucket));
	k->free = 0;
	k->use = k->age = (struct list){ NONE, NONE };
	k->stats.used = 0;
}

/* In a forked child the tables speak of keys that are not there, and the
 * memory lock has not been inherited. */
static void
notice_fork_locked(struct keyring *k)
{
	if (k->slab->alive)
		return;
	k->stats.is_locked = mlock(k->slab, k->slab_len) == 0;
	k->slab->alive = 1;
	reset_locked(k);
}

static uint32_t
find_locked(struct keyring *k, int64_t id)
{
	uint32_t i = *bucket_of(k, id);

	while (i != NONE && k->meta[i].id != id)
		i = k->meta[i].chain;
	return i;
}

/* Wipe slot i and put it on the free list. */
static void
drop_locked(struct keyring *k, uint32_t i)
{
	uint32_t *p = bucket_of(k, k->meta[i].id);

	sodium_memzero(&k->slab->key[i], sizeof(k->slab->key[i]));
	while (*p != i)
		p = &k->meta[*p].chain;
	*p = k->meta[i].chain;
	list_remove(k, &k->use, i);
	list_remove(k, &k->age, i);
	k->meta[i].chain = k->free;
	k->free = i;
	k->stats.used--;
}

static bool
is_due(const struct keyring *k, uint32_t i, int64_t now_s)
{
	return now_s - k->meta[i].put_at_s >= k->ttl_s;
}

static void
expire_locked(struct keyring *k, int64_t now_s)
{
	while (k->age.first != NONE && is_due(k, k->age.first, now_s)) {
		drop_locked(k, k->age.first);
		k->stats.expiries++;
	}
}

/* A free slot, by eviction when there is none. */
static uint32_t
take_slot_locked(struct keyring *k, int64_t now_s)
{
	uint32_t i;

	if (k->free == NONE)
		expire_locked(k, now_s);
	if (k->free == NONE) {
		drop_locked(k, k->use.first);
		k->stats.evictions++;
	}
	i = k->free;
	k->free = k->meta[i].chain;
	k->stats.used++;
	return i;
}

static int
map_slab(struct keyring *k)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = sizeof(*k->slab) + k->slots * sizeof(k->slab->key[0]);
	void *p;

	len = (len + page - 1) / page * page;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	/* Both advices fail only on kernels that lack them (before 4.14). */
	(void)madvise(p, len, MADV_DONTDUMP);
	(void)madvise(p, len, MADV_WIPEONFORK);
	if (mlock(p, len) == 0)
		k->stats.is_locked = true;
	else
		log_warn(0, "keyring: lock %zu bytes: %s; keys may reach swap "
			    "(raise RLIMIT_MEMLOCK)", len, strerror(errno));
	k->slab = p;
	k->slab_len = len;
	k->slab->alive = 1;
	return 0;
}

int
keyring_new(unsigned slots, int64_t ttl_s, struct keyring **ret)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	int r;

	*ret = NULL;
	if (slots == 0 || slots > KEYRING_SLOTS_MAX || ttl_s < 0)
		return -EINVAL;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&k->lock, NULL);
	k->slots = k->stats.slots = slots;
	k->ttl_s = ttl_s;
	for (k->buckets = 1; k->buckets < slots;)
		k->buckets *= 2;
	k->meta = calloc(slots, sizeof(*k->meta));
	k->bucket = calloc(k->buckets, sizeof(*k->bucket));
	if (k->meta == NULL || k->bucket == NULL)
		return -ENOMEM;
	if ((r = map_slab(k)) < 0)
		return r;
	reset_locked(k);
	*ret = TAKE(k);
	return 0;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	if (k->slab != NULL) {
		sodium_memzero(k->slab, k->slab_len);
		munmap(k->slab, k->slab_len);
	}
	free(k->bucket);
	free(k->meta);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

void
keyring_put(struct keyring *k, int64_t id, const struct content_key *key,
    int64_t now_s)
{
	uint32_t i, after, *b;

	if (k->ttl_s == 0)
		return;
	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	if ((i = find_locked(k, id)) != NONE)
		drop_locked(k, i);
	i = take_slot_locked(k, now_s);
	b = bucket_of(k, id);
	k->slab->key[i] = *key;
	k->meta[i].id = id;
	k->meta[i].put_at_s = now_s;
	k->meta[i].chain = *b;
	*b = i;
	list_insert(k, &k->use, i, k->use.last);
	/* Threads may come a little out of the order of their clocks. */
	after = k->age.last;
	while (after != NONE && k->meta[after].put_at_s > now_s)
		after = k->meta[after].age.prev;
	list_insert(k, &k->age, i, after);
}

int
keyring_get(struct keyring *k, int64_t id, int64_t now_s,
    struct content_key *ret)
{
	uint32_t i;

	memset(ret, 0, sizeof(*ret));
	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	i = find_locked(k, id);
	if (i != NONE && is_due(k, i, now_s)) {
		drop_locked(k, i);
		k->stats.expiries++;
		i = NONE;
	}
	if (i == NONE) {
		k->stats.misses++;
		return -ENOENT;
	}
	list_remove(k, &k->use, i);
	list_insert(k, &k->use, i, k->use.last);
	*ret = k->slab->key[i];
	k->stats.hits++;
	return 0;
}

void
keyring_drop(struct keyring *k, int64_t id)
{
	uint32_t i;

	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	if ((i = find_locked(k, id)) != NONE)
		drop_locked(k, i);
}

void
keyring_wipe(struct keyring *k)
{
	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	sodium_memzero(k->slab->key, k->slots * sizeof(k->slab->key[0]));
	reset_locked(k);
}

void
keyring_expire(struct keyring *k, int64_t now_s)
{
	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	expire_locked(k, now_s);
}

void
keyring_get_stats(struct keyring *k, struct keyring_stats *ret)
{
	LOCK_SCOPE(&k->lock);
	notice_fork_locked(k);
	*ret = k->stats;
}
