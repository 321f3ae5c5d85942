/* Who lists what.
 *
 * Each thread has one range, (after, until], of which it lists page by page;
 * together with the ranges between the cuts that nobody has begun they are all
 * that is left of the listing. A thread without one takes the next of those,
 * else divides the range of another. That one's request under way knows
 * nothing of it: what comes is cut at `until` as it is by then.
 *
 * Some servers that are like S3 begin at the first key whatever start-after
 * says. The first page of a range shows it: it has keys that lie before. What
 * such ranges had to do is then left to those before them, which go on by
 * their tokens; in the end to the one that began at the start. Nothing was
 * handed out of such a page, so that no key counts as gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lister_priv.h"
#include "store/lock.h"
#include "store/log.h"

/* ---- listing ---- */

/* [lock] */
static void
fail_locked(struct lister *l, int r)
{
	if (l->error == 0)
		l->error = r;
	pthread_cond_broadcast(&l->work);
	pthread_cond_broadcast(&l->room);
	pthread_cond_broadcast(&l->came);
}

/* [lock] */
static void
close_locked(struct lister *l, struct range *r)
{
	free(TAKE(r->after));
	free(TAKE(r->until));
	free(TAKE(r->token));
	free(TAKE(r->seen));
	if (r->is_open)
		l->open--;
	r->is_open = false;
	r->left = 0;
	/* Others wait for work: there may be no more. */
	pthread_cond_broadcast(&l->work);
	pthread_cond_broadcast(&l->came);
}

/* Is there nothing left to list? [lock] */
static bool
is_done_locked(const struct lister *l)
{
	return l->error != 0 || (l->has_begun_all && l->open == 0);
}

/* Find something to list. [lock] */
static bool
take_range_locked(struct lister *l, struct range *r)
{
	int e = -ENOENT;

	while (!is_done_locked(l)) {
		if ((e = lister_begin_next_locked(l, r)) == -ENOENT)
			e = lister_divide_locked(l, r);
		if (e != -ENOENT)
			break;
		l->idle++;
		pthread_cond_wait(&l->work, &l->lock);
		l->idle--;
	}
	if (e != 0) {
		if (e != -ENOENT)
			fail_locked(l, e);
		return false;
	}
	r->is_open = true;
	l->open++;
	return true;
}

/* How many of the page's keys are in the range. [lock] */
static size_t
count_in_range_locked(const struct range *r, const struct s3_page *p)
{
	size_t n = p->n;

	while (n > 0 && r->until != NULL &&
	    strcmp(p->item[n - 1].key, r->until) > 0)
		n--;
	return n;
}

/* Where the range goes on after a page that did not end it. [lock] */
static int
move_on_locked(struct lister *l, struct range *r, const struct s3_page *p)
{
	char *token = strdup(p->next_token);

	if (token == NULL)
		return -ENOMEM;
	free(r->token);
	r->token = token;
	if (p->n > 0) {
		char *after = strdup(p->item[p->n - 1].key);

		if (after == NULL)
			return -ENOMEM;
		free(r->after);
		r->after = after;
		r->left = lister_guess_locked(l, r, p->item[0].key, p->n);
	}
	return 0;
}

/* Leave out what comes before the range. [lock] */
static void
skip_locked(const struct range *r, struct s3_page *p)
{
	size_t n = 0;

	while (n < p->n && r->after != NULL &&
	    strcmp(p->item[n].key, r->after) <= 0)
		n++;
	p->n -= n;
	memmove(p->item, p->item + n, p->n * sizeof(*p->item));
}

/* The server does not begin where it was asked to. Returns whether another
 * range has taken over what r had to do. [lock] */
static bool
undivide_locked(struct lister *l, struct range *r)
{
	if (!l->is_undivided)
		log_info(0, "s3: list after %s: this server ignores "
		    "start-after; it is listed page by page", r->after);
	if (!lister_undivide_locked(l, r))
		return false;
	close_locked(l, r);
	return true;
}

/* Does the page go on where the range's last one ended? Leaves in it what is
 * not before the range. Returns 0; 1 when the range was closed. [lock] */
static int
place_locked(struct lister *l, struct range *r, struct s3_page *p)
{
	const char *first = p->n > 0 ? p->item[0].key : NULL;
	char *last;

	if (first == NULL)
		return 0;
	if (r->seen != NULL && strcmp(first, r->seen) <= 0)
		return log_err(-EPROTO, "s3: list after %s: keys out of order; "
		    "this server does not list as S3 does", r->seen);
	if (r->seen == NULL && r->after != NULL &&
	    strcmp(first, r->after) <= 0 && undivide_locked(l, r))
		return 1;
	if ((last = strdup(p->item[p->n - 1].key)) == NULL)
		return -ENOMEM;
	free(r->seen);
	r->seen = last;
	skip_locked(r, p);
	return 0;
}

/* Hand a page out with its bounds, and move the range on. Takes p. [lock] */
static int
hand_out_locked(struct lister *l, struct range *r, struct s3_page *p)
{
	struct lister_page out = { .page = *p,
		.n = count_in_range_locked(r, p) };
	bool is_last = p->next_token == NULL || out.n < p->n ||
	    (p->n > 0 && r->until != NULL &&
		strcmp(p->item[p->n - 1].key, r->until) == 0);
	const char *last = is_last ? r->until :
	    p->n > 0 ? p->item[p->n - 1].key : r->after;
	int e = 0;

	lister_learn_locked(l, p);
	if ((r->after != NULL && (out.after = strdup(r->after)) == NULL) ||
	    (last != NULL && (out.last = strdup(last)) == NULL))
		e = -ENOMEM;
	if (e == 0 && !is_last)
		e = move_on_locked(l, r, p);
	/* An empty page with a token has nothing to say. */
	if (e < 0 || (!is_last && p->n == 0)) {
		lister_page_clear(&out);
		return e;
	}
	l->waiting[(l->waiting_at + l->waiting_n++) % WAITING_MAX] = out;
	if (is_last)
		close_locked(l, r);
	pthread_cond_signal(&l->came);
	return 0;
}

/* Takes p. [lock] */
static int
accept_locked(struct lister *l, struct range *r, struct s3_page *p)
{
	int e = place_locked(l, r, p);

	if (e == 0)
		return hand_out_locked(l, r, p);
	s3_page_free(p);
	return e < 0 ? e : 0;
}

/* Wait until another page may wait; whether to go on. [lock] */
static bool
wait_for_room_locked(struct lister *l)
{
	/* Each thread may bring one. */
	while (l->error == 0 && l->waiting_n + l->threads > WAITING_MAX)
		pthread_cond_wait(&l->room, &l->lock);
	if (l->error == 0 && atomic_load(l->o.cancelled))
		fail_locked(l, -EINTR);
	return l->error == 0;
}

static void start_another_locked(struct lister *l);

/* List one page. Returns whether to go on with the range. */
static bool
list_page(struct lister *l, struct range *r)
{
	struct s3_page p;
	bool go_on;
	int e;

	pthread_mutex_lock(&l->lock);
	go_on = wait_for_room_locked(l);
	l->requests += go_on;
	pthread_mutex_unlock(&l->lock);
	if (!go_on)
		return false;
	/* Only this thread changes where its range begins. */
	e = l->o.fetch(l->o.arg, r->token != NULL ? NULL : r->after, r->token,
	    &p);
	LOCK_SCOPE(&l->lock);
	if (e == 0) {
		l->pages++;
		e = accept_locked(l, r, &p);
	}
	if (e < 0) {
		fail_locked(l, e);
		return false;
	}
	if (r->is_open)
		start_another_locked(l);
	return r->is_open;
}

static void *
run(void *arg)
{
	struct lister *l = arg;
	struct range *r;
	bool has_work;

	pthread_mutex_lock(&l->lock);
	r = &l->range[l->begun++];
	while (take_range_locked(l, r)) {
		pthread_mutex_unlock(&l->lock);
		do
			has_work = list_page(l, r);
		while (has_work);
		pthread_mutex_lock(&l->lock);
		if (r->is_open)
			close_locked(l, r);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static int
start_thread_locked(struct lister *l)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	r = -pthread_create(&l->thread[l->threads], &attr, run, l);
	pthread_attr_destroy(&attr);
	if (r == 0)
		l->threads++;
	return r;
}

/* Somebody for what could be divided, who may be waiting already. At the end
 * nobody: lister_free() may be waiting for those that there are. [lock] */
static void
start_another_locked(struct lister *l)
{
	if (l->error != 0 || !lister_has_work_locked(l))
		return;
	if (l->idle > 0)
		pthread_cond_signal(&l->work);
	else if (l->threads < l->o.threads && start_thread_locked(l) < 0)
		l->o.threads = l->threads; /* these will do */
}

/* ---- the caller's side ---- */

void
lister_page_clear(struct lister_page *p)
{
	s3_page_free(&p->page);
	free(p->after);
	free(p->last);
	*p = (struct lister_page){ .n = 0 };
}

static int
copy_cuts(struct lister *l, const struct lister_opts *o)
{
	if ((l->cut = calloc(o->cuts + 1, sizeof(*l->cut))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < o->cuts; i++)
		if ((l->cut[i] = strdup(o->cut[i])) == NULL)
			return -ENOMEM;
	l->divisions = o->cuts;
	return 0;
}

static int
start(struct lister *l)
{
	int r;

	LOCK_SCOPE(&l->lock);
	if ((r = start_thread_locked(l)) < 0)
		return r;
	for (size_t i = 0; i < l->o.cuts && l->threads < l->o.threads; i++)
		if (start_thread_locked(l) < 0)
			break;
	return 0;
}

int
lister_new(const struct lister_opts *o, struct lister **ret)
{
	CLEANUP(lister_freep) struct lister *l = calloc(1, sizeof(*l));
	int r;

	*ret = NULL;
	if (l == NULL)
		return -ENOMEM;
	l->o = *o;
	if (l->o.threads == 0)
		l->o.threads = 1;
	if (l->o.threads > LISTER_THREADS_MAX)
		l->o.threads = LISTER_THREADS_MAX;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->room, NULL);
	pthread_cond_init(&l->came, NULL);
	keyspace_init(&l->space);
	if ((r = copy_cuts(l, o)) < 0 || (r = start(l)) < 0)
		return r;
	*ret = TAKE(l);
	return 0;
}

static struct lister_page
pop_locked(struct lister *l)
{
	struct lister_page p = l->waiting[l->waiting_at];

	l->waiting_at = (l->waiting_at + 1) % WAITING_MAX;
	l->waiting_n--;
	return p;
}

void
lister_free(struct lister *l)
{
	unsigned n;

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	fail_locked(l, -ECANCELED);
	n = l->threads; /* with an error nobody starts another */
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < n; i++)
		pthread_join(l->thread[i], NULL);
	while (l->waiting_n > 0) {
		struct lister_page p = pop_locked(l);

		lister_page_clear(&p);
	}
	for (size_t i = 0; l->cut != NULL && i < l->o.cuts; i++)
		free(l->cut[i]);
	free(l->cut);
	free(l->first);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->room);
	pthread_cond_destroy(&l->came);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int
lister_next(struct lister *l, struct lister_page *ret, size_t max)
{
	size_t n = 0;

	LOCK_SCOPE(&l->lock);
	while (l->waiting_n == 0 && !is_done_locked(l))
		pthread_cond_wait(&l->came, &l->lock);
	while (n < max && l->waiting_n > 0)
		ret[n++] = pop_locked(l);
	pthread_cond_broadcast(&l->room);
	return n > 0 ? (int)n : l->error;
}

bool
lister_is_undivided(struct lister *l)
{
	LOCK_SCOPE(&l->lock);
	return l->is_undivided;
}

uint64_t
lister_requests(struct lister *l)
{
	LOCK_SCOPE(&l->lock);
	return l->requests;
}
