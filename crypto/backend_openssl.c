#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

#include "crypto/backend.h"
#include "crypto/crypto.h"

/* Algorithms fetched once, since a fetch costs more than a short message.
 * Written by openssl_start() before there are threads. */
static struct {
	EVP_MD *sha256;
	EVP_MAC *hmac;
	EVP_KDF *hkdf;
	EVP_CIPHER *gcm;
	EVP_CIPHER *cbc;
} alg;

/* EVP takes lengths as int. */
#define CHUNK_MAX ((size_t)1 << 30) /* bytes */

DEFINE_FREEP(EVP_MAC_CTX, EVP_MAC_CTX_free)
DEFINE_FREEP(EVP_KDF_CTX, EVP_KDF_CTX_free)
DEFINE_FREEP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

/* The error queue is per thread and would name a failed tag to whoever looks
 * next; our answer is the errno. */
static int
fail(int err)
{
	ERR_clear_error();
	return err;
}

bool
crypto_has_fips_module(void)
{
	const OSSL_PROVIDER *from[] = {
		EVP_MD_get0_provider(alg.sha256),
		EVP_MAC_get0_provider(alg.hmac),
		EVP_KDF_get0_provider(alg.hkdf),
		EVP_CIPHER_get0_provider(alg.gcm),
	};

	for (size_t i = 0; i < NELEMS(from); i++)
		if (strcmp(OSSL_PROVIDER_get0_name(from[i]), "fips") != 0)
			return false;
	return true;
}

int
openssl_start(void)
{
	if (alg.cbc != NULL)
		return 0;
	if ((alg.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) == NULL ||
	    (alg.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) == NULL ||
	    (alg.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL)) == NULL ||
	    (alg.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) == NULL ||
	    (alg.cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)) == NULL)
		return fail(-EIO);
	return 0;
}

static EVP_MD_CTX **
state(struct sha256 *s)
{
	return (EVP_MD_CTX **)(void *)s->opaque;
}

static void
drop(struct sha256 *s)
{
	EVP_MD_CTX_free(*state(s));
	*state(s) = NULL;
}

static int
start(struct sha256 *s)
{
	memset(s, 0, sizeof(*s));
	if ((*state(s) = EVP_MD_CTX_new()) == NULL)
		return fail(-EIO);
	if (EVP_DigestInit_ex2(*state(s), alg.sha256, NULL) != 1) {
		drop(s);
		return fail(-EIO);
	}
	return 0;
}

static int
update(struct sha256 *s, const void *data, size_t len)
{
	if (EVP_DigestUpdate(*state(s), data, len) != 1)
		return fail(-EIO);
	return 0;
}

static int
finish(struct sha256 *s, uint8_t *ret)
{
	int ok = EVP_DigestFinal_ex(*state(s), ret, NULL);

	drop(s);
	return ok == 1 ? 0 : fail(-EIO);
}

static int
hmac(const char *digest, const void *key, size_t key_len, const void *data,
    size_t len, uint8_t *ret, size_t ret_len)
{
	CLEANUP(EVP_MAC_CTX_freep) EVP_MAC_CTX *c = EVP_MAC_CTX_new(alg.hmac);
	char name[16];
	OSSL_PARAM params[2];
	size_t n;

	strcpy(name, digest);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	    name, 0);
	params[1] = OSSL_PARAM_construct_end();
	/* A NULL key would mean "the one from before". */
	if (c == NULL ||
	    EVP_MAC_init(c, key_len > 0 ? key : "", key_len, params) != 1 ||
	    EVP_MAC_update(c, data, len) != 1 ||
	    EVP_MAC_final(c, ret, &n, ret_len) != 1 || n != ret_len)
		return fail(-EIO);
	return 0;
}

static int
hmac256(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t *ret)
{
	return hmac("SHA256", key, key_len, data, len, ret, SHA256_LEN);
}

static int
hmac512(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t *ret)
{
	return hmac("SHA512", key, key_len, data, len, ret, SHA512_LEN);
}

/* OSSL_PARAM is not const-correct; the octets are only read. */
static OSSL_PARAM
octets(const char *name, const void *ptr, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)ptr,
	    len);
}

static int
hkdf(int mode, const void *key, size_t key_len, const char *extra_name,
    const void *extra, size_t extra_len, uint8_t *ret, size_t len)
{
	CLEANUP(EVP_KDF_CTX_freep) EVP_KDF_CTX *c = EVP_KDF_CTX_new(alg.hkdf);
	char digest[] = "SHA512";
	OSSL_PARAM params[5];
	size_t n = 0;

	params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
	    digest, 0);
	params[n++] = octets(OSSL_KDF_PARAM_KEY, key, key_len);
	if (extra_len > 0)
		params[n++] = octets(extra_name, extra, extra_len);
	params[n++] = OSSL_PARAM_construct_end();
	if (c == NULL || EVP_KDF_derive(c, ret, len, params) != 1)
		return fail(-EIO);
	return 0;
}

static int
hkdf_extract(const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t *ret_prk)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, ikm, ikm_len,
	    OSSL_KDF_PARAM_SALT, salt, salt_len, ret_prk, SHA512_LEN);
}

static int
hkdf_expand(const uint8_t *prk, const void *info, size_t info_len,
    uint8_t *ret, size_t len)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, SHA512_LEN,
	    OSSL_KDF_PARAM_INFO, info, info_len, ret, len);
}

const struct hash_ops openssl_hash_ops = {
	.start = start,
	.update = update,
	.finish = finish,
	.drop = drop,
	.hmac_sha256 = hmac256,
	.hmac_sha512 = hmac512,
	.hkdf_extract = hkdf_extract,
	.hkdf_expand = hkdf_expand,
};

/* One EVP_CipherUpdate() of any length; out NULL when `in` is AAD. */
static int
cipher_update(EVP_CIPHER_CTX *c, uint8_t *out, const uint8_t *in, size_t len)
{
	while (len > 0) {
		size_t take = len < CHUNK_MAX ? len : CHUNK_MAX;
		int n;

		if (EVP_CipherUpdate(c, out, &n, in, (int)take) != 1 ||
		    (size_t)n != take)
			return -EIO;
		if (out != NULL)
			out += take;
		in += take;
		len -= take;
	}
	return 0;
}

static int
gcm_seal(const uint8_t *key, const uint8_t *iv, struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t none[1];
	int n;

	if (c == NULL || EVP_EncryptInit_ex2(c, alg.gcm, key, iv, NULL) != 1 ||
	    cipher_update(c, NULL, aad.ptr, aad.len) < 0 ||
	    cipher_update(c, out, in, in_len) < 0 ||
	    EVP_EncryptFinal_ex(c, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG_LEN,
		out + in_len) != 1)
		return fail(-EIO);
	return 0;
}

static int
gcm_open(const uint8_t *key, const uint8_t *iv, struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	size_t out_len = in_len - AES_GCM_TAG_LEN;
	uint8_t tag[AES_GCM_TAG_LEN], none[1];
	int n;

	memcpy(tag, in + out_len, sizeof(tag)); /* ctrl() wants it mutable */
	if (c == NULL || EVP_DecryptInit_ex2(c, alg.gcm, key, iv, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) !=
		1 ||
	    cipher_update(c, NULL, aad.ptr, aad.len) < 0 ||
	    cipher_update(c, out, in, out_len) < 0)
		return fail(-EIO);
	if (EVP_DecryptFinal_ex(c, none, &n) != 1)
		return fail(-EBADMSG);
	return 0;
}

const struct gcm_ops openssl_gcm_ops = {
	.seal = gcm_seal,
	.open = gcm_open,
};

int
openssl_cbc_decrypt(const uint8_t *key, const uint8_t *iv, const uint8_t *in,
    size_t in_len, uint8_t *out)
{
	CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	if (c == NULL || EVP_DecryptInit_ex2(c, alg.cbc, key, iv, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(c, 0) != 1 ||
	    cipher_update(c, out, in, in_len) < 0)
		return fail(-EIO);
	return 0;
}
