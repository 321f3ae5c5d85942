/* s3.h -- the S3 operations sesfs makes.
 *
 * Each call signs, sends, retries by retry.h's rules and returns when it is
 * done or the deadline has passed. Threads: any number may call at once;
 * callers block, the HTTP thread works. Errors, the same for all calls:
 *	-ENOENT		no such key; for HEAD, which cannot tell, also no such
 *			bucket
 *	-ENXIO		no such bucket
 *	-EACCES		AWS refused: credentials, policy, wrong owner
 *	-EREMOTE	archived (GLACIER): there, but not to be read until it
 *			is restored
 *	-ESTALE		If-Match did not hold: the object is another one now
 *	-EMSGSIZE	the body is longer than the caller allowed
 *	-EPROTO		a reply that is not S3's
 *	-ETIMEDOUT, -ECONNRESET, -EAGAIN, -EHOSTUNREACH, -ENETUNREACH
 *			the network or the service, after all retries
 *	-ECANCELED	s3_free or http shutdown began
 *	-EIO		anything else; the log has the reason
 */
#ifndef SESFS_STORE_S3_H
#define SESFS_STORE_S3_H

#include "crypto/base.h"
#include "store/aws.h"

#define S3_KEY_MAX 1024	 /* bytes of a key */
#define S3_ETAG_MAX 128	 /* bytes with the zero, without the quotes */
#define S3_META_MAX 64	 /* user metadata pairs kept of one object */

struct s3;

struct s3_opts {
	struct aws *aws;	    /* constant; outlives the s3 */
	const char *bucket;	    /* name, or ARN of an access point */
	const char *region;	    /* NULL: learnt from the bucket; an access
				     * point's is in its ARN */
	const char *endpoint_url;   /* NULL: AWS's own */
	bool path_style;	    /* else by the endpoint: path style for a
				     * custom endpoint or a bucket with dots;
				     * not with an access point */
	bool dual_stack, fips, requester_pays;
	const char *expected_bucket_owner; /* NULL or 12 digits */
};

int s3_new(const struct s3_opts *o, struct s3 **ret) MUST_CHECK;
void s3_free(struct s3 *s);
DEFINE_FREEP(struct s3, s3_free)

struct s3_item {
	const char *key; /* zero-terminated raw bytes (S3 keys have no NUL) */
	char etag[S3_ETAG_MAX];
	uint64_t size;		      /* bytes of the body */
	int64_t last_modified_unix;   /* seconds */
	bool is_archived;	      /* storage class that GET refuses */
};

struct s3_page {
	struct s3_item *item;
	size_t n;
	bool is_truncated;
	char *next_token; /* NULL on the last page */
	void *arena_;	  /* owns the strings */
};

/* One page of ListObjectsV2 (encoding-type=url), keys in ascending byte
 * order. prefix: raw bytes, "" for all. start_after: raw key or NULL; that
 * the first key comes after it is for the caller to check.
 * token: next_token of the page before, or NULL. max_keys 1..1000. */
int s3_list(struct s3 *s, const char *prefix, const char *start_after,
    const char *token, unsigned max_keys, struct s3_page *ret) MUST_CHECK;
void s3_page_free(struct s3_page *p); /* frees members, not p */

struct s3_object {
	uint8_t *body; /* NULL for HEAD */
	uint64_t len;  /* bytes of body; for HEAD the Content-Length */
	char etag[S3_ETAG_MAX];
	int64_t last_modified_unix;
	struct pair *meta; /* user metadata, names lower case without
			    * "x-amz-meta-", in order of arrival, doubles
			    * kept */
	size_t meta_len;
	bool meta_overflow; /* there was more user metadata than S3_META_MAX
			     * pairs or 8 KiB, or some that S3 could not
			     * return: do not judge by what is here */
	void *arena_;
};

/* GET a whole object. if_match: ETag without quotes, or NULL. max_len: the
 * longest body taken, bytes (a longer one is given up at its headers). A reply
 * with Content-Range, or whose body is not exactly Content-Length long, is
 * never returned. */
int s3_get(struct s3 *s, const char *key, const char *if_match,
    uint64_t max_len, struct s3_object *ret) MUST_CHECK;
int s3_head(struct s3 *s, const char *key, struct s3_object *ret) MUST_CHECK;
void s3_object_free(struct s3_object *o); /* wipes body; frees members */

/* Has the latest call failed on the way, with no answer of S3 to what was asked?
 * Then the next one may as well. */
bool s3_is_unreachable(struct s3 *s);

/* Where the bucket is asked now. Returns 0; -EINVAL, logged. */
int s3_endpoint(struct s3 *s, struct endpoint *ret) MUST_CHECK;

/* Is it there, may we list it below the prefix, which region is it in (learnt
 * and used from then on; written to ret_region, at least 32 bytes)? By listing
 * one key: HeadBucket names no prefix, so that a policy for one refuses it. */
int s3_reach(struct s3 *s, const char *prefix, char ret_region[32])
    MUST_CHECK;

#endif
