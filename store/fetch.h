/* fetch.h -- an object's body and metadata, from the cache or from S3.
 *
 * The instruction file, where policy allows one, rides in the metadata under
 * a name that no HTTP header can have, so that the cache keeps it with the
 * body. Threads: any. */
#ifndef SESFS_STORE_FETCH_H
#define SESFS_STORE_FETCH_H

#include "crypto/envelope.h"
#include "store/blobcache.h"
#include "store/index.h"
#include "store/metapack.h"
#include "store/s3.h"
#include "store/seal.h"

struct fetch_opts {
	struct s3 *s3;
	struct blobcache *cache;
	struct seal *seal;
	struct envelope_policy policy;
};

/* From the cache. -ENOENT when it is not there or is another object's. */
int fetch_cached(const struct fetch_opts *f, const struct object *o,
    struct blob *ret) MUST_CHECK;

/* From S3, as it was listed (If-Match). Not cached yet. Errors as s3.h;
 * *ret_why TOO_LARGE with -EBADMSG when its metadata is beyond all bounds. */
int fetch_remote(const struct fetch_opts *f, const struct object *o,
    struct blob *ret, enum refusal *ret_why) MUST_CHECK;

/* Metadata alone (HEAD, and the instruction file); *ret_len: bytes of body. */
int fetch_head(const struct fetch_opts *f, const struct object *o,
    struct blob *ret, uint64_t *ret_len, enum refusal *ret_why) MUST_CHECK;

/* Keep in the cache what proved good. A body that was not encrypted is sealed
 * first, and not kept when there is no seal. */
void fetch_keep(const struct fetch_opts *f, const struct object *o,
    const struct blob *b, enum suite suite);

/* The checked envelope of what was fetched. Errors as envelope_parse. */
int fetch_envelope(const struct fetch_opts *f, const struct object *o,
    const struct blob *b, uint64_t body_len, struct envelope **ret,
    enum refusal *ret_why) MUST_CHECK;

/* What the index keeps of it (o->envelope), for when the body is not there yet:
 * the metadata, or nothing (0 bytes) when there is too much of it. ret:
 * METAPACK_MAX bytes. */
size_t fetch_pack(const struct blob *b, uint8_t *ret) MUST_CHECK;

/* The checked envelope that a body of `o` had when it was looked at, as the
 * index keeps it; NULL when it does not, or it does not pass (logged), or it
 * needs no KMS. Free: envelope_free. */
struct envelope *fetch_kept(const struct fetch_opts *f,
    const struct object *o) MUST_CHECK;

#endif
