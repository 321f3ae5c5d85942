#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/hash.h"

/* The suite id in front of everything a committing object derives, and its
 * additional data. */
#define COMMIT_ID "\x00\x73"
static const uint8_t commit_info[] = { 0x00, 0x73, 'C', 'O', 'M', 'M', 'I',
	'T', 'K', 'E', 'Y' };
static const uint8_t key_info[] = { 0x00, 0x73, 'D', 'E', 'R', 'I', 'V', 'E',
	'K', 'E', 'Y' };

uint64_t
content_plain_len(enum suite suite, uint64_t body_len)
{
	if (suite == SUITE_PLAIN || suite == SUITE_CBC)
		return body_len;
	return body_len < CONTENT_TAG_LEN ? 0 : body_len - CONTENT_TAG_LEN;
}

/* Check 13, then the key. Nothing else is derived from a data key that is not
 * the one the object was written with. */
static int
derive_committed(const struct envelope *e, const uint8_t *prk,
    struct content_key *ret, enum refusal *ret_why)
{
	uint8_t commitment[sizeof(e->commitment)];
	int r;

	r = hkdf_sha512_expand(prk, commit_info, sizeof(commit_info),
	    commitment, sizeof(commitment));
	if (r == 0 &&
	    sodium_memcmp(commitment, e->commitment, sizeof(commitment)) != 0) {
		*ret_why = COMMITMENT_MISMATCH;
		r = -EBADMSG;
	}
	sodium_memzero(commitment, sizeof(commitment));
	if (r < 0)
		return r;
	return hkdf_sha512_expand(prk, key_info, sizeof(key_info), ret->key,
	    sizeof(ret->key));
}

static int
derive(const struct envelope *e, const uint8_t *dek, struct content_key *ret,
    enum refusal *ret_why)
{
	uint8_t prk[SHA512_LEN];
	int r;

	if (e->suite != SUITE_COMMIT) {
		memcpy(ret->key, dek, sizeof(ret->key));
		return 0;
	}
	r = hkdf_sha512_extract(e->message_id, sizeof(e->message_id), dek,
	    AEAD_KEY_LEN, prk);
	if (r == 0)
		r = derive_committed(e, prk, ret, ret_why);
	sodium_memzero(prk, sizeof(prk));
	return r;
}

int
content_key_derive(const struct envelope *e, const uint8_t *dek,
    size_t dek_len, struct content_key *ret, enum refusal *ret_why)
{
	int r;

	sodium_memzero(ret, sizeof(*ret));
	*ret_why = REFUSAL_NONE;
	ret->suite = (uint8_t)e->suite;
	ret->iv_len = (uint8_t)e->iv_len;
	memcpy(ret->iv, e->iv, sizeof(ret->iv));
	if (e->suite == SUITE_PLAIN)
		return 0;
	if (dek_len != AEAD_KEY_LEN) {
		*ret_why = BAD_DATA_KEY;
		r = -EBADMSG;
	} else {
		r = derive(e, dek, ret, ret_why);
	}
	if (r < 0)
		sodium_memzero(ret, sizeof(*ret));
	return r;
}

static int
open_gcm(const struct content_key *k, struct slice aad, const uint8_t *body,
    size_t body_len, uint8_t *out, size_t *ret_len, enum refusal *ret_why)
{
	int r;

	if (body_len < CONTENT_TAG_LEN) {
		*ret_why = BODY_TOO_SHORT;
		return -EBADMSG;
	}
	r = aes256gcm_open(k->key, k->iv, aad, body, body_len, out);
	if (r == 0)
		*ret_len = body_len - CONTENT_TAG_LEN;
	else if (r == -EBADMSG)
		*ret_why = AUTH_FAILED;
	return r;
}

static int
open_cbc(const struct content_key *k, const uint8_t *body, size_t body_len,
    uint8_t *out, size_t *ret_len, enum refusal *ret_why)
{
	int r = aes256cbc_open(k->key, k->iv, body, body_len, out, ret_len);

	if (r == -EBADMSG)
		*ret_why = BAD_PADDING;
	return r;
}

int
content_open(const struct content_key *k, const uint8_t *body, size_t body_len,
    uint8_t *out, size_t *ret_len, enum refusal *ret_why)
{
	static const struct slice none = { NULL, 0 };
	static const struct slice commit = { (const uint8_t *)COMMIT_ID,
		sizeof(COMMIT_ID) - 1 };

	*ret_len = 0;
	*ret_why = REFUSAL_NONE;
	switch (k->suite) {
	case SUITE_PLAIN:
		if (body_len > 0)
			memcpy(out, body, body_len);
		*ret_len = body_len;
		return 0;
	case SUITE_CBC:
		return open_cbc(k, body, body_len, out, ret_len, ret_why);
	case SUITE_GCM:
		return open_gcm(k, none, body, body_len, out, ret_len,
		    ret_why);
	case SUITE_COMMIT:
		return open_gcm(k, commit, body, body_len, out, ret_len,
		    ret_why);
	}
	/* A content key that did not come from content_key_derive(): a sealed
	 * row that decrypted to something else. */
	*ret_why = BAD_DATA_KEY;
	return -EBADMSG;
}
