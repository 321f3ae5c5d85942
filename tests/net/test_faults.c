/* What goes wrong on the way, and what is done about it. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "net.h"
#include "store/stamp.h"

static int
get(struct net *n)
{
	struct s3_object o;
	int r = s3_get(n->s3, "k", NULL, 1 << 20, &o);

	if (r == 0)
		CHECK(o.len == 4 && memcmp(o.body, "body", 4) == 0);
	s3_object_free(&o);
	return r;
}

/* Faults that pass, and the attempts that they cost: two faults, then good. */
static void
test_passing(struct net *n)
{
	static const char *const fault[] = { "s3_throttle", "s3_500",
		"s3_503", "s3_reset", "s3_truncate" };
	char set[64];

	for (size_t i = 0; i < NELEMS(fault); i++) {
		net_reset(n);
		snprintf(set, sizeof(set), "%s=100&fault_limit=2", fault[i]);
		net_post(n, "set", set);
		CHECK_EQ_AT(i, get(n), 0);
		CHECK_EQ_AT(i, net_count(n, "s3.get"), 3);
	}
}

/* Not sooner than the server says. */
static void
test_wish(struct net *n)
{
	int64_t began;

	net_reset(n);
	net_post(n, "set", "s3_throttle=100&fault_limit=1&retry_after_ms=300");
	began = stamp_now_ms();
	CHECK_EQ(get(n), 0);
	CHECK(stamp_now_ms() - began >= 300);
	CHECK_EQ(net_count(n, "s3.get"), 2);
}

/* Faults that stay: as many attempts as the policy has, then the error. */
static void
test_lasting(struct net *n)
{
	static const struct {
		const char *set;
		int want;
	} t[] = {
		{ "s3_500=100", -EAGAIN },
		{ "s3_503=100", -EAGAIN },
		{ "s3_truncate=100", -ECONNRESET },
		{ "s3_reset=100", -ECONNRESET },
	};

	for (size_t i = 0; i < NELEMS(t); i++) {
		net_reset(n);
		net_post(n, "set", t[i].set);
		CHECK_EQ_AT(i, get(n), t[i].want);
		/* libcurl itself tries again when a kept connection turns
		 * out to be dead. */
		CHECK_AT(i, net_count(n, "s3.get") == 6 ||
		    (t[i].want == -ECONNRESET &&
			net_count(n, "s3.get") == 7));
	}
}

static int
sent(struct net *n, enum aws_op op)
{
	struct aws_stats st;

	aws_get_stats(n->aws, &st);
	return (int)st.requests[op];
}

static void
test_stall(struct net *n)
{
	int before = sent(n, AWS_S3_GET);

	net_reset(n);
	net_post(n, "set", "s3_stall=100&stall_seconds=2&fault_limit=1");
	CHECK_EQ(get(n), 0);
	/* The cloud counts a request when it has answered. */
	CHECK_EQ(sent(n, AWS_S3_GET) - before, 2);
}

static void
test_credentials(struct net *n)
{
	int fetches = n->keys.fetches;

	net_reset(n);
	net_post(n, "set", "deny=s3:GetObject");
	CHECK_EQ(get(n), -EACCES);
	CHECK_EQ(net_count(n, "s3.get"), 1);
	net_reset(n);
	/* A wrong secret: refused, once. */
	net_post(n, "set", "secret_key=other");
	CHECK_EQ(get(n), -EACCES);
	CHECK_EQ(net_count(n, "s3.get"), 1);
	net_post(n, "set", "secret_key=testsecret");
	CHECK_EQ(get(n), 0);
	CHECK_EQ(n->keys.fetches, fetches);
}

/* Replaced or expired credentials are asked for anew, if they are not brand
 * new, and the request is sent once more. */
static void
test_expired(struct net *n)
{
	struct s3_object o;

	net_reset(n);
	net_post(n, "set", "access_key=rotated");
	n->keys.fetches = 0;
	net_skip(n, 60);
	/* The same come again: no second request. */
	CHECK_EQ(get(n), -EACCES);
	CHECK_EQ(net_count(n, "s3.get"), 1);
	CHECK_EQ(n->keys.fetches, 1);
	/* Younger than ten seconds: not even asked. */
	CHECK_EQ(get(n), -EACCES);
	CHECK_EQ(n->keys.fetches, 1);
	net_skip(n, 60);
	n->keys.key_id = "rotated";
	CHECK_EQ(get(n), 0);
	CHECK_EQ(n->keys.fetches, 2);
	CHECK_EQ(net_count(n, "s3.get"), 4);
	net_post(n, "set", "access_key=test");
	n->keys.key_id = "test";
	net_skip(n, 60);
	CHECK_EQ(get(n), 0);

	/* A token: GET is told, HEAD is not. */
	net_post(n, "set", "session_token=one");
	n->keys.token = "one";
	net_skip(n, 60);
	CHECK_EQ(get(n), 0);
	net_post(n, "set", "session_token=two");
	n->keys.token = "two";
	net_skip(n, 60);
	net_reset(n);
	CHECK_EQ(s3_head(n->s3, "k", &o), 0);
	CHECK_EQ(net_count(n, "s3.head"), 2);
	s3_object_free(&o);
	net_post(n, "set", "token_expired=1");
	net_skip(n, 60);
	CHECK_EQ(get(n), -EACCES);
	net_post(n, "set", "token_expired=0&session_token=");
	n->keys.token = "";
	net_skip(n, 60);
	CHECK_EQ(get(n), 0);
}

static void
test_clock(struct net *n)
{
	static const char *const off[] = { "clock_offset=3600",
		"clock_offset=-3600", "clock_offset=0" };
	struct sts_identity id;
	struct s3_object o;

	for (size_t i = 0; i < NELEMS(off); i++) {
		struct sts_opts so = { .aws = n->aws, .region = "us-east-1",
			.endpoint_url = n->cloud.url };

		net_reset(n);
		net_post(n, "set", off[i]);
		CHECK_EQ_AT(i, get(n), 0);
		CHECK_EQ_AT(i, net_count(n, "s3.get"), 2);
		/* Learnt, for all services. */
		CHECK_EQ_AT(i, get(n), 0);
		CHECK_EQ_AT(i, sts_get_caller_identity(&so, &id), 0);
		CHECK_EQ_AT(i, net_count(n, "s3.get"), 3);
		CHECK_EQ_AT(i, net_count(n, "sts.identity"), 1);
	}
	/* KMS and STS say it otherwise; a HEAD cannot say it at all. */
	net_reset(n);
	net_post(n, "set", "clock_offset=7200");
	CHECK_EQ(s3_head(n->s3, "k", &o), 0);
	CHECK_EQ(net_count(n, "s3.head"), 2);
	s3_object_free(&o);
	net_post(n, "set", "clock_offset=0");
	{
		struct sts_opts so = { .aws = n->aws, .region = "us-east-1",
			.endpoint_url = n->cloud.url };

		CHECK_EQ(sts_get_caller_identity(&so, &id), 0);
		CHECK_STR(id.account, "123456789012");
		CHECK_EQ(net_count(n, "sts.identity"), 2);
	}
}

struct crowd {
	struct net *net;
	atomic_int good;
};

static void *
crowd_member(void *arg)
{
	struct crowd *c = arg;

	/* check.h counts for one thread only. */
	for (int i = 0; i < 10; i++) {
		struct s3_object o;

		c->good += s3_get(c->net->s3, "k", NULL, 100, &o) == 0 &&
		    o.len == 4 && memcmp(o.body, "body", 4) == 0;
		s3_object_free(&o);
	}
	return NULL;
}

/* Many at once, with a few faults of every kind: all are served. */
static void
test_crowd(struct net *n)
{
	struct crowd c = { .net = n };
	pthread_t t[32];

	net_reset(n);
	net_post(n, "set", "s3_reset=2&s3_500=2&s3_throttle=2&s3_truncate=2");
	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_create(&t[i], NULL, crowd_member, &c);
	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(c.good, 320);
}

/* Throttling is not counted, but the budget ends it, for all calls; one success
 * gives back one token, which is a fifth of a retry. */
static void
test_exhausted(struct net *n)
{
	net_reset(n);
	net_post(n, "set", "s3_throttle=100");
	CHECK_EQ(get(n), -EAGAIN);
	CHECK(net_count(n, "s3.get") > 6);
	CHECK(net_count(n, "s3.get") <= 101);
	net_reset(n);
	CHECK_EQ(get(n), 0);
	net_post(n, "set", "s3_throttle=100");
	CHECK_EQ(get(n), -EAGAIN);
	CHECK(net_count(n, "s3.get") <= 3);
}

static void *
stop_soon(void *arg)
{
	struct net *n = arg;

	usleep(100000);
	http_stop(n->http);
	return NULL;
}

/* Stopping ends what is waiting for a silent server, and what comes later. */
static void
test_stop(struct net *n)
{
	pthread_t t;

	net_reset(n);
	net_post(n, "set", "s3_latency_ms=400");
	pthread_create(&t, NULL, stop_soon, n);
	CHECK_EQ(get(n), -ECANCELED);
	pthread_join(t, NULL);
	CHECK_EQ(get(n), -ECANCELED);
}

static void
test_nobody(struct net *n)
{
	struct s3_page p;
	struct s3 *s;

	CHECK_EQ(s3_new(&(struct s3_opts){ .aws = n->aws, .bucket = "bucket",
	    .region = "us-east-1", .endpoint_url = "http://127.0.0.1:1" },
	    &s), 0);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), -ECONNRESET);
	s3_free(s);
	CHECK_EQ(s3_new(&(struct s3_opts){ .aws = n->aws, .bucket = "bucket",
	    .region = "us-east-1", .endpoint_url = "http://192.0.2.1" },
	    &s), 0);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), -EPERM);
	s3_free(s);
}

int
main(void)
{
	struct net n;

	net_start(&n);
	net_put(&n, "k", "body", NULL, 0);
	test_passing(&n);
	test_wish(&n);
	test_lasting(&n);
	test_stall(&n);
	test_credentials(&n);
	test_expired(&n);
	test_clock(&n);
	test_crowd(&n);
	test_exhausted(&n);
	test_nobody(&n);
	test_stop(&n);
	net_stop(&n);
	return check_done();
}
