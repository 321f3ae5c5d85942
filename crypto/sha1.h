/* sha1.h -- SHA-1, for names that others chose.
 *
 * awscli calls the files of its token cache so. Nothing rests on it. */
#ifndef SESFS_CRYPTO_SHA1_H
#define SESFS_CRYPTO_SHA1_H

#include "crypto/base.h"

#define SHA1_HEX_LEN 40

/* Digest in lower-case hexadecimal, zero-terminated. Returns 0; -EIO when
 * libcrypto refuses, then ret is "". */
int sha1_hex(const void *data, size_t len, char ret[SHA1_HEX_LEN + 1])
    MUST_CHECK;

#endif
