/* prefetch.h -- fetch, unwrap and decrypt what is about to be read.
 *
 * Told which messages are read, it follows readers (stream.h) and opens ahead
 * of them, in the pool, what they will want and what is not on this machine:
 * to hand a cached message from thread to thread costs more than to decrypt it.
 * What was opened waits in memory for some seconds and in the blob cache until
 * it is evicted there. Threads: any; no call waits. */
#ifndef SESFS_STORE_PREFETCH_H
#define SESFS_STORE_PREFETCH_H

#include "store/index.h"
#include "store/pool.h"
#include "store/source.h"
#include "store/stream.h"

struct prefetch;

struct prefetch_opts {
	struct index *index;
	struct source *source;
	struct pool *pool;
	unsigned window;     /* as stream.h */
	uint64_t unread_max; /* as stream.h; 0: nothing is fetched ahead */
};

/* -ENOMEM. */
int prefetch_new(const struct prefetch_opts *o,
    struct prefetch **ret) MUST_CHECK;
/* The pool has been stopped. */
void prefetch_free(struct prefetch *p);
DEFINE_FREEP(struct prefetch, prefetch_free)

/* The reader has its answer (is_local), or waits for S3: look ahead. */
void prefetch_read(struct prefetch *p, int64_t ino, bool is_local);

void prefetch_get_stats(struct prefetch *p, struct stream_stats *ret);

#endif
