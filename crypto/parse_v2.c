#include <string.h>

#include "crypto/aead.h"
#include "crypto/parse.h"

/* Steps 2 to 4: what the object says it is, byte-exactly, and whether policy
 * takes such. */
static int
check_algorithms(struct parse *p)
{
	struct envelope *e = p->e;

	if (parse_is(p, FIELD_CEK_ALG, CEK_GCM))
		e->suite = SUITE_GCM;
	else if (!parse_is(p, FIELD_CEK_ALG, CEK_CBC))
		return parse_refuse(p, UNSUPPORTED_CEK);
	else if (!(p->policy->accept & ACCEPT_CBC))
		return parse_refuse(p, LEGACY_REFUSED);
	else
		e->suite = SUITE_CBC;

	if (parse_is(p, FIELD_WRAP_ALG, "kms"))
		e->wrap = WRAP_KMS;
	else if (parse_is(p, FIELD_WRAP_ALG, "kms+context"))
		e->wrap = WRAP_KMS_CONTEXT;
	else
		return parse_refuse(p, UNSUPPORTED_WRAP);

	if (e->suite == SUITE_CBC) {
		e->format = "cbc";
		return 0;
	}
	if (e->wrap == WRAP_KMS) {
		e->format = "kms-gcm";
		return parse_accepted(p, ACCEPT_KMS_GCM);
	}
	e->format = "kmsctx-gcm";
	return parse_accepted(p, ACCEPT_KMSCTX_GCM);
}

/* Steps 5 and 6. */
static int
check_lengths(struct parse *p)
{
	struct envelope *e = p->e;
	size_t want;
	int r;

	if ((r = parse_edk(p, FIELD_KEY_V2)) < 0 ||
	    (r = parse_base64(p, FIELD_IV, e->iv, sizeof(e->iv), &e->iv_len)) <
		0)
		return r;
	want = e->suite == SUITE_GCM ? AES_GCM_IV_LEN : AES_BLOCK_LEN;
	if (e->iv_len != want)
		return parse_refuse(p, BAD_IV);
	/* Unauthenticated, so only the one right value: a shorter tag is
	 * easier to forge. */
	if (e->suite == SUITE_GCM ? !parse_is(p, FIELD_TAG_LEN, "128")
				  : p->f.value[FIELD_TAG_LEN] != NULL)
		return parse_refuse(p, BAD_TAG_LEN);
	return 0;
}

/* Step 8. With kms+context KMS itself vouches for the content algorithm, and
 * no client writes anything but GCM there. With plain kms nothing does; a
 * context that names one shows an object whose wrap was relabelled. */
static int
check_cek(struct parse *p)
{
	const char *cek = envelope_context_get(p->e, "aws:x-amz-cek-alg");

	if (p->e->wrap == WRAP_KMS)
		return cek == NULL ? 0 : parse_refuse(p, WRAP_DOWNGRADE);
	if (cek == NULL || strcmp(cek, CEK_GCM) != 0 ||
	    p->e->suite != SUITE_GCM)
		return parse_refuse(p, CEK_MISMATCH);
	return 0;
}

/* Step 10. SES only ever wrote GCM: CBC beside its context is a relabelled
 * GCM object, made to probe for a padding oracle. Refused without a KMS call,
 * under the one name that every bad CBC body has. */
static int
check_body(struct parse *p)
{
	if (p->e->suite == SUITE_GCM)
		return parse_gcm_body(p);
	if (parse_is_ses(p) || p->body_len == 0 ||
	    p->body_len % AES_BLOCK_LEN != 0)
		return parse_refuse(p, BAD_PADDING);
	return 0;
}

int
parse_v2(struct parse *p)
{
	int r;

	if ((r = check_algorithms(p)) < 0 || (r = check_lengths(p)) < 0 ||
	    (r = parse_context(p, FIELD_MATDESC)) < 0 ||
	    (r = check_cek(p)) < 0 || (r = parse_binding(p)) < 0)
		return r;
	return check_body(p);
}
