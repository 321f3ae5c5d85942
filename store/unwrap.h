/* unwrap.h -- the content key of an object, wherever it rests.
 *
 * Live in the keyring; else sealed in the index, as long as KMS has confirmed
 * that object's KMS key within the time to live; else from KMS, by the
 * object's envelope. What KMS unwraps is kept in both. While a body is on its
 * way KMS can be asked already (unwrap_begin). Threads: any. */
#ifndef SESFS_STORE_UNWRAP_H
#define SESFS_STORE_UNWRAP_H

#include "crypto/envelope.h"
#include "store/kmsask.h"
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
	unsigned jobs; /* requests to KMS at once ahead of bodies; > 0 */
	int64_t key_ttl_s;
	int64_t (*now_s)(void); /* monotonic seconds */
};

int unwrap_new(const struct unwrap_opts *o, struct unwrap **ret) MUST_CHECK;
void unwrap_free(struct unwrap *u);
DEFINE_FREEP(struct unwrap, unwrap_free)

/* Can what is sealed be opened without asking KMS for the root key? */
bool unwrap_has_seal(struct unwrap *u);

/* Keys at hand without the envelope: ring, then seal; unless may_wait only
 * what needs no KMS. -ENOENT when there is none (ask unwrap_fetch); errors of
 * the seal other than a refusal are returned. Wipe *ret after use. */
int unwrap_held(struct unwrap *u, const struct object *o, bool may_wait,
    struct content_key *ret) MUST_CHECK;

/* What KMS was asked before the body was there. */
struct unwrap_early {
	struct kmsask *question; /* NULL none */
	unsigned since;
};

/* No key is held and the body of `o` is being fetched: ask KMS meanwhile for
 * what will be needed, the root key of the seal and, with `e`, the data key.
 * e: the envelope that the body is thought to have, taken; NULL when it is not
 * known. Both unwrap_fetch and unwrap_end may come afterwards. */
void unwrap_begin(struct unwrap *u, const struct object *o, struct envelope *e,
    struct unwrap_early *ret);
/* No answer is needed any more; r: what became of the opening. One that KMS was
 * asked for nothing is logged and counted, unless all ends (-ECANCELED). */
void unwrap_end(struct unwrap *u, const struct object *o,
    struct unwrap_early *early, int r);

/* From KMS, by the envelope that came with the body, which alone decides: an
 * early answer is taken when it is one to the very same question, wrapped key
 * and context; else KMS is asked. Sets o->kms_key_id and, where a seal is to be
 * had, replaces o->key_sealed (the caller stores it in the index). `early` has
 * none afterwards. ret_request: KMS's id of the call, KMS_REQUEST_MAX bytes.
 * Returns 0; -EBADMSG with *ret_why BAD_DATA_KEY or COMMITMENT_MISMATCH; -ENOKEY
 * with *ret_why a KMS_* refusal; network errors as kms.h. */
int unwrap_fetch(struct unwrap *u, const struct envelope *e, struct object *o,
    struct unwrap_early *early, struct content_key *ret, enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX]) MUST_CHECK;

/* The held key of this object did not open its body. */
void unwrap_drop(struct unwrap *u, int64_t object_id);
void unwrap_forget(struct unwrap *u); /* all live keys and confirmations */

struct unwrap_stats {
	uint64_t from_ring, from_seal, from_kms;
	uint64_t early, unused; /* asked before the body was there; for nothing */
};
void unwrap_get_stats(struct unwrap *u, struct unwrap_stats *ret);

#endif
