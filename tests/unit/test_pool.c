#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "store/http.h"
#include "store/pool.h"

#define AHEAD 2u
#define THREADS 4u

/* Jobs that wait until they are let go, and note when they began. */
struct gate {
	sem_t open;
	atomic_uint began[POOL_CLASSES], ended;
	atomic_uint wrong_prio;
};

struct job {
	struct pool_job job; /* first */
	struct gate *gate;
	enum pool_class class;
	bool waits;
};

static void
run(struct pool_job *p)
{
	struct job *j = (struct job *)p;
	enum http_prio want = j->class == POOL_READER ? HTTP_FOREGROUND :
							HTTP_BACKGROUND;

	if (http_thread_prio() != want)
		atomic_fetch_add(&j->gate->wrong_prio, 1);
	atomic_fetch_add(&j->gate->began[j->class], 1);
	if (j->waits)
		sem_wait(&j->gate->open);
	atomic_fetch_add(&j->gate->ended, 1);
}

static void
submit(struct pool *p, struct gate *g, struct job *j, enum pool_class class,
    bool waits)
{
	*j = (struct job){ { run, NULL }, g, class, waits };
	CHECK_EQ(pool_submit(p, class, &j->job), 0);
}

static void
wait_for(const atomic_uint *n, unsigned want)
{
	while (atomic_load(n) < want)
		sched_yield();
}

static void
open_gate(struct gate *g, unsigned n)
{
	while (n-- > 0)
		sem_post(&g->open);
}

/* What is ahead never takes all threads; readers run beside it. */
static void
test_shares(void)
{
	struct gate g = { .ended = 0 };
	struct job ahead[6], reader[2];
	struct pool *p;

	sem_init(&g.open, 0, 0);
	CHECK_EQ(pool_new(THREADS, AHEAD, &p), 0);
	for (size_t i = 0; i < NELEMS(ahead); i++)
		submit(p, &g, &ahead[i], POOL_AHEAD, true);
	wait_for(&g.began[POOL_AHEAD], AHEAD);
	for (size_t i = 0; i < NELEMS(reader); i++)
		submit(p, &g, &reader[i], POOL_READER, true);
	wait_for(&g.began[POOL_READER], NELEMS(reader));
	CHECK_EQ(atomic_load(&g.began[POOL_AHEAD]), AHEAD);
	open_gate(&g, NELEMS(ahead) + NELEMS(reader));
	wait_for(&g.ended, NELEMS(ahead) + NELEMS(reader));
	CHECK_EQ(atomic_load(&g.wrong_prio), 0);
	pool_free(p);
	sem_destroy(&g.open);
}

/* A reader that comes last is served before what waits ahead. */
static void
test_order(void)
{
	struct gate g = { .ended = 0 };
	struct job busy, ahead, reader;
	struct pool *p;

	sem_init(&g.open, 0, 0);
	CHECK_EQ(pool_new(1, 1, &p), 0);
	submit(p, &g, &busy, POOL_AHEAD, true);
	wait_for(&g.began[POOL_AHEAD], 1);
	submit(p, &g, &ahead, POOL_AHEAD, true);
	submit(p, &g, &reader, POOL_READER, true);
	open_gate(&g, 1);
	wait_for(&g.began[POOL_READER], 1);
	CHECK_EQ(atomic_load(&g.began[POOL_AHEAD]), 1);
	open_gate(&g, 2);
	wait_for(&g.ended, 3);
	pool_free(p);
	sem_destroy(&g.open);
}

/* What was taken is run, be there few threads or many; then no more. */
static void
test_stop(unsigned threads)
{
	struct gate g = { .ended = 0 };
	struct job many[500], late = { { run, NULL }, &g, POOL_READER, false };
	struct pool *p;

	CHECK_EQ(pool_new(threads, threads - 1, &p), 0);
	for (size_t i = 0; i < NELEMS(many); i++)
		submit(p, &g, &many[i], i % 2 ? POOL_READER : POOL_AHEAD,
		    false);
	pool_stop(p);
	CHECK_EQ(atomic_load(&g.ended), NELEMS(many));
	CHECK_EQ(pool_submit(p, POOL_READER, &late.job), -ECANCELED);
	pool_stop(p);
	pool_free(p);
	CHECK_EQ(atomic_load(&g.ended), NELEMS(many));
}

int
main(void)
{
	test_shares();
	test_order();
	test_stop(2);
	test_stop(64);
	pool_free(NULL);
	return check_done();
}
