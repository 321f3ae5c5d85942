/* parse.h -- what the steps of envelope_parse() share.
 *
 * Private to crypto/. envelope.c recognises the format, parse_v2.c and
 * parse_v3.c run the checks of one format in their order with the helpers of
 * parse.c. Every step returns 0, or -EBADMSG with *why set, or -ENOMEM. */
#ifndef SESFS_CRYPTO_PARSE_H
#define SESFS_CRYPTO_PARSE_H

#include "crypto/envelope.h"
#include "crypto/fields.h"

struct parse {
	struct fields f;
	unsigned from_file; /* FIELD_BITs that an instruction file gave */
	const char *object_key;
	uint64_t body_len; /* bytes */
	const struct envelope_policy *policy;
	struct envelope *e; /* being filled */
	enum refusal *why;
};

#define CEK_GCM "AES/GCM/NoPadding"
#define CEK_CBC "AES/CBC/PKCS5Padding"
#define CEK_COMMIT "115"

/* Note the reason. Returns -EBADMSG. */
int parse_refuse(struct parse *p, enum refusal why);

/* Is the value of a present field exactly this? */
bool parse_is(const struct parse *p, enum field which, const char *want);

/* Policy has the bit, or POLICY_REFUSED. */
int parse_accepted(struct parse *p, unsigned accept_bit);

/* Decode the encrypted data key into the envelope: BAD_BASE64, TOO_LARGE. */
int parse_edk(struct parse *p, enum field which);

/* Decode a field of at most `ret_size` bytes: BAD_BASE64 only. *ret_len is
 * the true length, above ret_size when it did not fit (and then nothing was
 * copied): lengths are a later check. */
int parse_base64(struct parse *p, enum field which, uint8_t *ret,
    size_t ret_size, size_t *ret_len);

/* Parse the encryption context ("{}" when absent): BAD_MATDESC. */
int parse_context(struct parse *p, enum field which);

/* SES's message id and account against the object and policy:
 * CONTEXT_MISMATCH. */
int parse_binding(struct parse *p);

/* Has the context a pair of SES's? */
bool parse_is_ses(const struct parse *p);

/* A body of at least a GCM tag: BODY_TOO_SHORT. */
int parse_gcm_body(struct parse *p);

/* The checks from cek-alg to body length, of V2 and V3. */
int parse_v2(struct parse *p);
int parse_v3(struct parse *p);

#endif
