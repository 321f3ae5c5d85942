#include "digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fetching an algorithm costs more than hashing a header with it, so each is
 * fetched once for the life of the program. */
static struct {
	pthread_once_t once;
	EVP_MD *md5, *sha256, *sha512;
	EVP_CIPHER *gcm, *cbc;
} algs = { .once = PTHREAD_ONCE_INIT };

static void
must(bool ok)
{
	if (!ok) {
		fputs("sesfs-cloud: libcrypto failed\n", stderr);
		abort();
	}
}

static void
algs_fetch(void)
{
	algs.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	algs.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	algs.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
	algs.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	algs.cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	must(algs.md5 != NULL && algs.sha256 != NULL && algs.sha512 != NULL &&
	    algs.gcm != NULL && algs.cbc != NULL);
}

static void
algs_need(void)
{
	pthread_once(&algs.once, algs_fetch);
}

void
digest_sha256(const void *p, size_t len, uint8_t ret[SHA256_LEN])
{
	algs_need();
	must(EVP_Digest(p, len, ret, NULL, algs.sha256, NULL) == 1);
}

void
digest_sha256_hex(const void *p, size_t len, char ret[2 * SHA256_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[SHA256_LEN];

	digest_sha256(p, len, sum);
	for (size_t i = 0; i < SHA256_LEN; i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[2 * SHA256_LEN] = '\0';
}

void
digest_md5(const void *p, size_t len, uint8_t ret[MD5_LEN])
{
	algs_need();
	must(EVP_Digest(p, len, ret, NULL, algs.md5, NULL) == 1);
}

/* Half of an HMAC: hash of (key xor pad) and then the message. */
static void
hmac_pass(const EVP_MD *md, const uint8_t *key, size_t block, uint8_t pad,
    const void *p, size_t len, uint8_t *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t padded[128];

	for (size_t i = 0; i < block; i++)
		padded[i] = key[i] ^ pad;
	must(ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, padded, block) == 1 &&
	    EVP_DigestUpdate(ctx, p, len) == 1 &&
	    EVP_DigestFinal_ex(ctx, ret, NULL) == 1);
	EVP_MD_CTX_free(ctx);
}

static void
hmac(const EVP_MD *md, size_t block, size_t md_len, const void *key,
    size_t key_len, const void *p, size_t len, uint8_t *ret)
{
	uint8_t k[128] = { 0 }, inner[SHA512_LEN];

	if (key_len > block)
		must(EVP_Digest(key, key_len, k, NULL, md, NULL) == 1);
	else if (key_len > 0)
		memcpy(k, key, key_len);
	hmac_pass(md, k, block, 0x36, p, len, inner);
	hmac_pass(md, k, block, 0x5c, inner, md_len, ret);
}

void
digest_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
    uint8_t ret[SHA256_LEN])
{
	algs_need();
	hmac(algs.sha256, 64, SHA256_LEN, key, key_len, p, len, ret);
}

void
digest_hmac_sha512(const void *key, size_t key_len, const void *p, size_t len,
    uint8_t ret[SHA512_LEN])
{
	algs_need();
	hmac(algs.sha512, 128, SHA512_LEN, key, key_len, p, len, ret);
}

void
digest_gcm_seal(const uint8_t key[32], const uint8_t iv[GCM_IV_LEN],
    const void *aad, size_t aad_len, const void *p, size_t len, uint8_t *ret)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	algs_need();
	must(ctx != NULL &&
	    EVP_EncryptInit_ex2(ctx, algs.gcm, key, iv, NULL) == 1);
	must(aad_len == 0 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1);
	must(len == 0 || EVP_EncryptUpdate(ctx, ret, &n, p, (int)len) == 1);
	must(EVP_EncryptFinal_ex(ctx, ret + len, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN,
		ret + len) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

int
digest_gcm_open(const uint8_t key[32], const uint8_t iv[GCM_IV_LEN],
    const void *aad, size_t aad_len, const void *p, size_t len, uint8_t *ret)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[GCM_TAG_LEN], end[16];
	size_t text_len;
	int n, ok;

	if (len < GCM_TAG_LEN)
		return -EBADMSG;
	text_len = len - GCM_TAG_LEN;
	memcpy(tag, (const uint8_t *)p + text_len, GCM_TAG_LEN);
	algs_need();
	ctx = EVP_CIPHER_CTX_new();
	must(ctx != NULL &&
	    EVP_DecryptInit_ex2(ctx, algs.gcm, key, iv, NULL) == 1);
	must(aad_len == 0 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1);
	must(text_len == 0 ||
	    EVP_DecryptUpdate(ctx, ret, &n, p, (int)text_len) == 1);
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN,
		 tag) == 1);
	ok = EVP_DecryptFinal_ex(ctx, end, &n);
	EVP_CIPHER_CTX_free(ctx);
	return ok == 1 ? 0 : -EBADMSG;
}

size_t
digest_cbc_seal(const uint8_t key[32], const uint8_t iv[16], const void *p,
    size_t len, uint8_t *ret)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, end;

	algs_need();
	must(ctx != NULL &&
	    EVP_EncryptInit_ex2(ctx, algs.cbc, key, iv, NULL) == 1);
	must(len == 0 || EVP_EncryptUpdate(ctx, ret, &n, p, (int)len) == 1);
	must(EVP_EncryptFinal_ex(ctx, ret + n, &end) == 1);
	EVP_CIPHER_CTX_free(ctx);
	return (size_t)n + (size_t)end;
}
