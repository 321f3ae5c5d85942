#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "store/plain.h"
#include "store/source.h"

#define BIG (200 * 1024)

static struct message *
make(struct plain *p, int64_t id, size_t len)
{
	struct message *m = NULL;

	plain_take(p, len);
	CHECK_EQ(plain_message(p, id, len, &m), 0);
	memset(message_buf(m), (int)id, len);
	plain_publish(m, len);
	return m;
}

static void
check_stats(struct plain *p, uint64_t bytes, uint64_t held)
{
	uint64_t b, h;

	plain_get_stats(p, &b, &h);
	CHECK_EQ(b, bytes);
	CHECK_EQ(h, held);
}

static void
hold(struct plain *p, int64_t id, size_t len)
{
	message_unref(make(p, id, len));
}

struct taker {
	struct plain *p;
	uint64_t bytes;
	atomic_bool has;
};

static void *
take(void *arg)
{
	struct taker *t = arg;

	plain_take(t->p, t->bytes);
	atomic_store(&t->has, true);
	return NULL;
}

static atomic_uint waits; /* times that a thread began to wait */

int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

int
__wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	atomic_fetch_add(&waits, 1);
	return __real_pthread_cond_wait(c, m);
}

/* Nobody else takes or gives meanwhile. */
static void
start(struct taker *t, pthread_t *thread)
{
	unsigned before = atomic_load(&waits);

	CHECK_EQ(pthread_create(thread, NULL, take, t), 0);
	while (atomic_load(&waits) == before && !atomic_load(&t->has))
		sched_yield();
}

/* A large one that waits is not overtaken by a small one that would fit. */
static void
test_order(struct plain *p)
{
	struct taker large = { .p = p, .bytes = 3 * BIG };
	struct taker small = { .p = p, .bytes = 1 };
	pthread_t a, b;

	plain_take(p, BIG);
	start(&large, &a);
	start(&small, &b);
	CHECK(!atomic_load(&large.has));
	CHECK(!atomic_load(&small.has));
	CHECK(!plain_try_take(p, 1)); /* nor by one that does not wait */
	plain_give(p, BIG);
	pthread_join(a, NULL);
	CHECK(!atomic_load(&small.has));
	plain_give(p, 3 * BIG);
	pthread_join(b, NULL);
	plain_give(p, 1);
	check_stats(p, 0, 0);
}

int
main(void)
{
	struct plain *p;
	struct message *m, *again;
	struct taker t = { .p = NULL };
	pthread_t thread;

	CHECK_EQ(plain_new(3 * BIG, &p), 0);

	/* wholly served, it goes with its last user */
	m = make(p, 1, 100);
	message_served(m, 100);
	CHECK(plain_find(p, 1) == NULL);
	check_stats(p, 100, 0);
	message_unref(m);
	check_stats(p, 0, 0);

	/* before that it is found, whatever part was served first */
	m = make(p, 1, 100);
	message_unref(m);
	check_stats(p, 100, 1);
	m = plain_find(p, 1);
	CHECK(m != NULL);
	message_served(m, 80);
	CHECK((again = plain_find(p, 1)) == m);
	message_unref(again);
	message_served(m, 20);
	check_stats(p, 100, 0);
	message_unref(m);
	check_stats(p, 0, 0);

	/* an empty one is never held */
	message_unref(make(p, 1, 0));
	check_stats(p, 0, 0);

	/* two copies of one message: the first is held, both go */
	m = make(p, 1, 100);
	again = make(p, 1, 100);
	message_unref(again);
	check_stats(p, 100, 1);
	message_unref(m);
	plain_wipe_all(p);
	check_stats(p, 0, 0);

	/* a held one leaves when its bytes are wanted, but not in use */
	hold(p, 2, BIG);
	hold(p, 3, BIG);
	hold(p, 2 + 1024, BIG); /* the same bucket */
	check_stats(p, 3 * BIG, 3);
	m = plain_find(p, 2);
	CHECK(m != NULL);
	CHECK_EQ(message_data(m).ptr[BIG - 1], 2);
	plain_take(p, 2 * BIG); /* the others must go */
	CHECK(plain_find(p, 3) == NULL);
	again = plain_find(p, 2);
	CHECK(again == m);
	message_unref(again);
	plain_give(p, 2 * BIG);

	/* without waiting: idle ones make room, those in use do not */
	hold(p, 4, BIG);
	CHECK(plain_try_take(p, 2 * BIG));
	CHECK(plain_find(p, 4) == NULL);
	CHECK(!plain_try_take(p, 1));
	plain_give(p, 2 * BIG);
	check_stats(p, BIG, 1);

	/* time: an idle one goes after PLAIN_IDLE_S, one in use never */
	plain_expire(p, INT64_MAX);
	CHECK((again = plain_find(p, 2)) == m);
	message_unref(again);
	message_unref(m);
	plain_expire(p, 0);
	check_stats(p, BIG, 1);
	plain_expire(p, INT64_MAX);
	check_stats(p, 0, 0);

	/* a taker waits for what another holds; more than the whole budget is
	 * granted to one alone */
	plain_take(p, 2 * BIG);
	t.p = p;
	t.bytes = 100 * BIG;
	CHECK_EQ(pthread_create(&thread, NULL, take, &t), 0);
	plain_give(p, 2 * BIG);
	pthread_join(thread, NULL);
	check_stats(p, 100 * BIG, 0);
	plain_give(p, 100 * BIG);
	test_order(p);
	plain_free(p);
	return check_done();
}
