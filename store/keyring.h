/* keyring.h -- live content keys: one locked slab.
 *
 * A fixed number of slots in one sodium_mlock()ed, MADV_DONTDUMP mapping.
 * Looked up by object id; bounded (least recently used goes), each with a time
 * to live, wiped when it goes. Keys only; who fetches them is source's
 * business. Threads: any. Time comes from the caller. */
#ifndef SESFS_STORE_KEYRING_H
#define SESFS_STORE_KEYRING_H

#include "crypto/base.h"
#include "crypto/envelope.h"

struct keyring;

struct keyring_stats {
	unsigned slots, used;
	uint64_t hits, misses, evictions, expiries;
	bool is_locked; /* mlock worked */
};

/* slots: most keys held (49 bytes each in the slab, 64 outside). ttl_s:
 * seconds a key lives after it was put. Locking is tried; when RLIMIT_MEMLOCK
 * forbids it the slab is still DONTDUMP and stats say so (log: warn once). */
int keyring_new(unsigned slots, int64_t ttl_s, struct keyring **ret) MUST_CHECK;
void keyring_free(struct keyring *k); /* wipes */
DEFINE_FREEP(struct keyring, keyring_free)

void keyring_put(struct keyring *k, int64_t id, const struct content_key *key,
    int64_t now_s);
/* Copy out (the caller wipes). -ENOENT when absent or expired. */
int keyring_get(struct keyring *k, int64_t id, int64_t now_s,
    struct content_key *ret) MUST_CHECK;
void keyring_drop(struct keyring *k, int64_t id);
void keyring_wipe(struct keyring *k); /* `sesfs forget keys` */
void keyring_expire(struct keyring *k, int64_t now_s); /* wipe what is due */
void keyring_get_stats(struct keyring *k, struct keyring_stats *ret);

#endif
