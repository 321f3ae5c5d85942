/* sync_priv.h -- what the files of sync share; nobody else includes it.
 *
 * sync.c has the thread and its passes. A pass is sync_list() and then
 * sync_look(), both in the thread that makes the pass, which alone writes the
 * index; what they learn of single objects goes through sync_store(). */
#ifndef SESFS_STORE_SYNC_PRIV_H
#define SESFS_STORE_SYNC_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/sync.h"

#define SYNC_BATCH 128 /* results published in one transaction */

struct sync {
	struct sync_opts o; /* constant */
	atomic_bool cancelled;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;	 /* [lock] any of the below */
	bool is_stopping, is_kicked; /* [lock] */
	uint64_t passes_begun, passes_ended; /* [lock] */
	struct sync_status status; /* [lock] */
	struct sync_progress p;	 /* the pass's thread; copied into status */
	uint64_t lists;		 /* the pass's thread: requests that the last
				  * whole listing took, 0 before the first */
	bool has_failed;	 /* the pass's thread: the last one did */
	bool is_down;		 /* the pass's thread: the last that looked at
				  * something opened nothing */
	bool is_up_again;	 /* the pass's thread: then something opened */
	bool is_undivided;	 /* the pass's thread: S3 lists from the start
				  * whatever it is asked (see lister.h) */
};

/* Tell of s->p: now and then, or (force) at once. */
void sync_report(struct sync *s, bool force);

/* sync_list.c: list the whole prefix, merge it into the index. */
int sync_list(struct sync *s) MUST_CHECK;

/* sync_look.c: look at every pending object. */
int sync_look(struct sync *s) MUST_CHECK;

/* What a worker found out about one object. */
struct sync_result {
	struct object object;
	struct rfc822 *headers; /* NULL: only the envelope was read */
	enum refusal why;
	int error; /* 0, or why it stays pending */
};

/* sync_store.c: write one batch of up to SYNC_BATCH results into the index and
 * deliver what is ready. Clears the results in any case. */
int sync_store(struct sync *s, struct sync_result *res, size_t n) MUST_CHECK;
/* May the error be everybody's, not this object's? */
bool sync_is_network_error(int r);

#endif
