#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "check.h"
#include "store/source.h"
#include "store/sync.h"

static const struct {
	uint64_t lists;
	int64_t at_least, at_most; /* seconds */
} intervals[] = {
	{ 1, 60, 60 },
	{ 9, 60, 60 },
	{ 101, 600, 700 },
	{ 1001, 6400, 6600 },
};

static const struct {
	const char *key;
	bool is_mail;
} keys[] = {
	{ "inbound/abc", true },
	{ "abc", true },
	{ "inbound/", false },
	{ "", false },
	{ "inbound/AMAZON_SES_SETUP_NOTIFICATION", false },
	{ "AMAZON_SES_SETUP_NOTIFICATION", false },
	{ "AMAZON_SES_SETUP_NOTIFICATION/x", true },
	{ "inbound/abc.instruction", false },
	{ ".instruction", false },
	{ "abc.instructions", true },
};

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

static atomic_bool is_waiting;

int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg)
{
	return EAGAIN;
}

int
__wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	atomic_store(&is_waiting, true);
	return __real_pthread_cond_wait(c, m);
}

struct client {
	struct sync *sync;
	int result;
};

static void *
wait_for_pass(void *arg)
{
	struct client *c = arg;

	c->result = sync_wait(c->sync);
	return NULL;
}

/* Who came while the daemon started is let go when it cannot, as is who comes
 * then. */
static void
test_no_thread(void)
{
	struct client early = { .result = 0 };
	pthread_t thread;
	struct sync *s;

	CHECK_EQ(sync_new(&(struct sync_opts){ .prefix = "" }, &s), 0);
	early.sync = s;
	CHECK_EQ(__real_pthread_create(&thread, NULL, wait_for_pass, &early),
	    0);
	while (!atomic_load(&is_waiting))
		sched_yield();
	CHECK_EQ(sync_start(s), -EAGAIN);
	pthread_join(thread, NULL);
	CHECK_EQ(early.result, -ECANCELED);
	CHECK_EQ(sync_wait(s), -ECANCELED);
	sync_free(s);
}

int
main(void)
{
	test_no_thread();
	for (size_t i = 0; i < NELEMS(intervals); i++) {
		int64_t s = sync_poll_interval(intervals[i].lists);

		CHECK_AT(i, s >= intervals[i].at_least);
		CHECK_AT(i, s <= intervals[i].at_most);
		CHECK_AT(i, sync_poll_cost(intervals[i].lists, s) <= 2.0);
	}
	/* a million objects each minute */
	CHECK(sync_poll_cost(1000, 60) > 215);
	CHECK(sync_poll_cost(1000, 60) < 217);
	for (size_t i = 0; i < NELEMS(keys); i++)
		CHECK_AT(i, source_key_is_mail(keys[i].key) ==
		    keys[i].is_mail);
	return check_done();
}
