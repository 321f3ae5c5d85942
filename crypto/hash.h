/* hash.h -- SHA-256, HMAC and HKDF, by the backend of crypto_init().
 *
 * Pure functions of bytes; any thread. Every function returns 0, or -EIO when
 * the backend fails (OpenSSL out of memory, or an algorithm its provider
 * refuses), in which case the output is all zero. */
#ifndef SESFS_CRYPTO_HASH_H
#define SESFS_CRYPTO_HASH_H

#include "crypto/base.h"

#define SHA256_LEN 32 /* bytes */
#define SHA512_LEN 64 /* bytes */
#define SHA256_HEX_LEN (2 * SHA256_LEN)

/* A running SHA-256. Start it, update it, finish it; what is neither finished
 * nor dropped leaks. Not for two threads at once. */
struct sha256 {
	_Alignas(16) uint8_t opaque[128];
};

/* Begin. On failure there is nothing to drop. */
int sha256_start(struct sha256 *s) MUST_CHECK;

/* Take `len` more bytes. */
int sha256_update(struct sha256 *s, const void *data, size_t len) MUST_CHECK;

/* Write the digest and release the state, also on failure. */
int sha256_finish(struct sha256 *s, uint8_t ret[SHA256_LEN]) MUST_CHECK;

/* Release a state without a digest. Harmless after sha256_finish(), after a
 * failed sha256_start(), and on an all-zero struct: fit for CLEANUP(). */
void sha256_drop(struct sha256 *s);

/* Digest of one piece. */
int sha256(const void *data, size_t len, uint8_t ret[SHA256_LEN]) MUST_CHECK;

/* Digest of one piece in lower-case hexadecimal, zero-terminated. */
int sha256_hex(const void *data, size_t len,
    char ret[SHA256_HEX_LEN + 1]) MUST_CHECK;

/* HMAC with a key of any length. */
int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t ret[SHA256_LEN]) MUST_CHECK;
int hmac_sha512(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t ret[SHA512_LEN]) MUST_CHECK;

#define HKDF_SHA512_MAX (255 * SHA512_LEN) /* bytes of one expansion */

/* RFC 5869 step 1: a pseudorandom key out of `ikm`, which has at least one
 * byte. The result is secret: wipe it. */
int hkdf_sha512_extract(const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t ret_prk[SHA512_LEN]) MUST_CHECK;

/* RFC 5869 step 2: `len` bytes (1 to HKDF_SHA512_MAX) for the use `info`. */
int hkdf_sha512_expand(const uint8_t prk[SHA512_LEN], const void *info,
    size_t info_len, uint8_t *ret, size_t len) MUST_CHECK;

#endif
