#include <string.h>

#include "crypto/aead.h"
#include "crypto/parse.h"

/* Steps 5 and 6. */
static int
check_lengths(struct parse *p)
{
	struct envelope *e = p->e;
	size_t id_len, commitment_len;
	int r;

	if ((r = parse_edk(p, FIELD_3)) < 0 ||
	    (r = parse_base64(p, FIELD_I, e->message_id,
		 sizeof(e->message_id), &id_len)) < 0 ||
	    (r = parse_base64(p, FIELD_D, e->commitment,
		 sizeof(e->commitment), &commitment_len)) < 0)
		return r;
	if (id_len != sizeof(e->message_id))
		return parse_refuse(p, BAD_MESSAGE_ID);
	if (commitment_len != sizeof(e->commitment))
		return parse_refuse(p, BAD_COMMITMENT);
	return 0;
}

int
parse_v3(struct parse *p)
{
	struct envelope *e = p->e;
	const char *cek;
	int r;

	if (!parse_is(p, FIELD_C, CEK_COMMIT))
		return parse_refuse(p, UNSUPPORTED_CEK);
	if (!parse_is(p, FIELD_W, "12")) /* 02 and 22 are not KMS */
		return parse_refuse(p, UNSUPPORTED_WRAP);
	e->suite = SUITE_COMMIT;
	e->wrap = WRAP_KMS_CONTEXT;
	e->format = "commit";
	e->iv_len = AES_GCM_IV_LEN;
	memset(e->iv, 0x01, AES_GCM_IV_LEN); /* fixed: each key is used once */

	if ((r = parse_accepted(p, ACCEPT_COMMIT)) < 0 ||
	    (r = check_lengths(p)) < 0 || (r = parse_context(p, FIELD_T)) < 0)
		return r;
	cek = envelope_context_get(e, "aws:x-amz-cek-alg");
	if (cek == NULL || strcmp(cek, CEK_COMMIT) != 0)
		return parse_refuse(p, CEK_MISMATCH);
	if ((r = parse_binding(p)) < 0)
		return r;
	return parse_gcm_body(p);
}
