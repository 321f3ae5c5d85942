#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/http.h"
#include "store/http_call.h"
#include "store/http_events.h"
#include "store/http_lane.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"
#include "store/wipe.h"

#define LOOK_MS 250	/* how often silence is looked for */
#define IDLE_MS 60000	/* how long the thread sleeps with nothing to do */

struct http {
	pthread_t thread;  /* constant */
	unsigned jobs;	   /* constant */
	struct http_setup setup; /* constant */
	char *ca_bundle;   /* constant */
	CURLM *multi;	   /* network thread */
	struct http_events *events; /* constant */

	pthread_mutex_t lock;
	pthread_cond_t stopped_cond; /* [lock] is_stopping became true */
	bool is_stopping;	     /* [lock] */
	bool is_woken;		     /* [lock] a wakeup is on its way */
	struct http_lane_state lane[HTTP_LANES]; /* [lock] but its active */

	struct http_list active; /* network thread */
	int64_t looked_at_ms; /* network thread */
};

/* Hand the result over; the call is gone afterwards. */
static void
settle(struct http_call *c, int err, CURLcode code)
{
	if (c->err == 0)
		c->err = err;
	err = http_call_result(c, code);
	c->done(c->arg, err, &c->reply);
	http_call_free(c);
}

/* Take a call out of flight. Its handle is not kept for another: since libcurl
 * 8.7 it holds on to the request that it sent, session token and all, even when
 * it is reset. Connections are the multi's, TLS sessions the share's. */
static void
finish(struct http *h, struct http_call *c, int err, CURLcode code)
{
	CURL *easy = c->easy;

	/* The result reads the handle, and the handle points into the call:
	 * out of the multi first, freed last. */
	curl_multi_remove_handle(h->multi, easy);
	http_list_remove(&h->active, c);
	h->lane[c->lane].active--;
	settle(c, err, code);
	curl_easy_cleanup(easy);
}

static void
launch(struct http *h, struct http_call *c)
{
	int64_t now = stamp_now_ms();
	CURL *easy;
	int r;

	if (now >= c->deadline_ms) {
		settle(c, -ETIMEDOUT, CURLE_OK);
		return;
	}
	if ((easy = curl_easy_init()) == NULL) {
		settle(c, -ENOMEM, CURLE_OK);
		return;
	}
	http_list_append(&h->active, c);
	h->lane[c->lane].active++;
	r = http_call_setup(c, easy, &h->setup, now);
	if (r == 0 && curl_multi_add_handle(h->multi, easy) != CURLM_OK)
		r = -EIO;
	if (r < 0)
		finish(h, c, r, CURLE_OK);
}

/* Next call that may start, or NULL; then *ret_wait_ms is lowered to the time
 * until a pace lets one. */
static struct http_call *
pop(struct http *h, int64_t *ret_wait_ms)
{
	struct http_call *c = NULL;
	int64_t now;

	LOCK_SCOPE(&h->lock);
	now = stamp_now_ms(); /* [lock]: a pace's time does not go back */
	h->is_woken = false;
	for (int i = 0; i < HTTP_LANES && c == NULL && !h->is_stopping; i++)
		c = http_lane_next(&h->lane[i], h->jobs, now, ret_wait_ms);
	return c;
}

/* Any waiting call whose time has run out (or all, when stopping). */
static struct http_call *
pop_expired(struct http *h, int64_t now_ms, bool all)
{
	struct http_call *c = NULL;

	LOCK_SCOPE(&h->lock);
	for (int i = 0; i < HTTP_LANES && c == NULL; i++)
		c = http_lane_expired(&h->lane[i], now_ms, all);
	return c;
}

/* Now and then: end what stands still and what has waited too long. */
static void
look_for_silence(struct http *h)
{
	int64_t now = stamp_now_ms();
	struct http_call *c, *next;

	if (now - h->looked_at_ms < LOOK_MS)
		return;
	h->looked_at_ms = now;
	for (c = h->active.head; c != NULL; c = next) {
		next = c->next;
		if (http_call_is_stalled(c, now, h->setup.stall_ms))
			finish(h, c, -ETIMEDOUT, CURLE_OK);
	}
	while ((c = pop_expired(h, now, false)) != NULL)
		settle(c, -ETIMEDOUT, CURLE_OK);
}

static void
collect(struct http *h)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		char *c = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c);
		finish(h, (struct http_call *)(void *)c, 0, code);
	}
}

static bool
is_stopping(struct http *h)
{
	LOCK_SCOPE(&h->lock);
	return h->is_stopping;
}

static void *
run(void *arg)
{
	struct http *h = arg;
	struct http_call *c;

	while (!is_stopping(h)) {
		int64_t wait_ms = h->active.head != NULL ? LOOK_MS : IDLE_MS;

		while ((c = pop(h, &wait_ms)) != NULL) {
			launch(h, c);
			wait_ms = LOOK_MS;
		}
		/* Whatever waits for its turn may do so in vain. */
		if (wait_ms < IDLE_MS && wait_ms > LOOK_MS)
			wait_ms = LOOK_MS;
		http_events_wait(h->events, wait_ms);
		collect(h);
		look_for_silence(h);
	}
	while (h->active.head != NULL)
		finish(h, h->active.head, -ECANCELED, CURLE_OK);
	while ((c = pop_expired(h, 0, true)) != NULL)
		settle(c, -ECANCELED, CURLE_OK);
	return NULL;
}

static int
setup_curl(struct http *h)
{
	int r;

	if ((h->multi = curl_multi_init()) == NULL ||
	    (h->setup.share = curl_share_init()) == NULL)
		return -ENOMEM;
	if ((r = http_events_new(h->multi, &h->events)) < 0)
		return r;
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
	    (long)h->jobs * HTTP_LANES);
	/* One thread uses the share: it needs no locks. */
	curl_share_setopt(h->setup.share, CURLSHOPT_SHARE,
	    CURL_LOCK_DATA_SSL_SESSION);
	return 0;
}

/* As the SDKs have it: "app/" and up to 50 characters, of which what cannot
 * stand in a token is a dash. */
static void
make_agent(const char *app_id, char ret[HTTP_AGENT_MAX])
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz";
	int n;

	if (app_id == NULL || app_id[0] == '\0') {
		strcpy(ret, "sesfs/" SESFS_VERSION);
		return;
	}
	n = snprintf(ret, HTTP_AGENT_MAX, "sesfs/" SESFS_VERSION " app/%.50s",
	    app_id);
	for (char *c = ret + n - strnlen(app_id, 50); *c != '\0'; c++)
		if (strchr(token, *c) == NULL)
			*c = '-';
}

/* Signals are for the program's own threads. */
static int
start_thread(struct http *h)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&h->thread, NULL, run, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static void
destroy(struct http *h)
{
	curl_multi_cleanup(h->multi);
	curl_share_cleanup(h->setup.share);
	http_events_free(h->events);
	pthread_cond_destroy(&h->stopped_cond);
	pthread_mutex_destroy(&h->lock);
	free(h->ca_bundle);
	free(h);
}

int
http_new(const struct http_opts *o, struct http **ret)
{
	struct http *h;
	int r;

	*ret = NULL;
	wipe_install();
	if ((r = tls_check(&(struct tls_opts){ o->ca_bundle, o->fips })) < 0)
		return r;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	cond_init_monotonic(&h->stopped_cond);
	h->jobs = o->jobs > 0 ? o->jobs : 64;
	for (int i = 0; i < HTTP_LANES; i++)
		pace_init(&h->lane[i].pace, o->rate[i]);
	make_agent(o->app_id, h->setup.agent);
	h->setup.connect_ms = o->connect_ms > 0 ? o->connect_ms : 10000;
	h->setup.stall_ms = o->stall_ms > 0 ? o->stall_ms : 30000;
	if (o->ca_bundle != NULL && (h->ca_bundle = strdup(o->ca_bundle)) ==
	    NULL)
		r = -ENOMEM;
	h->setup.tls = (struct tls_opts){ h->ca_bundle, o->fips };
	if (r == 0 && (r = setup_curl(h)) == 0)
		r = start_thread(h);
	if (r < 0) {
		destroy(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void
mark_stopping(struct http *h)
{
	LOCK_SCOPE(&h->lock);
	h->is_stopping = true;
	pthread_cond_broadcast(&h->stopped_cond);
}

void
http_stop(struct http *h)
{
	mark_stopping(h);
	http_events_wake(h->events);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	http_stop(h);
	pthread_join(h->thread, NULL);
	destroy(h);
}

/* Returns whether the network thread has to be woken, or -ECANCELED. */
static int
enqueue(struct http *h, struct http_call *c)
{
	bool must_wake;

	LOCK_SCOPE(&h->lock);
	if (h->is_stopping)
		return -ECANCELED;
	http_lane_append(&h->lane[c->lane], c);
	must_wake = !h->is_woken;
	h->is_woken = true;
	return must_wake;
}

int
http_submit(struct http *h, const struct http_request *req,
    http_done_fn *done, void *arg)
{
	CLEANUP(http_call_freep) struct http_call *c = NULL;
	int r;

	if ((r = http_call_new(req, stamp_now_ms(), &c)) < 0)
		return r;
	c->done = done;
	c->arg = arg;
	c->cause = http_thread_cause();
	if ((r = enqueue(h, c)) < 0)
		return r;
	c = NULL; /* the network thread's now, perhaps gone already */
	if (r > 0)
		http_events_wake(h->events);
	return 0;
}

/* A semaphore, not a condition: with one, whoever is woken finds the mutex
 * still held by the network thread, and both pay for that. */
struct waiter {
	sem_t done; /* after which the rest is the waiter's */
	int err;
	struct http_reply *ret;
};

static void
wake_waiter(void *arg, int err, struct http_reply *reply)
{
	struct waiter *w = arg;

	*w->ret = *reply;
	*reply = (struct http_reply){ .status = 0 };
	w->err = err;
	sem_post(&w->done);
}

int
http_do(struct http *h, const struct http_request *req,
    struct http_reply *ret)
{
	struct waiter w = { .ret = ret };
	int r;

	*ret = (struct http_reply){ .status = 0 };
	sem_init(&w.done, 0, 0);
	if ((r = http_submit(h, req, wake_waiter, &w)) == 0) {
		while (sem_wait(&w.done) < 0)
			; /* a signal */
		r = w.err;
	} else {
		snprintf(ret->why, sizeof(ret->why), "%s", strerror(-r));
	}
	sem_destroy(&w.done);
	return r;
}

const char *
http_default_ca(void)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	return v->age >= CURLVERSION_SEVENTH ? v->cainfo : NULL;
}

int
http_sleep_ms(struct http *h, int64_t ms)
{
	const struct timespec until = cond_after_ms(ms);
	int r = 0;

	LOCK_SCOPE(&h->lock);
	while (!h->is_stopping && r == 0)
		r = pthread_cond_timedwait(&h->stopped_cond, &h->lock, &until);
	return h->is_stopping ? -ECANCELED : 0;
}

bool
http_report(struct http *h, enum http_lane lane, bool is_throttled)
{
	struct pace *p = &h->lane[lane].pace;
	int64_t now_us;

	if (p->limit <= 0)
		return false;
	LOCK_SCOPE(&h->lock);
	now_us = stamp_now_ms() * 1000;
	if (is_throttled)
		pace_throttled(p, now_us);
	else
		pace_served(p, now_us);
	return true;
}

void
http_get_pace(struct http *h, enum http_lane lane, struct http_pace *ret)
{
	struct http_lane_state *l = &h->lane[lane];
	int64_t now_us;

	LOCK_SCOPE(&h->lock);
	now_us = stamp_now_ms() * 1000;
	*ret = (struct http_pace){ .limit = l->pace.limit,
		.rate = pace_rate(&l->pace, now_us), .waiting = l->waiting_n };
}

void
http_raise(struct http *h, int64_t cause)
{
	LOCK_SCOPE(&h->lock);
	for (int i = 0; i < HTTP_LANES; i++)
		http_lane_raise(&h->lane[i], cause);
}

static _Thread_local int64_t thread_cause;

void
http_set_thread_cause(int64_t cause)
{
	thread_cause = cause;
}

int64_t
http_thread_cause(void)
{
	return thread_cause;
}

static _Thread_local enum http_prio thread_prio = HTTP_FOREGROUND;

void
http_set_thread_prio(enum http_prio prio)
{
	thread_prio = prio;
}

enum http_prio
http_thread_prio(void)
{
	return thread_prio;
}
