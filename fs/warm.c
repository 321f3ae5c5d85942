#include "fs/warm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/lock.h"
#include "store/stamp.h"

#define STEP 64		 /* messages read from the index at once */
#define FAILURES_MAX 64	 /* in a row: it is not the messages */
#define PROGRESS_MS 500

struct run {
	const struct warm_opts *o; /* constant */
	int64_t reported_ms;	   /* the caller's thread */
	uint64_t held;		   /* bytes the cache has to hold for it */
	pthread_mutex_t lock;
	pthread_cond_t landed;	   /* [lock] a message is done */
	struct warm_progress p;	   /* [lock] */
	unsigned in_flight;	   /* [lock] */
	unsigned in_a_row;	   /* [lock] failures */
	int stop;		   /* [lock] why it cannot go on */
};

struct job {
	struct pool_job job; /* first */
	struct run *run;
	int64_t object_id;
};

/* ---- one message, in the pool ---- */

static void
land(struct run *run, int r, uint64_t bytes)
{
	LOCK_SCOPE(&run->lock);
	run->p.done++;
	run->p.fetched += r == 0 && bytes > 0;
	run->p.bytes += r == 0 ? bytes : 0;
	run->p.failed += r < 0;
	/* Refused, archived or gone says nothing of the next one. */
	if (r == 0 || r == -EBADMSG || r == -ENOENT || r == -EREMOTE ||
	    r == -ENOKEY)
		run->in_a_row = 0;
	else if (r == -ECANCELED || ++run->in_a_row >= FAILURES_MAX)
		run->stop = r;
	run->in_flight--;
	pthread_cond_signal(&run->landed);
}

static void
run_job(struct pool_job *job)
{
	struct job *j = (struct job *)job;
	uint64_t bytes = 0;
	int r = source_warm(j->run->o->source, j->object_id, &bytes);

	land(j->run, r, bytes);
	free(j);
}

/* ---- the walk ---- */

static void
copy_progress(struct run *run, struct warm_progress *ret)
{
	LOCK_SCOPE(&run->lock);
	*ret = run->p;
}

static int
report(struct run *run)
{
	struct warm_progress p;
	int64_t now = stamp_now_ms();

	if (run->o->progress == NULL || now - run->reported_ms < PROGRESS_MS)
		return 0;
	run->reported_ms = now;
	copy_progress(run, &p);
	return run->o->progress(run->o->arg, &p);
}

/* Until fewer than `n` are under way, or for a moment. Returns whether they
 * are. */
static bool
wait_below(struct run *run, unsigned n)
{
	const struct timespec until = cond_after_ms(PROGRESS_MS);

	LOCK_SCOPE(&run->lock);
	while (run->in_flight >= n)
		if (pthread_cond_timedwait(&run->landed, &run->lock, &until) ==
		    ETIMEDOUT)
			return run->in_flight < n;
	return true;
}

/* Wait for a free hand. 0, or why to go no further. */
static int
await_turn(struct run *run)
{
	bool has_turn = false;
	int r = 0;

	while (r == 0 && !has_turn) {
		has_turn = wait_below(run, run->o->jobs);
		r = report(run);
	}
	LOCK_SCOPE(&run->lock);
	return r != 0 ? r : run->stop;
}

static int
submit(struct run *run, const struct index_place *p)
{
	struct job *j = malloc(sizeof(*j));
	int r;

	if (j == NULL)
		return -ENOMEM;
	*j = (struct job){ { run_job, NULL }, run, p->object_id };
	pthread_mutex_lock(&run->lock);
	run->in_flight++;
	pthread_mutex_unlock(&run->lock);
	if ((r = pool_submit(run->o->pool, POOL_AHEAD, &j->job)) == 0)
		return 0;
	free(j);
	LOCK_SCOPE(&run->lock);
	run->in_flight--;
	return r;
}

static int
warm_one(struct run *run, const struct index_place *p)
{
	int r;

	run->held += p->size;
	if (run->held > run->o->cache_size) {
		run->p.is_full = true;
		return 1;
	}
	if ((r = await_turn(run)) != 0)
		return r;
	return submit(run, p);
}

static int
count_one(struct run *run, const struct index_place *p)
{
	run->p.todo++;
	return 0;
}

typedef int each_fn(struct run *run, const struct index_place *p);

/* The messages of a directory, newest first; what fn returns if not 0. */
static int
each_of_dir(struct run *run, int64_t dir, each_fn *fn)
{
	struct index_place p[STEP];
	int64_t from = INT64_MAX;
	int n, r = 0;

	do {
		n = index_places(run->o->index, PLACE_ENTRY, true, dir, from,
		    p, STEP);
		for (int i = 0; i < n && r == 0; i++) {
			from = p[i].at[PLACE_ENTRY];
			r = fn(run, &p[i]);
		}
	} while (n == STEP && r == 0);
	return n < 0 ? n : r;
}

static int
each_of_folder(struct run *run, int64_t folder, each_fn *fn)
{
	static const char *const leaves[] = { "new", "cur" };
	struct node n;
	int r = 0;

	for (size_t i = 0; i < NELEMS(leaves) && r == 0; i++) {
		r = index_lookup(run->o->index, folder, leaves[i], &n);
		if (r == 0 && n.kind == NODE_DIR)
			r = each_of_dir(run, n.ino, fn);
		else if (r == -ENOENT)
			r = 0;
	}
	return r;
}

/* The next folder of the root. */
struct folder_search {
	int64_t cookie, ino; /* ino 0: none found */
};

static bool
is_folder(void *arg, const struct dirent_row *row)
{
	struct folder_search *s = arg;

	if (s->ino != 0)
		return false;
	s->cookie = row->cookie;
	if (row->name[0] == '.' && row->node.kind == NODE_DIR)
		s->ino = row->node.ino;
	return true;
}

/* The INBOX, then the others in the order in which they were made. */
static int
each_folder(struct run *run, each_fn *fn)
{
	struct folder_search s = { .cookie = 0, .ino = INDEX_ROOT_INO };
	int r;

	while ((r = each_of_folder(run, s.ino, fn)) == 0) {
		s.ino = 0;
		r = index_readdir(run->o->index, INDEX_ROOT_INO, s.cookie,
		    NULL, is_folder, &s);
		if (r < 0 || s.ino == 0)
			return r < 0 ? r : 0;
	}
	return r;
}

static int
find_folder(struct index *ix, const char *name, int64_t *ret)
{
	char dir[INDEX_NAME_MAX + 1];
	struct node n;
	int r;

	*ret = INDEX_ROOT_INO;
	if (name[0] == '\0')
		return 0;
	if (strlen(name) >= INDEX_NAME_MAX)
		return -ENOENT;
	snprintf(dir, sizeof(dir), ".%s", name);
	r = index_lookup(ix, INDEX_ROOT_INO, dir, &n);
	if (r == 0 && n.kind != NODE_DIR)
		return -ENOENT;
	*ret = n.ino;
	return r == -EINVAL || r == -ENAMETOOLONG ? -ENOENT : r;
}

static int
each(struct run *run, const int64_t *folder, each_fn *fn)
{
	return folder != NULL ? each_of_folder(run, *folder, fn) :
				each_folder(run, fn);
}

/* What is under way uses the run: it has to land, whatever happened. */
static int
finish(struct run *run, int r)
{
	while (!wait_below(run, 1))
		if (r == 0)
			r = report(run);
	return r != 0 ? r : run->stop;
}

int
warm_run(const struct warm_opts *o, const char *folder,
    struct warm_progress *ret)
{
	struct run run = { .o = o, .lock = PTHREAD_MUTEX_INITIALIZER };
	int64_t at = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (o->cache_size == 0)
		return -ENOSPC;
	if (folder != NULL && (r = find_folder(o->index, folder, &at)) < 0)
		return r;
	cond_init_monotonic(&run.landed);
	r = each(&run, folder != NULL ? &at : NULL, count_one);
	if (r == 0)
		r = each(&run, folder != NULL ? &at : NULL, warm_one);
	r = finish(&run, r > 0 && run.p.is_full ? 0 : r);
	*ret = run.p;
	pthread_cond_destroy(&run.landed);
	pthread_mutex_destroy(&run.lock);
	return r;
}
