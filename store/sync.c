#include "store/sync.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/http.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"

#define BATCH 128	     /* results published in one transaction */
#define FEED 512	     /* pending ids read from the index at once */
#define FAILURES_MAX 64	     /* in a row: is it the network, or all of AWS? */
#define RETRY_MIN_S 60	     /* wait before a failed object is tried again */
#define RETRY_MAX_S (6 * 3600)
#define PROGRESS_MS 200

/* What a worker found out about one object. */
struct result {
	struct object object;
	struct rfc822 *headers; /* NULL: only the envelope was read */
	enum refusal why;
	int error; /* 0, or why it stays pending */
};

/* The looking part of a pass: ids go out to the workers, results come back to
 * the pass's thread, which alone writes the index. */
struct work {
	struct sync *sync;
	pthread_mutex_t lock;
	pthread_cond_t out;  /* [lock] results or the end of a worker */
	pthread_cond_t room; /* [lock] results were taken */
	struct index_cursor cursor; /* [lock] */
	int64_t feed[FEED];  /* [lock] */
	size_t feed_n, feed_at; /* [lock] */
	bool is_dry;	     /* [lock] the index has no more */
	struct result *done; /* [lock] up to `cap` */
	size_t done_n, cap;  /* [lock] */
	unsigned workers;    /* [lock] alive */
	unsigned in_a_row;   /* [lock] failures that may be everybody's */
	int stop;	     /* [lock] error that ends the pass */
};

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
};

int64_t
sync_poll_interval(uint64_t objects)
{
	/* pages * 30 days / interval * $0.000005 <= $2 */
	double pages = (double)(objects / 1000 + 1);
	double s = pages * 30 * 86400 * 0.000005 / 2;

	return s < 60 ? 60 : (int64_t)s + 1;
}

double
sync_poll_cost(uint64_t objects, int64_t poll_s)
{
	return (double)(objects / 1000 + 1) * 30 * 86400 * 0.000005 /
	    (double)poll_s;
}

int
sync_new(const struct sync_opts *o, struct sync **ret)
{
	struct sync *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	*ret = s;
	if (s == NULL)
		return -ENOMEM;
	s->o = *o;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return 0;
}

void
sync_cancel(struct sync *s)
{
	atomic_store(&s->cancelled, true);
}

void
sync_free(struct sync *s)
{
	if (s == NULL)
		return;
	sync_cancel(s);
	if (s->has_thread) {
		pthread_mutex_lock(&s->lock);
		s->is_stopping = true;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
report(struct sync *s, bool force)
{
	int64_t now = stamp_now_ms();

	if (!force && now - s->p.now_ms < PROGRESS_MS)
		return;
	s->p.now_ms = now;
	pthread_mutex_lock(&s->lock);
	s->status.progress = s->p;
	pthread_mutex_unlock(&s->lock);
	if (s->o.progress != NULL)
		s->o.progress(s->o.arg, &s->p);
}

/* ---- listing ---- */

struct gone_list {
	int64_t *id;
	size_t n, cap;
};

static void
remember_gone(void *arg, int64_t id)
{
	struct gone_list *g = arg;

	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		int64_t *p = realloc(g->id, cap * sizeof(*p));

		if (p == NULL)
			return; /* the next listing finds it again */
		g->id = p;
		g->cap = cap;
	}
	g->id[g->n++] = id;
}

static int
tell_gone(struct sync *s, struct gone_list *g)
{
	int r = 0;

	for (size_t i = 0; i < g->n && r == 0; i++)
		if ((r = s->o.gone(s->o.arg, g->id[i])) == -ENOENT)
			r = 0;
	free(g->id);
	*g = (struct gone_list){ 0 };
	return r;
}

static int
merge_page(struct sync *s, const struct s3_page *page, const char *after)
{
	struct object_listed *l = calloc(page->n ? page->n : 1, sizeof(*l));
	struct index_merge_counts c = { 0 };
	struct gone_list gone = { 0 };
	size_t n = 0;
	int r;

	if (l == NULL)
		return -ENOMEM;
	/* What is no mail is as good as absent. */
	for (size_t i = 0; i < page->n; i++)
		if (source_key_is_mail(page->item[i].key))
			l[n++] = (struct object_listed){
				.key = page->item[i].key,
				.etag = page->item[i].etag,
				.size = page->item[i].size,
				.last_modified_unix =
				    page->item[i].last_modified_unix,
			};
	r = index_merge_page(s->o.index, s->o.prefix, after,
	    page->next_token != NULL && page->n > 0 ?
		page->item[page->n - 1].key : NULL,
	    l, n, remember_gone, &gone, &c);
	free(l);
	if (r == 0)
		r = tell_gone(s, &gone);
	free(gone.id);
	s->p.listed += n;
	s->p.added += c.added;
	s->p.replaced += c.replaced;
	s->p.removed += c.removed;
	return r;
}

/* What the next page needs of this one: where it goes on, and the last key
 * (an empty page moves nothing). */
static int
remember_page(const struct s3_page *page, char **token, char **after)
{
	free(*token);
	*token = NULL;
	if (page->next_token != NULL &&
	    (*token = strdup(page->next_token)) == NULL)
		return -ENOMEM;
	if (page->n == 0)
		return 0;
	free(*after);
	*after = strdup(page->item[page->n - 1].key);
	return *after == NULL ? -ENOMEM : 0;
}

static int
list(struct sync *s)
{
	char *token = NULL, *after = NULL;
	bool more = true;
	int r = 0;

	s->p.phase = SYNC_LISTING;
	while (more && r == 0) {
		struct s3_page page;

		if (atomic_load(&s->cancelled)) {
			r = -EINTR;
			break;
		}
		if ((r = s3_list(s->o.s3, s->o.prefix, NULL, token, 1000,
			 &page)) < 0)
			break;
		/* An empty page with a token has nothing to compare. */
		if (page.n > 0 || page.next_token == NULL)
			r = merge_page(s, &page, after);
		more = page.next_token != NULL;
		if (r == 0)
			r = remember_page(&page, &token, &after);
		s3_page_free(&page);
		report(s, false);
	}
	free(token);
	free(after);
	return r;
}

/* ---- looking ---- */

/* The next object to look at, 0 at the end. */
static int64_t
next_id(struct work *w)
{
	LOCK_SCOPE(&w->lock);
	while (w->done_n >= w->cap && w->stop == 0)
		pthread_cond_wait(&w->room, &w->lock);
	if (w->stop != 0 || atomic_load(&w->sync->cancelled))
		return 0;
	if (w->feed_at == w->feed_n && !w->is_dry) {
		int n = index_pending(w->sync->o.index,
		    stamp_now_unix(), &w->cursor, w->feed,
		    FEED);

		w->feed_at = 0;
		w->feed_n = n > 0 ? (size_t)n : 0;
		w->is_dry = n <= 0;
		if (n < 0)
			w->stop = n;
	}
	return w->feed_at < w->feed_n ? w->feed[w->feed_at++] : 0;
}

static bool
is_network_error(int r)
{
	return r == -ETIMEDOUT || r == -ECONNRESET || r == -EHOSTUNREACH ||
	    r == -EAGAIN || r == -EACCES;
}

/* Returns whether too many have failed in a row for it to be chance. */
static bool
put_result(struct work *w, const struct result *r)
{
	bool is_row;

	LOCK_SCOPE(&w->lock);
	w->in_a_row = is_network_error(r->error) ? w->in_a_row + 1 : 0;
	if (r->error == -ECANCELED || r->error == -ENOSPC)
		w->stop = r->error;
	if ((is_row = w->in_a_row >= FAILURES_MAX))
		w->in_a_row = 0;
	w->done[w->done_n++] = *r;
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

static void
look(struct work *w, int64_t id)
{
	const struct sync_opts *o = &w->sync->o;
	struct result res = { 0 };
	int r = index_object(o->index, id, &res.object);

	if (r == -ENOENT)
		return; /* replaced meanwhile */
	if (r < 0) {
		LOCK_SCOPE(&w->lock);
		w->stop = r;
		return;
	}
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
	int64_t id;

	http_set_thread_prio(HTTP_BACKGROUND); /* readers go first */
	while ((id = next_id(w)) != 0)
		look(w, id);
	LOCK_SCOPE(&w->lock);
	w->workers--;
	pthread_cond_signal(&w->out);
	return NULL;
}

static int64_t
retry_at(const struct object *o)
{
	int64_t wait = RETRY_MIN_S;

	for (unsigned i = 0; i < o->tries && wait < RETRY_MAX_S; i++)
		wait *= 2;
	return stamp_now_unix() +
	    (wait < RETRY_MAX_S ? wait : RETRY_MAX_S);
}

static void
result_clear(struct result *r)
{
	object_clear(&r->object);
	if (r->headers != NULL)
		sodium_memzero(r->headers, sizeof(*r->headers));
	free(r->headers);
}

/* A row that changed or went while it was being looked at: the listing that
 * changed it has already said what is to be done instead. */
static int
unless_changed(int r)
{
	return r == -ENOENT ? 0 : r;
}

static int
store_failure(struct sync *s, const struct result *r)
{
	s->p.failed++;
	/* Gone or replaced: the next listing says what is there now. When the
	 * pass ends for all, none of them is to blame. */
	if (r->error == -ENOENT || r->error == -ESTALE ||
	    r->error == -ECANCELED)
		return 0;
	log_warn(r->error, "sync: fetch %s: %s, will try again",
	    r->object.key, strerror(-r->error));
	return unless_changed(index_object_retry(s->o.index, r->object.id,
	    is_network_error(r->error) && r->error != -EACCES ?
		stamp_now_unix() :
		retry_at(&r->object)));
}

static int
store_refusal(struct sync *s, const struct result *r)
{
	int e;

	s->p.refused++;
	log_warn(-EBADMSG, "sync: refuse %s: %s", r->object.key,
	    refusal_name(r->why));
	/* Asked again at growing intervals: foreign keys must not cost a call
	 * each for ever, nor hold up what comes after. */
	if (r->why == KMS_ACCESS &&
	    (e = index_object_retry(s->o.index, r->object.id,
		 retry_at(&r->object))) < 0)
		return unless_changed(e);
	return unless_changed(index_object_refused(s->o.index, r->object.id,
	    r->why));
}

static int
by_arrival(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	int64_t d = x->object->last_modified_unix -
	    y->object->last_modified_unix;

	if (d == 0)
		d = x->object->id - y->object->id;
	return d < 0 ? -1 : d > 0;
}

/* Write one batch of results into the index. */
static int
store_batch(struct sync *s, struct result *res, size_t n)
{
	struct arrival *a = calloc(n, sizeof(*a));
	size_t ready = 0;
	int r = a == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		s->p.done++;
		s->p.bytes += res[i].object.size;
		if (res[i].error == -ENOMSG)
			continue;
		if (res[i].error != 0)
			r = store_failure(s, &res[i]);
		else if (res[i].why != REFUSAL_NONE)
			r = store_refusal(s, &res[i]);
		else
			a[ready++] = (struct arrival){ &res[i].object,
				res[i].headers };
	}
	if (r == 0 && ready > 0) {
		qsort(a, ready, sizeof(*a), by_arrival);
		r = s->o.deliver(s->o.arg, a, ready);
	}
	free(a);
	for (size_t i = 0; i < n; i++)
		result_clear(&res[i]);
	report(s, false);
	return r;
}

/* Wait a moment for results, so that they come in batches: each batch changes
 * a directory once, and readers distrust one that keeps changing. */
static size_t
take_results(struct work *w, struct result *ret, bool *ret_end)
{
	struct timespec until;
	size_t n;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	LOCK_SCOPE(&w->lock);
	while (w->done_n < BATCH && w->workers > 0)
		if (pthread_cond_timedwait(&w->out, &w->lock, &until) ==
			ETIMEDOUT)
			break;
	n = w->done_n < BATCH ? w->done_n : BATCH;
	memcpy(ret, w->done, n * sizeof(*ret));
	memmove(w->done, w->done + n, (w->done_n - n) * sizeof(*ret));
	w->done_n -= n;
	*ret_end = w->workers == 0 && w->done_n == 0;
	pthread_cond_broadcast(&w->room);
	return n;
}

static unsigned
start_workers(struct work *w, unsigned jobs, pthread_t *thread)
{
	pthread_attr_t attr;
	unsigned n;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	for (n = 0; n < jobs; n++) {
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
run_work(struct sync *s, struct work *w, pthread_t *thread, unsigned jobs)
{
	struct result batch[BATCH];
	unsigned n = start_workers(w, jobs, thread);
	bool end = n == 0;
	int r = n == 0 ? -EAGAIN : 0;

	while (!end) {
		size_t got = take_results(w, batch, &end);
		int r2 = got > 0 ? store_batch(s, batch, got) : 0;

		if (r2 < 0 && r == 0) {
			r = r2;
			pthread_mutex_lock(&w->lock);
			w->stop = r2;
			pthread_mutex_unlock(&w->lock);
		}
		if (got == 0)
			report(s, false);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return r < 0 ? r : w->stop;
}

static int
look_at_pending(struct sync *s)
{
	struct index_counts counts;
	unsigned jobs = s->o.jobs;
	pthread_condattr_t attr;
	struct work w = { .sync = s };
	pthread_t *thread;
	int r;

	if ((r = index_counts(s->o.index, &counts)) < 0)
		return r;
	s->p.phase = SYNC_FETCHING;
	s->p.todo = counts.pending;
	report(s, true);
	if (counts.pending == 0)
		return 0;
	if (jobs > counts.pending)
		jobs = (unsigned)counts.pending;
	w.cap = BATCH + jobs;
	w.done = calloc(w.cap + jobs, sizeof(*w.done));
	thread = calloc(jobs, sizeof(*thread));
	if (w.done == NULL || thread == NULL) {
		free(w.done);
		free(thread);
		return -ENOMEM;
	}
	pthread_mutex_init(&w.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w.out, &attr);
	pthread_cond_init(&w.room, &attr);
	pthread_condattr_destroy(&attr);
	r = run_work(s, &w, thread, jobs);
	pthread_cond_destroy(&w.out);
	pthread_cond_destroy(&w.room);
	pthread_mutex_destroy(&w.lock);
	free(w.done);
	free(thread);
	return r;
}

/* ---- passes ---- */

/* Refused objects get another look when policy is another one than at the last
 * pass; those that KMS refused now and then, for it may have changed its mind,
 * and at once when somebody asks. */
static int
reconsider(struct sync *s, bool is_asked)
{
	uint8_t now[SOURCE_POLICY_ID_LEN], then[SOURCE_POLICY_ID_LEN];
	size_t len = 0;
	int r;

	if (is_asked && (r = index_hurry(s->o.index)) < 0)
		return r;
	if ((r = source_recover(s->o.source)) < 0)
		return r;
	source_policy_id(s->o.source, now);
	r = index_meta_get(s->o.index, "policy", then, sizeof(then), &len);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && len == sizeof(now) && memcmp(now, then, len) == 0)
		return index_retry_due(s->o.index, KMS_ACCESS,
		    stamp_now_unix());
	if ((r = index_retry_refused(s->o.index)) < 0)
		return r;
	return index_meta_set(s->o.index, "policy", now, sizeof(now));
}

static int
pass(struct sync *s, bool is_asked)
{
	int r;

	s->p = (struct sync_progress){
		.started_ms = stamp_now_ms() };
	if ((r = reconsider(s, is_asked)) < 0 ||
	    (r = list(s)) < 0)
		return r;
	if ((r = look_at_pending(s)) == 0 && s->p.failed > 0)
		r = -EAGAIN;
	return r;
}

static int
run(struct sync *s, bool is_asked)
{
	int r = pass(s, is_asked);
	struct index_counts c;

	if (atomic_load(&s->cancelled))
		r = -EINTR;
	s->p.phase = SYNC_IDLE;
	report(s, true);
	if (index_counts(s->o.index, &c) < 0)
		memset(&c, 0, sizeof(c));
	LOCK_SCOPE(&s->lock);
	s->status.last_error = r;
	if (r == 0 || r == -EAGAIN)
		s->status.last_pass_unix = stamp_now_unix();
	s->status.poll_s = s->o.poll_s;
	if (s->o.poll_s == 0)
		s->status.poll_s = sync_poll_interval(c.ready + c.pending +
		    c.refused);
	s->status.list_usd_per_month = sync_poll_cost(c.ready + c.pending +
	    c.refused, s->status.poll_s);
	return r;
}

int
sync_run(struct sync *s)
{
	return run(s, true);
}

/* Wait for the interval, a kick or the end. Returns whether to go on. */
static bool
wait_for_turn(struct sync *s, bool *ret_asked)
{
	struct timespec until;

	LOCK_SCOPE(&s->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s->status.poll_s;
	s->status.next_pass_in_s = until.tv_sec; /* made relative when asked */
	while (!s->is_stopping && !s->is_kicked)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) ==
			ETIMEDOUT)
			break;
	*ret_asked = s->is_kicked;
	s->is_kicked = false;
	return !s->is_stopping;
}

static void *
thread_main(void *arg)
{
	struct sync *s = arg;
	bool is_asked = true; /* whoever mounts does */
	int r;

	do {
		pthread_mutex_lock(&s->lock);
		s->passes_begun++;
		pthread_mutex_unlock(&s->lock);
		if ((r = run(s, is_asked)) < 0 && r != -EINTR)
			log_warn(r, "sync: pass over s3 prefix \"%s\": %s",
			    s->o.prefix, strerror(-r));
		pthread_mutex_lock(&s->lock);
		s->passes_ended = s->passes_begun;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
	} while (wait_for_turn(s, &is_asked));
	return NULL;
}

int
sync_start(struct sync *s)
{
	int r = pthread_create(&s->thread, NULL, thread_main, s);

	s->has_thread = r == 0;
	return -r;
}

int
sync_wait(struct sync *s)
{
	uint64_t want;

	LOCK_SCOPE(&s->lock);
	want = s->passes_begun + 1;
	s->is_kicked = true;
	pthread_cond_broadcast(&s->changed);
	while (s->passes_ended < want && !s->is_stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	return s->is_stopping ? -ECANCELED : s->status.last_error;
}

void
sync_get_status(struct sync *s, struct sync_status *ret)
{
	int64_t now = stamp_now_ms() / 1000;

	LOCK_SCOPE(&s->lock);
	*ret = s->status;
	ret->next_pass_in_s = s->passes_ended < s->passes_begun ||
		ret->next_pass_in_s < now ?
	    0 :
	    ret->next_pass_in_s - now;
}
