/* Questions to KMS that are put before the answer is needed. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
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

/* ---- what may go wrong ---- */

static atomic_size_t long_answer; /* bytes of KMS's answers; 0: as they are */
static atomic_uint answers;
static bool has_no_memory;

int __real_kms_decrypt_traced(struct kms *k, const char *key_id,
    const char *region, struct slice blob, const struct pair *context,
    size_t context_len, uint8_t *ret, size_t *ret_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX]);
int __wrap_kms_decrypt_traced(struct kms *k, const char *key_id,
    const char *region, struct slice blob, const struct pair *context,
    size_t context_len, uint8_t *ret, size_t *ret_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX]);
void *__real_sodium_allocarray(size_t n, size_t len);
void *__wrap_sodium_allocarray(size_t n, size_t len);

int
__wrap_kms_decrypt_traced(struct kms *k, const char *key_id,
    const char *region, struct slice blob, const struct pair *context,
    size_t context_len, uint8_t *ret, size_t *ret_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX])
{
	int r = __real_kms_decrypt_traced(k, key_id, region, blob, context,
	    context_len, ret, ret_len, ret_arn, ret_why, ret_request);

	if (long_answer > 0) {
		memset(ret, 0xee, long_answer);
		*ret_len = long_answer;
	}
	answers++;
	return r;
}

void *
__wrap_sodium_allocarray(size_t n, size_t len)
{
	return has_no_memory ? NULL : __real_sodium_allocarray(n, len);
}

/* ---- */

static bool
is_wrapped(const struct data_key *dek)
{
	return dek->len == sizeof(wrapped.key) &&
	    memcmp(dek->key, wrapped.key, dek->len) == 0;
}

/* A question that KMS has answered. */
static struct kmsask *
begin_answered(const struct asker *a)
{
	unsigned before = answers;
	struct kmsask *q = kmsask_begin(a, make(wrapped.len, "value"));

	CHECK(q != NULL);
	while (answers == before)
		sched_yield();
	return q;
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
		CHECK_AT(i, is_wrapped(&dek));
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

/* Only so many wait for their use at once; others ask when they need to, and
 * each that was used makes room. */
static void
test_full(struct net *n, const struct asker *a)
{
	struct kmsask *q[SLOTS];
	struct data_key dek;
	struct envelope *e;
	enum refusal why;

	for (size_t i = 0; i < SLOTS; i++)
		CHECK_AT(i, (q[i] = kmsask_begin(a, make(wrapped.len,
				 "value"))) != NULL);
	CHECK(kmsask_begin(a, make(wrapped.len, "value")) == NULL);
	e = make(wrapped.len, "value");
	CHECK_EQ(kmsask_now(a, e, &dek, &why), 0);
	CHECK(is_wrapped(&dek));
	envelope_free(e);
	CHECK_EQ(kmsask_end(q[0], &dek, &why), 0);
	CHECK(is_wrapped(&dek));
	CHECK((q[0] = kmsask_begin(a, make(wrapped.len, "value"))) != NULL);
	CHECK(kmsask_begin(a, make(wrapped.len, "value")) == NULL);
	for (size_t i = 0; i < SLOTS; i++)
		kmsask_drop(q[i]);
}

/* An answer that is too long for a key does not run into the others, which lie
 * before and behind it. */
static void
test_long_answer(struct net *n, const struct asker *a)
{
	static const size_t lens[] = { 64, 65, 128, KMS_PLAIN_MAX };
	struct data_key dek;
	struct kmsask *q[SLOTS];
	enum refusal why;

	for (size_t i = 0; i < NELEMS(lens); i++) {
		for (size_t k = 0; k < SLOTS; k++)
			if (k != 1)
				q[k] = begin_answered(a);
		long_answer = lens[i];
		q[1] = begin_answered(a);
		CHECK_EQ_AT(i, kmsask_end(q[1], &dek, &why), 0);
		long_answer = 0;
		CHECK_EQ_AT(i, dek.len, lens[i]);
		CHECK_EQ_AT(i, dek.key[0], lens[i] == 64 ? 0xee : 0);
		for (size_t k = 0; k < SLOTS; k++) {
			if (k == 1)
				continue;
			CHECK_EQ_AT(i, kmsask_end(q[k], &dek, &why), 0);
			CHECK_AT(i, is_wrapped(&dek));
		}
	}
}

static void
test_no_locked_memory(struct keypolicy *policy)
{
	struct asker a;

	has_no_memory = true;
	CHECK_EQ(asker_init(&a, NULL, policy, 1), -EAGAIN);
	has_no_memory = false;
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
	with_asker(&n, policy, test_long_answer);
	test_no_locked_memory(policy);
	with_asker(&n, policy, test_stopped);
	keypolicy_free(policy);
	net_stop(&n);
	return check_done();
}
