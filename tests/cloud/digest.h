/* digest.h -- hashes and AES-GCM, from libcrypto.
 *
 * Safe from any thread. A failure inside libcrypto is fatal: it would mean a
 * broken test machine, not a condition to test. */
#ifndef CLOUD_DIGEST_H
#define CLOUD_DIGEST_H

#include "base.h"

#define SHA256_LEN 32 /* bytes */
#define SHA512_LEN 64
#define MD5_LEN 16
#define GCM_IV_LEN 12
#define GCM_TAG_LEN 16

void digest_sha256(const void *p, size_t len, uint8_t ret[SHA256_LEN]);
void digest_sha256_hex(const void *p, size_t len, char ret[2 * SHA256_LEN + 1]);
void digest_md5(const void *p, size_t len, uint8_t ret[MD5_LEN]);

/* HMAC with a key of any length. */
void digest_hmac_sha256(const void *key, size_t key_len, const void *p,
    size_t len, uint8_t ret[SHA256_LEN]);
void digest_hmac_sha512(const void *key, size_t key_len, const void *p,
    size_t len, uint8_t ret[SHA512_LEN]);

/* AES-256-GCM. `ret` holds len + GCM_TAG_LEN bytes. */
void digest_gcm_seal(const uint8_t key[32], const uint8_t iv[GCM_IV_LEN],
    const void *aad, size_t aad_len, const void *p, size_t len, uint8_t *ret);

/* Returns 0, or -EBADMSG. `len` counts the tag; `ret` holds len - 16. */
int digest_gcm_open(const uint8_t key[32], const uint8_t iv[GCM_IV_LEN],
    const void *aad, size_t aad_len, const void *p, size_t len,
    uint8_t *ret) MUST_CHECK;

/* AES-256-CBC with PKCS#7 padding. `ret` holds len + 16 bytes; returns the
 * length of the result. */
size_t digest_cbc_seal(const uint8_t key[32], const uint8_t iv[16],
    const void *p, size_t len, uint8_t *ret);

#endif
