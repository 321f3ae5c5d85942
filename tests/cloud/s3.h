/* s3.h -- the parts of S3, between themselves. */
#ifndef CLOUD_S3_H
#define CLOUD_S3_H

#include "cloud.h"

#define S3_KEY_MAX 1024 /* bytes */
#define S3_META_MAX 2048 /* bytes of names and values */
#define S3_XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define S3_NS "http://s3.amazonaws.com/doc/2006-03-01/"

/* Each leaves its reply in `req`; bucket checks are done before. */
void s3_list(struct cloud *c, struct request *req);
void s3_list_buckets(struct cloud *c, struct request *req);
void s3_get(struct cloud *c, struct request *req);
void s3_put(struct cloud *c, struct request *req);
void s3_copy(struct cloud *c, struct request *req);
void s3_delete(struct cloud *c, struct request *req);
void s3_delete_many(struct cloud *c, struct request *req);

/* Store the request's body and headers as the object they describe, as PUT
 * does. Returns NULL when refused; the reply then says why. */
struct object *s3_object_from(struct request *req, const char *key,
    int64_t mtime) MUST_CHECK;

/* May the caller do this to the bucket, or to its object `key`? Else a 403 in
 * the words of IAM. `prefix`: what s3:prefix is, NULL for no such key. */
bool s3_may(struct cloud *c, struct request *req, enum op op, const char *key,
    const char *prefix) MUST_CHECK;

/* An XML reply; what was said so far is dropped. Append to the result. */
struct buf *s3_xml(struct request *req, int status);

/* Is `value`, an ETag or a list of them as If-Match has it, about `etag`? */
bool s3_etag_matches(const char *value, const char *etag);

#endif
