#include "store/kmsask.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/http.h"
#include "store/lock.h"

#define CANDIDATES_MAX 16 /* KMS keys tried for one object */

struct kmsask {
	struct pool_job job;	   /* first */
	const struct asker *asker; /* constant */
	struct envelope *envelope; /* constant */
	struct data_key *answer;   /* constant: locked memory, since it waits
				    * for as long as the body takes */
	pthread_mutex_t lock;
	pthread_cond_t answered; /* [lock] is_done became true */
	bool is_begun, is_done;	 /* [lock] */
	bool is_dropped;	 /* [lock] whoever is last frees it */
	int result;		 /* [lock] */
	enum refusal why;	 /* [lock] */
};

/* What says most of an object that no key opened. KMS in another region than
 * the blob's key answers InvalidCiphertext, so that may mean "not mine"; a key
 * that is denied may be the one. */
static enum refusal
weightier(enum refusal a, enum refusal b)
{
	static const enum refusal order[] = { KMS_ACCESS, KMS_REJECTED };

	for (size_t i = 0; i < NELEMS(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return KMS_WRONG_KEY;
}

/* One that was disabled or taken from us says nothing about the next. */
int
kmsask_now(const struct asker *a, const struct envelope *e,
    struct data_key *ret, enum refusal *ret_why)
{
	const char *try[CANDIDATES_MAX];
	size_t n = keypolicy_candidates(a->keys,
	    envelope_context_get(e, "kms_cmk_id"), try, CANDIDATES_MAX);
	enum refusal why = KMS_WRONG_KEY;
	int r = -ENOKEY;

	for (size_t i = 0; i < n; i++) {
		r = kms_decrypt(a->kms, try[i], NULL,
		    (struct slice){ e->edk, e->edk_len }, e->context,
		    e->context_len, ret->key, &ret->len, ret->arn, ret_why);
		if (r != -ENOKEY)
			return r;
		why = weightier(why, *ret_why);
	}
	*ret_why = why;
	return r;
}

static void
kmsask_free(struct kmsask *q)
{
	sodium_free(q->answer); /* wipes */
	envelope_free(q->envelope);
	pthread_cond_destroy(&q->answered);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static bool
begin(struct kmsask *q)
{
	LOCK_SCOPE(&q->lock);
	return q->is_begun = !q->is_dropped;
}

/* Returns whether it is ours to free. */
static bool
settle(struct kmsask *q, int r, enum refusal why)
{
	LOCK_SCOPE(&q->lock);
	q->result = r;
	q->why = why;
	q->is_done = true;
	pthread_cond_signal(&q->answered);
	return q->is_dropped;
}

static void
run(struct pool_job *job)
{
	struct kmsask *q = (struct kmsask *)job;
	enum refusal why = REFUSAL_NONE;
	int r = -ECANCELED;

	if (begin(q))
		r = kmsask_now(q->asker, q->envelope, q->answer, &why);
	if (settle(q, r, why))
		kmsask_free(q);
}

static enum pool_class
class_now(void)
{
	return http_thread_prio() == HTTP_FOREGROUND ? POOL_READER :
						       POOL_AHEAD;
}

struct kmsask *
kmsask_begin(const struct asker *a, struct envelope *e)
{
	struct kmsask *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		envelope_free(e);
		return NULL;
	}
	q->job.run = run;
	q->asker = a;
	q->envelope = e;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	if ((q->answer = sodium_malloc(sizeof(*q->answer))) == NULL ||
	    pool_submit(a->pool, class_now(), &q->job) < 0) {
		kmsask_free(q);
		return NULL;
	}
	return q;
}

bool
kmsask_is_for(const struct kmsask *q, const struct envelope *e)
{
	const struct envelope *m = q->envelope;

	if (m->edk_len != e->edk_len || m->context_len != e->context_len ||
	    memcmp(m->edk, e->edk, e->edk_len) != 0)
		return false;
	for (size_t i = 0; i < e->context_len; i++)
		if (strcmp(m->context[i].name, e->context[i].name) != 0 ||
		    strcmp(m->context[i].value, e->context[i].value) != 0)
			return false;
	return true;
}

static int
wait(struct kmsask *q, struct data_key *ret, enum refusal *ret_why)
{
	LOCK_SCOPE(&q->lock);
	while (!q->is_done)
		pthread_cond_wait(&q->answered, &q->lock);
	*ret_why = q->why;
	if (q->result == 0)
		*ret = *q->answer;
	return q->result;
}

int
kmsask_end(struct kmsask *q, struct data_key *ret, enum refusal *ret_why)
{
	int r = wait(q, ret, ret_why);

	kmsask_free(q);
	return r;
}

/* Returns whether it is ours to free. */
static bool
drop(struct kmsask *q, bool *ret_begun)
{
	LOCK_SCOPE(&q->lock);
	q->is_dropped = true;
	*ret_begun = q->is_begun;
	return q->is_done;
}

bool
kmsask_drop(struct kmsask *q)
{
	bool is_begun;

	if (q == NULL)
		return false;
	if (drop(q, &is_begun))
		kmsask_free(q);
	return is_begun;
}
