/* warm.h -- have messages at hand before anybody reads them.
 *
 * Newest first, each message whose body is not in the blob cache, or whose key
 * is not held, is opened once in the pool, where readers go first. It ends when
 * the cache is full: what more came would drive out what came before. */
#ifndef SESFS_FS_WARM_H
#define SESFS_FS_WARM_H

#include "store/index.h"
#include "store/pool.h"
#include "store/source.h"

struct warm_progress {
	uint64_t todo;	  /* messages of these folders */
	uint64_t done;	  /* of them looked at */
	uint64_t fetched; /* of them not at hand before */
	uint64_t failed;  /* of them not to be had now */
	uint64_t bytes;	  /* fetched */
	bool is_full;	  /* ended because the cache is */
};

struct warm_opts {
	struct index *index;
	struct source *source;
	struct pool *pool;
	unsigned jobs;	     /* messages under way at once */
	uint64_t cache_size; /* bytes */
	/* Now and then; anything but 0 ends it. */
	int (*progress)(void *arg, const struct warm_progress *p);
	void *arg;
};

/* Warm a folder ("" the INBOX, "Sales.2026"; NULL: all of them) in the caller's
 * thread. Returns 0, *ret says what came of it; -ENOENT no such folder;
 * -ENOSPC there is no cache; what progress returned; -ECANCELED the daemon
 * ends; an error of source_open when nothing can be had for a long while. */
int warm_run(const struct warm_opts *o, const char *folder,
    struct warm_progress *ret) MUST_CHECK;

#endif
