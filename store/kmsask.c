#include "store/kmsask.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/http.h"
#include "store/lock.h"
#include "store/log.h"

#define CANDIDATES_MAX 16 /* KMS keys tried for one object */

struct kmsask {
	struct pool_job job;	   /* first */
	const struct asker *asker; /* constant */
	struct envelope *envelope; /* constant */
	uint8_t *key; /* constant: a slot, as it waits while the body comes */
	size_t len;   /* [lock] bytes of the key */
	char arn[KMS_ARN_MAX]; /* [lock] */
	char request[KMS_REQUEST_MAX]; /* [lock] */
	pthread_mutex_t lock;
	pthread_cond_t answered; /* [lock] is_done became true */
	bool is_begun, is_done;	 /* [lock] */
	bool is_dropped;	 /* [lock] whoever is last frees it */
	atomic_bool is_quiet;	 /* constant: as who asks */
	int64_t cause;		 /* constant, of http_set_thread_cause() */
	int result;		 /* [lock] */
	enum refusal why;	 /* [lock] */
};

/* ---- slots ---- */

#define SLOT_LEN 64 /* bytes; no content key is longer than 32 */

struct keyslots {
	pthread_mutex_t lock;
	uint8_t *slab;	 /* constant: locked, undumpable */
	uint8_t **free;	 /* [lock] the first n are */
	unsigned n;	 /* [lock] */
};

static void
keyslots_free(struct keyslots *s)
{
	if (s == NULL)
		return;
	sodium_free(s->slab);
	pthread_mutex_destroy(&s->lock);
	free(s->free);
	free(s);
}
DEFINE_FREEP(struct keyslots, keyslots_free)

static int
keyslots_new(unsigned n, struct keyslots **ret)
{
	CLEANUP(keyslots_freep) struct keyslots *s = calloc(1, sizeof(*s));

	*ret = NULL;
	if (s == NULL)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	if ((s->free = calloc(n, sizeof(*s->free))) == NULL)
		return -ENOMEM;
	if ((s->slab = sodium_allocarray(n, SLOT_LEN)) == NULL)
		return -EAGAIN;
	while (s->n < n) {
		s->free[s->n] = s->slab + (size_t)s->n * SLOT_LEN;
		s->n++;
	}
	*ret = TAKE(s);
	return 0;
}

/* NULL when all are in use. */
static uint8_t *
slot_take(struct keyslots *s)
{
	LOCK_SCOPE(&s->lock);
	return s->n > 0 ? s->free[--s->n] : NULL;
}

static void
slot_give(struct keyslots *s, uint8_t *slot)
{
	sodium_memzero(slot, SLOT_LEN);
	LOCK_SCOPE(&s->lock);
	s->free[s->n++] = slot;
}

/* ---- the asker ---- */

int
asker_init(struct asker *a, struct kms *kms, struct keypolicy *keys,
    unsigned jobs)
{
	int r;

	*a = (struct asker){ .kms = kms, .keys = keys };
	/* Those who ask ahead have one for each that a reader has: both kinds
	 * wait for nothing but KMS. */
	if ((r = pool_new(2 * jobs, jobs, &a->pool)) < 0)
		return r;
	if ((r = keyslots_new(4 * jobs, &a->slots)) < 0)
		asker_destroy(a);
	return r;
}

void
asker_destroy(struct asker *a)
{
	pool_free(TAKE(a->pool));
	keyslots_free(TAKE(a->slots));
}

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

	ret->request[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		r = kms_decrypt_traced(a->kms, try[i], NULL,
		    (struct slice){ e->edk, e->edk_len }, e->context,
		    e->context_len, ret->key, &ret->len, ret->arn, ret_why,
		    ret->request);
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
	if (q->key != NULL)
		slot_give(q->asker->slots, q->key);
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

/* Keep the answer. One that is too long for a content key will be called that
 * by its length. Returns whether the question is ours to free. */
static bool
settle(struct kmsask *q, int r, const struct data_key *answer,
    enum refusal why)
{
	LOCK_SCOPE(&q->lock);
	if (r == 0) {
		q->len = answer->len;
		if (q->len <= SLOT_LEN)
			memcpy(q->key, answer->key, q->len);
		memcpy(q->arn, answer->arn, sizeof(q->arn));
	}
	memcpy(q->request, answer->request, sizeof(q->request));
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
	struct data_key answer = { .len = 0 };
	int r = -ECANCELED;
	bool is_ours;

	log_set_thread_quiet(&q->is_quiet);
	http_set_thread_cause(q->cause);
	if (begin(q))
		r = kmsask_now(q->asker, q->envelope, &answer, &why);
	http_set_thread_cause(0);
	log_set_thread_quiet(NULL);
	is_ours = settle(q, r, &answer, why);
	sodium_memzero(&answer, sizeof(answer));
	if (is_ours)
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
	atomic_init(&q->is_quiet, log_thread_is_quiet());
	q->cause = http_thread_cause();
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	if ((q->key = slot_take(a->slots)) == NULL ||
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
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->request, q->request, sizeof(ret->request));
	if (q->result == 0) {
		ret->len = q->len;
		if (q->len <= SLOT_LEN)
			memcpy(ret->key, q->key, q->len);
		memcpy(ret->arn, q->arn, sizeof(q->arn));
	}
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
