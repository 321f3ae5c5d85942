#include "crypto/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/b64.h"
#include "crypto/context.h"
#include "crypto/metatext.h"

int
parse_refuse(struct parse *p, enum refusal why)
{
	*p->why = why;
	return -EBADMSG;
}

bool
parse_is(const struct parse *p, enum field which, const char *want)
{
	return p->f.value[which] != NULL &&
	    strcmp(p->f.value[which], want) == 0;
}

int
parse_accepted(struct parse *p, unsigned accept_bit)
{
	return p->policy->accept & accept_bit
	    ? 0
	    : parse_refuse(p, POLICY_REFUSED);
}

/* Decode to fresh memory, which may be larger than *ret_len. */
static int
decode(struct parse *p, enum field which, uint8_t **ret, size_t *ret_len)
{
	const char *text = p->f.value[which];
	size_t size = strlen(text) / 4 * 3 + 1;
	int64_t n;

	if ((*ret = malloc(size)) == NULL)
		return -ENOMEM;
	if ((n = b64_decode(text, strlen(text), *ret, size)) >= 0) {
		*ret_len = (size_t)n;
		return 0;
	}
	free(*ret);
	*ret = NULL;
	return parse_refuse(p, BAD_BASE64);
}

int
parse_edk(struct parse *p, enum field which)
{
	int r = decode(p, which, &p->e->edk, &p->e->edk_len);

	if (r < 0)
		return r;
	return p->e->edk_len <= ENVELOPE_EDK_MAX
	    ? 0
	    : parse_refuse(p, TOO_LARGE);
}

int
parse_base64(struct parse *p, enum field which, uint8_t *ret, size_t ret_size,
    size_t *ret_len)
{
	uint8_t *bytes;
	int r;

	if ((r = decode(p, which, &bytes, ret_len)) < 0)
		return r;
	if (*ret_len <= ret_size)
		memcpy(ret, bytes, *ret_len);
	free(bytes);
	return 0;
}

int
parse_context(struct parse *p, enum field which)
{
	const char *text = p->f.value[which];
	char *decoded = NULL;
	int r;

	if (text == NULL)
		text = "{}";
	else if (!(p->from_file & FIELD_BIT(which))) {
		if ((r = metatext_decode(text, &decoded)) < 0)
			return r;
		text = decoded;
	}
	r = context_parse(text, &p->e->context, &p->e->context_len);
	free(decoded);
	return r == -EBADMSG ? parse_refuse(p, BAD_MATDESC) : r;
}

/* The object key's last component is the id SES gave the message. Otherwise
 * this is a copy of one message under the name of another: GCM authenticates
 * the body, not the name. */
static bool
is_named_by(const char *object_key, const char *message_id)
{
	const char *slash = strrchr(object_key, '/');

	return strcmp(slash != NULL ? slash + 1 : object_key, message_id) == 0;
}

int
parse_binding(struct parse *p)
{
	const char *id, *account;

	id = envelope_context_get(p->e, "aws:ses:message-id");
	if (id != NULL && !(p->policy->accept & ACCEPT_RENAMED) &&
	    !is_named_by(p->object_key, id))
		return parse_refuse(p, CONTEXT_MISMATCH);

	if (p->policy->source_account == NULL)
		return 0;
	account = envelope_context_get(p->e, "aws:ses:source-account");
	/* SES uses the wrap "kms", so there the account must be named; with
	 * kms+context another client wrote the object, under our own key. */
	if (account == NULL ? p->e->wrap == WRAP_KMS
			    : strcmp(account, p->policy->source_account) != 0)
		return parse_refuse(p, CONTEXT_MISMATCH);
	return 0;
}

bool
parse_is_ses(const struct parse *p)
{
	for (size_t i = 0; i < p->e->context_len; i++) {
		if (strncmp(p->e->context[i].name, "aws:ses:", 8) == 0)
			return true;
	}
	return false;
}

int
parse_gcm_body(struct parse *p)
{
	return p->body_len >= CONTENT_TAG_LEN
	    ? 0
	    : parse_refuse(p, BODY_TOO_SHORT);
}
