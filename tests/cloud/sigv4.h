/* sigv4.h -- AWS Signature Version 4, written from AWS's description only.
 *
 * Nothing here reads a clock or a configuration: time and secrets come in as
 * arguments, so that AWS's published examples can be held against it. Used to
 * verify (auth.c) and, by the load generator, to sign. */
#ifndef CLOUD_SIGV4_H
#define CLOUD_SIGV4_H

#include "buf.h"

#define SIGV4_KEY_LEN 32
#define SIGV4_HEX_LEN 64
#define SIGV4_EMPTY_SHA256                                                     \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* A request as it is signed. */
struct sigv4_message {
	const char *method;
	const char *path; /* decoded */
	const struct pair *query; /* decoded, any order */
	size_t nquery;
	const struct pair *headers; /* names in lower case, any order */
	size_t nheaders;
	const char *payload; /* hash in hex, or UNSIGNED-PAYLOAD and the like */
};

/* What a signature is bound to besides the message. */
struct sigv4_scope {
	const char *date; /* YYYYMMDD */
	const char *region;
	const char *service;
};

/* An Authorization header, or the X-Amz-* parameters of a presigned URL. */
struct sigv4_auth {
	const char *access_key;
	struct sigv4_scope scope;
	const char *signed_headers; /* a;b;c */
	const char *signature; /* SIGV4_HEX_LEN hex digits */
};

/* Take an Authorization value apart; strings go to `a`. Returns 0;
 * -EOPNOTSUPP when it is of another scheme; -EPROTO when malformed. */
int sigv4_parse(struct arena *a, const char *value,
    struct sigv4_auth *ret) MUST_CHECK;

/* Take "AKID/date/region/service/aws4_request" apart. 0 or -EPROTO. */
int sigv4_parse_credential(struct arena *a, const char *value,
    struct sigv4_auth *ret) MUST_CHECK;

/* The canonical request, for the headers of `signed_headers`. The parameter
 * X-Amz-Signature is left out. Returns 0; -ENOENT when a signed header is not
 * in the message, or the list is not in order. */
int sigv4_canonical(const struct sigv4_message *m, const char *signed_headers,
    struct buf *ret) MUST_CHECK;

void sigv4_string_to_sign(const char *amz_date, const struct sigv4_scope *scope,
    const struct buf *canonical, struct buf *ret);

void sigv4_key(const char *secret, const struct sigv4_scope *scope,
    uint8_t ret[SIGV4_KEY_LEN]);

void sigv4_signature(const uint8_t key[SIGV4_KEY_LEN],
    const struct buf *string_to_sign, char ret[SIGV4_HEX_LEN + 1]);

/* The Authorization value that signs all headers of `m`, which must be sorted
 * by name and hold x-amz-date; `key` is from sigv4_key() for `scope`. */
void sigv4_sign(const struct sigv4_message *m, const char *access_key,
    const uint8_t key[SIGV4_KEY_LEN], const struct sigv4_scope *scope,
    const char *amz_date, struct buf *ret);

#endif
