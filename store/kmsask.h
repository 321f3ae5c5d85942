/* kmsask.h -- a data key of KMS, asked for now or ahead of its use.
 *
 * One allowed KMS key after another is tried until one unwraps the envelope's
 * data key. Ahead of its use: on a thread of its own, while the caller fetches
 * the body that the key is for. What comes back is an answer to exactly the
 * question that was asked, wrapped key and encryption context: whether the
 * object turned out to be the one that was meant is kmsask_is_for()'s to say,
 * and what the key is good for is not judged here. Threads: any; one owner of
 * a question at a time. */
#ifndef SESFS_STORE_KMSASK_H
#define SESFS_STORE_KMSASK_H

#include "crypto/envelope.h"
#include "store/keypolicy.h"
#include "store/kms.h"
#include "store/pool.h"

/* A data key as KMS answered it; wipe after use. */
struct data_key {
	uint8_t key[KMS_PLAIN_MAX];
	size_t len;		/* bytes */
	char arn[KMS_ARN_MAX]; /* of the KMS key that unwrapped it */
	char request[KMS_REQUEST_MAX]; /* KMS's id of the call */
};

struct keyslots; /* locked memory for answers that wait */

struct asker {
	struct kms *kms;	/* constant, as the others */
	struct keypolicy *keys;
	struct pool *pool; /* of threads that wait for nothing but KMS */
	struct keyslots *slots;
};

/* jobs: questions that may wait for their use at once. -ENOMEM; -EAGAIN when so
 * much memory cannot be locked and guarded. */
int asker_init(struct asker *a, struct kms *kms, struct keypolicy *keys,
    unsigned jobs) MUST_CHECK;
/* Waits for the questions; their owners have let go of them. */
void asker_destroy(struct asker *a);

/* Ask and wait. ret->request is set also when KMS refuses. Returns 0; -ENOKEY
 * with *ret_why a KMS_* refusal; network errors as kms.h. */
int kmsask_now(const struct asker *a, const struct envelope *e,
    struct data_key *ret, enum refusal *ret_why) MUST_CHECK;

/* Begin to ask. Takes e, always. The asker outlives the question. NULL when it
 * cannot be begun (too many, no memory, no thread, the end): ask later. */
struct kmsask;
struct kmsask *kmsask_begin(const struct asker *a, struct envelope *e)
    MUST_CHECK;

/* Is that the question: the same wrapped key under the same context? */
bool kmsask_is_for(const struct kmsask *q, const struct envelope *e);

/* Wait for the answer, as kmsask_now; frees q. */
int kmsask_end(struct kmsask *q, struct data_key *ret,
    enum refusal *ret_why) MUST_CHECK;

/* Nobody wants the answer: it is wiped when it comes, and one that was not yet
 * asked for will not be. Does not wait; frees q before long. Returns whether
 * KMS was asked. */
bool kmsask_drop(struct kmsask *q);

#endif
