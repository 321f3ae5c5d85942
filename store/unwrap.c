#include "store/unwrap.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/lock.h"
#include "store/log.h"

#define CONFIRMED_MAX 64  /* KMS keys whose last good answer is remembered */

/* When KMS last unwrapped something under this key: what makes a sealed content
 * key usable, so that a disabled KMS key is noticed within the time to live. */
struct confirmed {
	int64_t kms_key_id;
	int64_t at_s;
};

/* The root key on its way. */
struct root_job {
	struct pool_job job; /* first */
	struct unwrap *unwrap;
};

struct unwrap {
	struct unwrap_opts o; /* constant */
	struct asker asker;   /* constant */
	atomic_bool is_root_asked;
	pthread_mutex_t lock;
	struct confirmed confirmed[CONFIRMED_MAX]; /* [lock] */
	struct kms_key_row met; /* [lock] the KMS key met last, id 0 none */
	unsigned forgotten; /* [lock] times that all was forgotten */
	atomic_uint_fast64_t from_ring, from_seal, from_kms, early, unused;
};

int
unwrap_new(const struct unwrap_opts *o, struct unwrap **ret)
{
	struct unwrap *u = calloc(1, sizeof(*u));
	int r;

	*ret = NULL;
	if (u == NULL)
		return -ENOMEM;
	u->o = *o;
	if ((r = asker_init(&u->asker, o->kms, o->keys, o->jobs)) < 0) {
		free(u);
		return r;
	}
	pthread_mutex_init(&u->lock, NULL);
	*ret = u;
	return 0;
}

void
unwrap_free(struct unwrap *u)
{
	if (u == NULL)
		return;
	asker_destroy(&u->asker);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

/* Remember (at_s >= 0) or ask for (-1) a key's confirmation. The oldest entry
 * gives way: with more keys than that in use, some are confirmed more often. */
static bool
confirm(struct unwrap *u, int64_t kms_key_id, int64_t at_s)
{
	struct confirmed *slot = u->confirmed;

	if (kms_key_id <= 0)
		return false; /* never unwrapped by KMS */
	LOCK_SCOPE(&u->lock);
	for (size_t i = 0; i < CONFIRMED_MAX; i++) {
		struct confirmed *c = &u->confirmed[i];

		if (c->kms_key_id == kms_key_id) {
			slot = c;
			break;
		}
		if (c->at_s < slot->at_s)
			slot = c;
	}
	if (at_s < 0)
		return slot->kms_key_id == kms_key_id &&
		    u->o.now_s() - slot->at_s < u->o.key_ttl_s;
	*slot = (struct confirmed){ kms_key_id, at_s };
	return true;
}

/* Mailboxes have one KMS key, or few, and rows of keys stay as they are: the one
 * met last is nearly always meant again, and spares a query for each message. */
static bool
is_met(struct unwrap *u, int64_t id, const char *arn, int64_t *ret_id)
{
	LOCK_SCOPE(&u->lock);
	*ret_id = u->met.id;
	return u->met.id > 0 && (id == 0 || id == u->met.id) &&
	    strcmp(u->met.arn, arn) == 0;
}

static void
meet(struct unwrap *u, int64_t id, const char *arn)
{
	LOCK_SCOPE(&u->lock);
	u->met.id = id;
	snprintf(u->met.arn, sizeof(u->met.arn), "%s", arn);
}

/* Is that the KMS key of this ARN? */
static bool
is_key(struct unwrap *u, int64_t id, const char *arn)
{
	struct kms_key_row row;
	int64_t met;

	if (id <= 0)
		return false;
	if (is_met(u, id, arn, &met))
		return true;
	if (index_kms_key_get(u->o.index, id, &row) < 0 ||
	    strcmp(row.arn, arn) != 0)
		return false;
	meet(u, id, arn);
	return true;
}

/* The row of this ARN, made when there is none. */
static int
find_key(struct unwrap *u, const char *arn, int64_t *ret_id)
{
	int r;

	if (is_met(u, 0, arn, ret_id))
		return 0;
	if ((r = index_kms_key(u->o.index, arn, ret_id)) == 0)
		meet(u, *ret_id, arn);
	return r;
}

/* Has KMS lately confirmed the key that wrapped this object? The root key's own
 * unwrapping counts for the KMS key it was made under. */
static bool
is_confirmed(struct unwrap *u, int64_t kms_key_id)
{
	char root_arn[KMS_ARN_MAX];

	if (confirm(u, kms_key_id, -1))
		return true;
	return seal_get_state(u->o.seal, root_arn) == SEAL_OPEN &&
	    is_key(u, kms_key_id, root_arn);
}

static int
from_seal(struct unwrap *u, const struct object *o, struct content_key *ret)
{
	int r;

	if (o->key_sealed == NULL ||
	    o->key_sealed_len != sizeof(*ret) + SEAL_OVERHEAD)
		return -ENOENT;
	/* Opening asks KMS for the root key when it is not at hand, so that
	 * is_confirmed() afterwards sees what KMS said. */
	r = seal_open(u->o.seal, SEAL_CONTENT_KEY, o->id, o->key_sealed,
	    o->key_sealed_len, ret);
	if (r == -ENOKEY)
		return -ENOENT;
	if (r == -EBADMSG) {
		log_warn(r, "unwrap: open sealed key of %s: not its box, "
		    "asking KMS", o->key);
		return -ENOENT;
	}
	if (r < 0)
		return r;
	if (o->suite != SUITE_PLAIN && !is_confirmed(u, o->kms_key_id)) {
		sodium_memzero(ret, sizeof(*ret));
		return -ENOENT;
	}
	return 0;
}

static unsigned
generation(struct unwrap *u)
{
	LOCK_SCOPE(&u->lock);
	return u->forgotten;
}

/* Into the ring, unless everything was forgotten since this key was asked
 * for: it then serves its caller and nobody else. */
static void
keep(struct unwrap *u, unsigned since, const struct object *o,
    const struct content_key *key)
{
	LOCK_SCOPE(&u->lock);
	if (u->forgotten == since)
		keyring_put(u->o.keyring, o->id, key, u->o.now_s());
}

bool
unwrap_has_seal(struct unwrap *u)
{
	char arn[KMS_ARN_MAX];
	enum seal_state st = seal_get_state(u->o.seal, arn);

	return st == SEAL_OPEN || st == SEAL_OFF;
}

int
unwrap_held(struct unwrap *u, const struct object *o, bool may_wait,
    struct content_key *ret)
{
	unsigned since = generation(u);
	int r;

	if (keyring_get(u->o.keyring, o->id, u->o.now_s(), ret) == 0) {
		atomic_fetch_add(&u->from_ring, 1);
		return 0;
	}
	if (!may_wait && o->key_sealed != NULL && !unwrap_has_seal(u))
		return -ENOENT;
	if ((r = from_seal(u, o, ret)) < 0)
		return r;
	atomic_fetch_add(&u->from_seal, 1);
	keep(u, since, o, ret);
	return 0;
}

static void
seal_key(struct unwrap *u, struct object *o, const struct content_key *key)
{
	size_t len = sizeof(*key) + SEAL_OVERHEAD;
	uint8_t *box = malloc(len);

	if (box == NULL)
		return;
	if (seal_box(u->o.seal, SEAL_CONTENT_KEY, o->id, key, sizeof(*key),
		box) < 0) {
		free(box); /* seal has logged it; the ring has the key */
		return;
	}
	free(o->key_sealed);
	o->key_sealed = box;
	o->key_sealed_len = len;
}

/* ---- ahead of the body ---- */

static void
ask_root(struct pool_job *job)
{
	struct root_job *j = (struct root_job *)job;

	seal_prepare(j->unwrap->o.seal);
	atomic_store(&j->unwrap->is_root_asked, false);
	free(j);
}

/* Who needs the root key waits for who asks for it: one is enough. */
static void
begin_root(struct unwrap *u)
{
	char arn[KMS_ARN_MAX];
	struct root_job *j;

	if (seal_get_state(u->o.seal, arn) != SEAL_LOCKED ||
	    atomic_exchange(&u->is_root_asked, true))
		return;
	if ((j = malloc(sizeof(*j))) != NULL) {
		*j = (struct root_job){ { ask_root, NULL }, u };
		if (pool_submit(u->asker.pool, POOL_READER, &j->job) == 0)
			return;
	}
	free(j);
	atomic_store(&u->is_root_asked, false);
}

void
unwrap_begin(struct unwrap *u, const struct object *o, struct envelope *e,
    struct unwrap_early *ret)
{
	*ret = (struct unwrap_early){ NULL, generation(u) };
	begin_root(u);
	if (e != NULL && (ret->question = kmsask_begin(&u->asker, e)) != NULL)
		atomic_fetch_add(&u->early, 1);
}

void
unwrap_end(struct unwrap *u, const struct object *o, struct unwrap_early *early,
    int r)
{
	if (!kmsask_drop(TAKE(early->question)) || r == -ECANCELED)
		return;
	atomic_fetch_add(&u->unused, 1);
	log_warn(0, "unwrap: key of %s: KMS was asked for nothing: the object "
	    "is not what it was when it was listed, or cannot be had", o->key);
}

/* From KMS, or what it has been asked already, if that was this question.
 * *since: when the question was put. */
static int
ask(struct unwrap *u, const struct envelope *e, const struct object *o,
    struct unwrap_early *early, struct data_key *ret, unsigned *since,
    enum refusal *ret_why)
{
	if (early->question != NULL && kmsask_is_for(early->question, e)) {
		*since = early->since;
		return kmsask_end(TAKE(early->question), ret, ret_why);
	}
	unwrap_end(u, o, early, 0);
	*since = generation(u);
	return kmsask_now(&u->asker, e, ret, ret_why);
}

int
unwrap_fetch(struct unwrap *u, const struct envelope *e, struct object *o,
    struct unwrap_early *early, struct content_key *ret, enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX])
{
	struct data_key dek;
	unsigned since;
	int r = ask(u, e, o, early, &dek, &since, ret_why);

	memcpy(ret_request, dek.request, KMS_REQUEST_MAX);
	if (r < 0)
		return r;
	if ((r = keypolicy_allows(u->o.keys, dek.arn)) == 0) {
		*ret_why = KMS_WRONG_KEY;
		r = log_warn(-ENOKEY, "unwrap: key of %s: %s is not a key that "
		    "--kms-key allows (request %s)", o->key, dek.arn,
		    dek.request);
	} else if (r > 0) {
		r = content_key_derive(e, dek.key, dek.len, ret, ret_why);
	}
	sodium_memzero(dek.key, sizeof(dek.key));
	if (r < 0)
		return r;

	atomic_fetch_add(&u->from_kms, 1);
	/* Beside a daemon the index is not ours to add to: the message opens,
	 * nothing is kept. */
	r = find_key(u, dek.arn, &o->kms_key_id);
	if (r < 0 && r != -EROFS) {
		sodium_memzero(ret, sizeof(*ret));
		return r;
	}
	confirm(u, o->kms_key_id, u->o.now_s());
	keep(u, since, o, ret);
	seal_key(u, o, ret);
	return 0;
}

void
unwrap_drop(struct unwrap *u, int64_t object_id)
{
	keyring_drop(u->o.keyring, object_id);
}

void
unwrap_forget(struct unwrap *u)
{
	seal_forget(u->o.seal);
	LOCK_SCOPE(&u->lock);
	u->forgotten++;
	keyring_wipe(u->o.keyring);
	memset(u->confirmed, 0, sizeof(u->confirmed));
}

void
unwrap_get_stats(struct unwrap *u, struct unwrap_stats *ret)
{
	ret->from_ring = atomic_load(&u->from_ring);
	ret->from_seal = atomic_load(&u->from_seal);
	ret->from_kms = atomic_load(&u->from_kms);
	ret->early = atomic_load(&u->early);
	ret->unused = atomic_load(&u->unused);
}
