#include "kms_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ENCRYPT_MAX 4096 /* bytes of plaintext */

static bool
is_for_data(struct kms_call *call)
{
	char usage[KMS_USAGE_MAX];

	kms_get_usage(call->c->kms, call->arn, usage);
	if (strcmp(usage, KMS_USAGE) == 0)
		return true;
	kms_error(call->req, 400, "InvalidKeyUsageException",
	    arena_fmt(&call->req->arena, "%s key usage is %s which is not "
		"valid for this operation.", call->arn, usage));
	return false;
}

/* A key is there and can be used. */
static bool
need_key(struct kms_call *call)
{
	if (call->key_id == NULL) {
		kms_invalid(call, "1 validation error detected: Value null at "
		    "'keyId' failed to satisfy constraint");
		return false;
	}
	if (!kms_is_enabled(call->c->kms, call->arn)) {
		kms_error(call->req, 400, "DisabledException",
		    arena_fmt(&call->req->arena, "%s is disabled.",
			call->arn));
		return false;
	}
	return is_for_data(call);
}

static void
set_bytes(json_t *o, const char *name, const struct buf *bytes)
{
	struct buf b = { 0 };

	buf_base64(&b, bytes->p, bytes->len);
	json_object_set_new(o, name, json_stringn(b.p, b.len));
	buf_free(&b);
}

static json_t *
reply_with_key(const char *arn)
{
	json_t *o = json_object();

	json_object_set_new(o, "KeyId", json_string(arn));
	return o;
}

void
kms_decrypt(struct kms_call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	char arn[KMS_ARN_MAX] = "";
	json_t *o;
	int r;

	if (!kms_take_bytes(call, "CiphertextBlob", &blob) ||
	    (call->key_id != NULL && !is_for_data(call)))
		return;
	r = kms_open(call->c->kms, call->req->region,
	    call->key_id != NULL ? call->arn : NULL, &call->context, &blob,
	    &plain, arn);
	/* The key was found in the blob: may the caller use that one? */
	if (call->key_id == NULL && arn[0] != '\0' && !kms_may(call, arn))
		return;
	if (r == -EKEYREJECTED) {
		kms_error(call->req, 400, "IncorrectKeyException", "The key ID "
		    "in the request does not identify a CMK that can perform "
		    "this operation.");
	} else if (r == -EKEYREVOKED) {
		kms_error(call->req, 400, "DisabledException",
		    arena_fmt(&call->req->arena, "%s is disabled.", arn));
	} else if (r < 0) {
		kms_error(call->req, 400, "InvalidCiphertextException", NULL);
	} else {
		o = reply_with_key(arn);
		set_bytes(o, "Plaintext", &plain);
		json_object_set_new(o, "EncryptionAlgorithm",
		    json_string("SYMMETRIC_DEFAULT"));
		kms_answer(call->req, o);
	}
}

static uint64_t
fresh_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		abort();
	return seed;
}

void
kms_encrypt(struct kms_call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	json_t *o;

	if (!kms_take_bytes(call, "Plaintext", &plain) || !need_key(call))
		return;
	if (plain.len > ENCRYPT_MAX) {
		kms_invalid(call, "Plaintext is longer than 4096 bytes");
		return;
	}
	kms_seal(call->arn, &call->context, plain.p, plain.len, fresh_seed(),
	    &blob);
	o = reply_with_key(call->arn);
	set_bytes(o, "CiphertextBlob", &blob);
	json_object_set_new(o, "EncryptionAlgorithm",
	    json_string("SYMMETRIC_DEFAULT"));
	kms_answer(call->req, o);
}

static json_int_t
data_key_len(struct kms_call *call)
{
	const char *spec = json_string_value(json_object_get(call->in,
	    "KeySpec"));
	json_t *n = json_object_get(call->in, "NumberOfBytes");

	if (n != NULL && spec == NULL)
		return json_integer_value(n);
	if (spec != NULL && n == NULL)
		return strcmp(spec, "AES_256") == 0 ? 32
		    : strcmp(spec, "AES_128") == 0  ? 16
						    : 0;
	return 0;
}

void
kms_generate(struct kms_call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	json_int_t len = data_key_len(call);
	json_t *o;

	if (!need_key(call))
		return;
	if (len < 1 || len > 1024) {
		kms_invalid(call, "Please specify either number of bytes or "
		    "key spec.");
		return;
	}
	buf_reserve(&plain, (size_t)len);
	if (getrandom(plain.p, (size_t)len, 0) != len)
		abort();
	plain.len = (size_t)len;
	kms_seal(call->arn, &call->context, plain.p, plain.len, fresh_seed(),
	    &blob);
	o = reply_with_key(call->arn);
	set_bytes(o, "CiphertextBlob", &blob);
	set_bytes(o, "Plaintext", &plain);
	kms_answer(call->req, o);
}

void
kms_describe(struct kms_call *call)
{
	bool enabled = kms_is_enabled(call->c->kms, call->arn);
	json_t *o, *m;
	char account[16] = "", usage[KMS_USAGE_MAX];

	if (call->key_id == NULL) {
		kms_invalid(call, "KeyId is missing");
		return;
	}
	sscanf(call->arn, "arn:aws:kms:%*[^:]:%15[0-9]", account);
	o = json_object();
	m = reply_with_key(strstr(call->arn, "key/") + 4);
	json_object_set_new(m, "Arn", json_string(call->arn));
	json_object_set_new(m, "AWSAccountId", json_string(account));
	json_object_set_new(m, "Enabled", json_boolean(enabled));
	json_object_set_new(m, "KeyState",
	    json_string(enabled ? "Enabled" : "Disabled"));
	kms_get_usage(call->c->kms, call->arn, usage);
	json_object_set_new(m, "KeyUsage", json_string(usage));
	json_object_set_new(m, "KeySpec", json_string(
	    strcmp(usage, KMS_USAGE) == 0 ? "SYMMETRIC_DEFAULT" : "HMAC_256"));
	json_object_set_new(m, "KeyManager", json_string("CUSTOMER"));
	json_object_set_new(m, "Origin", json_string("AWS_KMS"));
	json_object_set_new(m, "MultiRegion",
	    json_boolean(strstr(call->arn, "key/mrk-") != NULL));
	json_object_set_new(m, "EncryptionAlgorithms",
	    json_pack("[s]", "SYMMETRIC_DEFAULT"));
	json_object_set_new(o, "KeyMetadata", m);
	kms_answer(call->req, o);
}

void
kms_list_keys(struct kms_call *call)
{
	json_t *o = json_object(), *keys = json_array(), *k;
	char arn[KMS_ARN_MAX];

	for (size_t i = 0; kms_each(call->c->kms, call->req->region, i, arn);
	     i++) {
		k = reply_with_key(strstr(arn, "key/") + 4);
		json_object_set_new(k, "KeyArn", json_string(arn));
		json_array_append_new(keys, k);
	}
	json_object_set_new(o, "Keys", keys);
	json_object_set_new(o, "Truncated", json_false());
	kms_answer(call->req, o);
}

void
kms_create_key(struct kms_call *call)
{
	uint64_t a = fresh_seed(), b = fresh_seed();

	snprintf(call->arn, sizeof call->arn,
	    "arn:aws:kms:%.30s:%.15s:key/%08x-%04x-4%03x-8%03x-%012llx",
	    call->req->region, call->c->account, (unsigned)(a >> 32),
	    (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
	    (unsigned)(b >> 52), (unsigned long long)(b & 0xffffffffffff));
	if (kms_add_key(call->c->kms, call->arn) < 0) {
		kms_error(call->req, 400, "LimitExceededException", NULL);
		return;
	}
	call->key_id = call->arn;
	kms_describe(call);
}

void
kms_create_alias(struct kms_call *call)
{
	const char *alias = json_string_value(json_object_get(call->in,
	    "AliasName"));
	const char *target = json_string_value(json_object_get(call->in,
	    "TargetKeyId"));

	call->key_id = target != NULL ? target : "";
	if (kms_resolve(call->c->kms, call->req->region, call->key_id,
		call->arn) < 0)
		kms_not_found(call);
	else if (alias == NULL ||
	    kms_add_alias(call->c->kms, alias, call->arn) < 0)
		kms_error(call->req, 400, "InvalidAliasNameException", NULL);
	else
		reply_reset(call->req, 200);
}

void
kms_set_enabled(struct kms_call *call, bool enabled)
{
	if (call->key_id == NULL ||
	    kms_enable(call->c->kms, call->arn, enabled) < 0)
		kms_invalid(call, "KeyId is missing or not ours");
	else
		reply_reset(call->req, 200);
}
