/* Passes, and the thread that makes them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"
#include "store/sync_priv.h"

#define PROGRESS_MS 200

#define MONTH_S (30.0 * 86400)
#define LIST_USD (0.005 / 1000)
#define MONTH_USD 2 /* what listing may cost */

int64_t
sync_poll_interval(uint64_t lists)
{
	double s = (double)lists * MONTH_S * LIST_USD / MONTH_USD;

	return s < 60 ? 60 : (int64_t)s + 1;
}

double
sync_poll_cost(uint64_t lists, int64_t poll_s)
{
	return (double)lists * MONTH_S * LIST_USD / (double)poll_s;
}

int
sync_new(const struct sync_opts *o, struct sync **ret)
{
	struct sync *s = calloc(1, sizeof(*s));

	*ret = s;
	if (s == NULL)
		return -ENOMEM;
	s->o = *o;
	pthread_mutex_init(&s->lock, NULL);
	cond_init_monotonic(&s->changed);
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

void
sync_report(struct sync *s, bool force)
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

/* An empty tree says nothing of a key that is denied. */
static bool
has_opened_none(const struct sync_progress *p)
{
	return p->done > 0 && p->refused + p->failed == p->done;
}

static void
warn_of_none(const struct sync_progress *p)
{
	if (!has_opened_none(p) || p->is_mixed)
		return;
	log_warn(0, "sync: not one of %llu objects could be opened: %s; sesfs "
	    "check says what is missing", (unsigned long long)p->done,
	    p->error < 0 ? strerror(-p->error) : refusal_name(p->why));
}

/* Whatever waits is due at once. */
static int
hurry(struct sync *s)
{
	int r = index_hurry(s->o.index);

	return r < 0 ? r : index_retry_due(s->o.index, KMS_ACCESS,
	    stamp_now_unix());
}

static int
pass(struct sync *s, bool is_asked)
{
	int r;

	s->p = (struct sync_progress){
		.started_ms = stamp_now_ms() };
	s->is_up_again = false;
	if ((r = reconsider(s, is_asked)) < 0 ||
	    (r = sync_list(s)) < 0)
		return r;
	/* What waits longer and longer waits for AWS, which works again: when
	 * it lists after it did not, or opens the first after none. */
	if (s->has_failed && (r = hurry(s)) < 0)
		return r;
	s->has_failed = false;
	if ((r = sync_look(s)) == 0 && s->is_up_again &&
	    (r = hurry(s)) == 0)
		r = sync_look(s);
	if (s->p.done > 0)
		s->is_down = has_opened_none(&s->p);
	return r == 0 && s->p.failed > 0 ? -EAGAIN : r;
}

/* What a listing takes: as the last one; before that, the pages of what the
 * index knows. */
static uint64_t
lists_of_a_pass(struct sync *s)
{
	struct index_counts c;

	if (s->lists > 0)
		return s->lists;
	if (index_counts(s->o.index, &c) < 0)
		return 1;
	return (c.ready + c.pending + c.refused) / 1000 + 1;
}

static int
run(struct sync *s, bool is_asked)
{
	int r = pass(s, is_asked);
	uint64_t lists;

	if (atomic_load(&s->cancelled))
		r = -EINTR;
	s->has_failed = r < 0 && r != -EAGAIN;
	s->p.phase = SYNC_IDLE;
	sync_report(s, true);
	lists = lists_of_a_pass(s);
	LOCK_SCOPE(&s->lock);
	s->status.last_error = r;
	if (r == 0 || r == -EAGAIN)
		s->status.last_pass_unix = stamp_now_unix();
	s->status.poll_s = s->o.poll_s;
	if (s->o.poll_s == 0)
		s->status.poll_s = sync_poll_interval(lists);
	s->status.list_usd_per_month = sync_poll_cost(lists,
	    s->status.poll_s);
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
	until = cond_after_ms(s->status.poll_s * 1000);
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
		if (s->passes_begun == 1)
			warn_of_none(&s->p);
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
	if (r == 0)
		return 0;
	/* Somebody may wait already for the pass that will not be. */
	LOCK_SCOPE(&s->lock);
	s->is_stopping = true;
	pthread_cond_broadcast(&s->changed);
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
