/* pool.h -- threads for work that waits.
 *
 * Jobs wait in two queues: what a reader waits for goes first, what is done
 * ahead of anybody's wish comes after, and of the latter no more than `ahead`
 * run at once, so that a reader finds a thread. Threads are made when jobs come
 * and none is free, up to `threads`; their HTTP requests have the priority of
 * the job. Jobs are the caller's memory: queueing one allocates nothing.
 * Threads: any may submit, also a job. */
#ifndef SESFS_STORE_POOL_H
#define SESFS_STORE_POOL_H

#include "crypto/base.h"

struct pool;

enum pool_class {
	POOL_READER, /* someone waits in a system call */
	POOL_AHEAD,  /* nobody does */
	POOL_CLASSES
};

struct pool_job {
	void (*run)(struct pool_job *job); /* may free the job */
	struct pool_job *next;		   /* the pool's while it is queued */
};

/* threads > ahead > 0. -ENOMEM. */
int pool_new(unsigned threads, unsigned ahead, struct pool **ret) MUST_CHECK;

/* Have it run. Returns 0; -ECANCELED after pool_stop, -EAGAIN when there is no
 * thread and none can be made: then it will not be run. */
int pool_submit(struct pool *p, enum pool_class class,
    struct pool_job *job) MUST_CHECK;

/* Take no more; wait until all that was taken has run. What jobs wait for must
 * have been stopped (http_stop). More than once is fine. */
void pool_stop(struct pool *p);
void pool_free(struct pool *p); /* stops */
DEFINE_FREEP(struct pool, pool_free)

#endif
