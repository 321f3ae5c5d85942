/* seal_internal.h -- what the three files of seal share.
 *
 * seal.c opens and shuts boxes, seal_root.c keeps the roots (records in the
 * index, KMS, policy), seal_rekey.c replaces a root. Nobody else includes
 * this. */
#ifndef SESFS_STORE_SEAL_INTERNAL_H
#define SESFS_STORE_SEAL_INTERNAL_H

#include <pthread.h>

#include "store/seal.h"

#define SEAL_UUID_LEN 36 /* characters */

/* A root as the index records it, and what became of asking for its key. */
struct seal_root {
	uint8_t generation;	 /* 0 only before the first root */
	char arn[KMS_ARN_MAX];	 /* "" no root: only the generation counts */
	uint8_t blob[ENVELOPE_EDK_MAX];
	size_t blob_len;
	bool is_open;		 /* its key is in seal.keys */
	int64_t opened_at_s;
	int err;		 /* last failure, remembered until retry_at_s */
	int64_t retry_at_s;
};

enum { SEAL_CUR, SEAL_NEXT, SEAL_ROOTS };

/* The secrets, in sodium_malloc()ed memory. */
struct seal_keys {
	uint8_t root[SEAL_ROOTS][KMS_DATA_KEY_LEN];
};

struct seal {
	struct seal_opts opts; /* constant; key_id NULL: off */
	pthread_mutex_t lock;
	pthread_cond_t settled;	  /* [lock] is_busy fell */
	bool is_busy;		  /* [lock] one thread changes roots, or asks
				   * KMS for a key, without the lock */
	bool is_rekeying;	  /* [lock] */
	uint64_t forgotten;	  /* [lock] counts wipes: a key asked for
				   * before one is not kept */
	/* Changed only by the busy thread and under the lock, so that the busy
	 * thread may read them without: */
	char *key_id;		  /* to make roots under; opts.key_id is not
				   * ours and only tells on from off */
	char uuid[SEAL_UUID_LEN + 1]; /* "" none yet */
	struct seal_root root[SEAL_ROOTS]; /* is_open, err: by any thread */
	struct seal_keys *keys;	  /* constant; [lock] what is in it */
};

/* The root that seals: the younger, when there are two. */
static inline int
seal_newest_locked(const struct seal *s)
{
	return s->root[SEAL_NEXT].arn[0] != '\0' ? SEAL_NEXT : SEAL_CUR;
}

/* Become the thread that changes roots, waiting for another; cease to be. */
void seal_claim_locked(struct seal *s);
void seal_settle_locked(struct seal *s);
/* The same, but -EBUSY while a rekey goes on. */
int seal_claim_alone_locked(struct seal *s) MUST_CHECK;

/* Keep what asking for a root's key came to: its key, or err. */
void seal_install_locked(struct seal *s, int which, int err,
    const uint8_t *key);

/* Wipe the key of one root, or of all (then answers under way are void). */
void seal_shut_locked(struct seal *s, int which);
void seal_shut_all_locked(struct seal *s);

/* Read uuid and roots from the index. Before threads. */
int seal_roots_load(struct seal *s) MUST_CHECK;

/* For the busy thread, without the lock. */

/* Ask KMS for the key of a root that exists, by the names that policy has for
 * its ARN.
 * Returns 0; -ENOKEY; other errors as kms.h. ret is wiped on failure. */
int seal_root_unwrap(struct seal *s, int which,
    uint8_t ret[KMS_DATA_KEY_LEN]) MUST_CHECK;
/* Make a root under key_id and record it in the index, then in s->root. Errors
 * as above, and those of index_meta_set. */
int seal_root_make(struct seal *s, int which, const char *key_id,
    uint8_t ret[KMS_DATA_KEY_LEN]) MUST_CHECK;
/* SEAL_NEXT becomes SEAL_CUR, in the index, then here (with its key). */
int seal_root_promote(struct seal *s) MUST_CHECK;
/* No roots, and no boxes in the index; the generation moves on. */
int seal_root_drop_all(struct seal *s) MUST_CHECK;

#endif
