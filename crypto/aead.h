/* aead.h -- ciphers: AES-256-GCM, AES-256-CBC and XChaCha20-Poly1305.
 *
 * All keys are 32 bytes. A ciphertext is C || tag in one piece. An `open`
 * returns 0, or leaves its output all zero and returns -EBADMSG when the input
 * is not authentic (or too short to be) and -EIO when the backend fails: there
 * is never a byte of unverified plaintext in the output. Output and input may
 * not overlap. Pure; any thread.
 *
 * AES-GCM is done by the backend of crypto_init(), AES-CBC always by OpenSSL,
 * XChaCha20 always by libsodium. */
#ifndef SESFS_CRYPTO_AEAD_H
#define SESFS_CRYPTO_AEAD_H

#include "crypto/base.h"

#define AEAD_KEY_LEN 32	     /* bytes */
#define AES_GCM_IV_LEN 12    /* bytes */
#define AES_GCM_TAG_LEN 16   /* bytes */
#define AES_BLOCK_LEN 16     /* bytes */
#define XCHACHA_NONCE_LEN 24 /* bytes */
#define XCHACHA_TAG_LEN 16   /* bytes */

/* Encrypt `in` to `out`, in_len + AES_GCM_TAG_LEN bytes. Never use an iv twice
 * with one key. Returns 0 or -EIO. */
int aes256gcm_seal(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_GCM_IV_LEN], struct slice aad, const uint8_t *in,
    size_t in_len, uint8_t *out) MUST_CHECK;

/* Verify and decrypt `in` (C || tag) to `out`, in_len - AES_GCM_TAG_LEN
 * bytes. */
int aes256gcm_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_GCM_IV_LEN], struct slice aad, const uint8_t *in,
    size_t in_len, uint8_t *out) MUST_CHECK;

/* Decrypt AES-256-CBC with PKCS#7 padding. `out` has room for in_len bytes; of
 * these the first *ret_len are the plaintext and the rest is zero. CBC is not
 * authenticated: -EBADMSG means a bad length or bad padding, checked in
 * constant time and not to be told apart. */
int aes256cbc_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_BLOCK_LEN], const uint8_t *in, size_t in_len,
    uint8_t *out, size_t *ret_len) MUST_CHECK;

/* Encrypt `in` to `out`, in_len + XCHACHA_TAG_LEN bytes. The nonce may be
 * random: 192 bits do not repeat. Returns 0 or -EIO. */
int xchacha_seal(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t nonce[XCHACHA_NONCE_LEN], struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out) MUST_CHECK;

/* Verify and decrypt `in` (C || tag) to `out`, in_len - XCHACHA_TAG_LEN
 * bytes. */
int xchacha_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t nonce[XCHACHA_NONCE_LEN], struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out) MUST_CHECK;

#endif
