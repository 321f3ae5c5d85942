/* blobcache.h -- object bodies on disk, exactly as S3 gave them.
 *
 * DIR/blobs/ has segment files, each of many records: a body with the user
 * metadata and ETag it came with. Ciphertext only: the caller seals a body that
 * was not encrypted before it puts it here. A table in memory says where each
 * lies, so that a miss is no system call, a get one pread, a put one pwritev.
 * Bounded: what the files take on disk (whole blocks, and the table that is
 * written at the end) stays within the limit; the least recently used go, and
 * their space is punched out.
 * At start the table is read from the file that blobcache_close() wrote, or
 * after a crash rebuilt from the records, in the background; a get waits for it
 * up to BLOBCACHE_WAIT_S after the start. A torn or foreign record is a miss.
 * Threads: any. */
#ifndef SESFS_STORE_BLOBCACHE_H
#define SESFS_STORE_BLOBCACHE_H

#include "crypto/base.h"

#define BLOBCACHE_WAIT_S 3

struct blobcache;

struct blob {
	uint8_t *body;
	size_t len; /* bytes */
	char etag[128];
	struct pair *meta; /* as s3_object.meta */
	size_t meta_len;
	bool is_sealed_plain; /* the body was sealed by us */
	bool is_unauthenticated; /* whoever decrypts it has no tag to check */
	bool is_ciphertext; /* it has been opened: need not be wiped */
	void *arena_;
	void *body_arena_; /* when the body is not in arena_ */
};
void blob_clear(struct blob *b); /* frees members */

struct blobcache_stats {
	uint64_t bytes, limit, objects, hits, misses, evictions, puts;
	bool is_scanning; /* bytes and objects are not complete yet */
};

/* dir: the state directory. limit: bytes; 0 keeps nothing. */
int blobcache_open(const char *dir, uint64_t limit, struct blobcache **ret)
    MUST_CHECK;
/* Nobody uses it any more. Writes the table. NULL is a no-op. */
void blobcache_close(struct blobcache *c);
DEFINE_FREEP(struct blobcache, blobcache_close)

/* Store. A body that does not fit within the limit is not kept (0 all the
 * same). -ENOSPC and other errors of writing leave what was there of that id.
 * -EINVAL: an id or metadata that cannot be. Counts as used now. */
int blobcache_put(struct blobcache *c, int64_t id, const struct blob *b)
    MUST_CHECK;
/* body_max: bytes of the longest body that it may have; no more is allocated,
 * whatever the disk says. -ENOENT when it is not there (or was not whole, or
 * is longer: then it is removed). */
int blobcache_get(struct blobcache *c, int64_t id, uint64_t body_max,
    struct blob *ret) MUST_CHECK;
bool blobcache_has(struct blobcache *c, int64_t id);
void blobcache_drop(struct blobcache *c, int64_t id);
int blobcache_drop_all(struct blobcache *c) MUST_CHECK;
void blobcache_get_stats(struct blobcache *c, struct blobcache_stats *ret);

#endif
