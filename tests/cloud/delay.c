#include "delay.h"

#include "stamp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct timer {
	int64_t at_ms; /* of the monotonic clock */
	void *arg;
};

struct delay {
	void (*fire)(void *arg); /* constant */
	pthread_t thread; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* [lock] an earlier timer, or stopped */
	struct timer *heap; /* [lock] least first */
	size_t n, cap; /* [lock] */
	bool stopped; /* [lock] */
};

static void
swap(struct timer *a, struct timer *b)
{
	struct timer t = *a;

	*a = *b;
	*b = t;
}

static void
push_locked(struct delay *d, struct timer t)
{
	size_t i = d->n++;

	if (i == d->cap) {
		d->cap = d->cap > 0 ? 2 * d->cap : 64;
		d->heap = xrealloc(d->heap, d->cap * sizeof *d->heap);
	}
	d->heap[i] = t;
	for (; i > 0 && d->heap[(i - 1) / 2].at_ms > d->heap[i].at_ms;
	     i = (i - 1) / 2)
		swap(&d->heap[i], &d->heap[(i - 1) / 2]);
}

static void *
pop_locked(struct delay *d)
{
	void *arg = d->heap[0].arg;
	size_t i = 0, child;

	d->heap[0] = d->heap[--d->n];
	while ((child = 2 * i + 1) < d->n) {
		if (child + 1 < d->n &&
		    d->heap[child + 1].at_ms < d->heap[child].at_ms)
			child++;
		if (d->heap[i].at_ms <= d->heap[child].at_ms)
			break;
		swap(&d->heap[i], &d->heap[child]);
		i = child;
	}
	return arg;
}

static void
wait_locked(struct delay *d)
{
	struct timespec ts;

	if (d->n == 0) {
		pthread_cond_wait(&d->changed, &d->lock);
		return;
	}
	ts.tv_sec = (time_t)(d->heap[0].at_ms / 1000);
	ts.tv_nsec = (long)(d->heap[0].at_ms % 1000) * 1000000;
	pthread_cond_timedwait(&d->changed, &d->lock, &ts);
}

static void *
run(void *vd)
{
	struct delay *d = vd;
	void *arg;

	pthread_mutex_lock(&d->lock);
	while (!d->stopped || d->n > 0) {
		if (d->n == 0 ||
		    (!d->stopped && d->heap[0].at_ms > stamp_mono_ms())) {
			wait_locked(d);
			continue;
		}
		arg = pop_locked(d);
		pthread_mutex_unlock(&d->lock);
		d->fire(arg);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

struct delay *
delay_new(void (*fire)(void *arg))
{
	struct delay *d = xcalloc(1, sizeof *d);
	pthread_condattr_t attr;

	d->fire = fire;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&d->thread, NULL, run, d) != 0)
		abort();
	return d;
}

void
delay_add(struct delay *d, long ms, void *arg)
{
	bool stopped;

	pthread_mutex_lock(&d->lock);
	stopped = d->stopped;
	if (!stopped) {
		push_locked(d, (struct timer){ stamp_mono_ms() + ms, arg });
		pthread_cond_signal(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
	if (stopped)
		d->fire(arg);
}

void
delay_stop(struct delay *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopped = true;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
}

void
delay_free(struct delay *d)
{
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d->heap);
	free(d);
}
