#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "crypto/backend.h"

_Static_assert(sizeof(crypto_hash_sha256_state) <=
	sizeof(((struct sha256 *)0)->opaque),
    "struct sha256 holds libsodium's state");
_Static_assert(crypto_aead_aes256gcm_KEYBYTES == AEAD_KEY_LEN, "key");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == AES_GCM_IV_LEN, "iv");
_Static_assert(crypto_aead_aes256gcm_ABYTES == AES_GCM_TAG_LEN, "tag");

static crypto_hash_sha256_state *
state(struct sha256 *s)
{
	return (crypto_hash_sha256_state *)(void *)s->opaque;
}

static int
start(struct sha256 *s)
{
	return crypto_hash_sha256_init(state(s)) == 0 ? 0 : -EIO;
}

static int
update(struct sha256 *s, const void *data, size_t len)
{
	return crypto_hash_sha256_update(state(s), data, len) == 0 ? 0 : -EIO;
}

static void
drop(struct sha256 *s)
{
	sodium_memzero(s, sizeof(*s));
}

static int
finish(struct sha256 *s, uint8_t *ret)
{
	int r = crypto_hash_sha256_final(state(s), ret);

	drop(s);
	return r == 0 ? 0 : -EIO;
}

static int
hmac256(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t *ret)
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, key_len);
	crypto_auth_hmacsha256_update(&st, data, len);
	crypto_auth_hmacsha256_final(&st, ret);
	sodium_memzero(&st, sizeof(st));
	return 0;
}

static int
hmac512(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t *ret)
{
	crypto_auth_hmacsha512_state st;

	crypto_auth_hmacsha512_init(&st, key, key_len);
	crypto_auth_hmacsha512_update(&st, data, len);
	crypto_auth_hmacsha512_final(&st, ret);
	sodium_memzero(&st, sizeof(st));
	return 0;
}

static int
hkdf_extract(const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t *ret_prk)
{
	return hmac512(salt, salt_len, ikm, ikm_len, ret_prk);
}

/* By hand, since libsodium has it only from 1.0.19 on. */
static int
hkdf_expand(const uint8_t *prk, const void *info, size_t info_len,
    uint8_t *ret, size_t len)
{
	crypto_auth_hmacsha512_state st;
	uint8_t t[SHA512_LEN];

	for (uint8_t n = 1; len > 0; n++) {
		size_t take = len < sizeof(t) ? len : sizeof(t);

		crypto_auth_hmacsha512_init(&st, prk, SHA512_LEN);
		if (n > 1)
			crypto_auth_hmacsha512_update(&st, t, sizeof(t));
		crypto_auth_hmacsha512_update(&st, info, info_len);
		crypto_auth_hmacsha512_update(&st, &n, 1);
		crypto_auth_hmacsha512_final(&st, t);
		memcpy(ret, t, take);
		ret += take;
		len -= take;
	}
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(t, sizeof(t));
	return 0;
}

const struct hash_ops sodium_hash_ops = {
	.start = start,
	.update = update,
	.finish = finish,
	.drop = drop,
	.hmac_sha256 = hmac256,
	.hmac_sha512 = hmac512,
	.hkdf_extract = hkdf_extract,
	.hkdf_expand = hkdf_expand,
};

static int
gcm_seal(const uint8_t *key, const uint8_t *iv, struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	if (in_len > crypto_aead_aes256gcm_MESSAGEBYTES_MAX ||
	    crypto_aead_aes256gcm_encrypt(out, NULL, in, in_len, aad.ptr,
		aad.len, NULL, iv, key) != 0)
		return -EIO;
	return 0;
}

static int
gcm_open(const uint8_t *key, const uint8_t *iv, struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	if (in_len - AES_GCM_TAG_LEN >
		crypto_aead_aes256gcm_MESSAGEBYTES_MAX ||
	    crypto_aead_aes256gcm_decrypt(out, NULL, NULL, in, in_len,
		aad.ptr, aad.len, iv, key) != 0)
		return -EBADMSG;
	return 0;
}

const struct gcm_ops sodium_gcm_ops = {
	.seal = gcm_seal,
	.open = gcm_open,
};
