/* Questions to KMS that are put before the answer is needed. */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "net.h"
#include "store/kmsask.h"

#define SLOTS 4 /* of an asker with one job */

static struct {
	uint8_t key[KMS_DATA_KEY_LEN];
	uint8_t blob[ENVELOPE_EDK_MAX];
	size_t len;
} wrapped;

static char *
dup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		exit(1);
	return p;
}

/* An envelope with that data key under a context of one pair, as
 * envelope_parse() allocates one. */
static struct envelope *
make(size_t edk_len, const char *value)
{
	struct envelope *e = calloc(1, sizeof(*e));

	e->suite = SUITE_GCM;
	e->edk = malloc(edk_len);
	memcpy(e->edk, wrapped.blob, edk_len);
	e->edk_len = edk_len;
	e->context = calloc(1, sizeof(*e->context));
	e->context[0] = (struct pair){ dup("name"), dup(value) };
	e->context_len = 1;
	return e;
}

static int
account(void *arg, char ret[16])
{
	memcpy(ret, "123456789012", 13);
	return 0;
}

static void
test_answers(struct net *n, const struct asker *a)
{
	static const struct {
		const char *value;
		int want;
		enum refusal why;
	} row[] = {
		{ "value", 0, REFUSAL_NONE },
		{ "other", -ENOKEY, KMS_REJECTED },
	};
	struct data_key dek = { .len = 0 };
	enum refusal why;

	for (size_t i = 0; i < NELEMS(row); i++) {
		struct envelope *e = make(wrapped.len, row[i].value);
		struct kmsask *q;

		net_reset(n);
		CHECK_EQ_AT(i, kmsask_now(a, e, &dek, &why), row[i].want);
		CHECK_EQ_AT(i, why, row[i].why);
		q = kmsask_begin(a, e);
		CHECK_AT(i, q != NULL && kmsask_is_for(q, e));
		CHECK_EQ_AT(i, kmsask_end(q, &dek, &why), row[i].want);
		CHECK_EQ_AT(i, why, row[i].why);
		CHECK_EQ_AT(i, net_count(n, "kms.decrypt"), 2);
		if (row[i].want < 0)
			continue;
		CHECK_EQ_AT(i, dek.len, sizeof(wrapped.key));
		CHECK_AT(i, memcmp(dek.key, wrapped.key,
			     sizeof(wrapped.key)) == 0);
		CHECK_STR_AT(i, dek.arn, NET_KEY);
	}
}

static void
test_is_for(struct net *n, const struct asker *a)
{
	struct kmsask *q = kmsask_begin(a, make(wrapped.len, "value"));
	const struct {
		struct envelope *e;
		bool want;
	} row[] = {
		{ make(wrapped.len, "value"), true },
		{ make(wrapped.len - 1, "value"), false },
		{ make(wrapped.len, "values"), false },
		{ make(wrapped.len, ""), false },
	};
	const char *name;

	for (size_t i = 0; i < NELEMS(row); i++)
		CHECK_AT(i, kmsask_is_for(q, row[i].e) == row[i].want);
	row[0].e->edk[3] ^= 1;
	CHECK(!kmsask_is_for(q, row[0].e));
	row[0].e->edk[3] ^= 1;
	name = row[0].e->context[0].name;
	row[0].e->context[0].name = "nam";
	CHECK(!kmsask_is_for(q, row[0].e));
	row[0].e->context[0].name = name;
	row[0].e->context_len = 0;
	CHECK(!kmsask_is_for(q, row[0].e));
	row[0].e->context_len = 1;
	CHECK(kmsask_is_for(q, row[0].e));
	for (size_t i = 0; i < NELEMS(row); i++)
		envelope_free(row[i].e);
	kmsask_drop(q);
	CHECK(!kmsask_drop(NULL));
}

struct gate {
	struct pool_job job; /* first */
	pthread_mutex_t *lock;
};

static void
pass_gate(struct pool_job *job)
{
	struct gate *g = (struct gate *)job;

	pthread_mutex_lock(g->lock);
	pthread_mutex_unlock(g->lock);
}

/* A question that is dropped while both threads are busy is never put. */
static void
test_dropped(struct net *n, const struct asker *a)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct gate gate[2] = { { { pass_gate, NULL }, &lock },
		{ { pass_gate, NULL }, &lock } };
	struct data_key dek;
	struct kmsask *q;
	enum refusal why;

	net_reset(n);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < NELEMS(gate); i++)
		CHECK_EQ_AT(i, pool_submit(a->pool, POOL_READER,
				   &gate[i].job), 0);
	CHECK(!kmsask_drop(kmsask_begin(a, make(wrapped.len, "value"))));
	q = kmsask_begin(a, make(wrapped.len, "value"));
	pthread_mutex_unlock(&lock);
	CHECK_EQ(kmsask_end(q, &dek, &why), 0);
	CHECK_EQ(net_count(n, "kms.decrypt"), 1);
}

/* Only so many wait for their use at once. */
static void
test_full(struct net *n, const struct asker *a)
{
	struct kmsask *q[SLOTS];

	for (size_t i = 0; i < SLOTS; i++)
		CHECK_AT(i, (q[i] = kmsask_begin(a, make(wrapped.len,
				 "value"))) != NULL);
	CHECK(kmsask_begin(a, make(wrapped.len, "value")) == NULL);
	for (size_t i = 0; i < SLOTS; i++)
		kmsask_drop(q[i]);
}

/* The end: what is asked is answered at once, what is not is not begun. */
static void
test_stopped(struct net *n, const struct asker *a)
{
	struct data_key dek;
	struct kmsask *q;
	enum refusal why;

	net_post(n, "set?kms_latency_ms=60000", "");
	q = kmsask_begin(a, make(wrapped.len, "value"));
	http_stop(n->http); /* for good */
	CHECK_EQ(kmsask_end(q, &dek, &why), -ECANCELED);
	pool_stop(a->pool);
	CHECK(kmsask_begin(a, make(wrapped.len, "value")) == NULL);
}

/* Each with an asker of its own, which waits for what was dropped. */
static void
with_asker(struct net *n, struct keypolicy *policy,
    void (*test)(struct net *n, const struct asker *a))
{
	struct asker a;

	CHECK_EQ(asker_init(&a, n->kms, policy, 1), 0);
	test(n, &a);
	asker_destroy(&a);
}

int
main(void)
{
	static const struct pair context[] = { { "name", "value" } };
	const char *const keys[] = { NET_KEY };
	struct keypolicy *policy;
	char arn[KMS_ARN_MAX];
	enum refusal why;
	struct net n;

	net_start(&n);
	CHECK_EQ(kms_generate_data_key(n.kms, NET_KEY, context,
	    NELEMS(context), wrapped.key, wrapped.blob, &wrapped.len, arn,
	    &why), 0);
	CHECK_EQ(keypolicy_new(keys, 1, account, NULL, &policy), 0);
	with_asker(&n, policy, test_answers);
	with_asker(&n, policy, test_is_for);
	with_asker(&n, policy, test_dropped);
	with_asker(&n, policy, test_full);
	with_asker(&n, policy, test_stopped);
	keypolicy_free(policy);
	net_stop(&n);
	return check_done();
}
