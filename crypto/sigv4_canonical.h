/* sigv4_canonical.h -- the canonical request of Signature Version 4.
 *
 * Private to crypto/. Pure; any thread. */
#ifndef SESFS_CRYPTO_SIGV4_CANONICAL_H
#define SESFS_CRYPTO_SIGV4_CANONICAL_H

#include "crypto/sigv4.h"

#define SIGV4_SIGNED_HEADERS_MAX 640 /* bytes with the zero */

/* Write ret->path and ret->query, and digest the canonical request. `headers`
 * (at most SIGV4_HEADERS_MAX) are sorted in place. Returns 0, -EMSGSIZE,
 * -EINVAL or -EIO. */
int sigv4_canonical(const struct sigv4_request *req, struct pair *headers,
    size_t headers_len, struct sigv4_signed *ret,
    char signed_headers[SIGV4_SIGNED_HEADERS_MAX],
    char ret_hex[SHA256_HEX_LEN + 1]) MUST_CHECK;

#endif
