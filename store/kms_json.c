#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/b64.h"
#include "store/kms_json.h"

static json_t *
b64_string(struct slice s)
{
	char *text = malloc(B64_LEN(s.len) + 1);
	json_t *v;

	if (text == NULL)
		return NULL;
	b64_encode(s.ptr, s.len, text);
	v = json_string(text);
	free(text);
	return v;
}

static int
set_context(json_t *o, const struct pair *context, size_t n)
{
	json_t *c = json_object();
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (json_object_get(c, context[i].name) != NULL ||
		    json_object_set_new(c, context[i].name,
			json_string(context[i].value)) < 0)
			r = -EINVAL;
	if (json_object_set_new(o, "EncryptionContext", c) < 0)
		r = -EINVAL;
	return r;
}

static int
append(const char *text, size_t len, void *arg)
{
	return buf_add(arg, text, len) < 0 ? -1 : 0;
}

int
kms_json_request(const char *key_id, const char *key_spec, struct slice blob,
    const struct pair *context, size_t context_len, struct buf *ret)
{
	json_t *o = json_object();
	int r = o != NULL ? 0 : -ENOMEM;

	if (r == 0 && blob.ptr != NULL &&
	    json_object_set_new(o, "CiphertextBlob", b64_string(blob)) < 0)
		r = -ENOMEM;
	if (r == 0 && key_id != NULL &&
	    json_object_set_new(o, "KeyId", json_string(key_id)) < 0)
		r = -EINVAL;
	if (r == 0 && key_spec != NULL &&
	    json_object_set_new(o, "KeySpec", json_string(key_spec)) < 0)
		r = -ENOMEM;
	if (r == 0 && context_len > 0)
		r = set_context(o, context, context_len);
	if (r == 0 && json_dump_callback(o, append, ret, JSON_COMPACT) < 0)
		r = -ENOMEM;
	json_decref(o);
	return r;
}

/* A string member into a buffer. Absent: "" when optional, else -EPROTO. */
static int
get_string(const json_t *o, const char *name, char *ret, size_t size)
{
	const json_t *v = json_object_get(o, name);

	ret[0] = '\0';
	if (!json_is_string(v) || json_string_length(v) >= size)
		return -EPROTO;
	memcpy(ret, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int
get_bytes(const json_t *o, const char *name, uint8_t *ret, size_t size,
    size_t *ret_len)
{
	const json_t *v = json_object_get(o, name);
	int64_t n;

	*ret_len = 0;
	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return -EPROTO;
	n = b64_decode(json_string_value(v), json_string_length(v), ret, size);
	if (n < 1)
		return -EPROTO;
	*ret_len = (size_t)n;
	return 0;
}

static bool
is_right_algorithm(const json_t *o)
{
	const json_t *v = json_object_get(o, "EncryptionAlgorithm");

	return v == NULL || (json_is_string(v) &&
	    strcmp(json_string_value(v), "SYMMETRIC_DEFAULT") == 0);
}

int
kms_json_answer(struct slice json, struct kms_json_answer *ret)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len,
	    JSON_REJECT_DUPLICATES, NULL);
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (!json_is_object(o) || !is_right_algorithm(o) ||
	    get_string(o, "KeyId", ret->arn, sizeof(ret->arn)) < 0 ||
	    !kms_arn_matches(ret->arn, ret->arn) ||
	    get_bytes(o, "Plaintext", ret->plain, sizeof(ret->plain),
		&ret->plain_len) < 0 ||
	    get_bytes(o, "CiphertextBlob", ret->blob, sizeof(ret->blob),
		&ret->blob_len) < 0)
		r = -EPROTO;
	json_decref(o); /* wiped by the allocator of crypto_init() */
	if (r < 0)
		sodium_memzero(ret, sizeof(*ret));
	return r;
}

int
kms_json_key_info(struct slice json, struct kms_key_info *ret)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len,
	    JSON_REJECT_DUPLICATES, NULL);
	const json_t *m = json_object_get(o, "KeyMetadata");
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (get_string(m, "Arn", ret->arn, sizeof(ret->arn)) < 0 ||
	    !kms_arn_matches(ret->arn, ret->arn) ||
	    get_string(m, "AWSAccountId", ret->account,
		sizeof(ret->account)) < 0 ||
	    get_string(m, "KeyState", ret->state, sizeof(ret->state)) < 0 ||
	    get_string(m, "KeyUsage", ret->usage, sizeof(ret->usage)) < 0)
		r = -EPROTO;
	/* KeySpec came later than the rest; old emulators have
	 * CustomerMasterKeySpec alone. */
	if (r == 0 && get_string(m, "KeySpec", ret->spec,
	    sizeof(ret->spec)) < 0)
		r = get_string(m, "CustomerMasterKeySpec", ret->spec,
		    sizeof(ret->spec));
	ret->is_enabled = json_is_true(json_object_get(m, "Enabled"));
	ret->is_multi_region = json_is_true(json_object_get(m, "MultiRegion"));
	json_decref(o);
	if (r < 0)
		memset(ret, 0, sizeof(*ret));
	return r;
}
