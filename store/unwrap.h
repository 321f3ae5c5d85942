/* unwrap.h -- the content key of an object, wherever it rests.
 *
 * Live in the keyring; else sealed in the index, as long as KMS has confirmed
 * that object's KMS key within the time to live; else from KMS, by the
 * object's envelope. What KMS unwraps is kept in both. Threads: any. */
#ifndef SESFS_STORE_UNWRAP_H
#define SESFS_STORE_UNWRAP_H

#include "crypto/envelope.h"
#include "store/index.h"
#include "store/keypolicy.h"
#include "store/keyring.h"
#include "store/kms.h"
#include "store/seal.h"

struct unwrap;

struct unwrap_opts {
	struct kms *kms;
	struct index *index;
	struct keyring *keyring;
	struct seal *seal;
	struct keypolicy *keys;
	int64_t key_ttl_s;
	int64_t (*now_s)(void); /* monotonic seconds */
};

int unwrap_new(const struct unwrap_opts *o, struct unwrap **ret) MUST_CHECK;
void unwrap_free(struct unwrap *u);
DEFINE_FREEP(struct unwrap, unwrap_free)

/* Keys at hand without the envelope: ring, then seal. -ENOENT when there is
 * none (ask unwrap_fetch); errors of the seal other than a refusal are
 * returned. Wipe *ret after use. */
int unwrap_held(struct unwrap *u, const struct object *o,
    struct content_key *ret) MUST_CHECK;

/* From KMS. Sets o->kms_key_id and, where a seal is to be had, replaces
 * o->key_sealed (the caller stores it in the index). Returns 0; -EBADMSG with
 * *ret_why BAD_DATA_KEY or COMMITMENT_MISMATCH; -ENOKEY with *ret_why a KMS_*
 * refusal; network errors as kms.h. */
int unwrap_fetch(struct unwrap *u, const struct envelope *e, struct object *o,
    struct content_key *ret, enum refusal *ret_why) MUST_CHECK;

/* The held key of this object did not open its body. */
void unwrap_drop(struct unwrap *u, int64_t object_id);
void unwrap_forget(struct unwrap *u); /* all live keys and confirmations */

struct unwrap_stats {
	uint64_t from_ring, from_seal, from_kms;
};
void unwrap_get_stats(struct unwrap *u, struct unwrap_stats *ret);

#endif
