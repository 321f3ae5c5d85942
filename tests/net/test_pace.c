/* KMS that takes fewer calls than we would make: what is sent falls to that,
 * the foreground goes first, nobody fails, and it does not last. */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "net.h"
#include "store/stamp.h"

#define RATE 100 /* calls a second that we may make */
#define TAKEN 30 /* that KMS takes */
#define CROWD 32 /* threads of the background */
#define READS 11 /* of the foreground */

static const struct pair context[] = { { "aws:ses:message-id", "m1" } };

/* Everything but the totals is constant while threads run. */
static struct {
	struct net net;
	uint8_t key[KMS_DATA_KEY_LEN], blob[ENVELOPE_EDK_MAX];
	size_t len;
	atomic_int good, refused, failed;
	atomic_bool is_over;
} t;

static void
make_key(void)
{
	char arn[KMS_ARN_MAX];
	enum refusal why;

	CHECK_EQ(kms_generate_data_key(t.net.kms, NET_KEY, context,
	    NELEMS(context), t.key, t.blob, &t.len, arn, &why), 0);
}

static int
decrypt(void)
{
	uint8_t plain[KMS_PLAIN_MAX];
	char arn[KMS_ARN_MAX];
	enum refusal why;
	size_t len;
	int r = kms_decrypt(t.net.kms, NET_KEY, NULL,
	    (struct slice){ t.blob, t.len }, context, NELEMS(context), plain,
	    &len, arn, &why);

	if (r == 0 && (len != sizeof(t.key) ||
	    memcmp(plain, t.key, len) != 0))
		r = -EBADMSG;
	return r;
}

static void *
crowd_member(void *arg)
{
	http_set_thread_prio(HTTP_BACKGROUND);
	while (!atomic_load(&t.is_over)) {
		int r = decrypt();

		atomic_fetch_add(r == 0 ? &t.good :
		    r == -EAGAIN || r == -ETIMEDOUT ? &t.refused : &t.failed,
		    1);
	}
	return NULL;
}

static double
rate_now(void)
{
	struct http_pace p;

	http_get_pace(t.net.http, HTTP_LANE_KMS, &p);
	CHECK_EQ(p.limit, RATE);
	CHECK(p.waiting <= CROWD + 1);
	return p.rate;
}

/* Wait until the crowd has had n more keys. */
static void
await_keys(int n)
{
	int until = atomic_load(&t.good) + n;

	while (atomic_load(&t.good) < until && atomic_load(&t.failed) == 0)
		usleep(10000);
}

static void
test_load(void)
{
	int sent, refused;

	await_keys(2 * TAKEN);
	net_post(&t.net, "reset-counters", "");
	await_keys(4 * TAKEN);
	sent = net_count(&t.net, "kms.decrypt");
	refused = net_count(&t.net, "faults.rate");
	printf("KMS takes %d of %d a second: %d sent, %d refused, %.1f now\n",
	    TAKEN, RATE, sent, refused, rate_now());
	CHECK(sent >= 4 * TAKEN - CROWD);
	/* Without a pace that follows it would be two of three. */
	CHECK(refused * 5 <= sent);
	/* It is cut again and again, however long this thread had to wait. */
	for (int i = 0; i < 6000 && rate_now() >= 2 * TAKEN; i++)
		usleep(10000);
	CHECK(rate_now() < 2 * TAKEN);
}

static int
compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* In order of arrival each would let the whole crowd go first. Some reads meet
 * a refusal and pause: hence the median. */
static void
test_foreground(void)
{
	int passed[READS];

	for (int i = 0; i < READS; i++) {
		int before = atomic_load(&t.good);

		CHECK_EQ_AT(i, decrypt(), 0);
		passed[i] = atomic_load(&t.good) - before;
	}
	qsort(passed, READS, sizeof(passed[0]), compare);
	printf("the crowd went before a read %d times, at most %d\n",
	    passed[READS / 2], passed[READS - 1]);
	CHECK(passed[READS / 2] <= CROWD / 4);
	/* And its own turns do not end. */
	await_keys(1);
}

static void
test_recovery(void)
{
	net_post(&t.net, "set", "kms_rate=0");
	for (int i = 0; i < 6000 && rate_now() < RATE; i++)
		usleep(10000);
	CHECK_EQ(rate_now(), RATE);
}

static void
start_crowd(pthread_t thread[CROWD])
{
	atomic_store(&t.is_over, false);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, crowd_member, NULL),
		    0);
}

static void
end_crowd(pthread_t thread[CROWD])
{
	atomic_store(&t.is_over, true);
	for (int i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
}

static void
test_limited(void)
{
	pthread_t thread[CROWD];

	net_start_paced(&t.net, RATE, 60000);
	make_key();
	net_post(&t.net, "set", "kms_rate=30");
	start_crowd(thread);
	test_load();
	test_foreground();
	test_recovery();
	end_crowd(thread);
	CHECK_EQ(t.failed, 0);
	CHECK_EQ(t.refused, 0);
	net_stop(&t.net);
}

/* KMS refuses everything: calls go on to their deadline, hardly anything is sent
 * for all of them, and KMS is soon in use again when it takes calls. */
static void
test_refused(void)
{
	pthread_t thread[CROWD];

	net_start_paced(&t.net, RATE, 3000);
	make_key();
	net_reset(&t.net);
	net_post(&t.net, "set", "kms_throttle=100");
	start_crowd(thread);
	while (atomic_load(&t.refused) + atomic_load(&t.failed) < CROWD)
		usleep(10000);
	printf("KMS takes nothing: %d calls sent for %d\n",
	    net_count(&t.net, "kms.decrypt"), CROWD);
	/* All of the crowd, before the first refusal has come back, and some. */
	CHECK(net_count(&t.net, "kms.decrypt") <= 2 * CROWD);
	CHECK_EQ(t.failed, 0);
	net_post(&t.net, "set", "kms_throttle=0");
	await_keys(CROWD);
	end_crowd(thread);
	CHECK_EQ(t.failed, 0);
	net_stop(&t.net);
}

int
main(void)
{
	test_limited();
	test_refused();
	return check_done();
}
