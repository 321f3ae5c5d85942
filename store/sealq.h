/* sealq.h -- sealed columns on their way into the index.
 *
 * A key that KMS unwrapped for a reader is sealed and stored, so that KMS is
 * not asked again. One transaction for each would cost the reader more than the
 * decryption; so they wait here for a moment and go together. What a death
 * takes away is asked of KMS once more. Threads: any. */
#ifndef SESFS_STORE_SEALQ_H
#define SESFS_STORE_SEALQ_H

#include "crypto/base.h"

struct index;
struct sealq;

/* -ENOMEM. The index outlives it. */
int sealq_new(struct index *ix, struct sealq **ret) MUST_CHECK;
void sealq_free(struct sealq *q); /* flushes */
DEFINE_FREEP(struct sealq, sealq_free)

/* Store copies of these, as index_object_set_sealed, before long.
 * Now and then the caller is the one who writes them all. What cannot be
 * written is logged and lost. */
void sealq_put(struct sealq *q, int64_t object_id, struct slice key,
    int64_t kms_key_id, struct slice headers);
/* Write all that waits. */
void sealq_flush(struct sealq *q);

#endif
