/* sigv4.h -- AWS Signature Version 4 of one request, in its headers.
 *
 * Pure: the time, the credentials and the buffers are the caller's, nothing is
 * allocated, and the canonical request is hashed as it is made. Any thread.
 * The only secrets are credentials and struct sigv4_key; wipe both. Nothing
 * here reports more than an errno, so no signature can reach a log. */
#ifndef SESFS_CRYPTO_SIGV4_H
#define SESFS_CRYPTO_SIGV4_H

#include "crypto/base.h"
#include "crypto/hash.h"

#define SIGV4_QUERY_MAX 32	  /* pairs of one query */
#define SIGV4_HEADERS_MAX 32	  /* headers to sign, those added included */
#define SIGV4_DATE_LEN 16	  /* "20150830T123600Z" */
#define SIGV4_AUTHORIZATION_MAX 1024 /* bytes with the zero */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

/* A derived signing key: good for one secret, day, region and service. Keep
 * one per service and pass it to every sigv4_sign(), which renews it when it
 * does not fit. All zero at first. */
struct sigv4_key {
	uint8_t secret_digest[SHA256_LEN]; /* of the secret it was made of */
	char day[9];			   /* "20150830" */
	char region[32];
	char service[16];
	uint8_t key[SHA256_LEN];
};

struct sigv4_creds {
	const char *access_key;
	const char *secret_key;
	const char *token; /* session token, or NULL */
};

struct sigv4_request {
	const char *method; /* upper case */
	const char *region;
	const char *service; /* "s3", "kms", ... */
	/* For s3: "/" and the object key, its raw bytes, any of them. For the
	 * other services: the path as it is sent. */
	struct slice path;
	const struct pair *query; /* not encoded, in any order */
	size_t query_len;	  /* pairs */
	/* To be signed, in any order; names of any case. "host" must be among
	 * them; x-amz-date and, when there is a token, x-amz-security-token
	 * are added here, and so is x-amz-content-sha256 for s3. */
	const struct pair *headers;
	size_t headers_len;
	const char *payload_hash; /* hex, or SIGV4_UNSIGNED_PAYLOAD */
	int64_t at_unix;
};

/* What to send. Send also x-amz-content-sha256 (s3: the payload hash) and
 * x-amz-security-token (the token). */
struct sigv4_signed {
	char *path; /* caller's buffer: the path for the request line */
	size_t path_size;
	char *query; /* caller's buffer: without "?", empty if there is none */
	size_t query_size;
	char date[SIGV4_DATE_LEN + 1];		     /* x-amz-date */
	char authorization[SIGV4_AUTHORIZATION_MAX]; /* Authorization */
};

/* Sign. ret->path and ret->query are the caller's, with their sizes in bytes;
 * an object key needs at most 3 bytes for each of its own, a query 3 for each
 * and one for each "=" and "&", and a zero at the end.
 *
 * Returns 0; -EMSGSIZE when something does not fit (a buffer, too many pairs
 * or headers, region or service names of absurd length); -EINVAL when the time
 * is outside the years 1970 to 9999 or a header is given twice; -EIO when the
 * backend fails. On failure authorization is empty. */
int sigv4_sign(const struct sigv4_request *req,
    const struct sigv4_creds *creds, struct sigv4_key *key,
    struct sigv4_signed *ret) MUST_CHECK;

/* Percent-encode `len` bytes as SigV4 does: all but A-Z a-z 0-9 - . _ ~, and
 * '/' when keep_slash. Returns the bytes written without the zero, or
 * -EMSGSIZE. */
int64_t sigv4_encode(const void *in, size_t len, bool keep_slash, char *ret,
    size_t ret_size) MUST_CHECK;

#endif
