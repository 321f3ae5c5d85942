/* backend.h -- what a cryptographic library does for hash.h and aead.h.
 *
 * Private to crypto/. A backend is two constant tables of functions with the
 * contracts of hash.h and aead.h, except that they need not clear outputs on
 * failure: the callers do. */
#ifndef SESFS_CRYPTO_BACKEND_H
#define SESFS_CRYPTO_BACKEND_H

#include "crypto/aead.h"
#include "crypto/hash.h"

struct hash_ops {
	int (*start)(struct sha256 *s);
	int (*update)(struct sha256 *s, const void *data, size_t len);
	int (*finish)(struct sha256 *s, uint8_t *ret);
	void (*drop)(struct sha256 *s);
	int (*hmac_sha256)(const void *key, size_t key_len, const void *data,
	    size_t len, uint8_t *ret);
	int (*hmac_sha512)(const void *key, size_t key_len, const void *data,
	    size_t len, uint8_t *ret);
	int (*hkdf_extract)(const void *salt, size_t salt_len,
	    const void *ikm, size_t ikm_len, uint8_t *ret_prk);
	int (*hkdf_expand)(const uint8_t *prk, const void *info,
	    size_t info_len, uint8_t *ret, size_t len);
};

struct gcm_ops {
	int (*seal)(const uint8_t *key, const uint8_t *iv, struct slice aad,
	    const uint8_t *in, size_t in_len, uint8_t *out);
	int (*open)(const uint8_t *key, const uint8_t *iv, struct slice aad,
	    const uint8_t *in, size_t in_len, uint8_t *out);
};

extern const struct hash_ops sodium_hash_ops, openssl_hash_ops;
extern const struct gcm_ops sodium_gcm_ops, openssl_gcm_ops;

/* The tables in force. crypto_init() must have succeeded. */
const struct hash_ops *crypto_hash_ops(void);
const struct gcm_ops *crypto_gcm_ops(void);

/* Fetch OpenSSL's algorithms, once. Returns 0 or -EIO. */
int openssl_start(void) MUST_CHECK;

/* AES-256-CBC without padding: in_len bytes, a multiple of the block, from
 * `in` to `out`. Returns 0 or -EIO. */
int openssl_cbc_decrypt(const uint8_t *key, const uint8_t *iv,
    const uint8_t *in, size_t in_len, uint8_t *out) MUST_CHECK;

#endif
