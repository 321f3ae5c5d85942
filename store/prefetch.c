#include "store/prefetch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/lock.h"

#define INBOX 256 /* reads that wait to be looked at; more are let go */

/* That a message begins to be read. */
struct note {
	int64_t ino; /* 0: none */
	bool is_local;
};

struct prefetch {
	struct prefetch_opts o;	 /* constant */
	struct streams *streams; /* whoever is_busy */
	pthread_mutex_t lock;
	bool is_busy;		   /* [lock] someone looks at the inbox */
	struct note inbox[INBOX];  /* [lock] a ring */
	unsigned first, n;	   /* [lock] */
	struct stream_stats stats; /* [lock] */
};

/* The pool's until it has run, and the streams' until they forget it. */
struct open_job {
	struct pool_job job; /* first */
	struct source *source;
	int64_t object_id;
	atomic_bool is_wanted;
	atomic_int refs;
};

static void
job_unref(struct open_job *j)
{
	if (atomic_fetch_sub(&j->refs, 1) == 1)
		free(j);
}

static void
run_open(struct pool_job *job)
{
	struct open_job *j = (struct open_job *)job;

	if (atomic_load(&j->is_wanted))
		source_open_ahead(j->source, j->object_id);
	job_unref(j);
}

/* What fetch() returns for a message that is here already. */
static char here;

static void *
fetch(void *arg, const struct index_place *place, bool *ret_here)
{
	struct prefetch *p = arg;
	struct open_job *j;

	*ret_here = source_is_local(p->o.source, place->object_id);
	if (*ret_here)
		return &here;
	if ((j = calloc(1, sizeof(*j))) == NULL)
		return NULL;
	j->job.run = run_open;
	j->source = p->o.source;
	j->object_id = place->object_id;
	atomic_init(&j->is_wanted, true);
	atomic_init(&j->refs, 2);
	if (pool_submit(p->o.pool, POOL_AHEAD, &j->job) < 0) {
		free(j);
		return NULL;
	}
	return j;
}

static void
forget(void *arg, void *fetched)
{
	struct open_job *j = fetched;

	if (fetched == &here)
		return;
	atomic_store(&j->is_wanted, false);
	job_unref(j);
}

static int
place(void *arg, int64_t ino, int64_t parent, struct index_place *ret)
{
	struct prefetch *p = arg;

	return index_place(p->o.index, ino, parent, ret);
}

static int
places(void *arg, enum place_order order, bool is_backward, int64_t parent,
    int64_t from, struct index_place *ret, size_t n)
{
	struct prefetch *p = arg;

	return index_places(p->o.index, order, is_backward, parent, from, ret,
	    n);
}

int
prefetch_new(const struct prefetch_opts *o, struct prefetch **ret)
{
	CLEANUP(prefetch_freep) struct prefetch *p = calloc(1, sizeof(*p));
	const struct stream_opts so = {
		.window = o->window,
		.unread_max = o->unread_max,
		.place = place,
		.places = places,
		.fetch = fetch,
		.forget = forget,
		.arg = p,
	};
	int r;

	*ret = NULL;
	if (p == NULL)
		return -ENOMEM;
	p->o = *o;
	pthread_mutex_init(&p->lock, NULL);
	if ((r = streams_new(&so, &p->streams)) < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

void
prefetch_free(struct prefetch *p)
{
	if (p == NULL)
		return;
	streams_free(p->streams);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Into the inbox. Returns whether to look at it, as nobody does. */
static bool
post(struct prefetch *p, struct note note)
{
	LOCK_SCOPE(&p->lock);
	if (p->n < INBOX)
		p->inbox[(p->first + p->n++) % INBOX] = note;
	if (p->is_busy)
		return false;
	p->is_busy = true;
	return true;
}

/* The next read to look at, if there is one. */
static struct note
next(struct prefetch *p)
{
	struct note note = { 0, false };

	LOCK_SCOPE(&p->lock);
	streams_get_stats(p->streams, &p->stats);
	if (p->n == 0) {
		p->is_busy = false;
		return note;
	}
	note = p->inbox[p->first];
	p->first = (p->first + 1) % INBOX;
	p->n--;
	return note;
}

void
prefetch_read(struct prefetch *p, int64_t ino, bool is_local)
{
	struct note note = { ino, is_local };

	if (p->o.unread_max == 0 || !post(p, note))
		return;
	while ((note = next(p)).ino != 0)
		streams_read(p->streams, note.ino, note.is_local);
}

void
prefetch_get_stats(struct prefetch *p, struct stream_stats *ret)
{
	LOCK_SCOPE(&p->lock);
	*ret = p->stats;
}
