/* keyring.h -- live content keys: one locked slab.
 *
 * A fixed number of slots in one mapping that is mlock()ed, left out of core
 * files (MADV_DONTDUMP) and zero in a forked child (MADV_WIPEONFORK, after
 * which the child's keyring is empty). Looked up by object id; bounded (least
 * recently used goes), each with a time to live, wiped when it goes. Ids and
 * links lie outside of the slab. Nothing grows. Keys only; who fetches them is
 * source's business. Threads: any. Time comes from the caller. */
#ifndef SESFS_STORE_KEYRING_H
#define SESFS_STORE_KEYRING_H

#include "crypto/base.h"
#include "crypto/envelope.h"

#define KEYRING_SLOTS_MAX (1U << 24)

struct keyring;

struct keyring_stats {
	unsigned slots, used;
	uint64_t hits, misses, evictions, expiries;
	bool is_locked; /* mlock worked */
};

/* slots: most keys held, 1 to KEYRING_SLOTS_MAX (50 bytes each in the slab,
 * about 44 outside). ttl_s: seconds a key lives after it was put, 0: keep
 * none. Locking is tried; when RLIMIT_MEMLOCK forbids it the slab is still
 * DONTDUMP and stats say so (logged as a warning). Returns 0; -EINVAL;
 * -ENOMEM. */
int keyring_new(unsigned slots, int64_t ttl_s, struct keyring **ret) MUST_CHECK;
void keyring_free(struct keyring *k); /* wipes */
DEFINE_FREEP(struct keyring, keyring_free)

/* Keep a copy under `id`, replacing what is there; its time to live begins
 * anew. When full, an expired key makes room, else the least recently used. */
void keyring_put(struct keyring *k, int64_t id, const struct content_key *key,
    int64_t now_s);
/* Copy out (the caller wipes). -ENOENT when absent or expired; then *ret is
 * zero. */
int keyring_get(struct keyring *k, int64_t id, int64_t now_s,
    struct content_key *ret) MUST_CHECK;
void keyring_drop(struct keyring *k, int64_t id); /* absent: no-op */
void keyring_wipe(struct keyring *k); /* `sesfs forget keys` */
void keyring_expire(struct keyring *k, int64_t now_s); /* wipe what is due */
void keyring_get_stats(struct keyring *k, struct keyring_stats *ret);

#endif
