#include "store/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/http.h"
#include "store/lock.h"

struct queue {
	struct pool_job *head, **tail;
	uint64_t n;
};

struct pool {
	unsigned max, max_ahead; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t work;		/* [lock] a job, or the end */
	struct queue queue[POOL_CLASSES]; /* [lock] */
	unsigned running[POOL_CLASSES]; /* [lock] */
	unsigned idle;			/* [lock] threads that wait for work */
	bool is_stopping;		/* [lock] */
	unsigned threads;		/* [lock] */
	pthread_t thread[];		/* [lock] the first `threads` */
};

static void
push_locked(struct queue *q, struct pool_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
	q->n++;
}

static struct pool_job *
pop_locked(struct queue *q)
{
	struct pool_job *job = q->head;

	if ((q->head = job->next) == NULL)
		q->tail = &q->head;
	q->n--;
	return job;
}

/* May a job of this class begin now? [lock] */
static bool
may_run(const struct pool *p, enum pool_class c)
{
	return p->queue[c].head != NULL &&
	    (c == POOL_READER || p->running[POOL_AHEAD] < p->max_ahead);
}

/* The next job, waiting for one; NULL at the end. [lock] */
static struct pool_job *
next_locked(struct pool *p, enum pool_class *ret_class)
{
	for (;;) {
		for (int c = 0; c < POOL_CLASSES; c++)
			if (may_run(p, (enum pool_class)c)) {
				*ret_class = (enum pool_class)c;
				p->running[c]++;
				return pop_locked(&p->queue[c]);
			}
		if (p->is_stopping && p->queue[POOL_AHEAD].head == NULL)
			return NULL;
		p->idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
}

static void *
work(void *arg)
{
	struct pool *p = arg;
	enum pool_class class;
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = next_locked(p, &class)) != NULL) {
		pthread_mutex_unlock(&p->lock);
		http_set_thread_prio(class == POOL_READER ? HTTP_FOREGROUND :
							    HTTP_BACKGROUND);
		job->run(job);
		pthread_mutex_lock(&p->lock);
		p->running[class]--;
	}
	/* The others end as well. */
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int
pool_new(unsigned threads, unsigned ahead, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p) + threads * sizeof(pthread_t));

	*ret = p;
	if (p == NULL)
		return -ENOMEM;
	p->max = threads;
	p->max_ahead = ahead;
	for (int c = 0; c < POOL_CLASSES; c++)
		p->queue[c].tail = &p->queue[c].head;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	return 0;
}

/* Queued jobs that could begin, had they a thread. [lock] */
static uint64_t
ready_locked(const struct pool *p)
{
	uint64_t room = p->max_ahead - p->running[POOL_AHEAD];
	uint64_t ahead = p->queue[POOL_AHEAD].n;

	return p->queue[POOL_READER].n + (ahead < room ? ahead : room);
}

/* Hands for what is queued: who is idle, or a new thread. -EAGAIN when there is
 * nobody at all. [lock] */
static int
find_hands_locked(struct pool *p)
{
	if (ready_locked(p) <= p->idle || p->threads == p->max) {
		pthread_cond_signal(&p->work);
		return 0;
	}
	if (pthread_create(&p->thread[p->threads], NULL, work, p) == 0)
		p->threads++;
	else
		pthread_cond_signal(&p->work);
	return p->threads > 0 ? 0 : -EAGAIN;
}

int
pool_submit(struct pool *p, enum pool_class class, struct pool_job *job)
{
	int r;

	LOCK_SCOPE(&p->lock);
	if (p->is_stopping)
		return -ECANCELED;
	push_locked(&p->queue[class], job);
	/* Without any thread it is the only one queued. */
	if ((r = find_hands_locked(p)) < 0)
		pop_locked(&p->queue[class]);
	return r;
}

void
pool_stop(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads > 0) {
		pthread_t last = p->thread[--p->threads];

		pthread_mutex_unlock(&p->lock);
		pthread_join(last, NULL);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pool_stop(p);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
