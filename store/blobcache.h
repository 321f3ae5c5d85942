/* blobcache.h -- object bodies on disk, exactly as S3 gave them.
 *
 * DIR/blobs/xx/<id>: the body from offset 0, then a trailer with the user
 * metadata and ETag it came with, its length and a checksum. Ciphertext only:
 * the caller seals a body that was not encrypted before it puts it here.
 * Bounded: when what the files take on disk (4 KiB blocks) passes the limit, the
 * least recently used go.
 * Usage (size, last use) is kept in memory and rebuilt in the background from
 * the directory at start (readdir only; sizes by stat), so that a big cache
 * does not slow the mount. Writes go to a temporary name and are renamed; a
 * torn or foreign file is a miss and is removed. Threads: any. */
#ifndef SESFS_STORE_BLOBCACHE_H
#define SESFS_STORE_BLOBCACHE_H

#include "crypto/base.h"

struct blobcache;

struct blob {
	uint8_t *body;
	size_t len; /* bytes */
	char etag[128];
	struct pair *meta; /* as s3_object.meta */
	size_t meta_len;
	bool is_sealed_plain; /* the body was sealed by us */
	void *arena_;
};
void blob_clear(struct blob *b); /* frees members */

struct blobcache_stats {
	uint64_t bytes, limit, objects, hits, misses, evictions, puts;
	bool is_scanning; /* bytes and objects are not complete yet */
};

/* dir: the state directory. limit: bytes; 0 keeps nothing. */
int blobcache_open(const char *dir, uint64_t limit, struct blobcache **ret)
    MUST_CHECK;
void blobcache_close(struct blobcache *c);
DEFINE_FREEP(struct blobcache, blobcache_close)

/* Store. A body larger than the limit is not kept (0 all the same). -ENOSPC
 * and other errors of writing leave the cache as it was. Counts as used now. */
int blobcache_put(struct blobcache *c, int64_t id, const struct blob *b)
    MUST_CHECK;
/* -ENOENT when it is not there (or was not whole). */
int blobcache_get(struct blobcache *c, int64_t id, struct blob *ret) MUST_CHECK;
bool blobcache_has(struct blobcache *c, int64_t id);
void blobcache_drop(struct blobcache *c, int64_t id);
int blobcache_drop_all(struct blobcache *c) MUST_CHECK;
void blobcache_get_stats(struct blobcache *c, struct blobcache_stats *ret);

#endif
