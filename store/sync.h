/* sync.h -- keep the index up to date with the bucket.
 *
 * One pass: list the whole prefix, merging each page into the index; then
 * look at every pending object (source_examine) with many workers; hand what
 * is ready to `deliver` in batches ordered by arrival. A pass interrupted at
 * any point loses nothing: pending objects are in the index, the next pass
 * goes on. What failed is tried again at growing intervals, by any pass that
 * somebody asked for (the first, sync_run, sync_wait), and once when AWS works
 * again: a listing after one that failed, a message after none opened. One
 * thread of its own between passes; listers and workers live for a pass. */
#ifndef SESFS_STORE_SYNC_H
#define SESFS_STORE_SYNC_H

#include "crypto/rfc822.h"
#include "store/index.h"
#include "store/s3.h"
#include "store/source.h"

struct sync;

struct sync_progress {
	enum { SYNC_IDLE, SYNC_LISTING, SYNC_FETCHING } phase;
	uint64_t listed;	      /* objects this pass */
	uint64_t added, replaced, removed;
	uint64_t todo, done;	      /* objects to look at this pass */
	uint64_t refused, failed;     /* of done */
	/* Why those that were not opened were not, if it is one cause: an
	 * error, or else a refusal. */
	int error;
	enum refusal why;
	bool is_mixed;
	uint64_t bytes;		      /* fetched this pass */
	int64_t started_ms, now_ms;   /* monotonic */
};

struct arrival {
	struct object *object;	      /* ready to be published */
	const struct rfc822 *headers; /* NULL when only the envelope was read */
};

struct sync_opts {
	struct s3 *s3;
	struct index *index;
	struct source *source;
	const char *prefix;  /* of all keys, raw; "" for the whole bucket */
	unsigned jobs;	     /* requests to a service at once, as http's */
	bool envelope_only;  /* --index envelope */
	int64_t poll_s;	     /* 0: auto, see sync_poll_interval() */
	/* Publish these (fs/mailbox). Called from one thread at a time. */
	int (*deliver)(void *arg, struct arrival *a, size_t n);
	/* A published object left the bucket. */
	int (*gone)(void *arg, int64_t object_id);
	void (*progress)(void *arg, const struct sync_progress *p); /* may be
								     * NULL */
	void *arg;
};

int sync_new(const struct sync_opts *o, struct sync **ret) MUST_CHECK;
/* Stops at the next object; waits for the workers. */
void sync_free(struct sync *s);
DEFINE_FREEP(struct sync, sync_free)

/* One whole pass in the caller's thread. Returns 0 when the bucket was listed
 * and everything pending was looked at; -EINTR after sync_cancel; an error of
 * s3.h when listing failed; -EAGAIN when some objects could not be fetched
 * now and stay pending. */
int sync_run(struct sync *s) MUST_CHECK;
void sync_cancel(struct sync *s); /* async-signal-safe */

/* The daemon's thread: a pass now, then every poll interval. -EAGAIN: there can
 * be none, and sync_wait fails from now on. */
int sync_start(struct sync *s) MUST_CHECK;
/* Have a pass made as soon as may be, and wait until a pass that began after
 * this call has ended; its result. -ECANCELED: there will be none. */
int sync_wait(struct sync *s) MUST_CHECK;

struct sync_status {
	struct sync_progress progress;
	int last_error;		     /* of the last pass, 0 when it was good */
	int64_t last_pass_unix;	     /* end of the last good pass, 0 never */
	int64_t next_pass_in_s;
	int64_t poll_s;		     /* interval in force */
	double list_usd_per_month;   /* what listing at that interval costs */
};
void sync_get_status(struct sync *s, struct sync_status *ret);

/* Pure: seconds between listings that take `lists` requests each, so that
 * those ($0.005 per 1,000) cost at most $2 a month; at least 60. */
int64_t sync_poll_interval(uint64_t lists);
double sync_poll_cost(uint64_t lists, int64_t poll_s); /* $ a month */

#endif
