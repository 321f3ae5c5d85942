#include "crypto/hash.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "crypto/backend.h"

/* Pass on a backend's result; nothing half-made leaves on failure. */
static int
settle(int r, uint8_t *out, size_t len)
{
	if (r < 0)
		sodium_memzero(out, len);
	return r;
}

int
sha256_start(struct sha256 *s)
{
	return settle(crypto_hash_ops()->start(s), s->opaque,
	    sizeof(s->opaque));
}

int
sha256_update(struct sha256 *s, const void *data, size_t len)
{
	return len > 0 ? crypto_hash_ops()->update(s, data, len) : 0;
}

int
sha256_finish(struct sha256 *s, uint8_t ret[SHA256_LEN])
{
	return settle(crypto_hash_ops()->finish(s, ret), ret, SHA256_LEN);
}

void
sha256_drop(struct sha256 *s)
{
	crypto_hash_ops()->drop(s);
}

int
sha256(const void *data, size_t len, uint8_t ret[SHA256_LEN])
{
	CLEANUP(sha256_drop) struct sha256 s = { 0 };
	int r;

	if ((r = sha256_start(&s)) < 0 ||
	    (r = sha256_update(&s, data, len)) < 0)
		return settle(r, ret, SHA256_LEN);
	return sha256_finish(&s, ret);
}

int
sha256_hex(const void *data, size_t len, char ret[SHA256_HEX_LEN + 1])
{
	uint8_t digest[SHA256_LEN];
	int r = sha256(data, len, digest);

	sodium_bin2hex(ret, SHA256_HEX_LEN + 1, digest, sizeof(digest));
	return r;
}

int
hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t ret[SHA256_LEN])
{
	return settle(
	    crypto_hash_ops()->hmac_sha256(key, key_len, data, len, ret), ret,
	    SHA256_LEN);
}

int
hmac_sha512(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t ret[SHA512_LEN])
{
	return settle(
	    crypto_hash_ops()->hmac_sha512(key, key_len, data, len, ret), ret,
	    SHA512_LEN);
}

int
hkdf_sha512_extract(const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t ret_prk[SHA512_LEN])
{
	assert(ikm_len > 0);
	return settle(crypto_hash_ops()->hkdf_extract(salt, salt_len, ikm,
			  ikm_len, ret_prk),
	    ret_prk, SHA512_LEN);
}

int
hkdf_sha512_expand(const uint8_t prk[SHA512_LEN], const void *info,
    size_t info_len, uint8_t *ret, size_t len)
{
	assert(len > 0 && len <= HKDF_SHA512_MAX);
	return settle(
	    crypto_hash_ops()->hkdf_expand(prk, info, info_len, ret, len), ret,
	    len);
}
