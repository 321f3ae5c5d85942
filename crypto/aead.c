#include "crypto/aead.h"

#include <errno.h>
#include <sodium.h>

#include "crypto/backend.h"

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == AEAD_KEY_LEN,
    "key");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES ==
	XCHACHA_NONCE_LEN,
    "nonce");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == XCHACHA_TAG_LEN,
    "tag");

/* Pass on a result; unverified plaintext does not survive a failure. */
static int
settle(int r, uint8_t *out, size_t len)
{
	if (r < 0 && len > 0)
		sodium_memzero(out, len);
	return r;
}

int
aes256gcm_seal(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_GCM_IV_LEN], struct slice aad, const uint8_t *in,
    size_t in_len, uint8_t *out)
{
	return settle(crypto_gcm_ops()->seal(key, iv, aad, in, in_len, out),
	    out, in_len + AES_GCM_TAG_LEN);
}

int
aes256gcm_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_GCM_IV_LEN], struct slice aad, const uint8_t *in,
    size_t in_len, uint8_t *out)
{
	if (in_len < AES_GCM_TAG_LEN)
		return -EBADMSG;
	return settle(crypto_gcm_ops()->open(key, iv, aad, in, in_len, out),
	    out, in_len - AES_GCM_TAG_LEN);
}

/* Bytes of PKCS#7 padding (1 to 16) of a last block, or 0 when there is none
 * that is valid. No branch and no index depends on the block's content. */
static unsigned
padding_len(const uint8_t block[AES_BLOCK_LEN])
{
	unsigned pad = block[AES_BLOCK_LEN - 1];
	unsigned bad = ((pad - 1) >> 31) | ((AES_BLOCK_LEN - pad) >> 31);

	for (unsigned i = 0; i < AES_BLOCK_LEN; i++) {
		/* all ones when byte i is among the last `pad` */
		unsigned within = 0U - ((AES_BLOCK_LEN - 1 - i - pad) >> 31);

		bad |= within & (block[i] ^ pad);
	}
	/* 0 stays 0; anything else becomes 1 */
	bad = (bad | (0U - bad)) >> 31;
	return pad & (bad - 1U);
}

int
aes256cbc_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t iv[AES_BLOCK_LEN], const uint8_t *in, size_t in_len,
    uint8_t *out, size_t *ret_len)
{
	unsigned pad;
	int r;

	*ret_len = 0;
	if (in_len == 0 || in_len % AES_BLOCK_LEN != 0)
		return settle(-EBADMSG, out, in_len);
	if ((r = openssl_cbc_decrypt(key, iv, in, in_len, out)) < 0)
		return settle(r, out, in_len);
	if ((pad = padding_len(out + in_len - AES_BLOCK_LEN)) == 0)
		return settle(-EBADMSG, out, in_len);
	*ret_len = in_len - pad;
	sodium_memzero(out + *ret_len, pad);
	return 0;
}

int
xchacha_seal(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t nonce[XCHACHA_NONCE_LEN], struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	int r = crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in,
	    in_len, aad.ptr, aad.len, NULL, nonce, key);

	return settle(r == 0 ? 0 : -EIO, out, in_len + XCHACHA_TAG_LEN);
}

int
xchacha_open(const uint8_t key[AEAD_KEY_LEN],
    const uint8_t nonce[XCHACHA_NONCE_LEN], struct slice aad,
    const uint8_t *in, size_t in_len, uint8_t *out)
{
	if (in_len < XCHACHA_TAG_LEN)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in,
		in_len, aad.ptr, aad.len, nonce, key) != 0)
		return settle(-EBADMSG, out, in_len - XCHACHA_TAG_LEN);
	return 0;
}
