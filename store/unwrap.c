#include "store/unwrap.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/lock.h"
#include "store/log.h"

#define CANDIDATES_MAX 16 /* KMS keys tried for one object */
#define CONFIRMED_MAX 64  /* KMS keys whose last good answer is remembered */

/* When KMS last unwrapped something under this key: what makes a sealed content
 * key usable, so that a disabled KMS key is noticed within the time to live. */
struct confirmed {
	int64_t kms_key_id;
	int64_t at_s;
};

struct unwrap {
	struct unwrap_opts o; /* constant */
	pthread_mutex_t lock;
	struct confirmed confirmed[CONFIRMED_MAX]; /* [lock] */
	unsigned forgotten; /* [lock] times that all was forgotten */
	atomic_uint_fast64_t from_ring, from_seal, from_kms;
};

int
unwrap_new(const struct unwrap_opts *o, struct unwrap **ret)
{
	struct unwrap *u = calloc(1, sizeof(*u));

	*ret = u;
	if (u == NULL)
		return -ENOMEM;
	u->o = *o;
	pthread_mutex_init(&u->lock, NULL);
	return 0;
}

void
unwrap_free(struct unwrap *u)
{
	if (u == NULL)
		return;
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

/* Has KMS lately confirmed the key that wrapped this object? The root key's own
 * unwrapping counts for the KMS key it was made under. */
static bool
is_confirmed(struct unwrap *u, int64_t kms_key_id)
{
	struct kms_key_row row;
	char root_arn[KMS_ARN_MAX];

	if (confirm(u, kms_key_id, -1))
		return true;
	return seal_get_state(u->o.seal, root_arn) == SEAL_OPEN &&
	    index_kms_key_get(u->o.index, kms_key_id, &row) == 0 &&
	    strcmp(row.arn, root_arn) == 0;
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

int
unwrap_held(struct unwrap *u, const struct object *o, struct content_key *ret)
{
	unsigned since = generation(u);
	int r;

	if (keyring_get(u->o.keyring, o->id, u->o.now_s(), ret) == 0) {
		atomic_fetch_add(&u->from_ring, 1);
		return 0;
	}
	if ((r = from_seal(u, o, ret)) < 0)
		return r;
	atomic_fetch_add(&u->from_seal, 1);
	keep(u, since, o, ret);
	return 0;
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

/* Ask KMS, one allowed key after another: one that was disabled or taken from
 * us says nothing about the next. */
static int
decrypt(struct unwrap *u, const struct envelope *e, uint8_t *dek,
    size_t *dek_len, char arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	const char *try[CANDIDATES_MAX];
	size_t n = keypolicy_candidates(u->o.keys,
	    envelope_context_get(e, "kms_cmk_id"), try, CANDIDATES_MAX);
	enum refusal why = KMS_WRONG_KEY;
	int r = -ENOKEY;

	for (size_t i = 0; i < n; i++) {
		r = kms_decrypt(u->o.kms, try[i], NULL,
		    (struct slice){ e->edk, e->edk_len }, e->context,
		    e->context_len, dek, dek_len, arn, ret_why);
		if (r != -ENOKEY)
			return r;
		why = weightier(why, *ret_why);
	}
	*ret_why = why;
	return r;
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

int
unwrap_fetch(struct unwrap *u, const struct envelope *e, struct object *o,
    struct content_key *ret, enum refusal *ret_why)
{
	unsigned since = generation(u);
	uint8_t dek[KMS_PLAIN_MAX];
	char arn[KMS_ARN_MAX];
	size_t dek_len;
	int r;

	if ((r = decrypt(u, e, dek, &dek_len, arn, ret_why)) < 0)
		return r;
	if ((r = keypolicy_allows(u->o.keys, arn)) == 0) {
		*ret_why = KMS_WRONG_KEY;
		r = log_warn(-ENOKEY, "unwrap: key of %s: %s is not a key that "
		    "--kms-key allows", o->key, arn);
	} else if (r > 0) {
		r = content_key_derive(e, dek, dek_len, ret, ret_why);
	}
	sodium_memzero(dek, sizeof(dek));
	if (r < 0)
		return r;

	atomic_fetch_add(&u->from_kms, 1);
	if ((r = index_kms_key(u->o.index, arn, &o->kms_key_id)) < 0) {
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
}
