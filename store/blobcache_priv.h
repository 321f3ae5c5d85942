/* blobcache_priv.h -- what the files of the blob cache share. */
#ifndef SESFS_STORE_BLOBCACHE_PRIV_H
#define SESFS_STORE_BLOBCACHE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store/blobcache.h"
#include "store/bloblru.h"
#include "store/blobspace.h"

struct blobcache {
	uint64_t limit;		  /* constant */
	struct timespec ready_by; /* constant: no get waits beyond */
	atomic_bool is_stopping;
	pthread_t scanner; /* constant */
	int table_fd;	   /* the scanner's: the table of the last run, or -1 */
	bool has_old;	   /* the scanner's: files of an older version */
	pthread_mutex_t lock;
	pthread_cond_t progress; /* [lock] lru knows more */
	struct bloblru lru;	 /* [lock] partial while scanning */
	struct blobsegs segs;	 /* [lock] but its constant members */
	uint64_t hits, misses, evictions, puts; /* [lock] */
};

/* ---- blobroom.c ---- */

/* Bytes on disk, were there so many more segments and blobs. */
uint64_t blobroom_used_locked(const struct blobcache *c, unsigned more);
/* A whole segment goes, with all the blobs in it. */
void blobroom_kill_locked(struct blobcache *c, struct blobseg *seg,
    struct blobwork *w);
/* Let the least recently used go until the limit holds. */
void blobroom_evict(struct blobcache *c);
/* Room for a record, making it where there is none. Returns 1, or 0 when there
 * can be none; errors as blobspace_reserve_locked(). */
int blobroom_reserve(struct blobcache *c, uint64_t len, struct blobseg_use *ret,
    struct bloblru_place *ret_at) MUST_CHECK;

/* ---- blobscan.c ---- */

/* Which files there are, at opening. -errno of reading the directory. */
int blobscan_list(struct blobcache *c) MUST_CHECK;
/* The thread that finds what was there before. arg: the cache. */
void *blobscan_main(void *arg);

/* A segment as it was listed: it may go while we are on our way to it. */
struct blobscan_seg {
	uint32_t seq;
	uint16_t slot;
	bool is_big;
	uint64_t len; /* bytes; 0: not known yet */
};

struct blobscan {
	struct blobcache *c;
	struct blobscan_seg *at; /* the newest first */
	uint32_t n;
};

/* For bsearch(): by seq and is_big. */
int blobscan_compare(const void *a, const void *b);
struct blobseg *blobscan_find_locked(struct blobcache *c,
    const struct blobscan_seg *l); /* or NULL */
bool blobscan_begin(struct blobcache *c, const struct blobscan_seg *l,
    struct blobseg_use *ret);
/* All of it is found, or, when it is bad, all of it goes. */
void blobscan_end(struct blobcache *c, struct blobseg_use *u, bool is_bad);
/* One blob. -ENOMEM; it is no error when it is not to be believed. */
int blobscan_found_locked(struct blobcache *c, struct blobseg *seg, int64_t id,
    const struct bloblru_place *at) MUST_CHECK;
bool blobscan_is_full(struct blobcache *c);

/* ---- blobload.c ---- */

/* From the table of the last run. -EBADMSG when there is none that fits. */
int blobload_table(struct blobscan *s) MUST_CHECK;

#endif
