/* The looking part of a pass: ids go out to the workers, results come back to
 * the pass's thread, which alone writes the index. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/http.h"
#include "store/lock.h"
#include "store/stamp.h"
#include "store/sync_priv.h"

/* A worker asks S3, then KMS, then decrypts: while some do the one, others do
 * the other. How many requests there are at once is http's business. */
#define WORKERS_PER_JOB 2
#define GATHER_MS 50	/* wait for a batch to become full */
#define FEED 256	/* pending objects read from the index at once */
#define FAILURES_MAX 64 /* in a row: is it the network, or all of AWS? */

struct work {
	struct sync *sync;
	pthread_mutex_t lock;
	pthread_cond_t out;  /* [lock] results or the end of a worker */
	pthread_cond_t room; /* [lock] results were taken */
	struct index_cursor cursor; /* [lock] */
	struct object *feed; /* [lock] up to FEED; taken over by workers */
	size_t feed_n, feed_at; /* [lock] */
	bool is_dry;	     /* [lock] the index has no more */
	struct sync_result *done; /* [lock] up to `cap` */
	size_t done_n, cap;  /* [lock] */
	unsigned workers;    /* [lock] alive */
	unsigned in_a_row;   /* [lock] failures that may be everybody's */
	int stop;	     /* [lock] error that ends the pass */
};

/* The next object to look at is the caller's; false at the end. */
static bool
next_object(struct work *w, struct object *ret)
{
	LOCK_SCOPE(&w->lock);
	while (w->done_n >= w->cap && w->stop == 0)
		pthread_cond_wait(&w->room, &w->lock);
	if (w->stop != 0 || atomic_load(&w->sync->cancelled))
		return false;
	if (w->feed_at == w->feed_n && !w->is_dry) {
		int n = index_pending(w->sync->o.index,
		    stamp_now_unix(), &w->cursor, w->feed, FEED);

		w->feed_at = 0;
		w->feed_n = n > 0 ? (size_t)n : 0;
		w->is_dry = n <= 0;
		if (n < 0)
			w->stop = n;
	}
	if (w->feed_at == w->feed_n)
		return false;
	*ret = w->feed[w->feed_at++];
	return true;
}

/* Returns whether too many have failed in a row for it to be chance. */
static bool
put_result(struct work *w, const struct sync_result *r)
{
	bool is_row;

	LOCK_SCOPE(&w->lock);
	w->in_a_row = sync_is_network_error(r->error) ? w->in_a_row + 1 : 0;
	if (r->error == -ECANCELED || r->error == -ENOSPC)
		w->stop = r->error;
	if ((is_row = w->in_a_row >= FAILURES_MAX))
		w->in_a_row = 0;
	w->done[w->done_n++] = *r;
	/* Fewer are taken after a while. */
	if (w->done_n == SYNC_BATCH)
		pthread_cond_signal(&w->out);
	return is_row;
}

/* A row of failures ends the pass when nothing can be had at all. But whoever
 * writes the bucket can fill it with objects that only they may read, and mail
 * must not wait behind those: while S3 lets us list, "denied" is said of the
 * objects. */
static void
doubt(struct work *w, int error)
{
	struct s3_page page;
	int r = error;

	if (error == -EACCES && (r = s3_list(w->sync->o.s3, w->sync->o.prefix,
				     NULL, NULL, 1, &page)) == 0)
		s3_page_free(&page);
	if (r == 0)
		return;
	LOCK_SCOPE(&w->lock);
	w->stop = r;
}

/* Takes the object. When it was replaced meanwhile, what is found out does not
 * go into the index. */
static void
look(struct work *w, struct object *object)
{
	const struct sync_opts *o = &w->sync->o;
	struct sync_result res = { .object = *object };

	if (!o->envelope_only)
		res.headers = malloc(sizeof(*res.headers));
	/* Without its header, spam would not be known for what it is. */
	if (!o->envelope_only && res.headers == NULL)
		res.error = -ENOMEM;
	else
		res.error = source_examine(o->source, &res.object,
		    o->envelope_only, res.headers, &res.why);
	if (put_result(w, &res))
		doubt(w, res.error);
}

static void *
worker(void *arg)
{
	struct work *w = arg;
	struct object o;

	http_set_thread_prio(HTTP_BACKGROUND); /* readers go first */
	while (next_object(w, &o))
		look(w, &o);
	LOCK_SCOPE(&w->lock);
	w->workers--;
	pthread_cond_signal(&w->out);
	return NULL;
}

/* Wait a moment for results, so that they come in batches: each batch changes
 * a directory once, and readers distrust one that keeps changing. */
static size_t
take_results(struct work *w, struct sync_result *ret, bool *ret_end)
{
	const struct timespec until = cond_after_ms(GATHER_MS);
	size_t n;

	LOCK_SCOPE(&w->lock);
	while (w->done_n < SYNC_BATCH && w->workers > 0)
		if (pthread_cond_timedwait(&w->out, &w->lock, &until) ==
			ETIMEDOUT)
			break;
	n = w->done_n < SYNC_BATCH ? w->done_n : SYNC_BATCH;
	memcpy(ret, w->done, n * sizeof(*ret));
	memmove(w->done, w->done + n, (w->done_n - n) * sizeof(*ret));
	w->done_n -= n;
	*ret_end = w->workers == 0 && w->done_n == 0;
	pthread_cond_broadcast(&w->room);
	return n;
}

static unsigned
start_workers(struct work *w, unsigned workers, pthread_t *thread)
{
	pthread_attr_t attr;
	unsigned n;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	for (n = 0; n < workers; n++) {
		pthread_mutex_lock(&w->lock);
		w->workers++;
		pthread_mutex_unlock(&w->lock);
		if (pthread_create(&thread[n], &attr, worker, w) != 0) {
			pthread_mutex_lock(&w->lock);
			w->workers--;
			pthread_mutex_unlock(&w->lock);
			break;
		}
	}
	pthread_attr_destroy(&attr);
	return n;
}

static int
run_work(struct sync *s, struct work *w, pthread_t *thread,
    unsigned workers)
{
	struct sync_result batch[SYNC_BATCH];
	unsigned n = start_workers(w, workers, thread);
	bool end = n == 0;
	int r = n == 0 ? -EAGAIN : 0;

	while (!end) {
		size_t got = take_results(w, batch, &end);
		int r2 = got > 0 ? sync_store(s, batch, got) : 0;

		if (r2 < 0 && r == 0) {
			r = r2;
			pthread_mutex_lock(&w->lock);
			w->stop = r2;
			pthread_mutex_unlock(&w->lock);
		}
		if (got == 0)
			sync_report(s, false);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return r < 0 ? r : w->stop;
}

int
sync_look(struct sync *s)
{
	struct index_counts counts;
	unsigned workers = WORKERS_PER_JOB * s->o.jobs;
	struct work w = { .sync = s };
	pthread_t *thread;
	int r;

	if ((r = index_counts(s->o.index, &counts)) < 0)
		return r;
	s->p.phase = SYNC_FETCHING;
	s->p.todo = counts.pending;
	sync_report(s, true);
	if (counts.pending == 0)
		return 0;
	if (workers > counts.pending)
		workers = (unsigned)counts.pending;
	w.cap = 2 * SYNC_BATCH;
	w.done = calloc(w.cap + workers, sizeof(*w.done));
	w.feed = calloc(FEED, sizeof(*w.feed));
	thread = calloc(workers, sizeof(*thread));
	if (w.done == NULL || w.feed == NULL || thread == NULL) {
		free(w.done);
		free(w.feed);
		free(thread);
		return -ENOMEM;
	}
	pthread_mutex_init(&w.lock, NULL);
	cond_init_monotonic(&w.out);
	cond_init_monotonic(&w.room);
	r = run_work(s, &w, thread, workers);
	pthread_cond_destroy(&w.out);
	pthread_cond_destroy(&w.room);
	pthread_mutex_destroy(&w.lock);
	while (w.feed_at < w.feed_n)
		object_clear(&w.feed[w.feed_at++]);
	free(w.feed);
	free(w.done);
	free(thread);
	return r;
}
