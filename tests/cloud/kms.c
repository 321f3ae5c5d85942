/* The KMS service: TrentService.* over JSON 1.1. */
#include "kms.h"

#include "cloud.h"
#include "stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TARGET "TrentService."
#define ENCRYPT_MAX 4096 /* bytes of plaintext */

static void
answer(struct request *req, json_t *o)
{
	char *s = json_dumps(o, JSON_COMPACT);

	reply_reset(req, 200);
	reply_header(req, "Content-Type", "application/x-amz-json-1.1");
	buf_str(&req->reply.body, s);
	free(s);
	json_decref(o);
}

void
kms_error(struct request *req, int status, const char *code,
    const char *message)
{
	json_t *o = json_object();

	json_object_set_new(o, "__type", json_string(code));
	if (message != NULL)
		json_object_set_new(o, "message", json_string(message));
	answer(req, o);
	req->reply.status = status;
}

void
kms_auth_error(struct request *req, const struct auth_result *why)
{
	static const struct {
		const char *code, *message;
	} errors[] = {
		[AUTH_ANONYMOUS] = { "MissingAuthenticationTokenException",
		    "Missing Authentication Token" },
		[AUTH_MALFORMED] = { "IncompleteSignatureException",
		    "The request signature does not conform to AWS standards" },
		[AUTH_UNKNOWN_KEY] = { "UnrecognizedClientException",
		    "The security token included in the request is invalid." },
		[AUTH_BAD_SIGNATURE] = { "InvalidSignatureException",
		    "The request signature we calculated does not match the "
		    "signature you provided." },
		[AUTH_UNSIGNED_HEADERS] = { "InvalidSignatureException",
		    "Host and x-amz-* headers must be signed" },
		[AUTH_SKEWED] = { "InvalidSignatureException",
		    "Signature expired: the clocks are too far apart" },
		[AUTH_URL_EXPIRED] = { "InvalidSignatureException",
		    "Signature expired" },
		[AUTH_BAD_TOKEN] = { "UnrecognizedClientException",
		    "The security token included in the request is invalid." },
		[AUTH_TOKEN_EXPIRED] = { "ExpiredTokenException",
		    "The security token included in the request is expired" },
		[AUTH_NO_PAYLOAD_HASH] = { "IncompleteSignatureException",
		    NULL },
		[AUTH_PAYLOAD_MISMATCH] = { "InvalidSignatureException",
		    "The payload is not the one that was signed" },
	};

	kms_error(req, 400, errors[why->verdict].code,
	    errors[why->verdict].message);
}

void
kms_route(struct request *req)
{
	static const struct {
		const char *name;
		enum op op;
	} targets[] = {
		{ "Decrypt", OP_KMS_DECRYPT },
		{ "Encrypt", OP_KMS_ENCRYPT },
		{ "GenerateDataKey", OP_KMS_GENERATE },
		{ "DescribeKey", OP_KMS_DESCRIBE },
	};
	const char *target = request_header(req, "x-amz-target");

	req->op = OP_KMS_OTHER;
	if (target == NULL || strncmp(target, TARGET, strlen(TARGET)) != 0)
		return;
	for (size_t i = 0; i < NELEMS(targets); i++)
		if (strcmp(target + strlen(TARGET), targets[i].name) == 0)
			req->op = targets[i].op;
}

/* A request body, and what all operations take from it. */
struct call {
	struct cloud *c;
	struct request *req;
	json_t *in;
	const char *key_id; /* NULL when not given */
	char arn[KMS_ARN_MAX]; /* what key_id means; "" when not given */
	struct buf context; /* canonical */
};

static void
not_found(struct call *call)
{
	kms_error(call->req, 400, "NotFoundException",
	    arena_fmt(&call->req->arena, "Key '%s' does not exist",
		call->key_id));
}

static void
validation(struct call *call, const char *message)
{
	kms_error(call->req, 400, "ValidationException", message);
}

static bool
take_context(struct call *call)
{
	json_t *ctx = json_object_get(call->in, "EncryptionContext"), *v;
	json_t *empty = NULL;
	const char *name;

	if (ctx == NULL)
		ctx = empty = json_object();
	if (!json_is_object(ctx)) {
		kms_error(call->req, 400, "SerializationException", NULL);
		return false;
	}
	json_object_foreach (ctx, name, v) {
		if (!json_is_string(v)) {
			kms_error(call->req, 400, "SerializationException",
			    NULL);
			return false;
		}
	}
	kms_canonical(ctx, &call->context);
	json_decref(empty);
	call->req->kms_context = arena_str(&call->req->arena, call->context.p,
	    call->context.len);
	return true;
}

static bool
take_key(struct call *call)
{
	call->key_id = json_string_value(json_object_get(call->in, "KeyId"));
	if (call->key_id == NULL)
		return true;
	call->req->kms_key = arena_str(&call->req->arena, call->key_id,
	    strlen(call->key_id));
	if (kms_resolve(call->c->kms, call->req->region, call->key_id,
		call->arn) == 0)
		return true;
	not_found(call);
	return false;
}

/* Base64 of the named member; false (and an error) when it is not there. */
static bool
take_bytes(struct call *call, const char *name, struct buf *ret)
{
	json_t *v = json_object_get(call->in, name);

	if (json_is_string(v) && json_string_length(v) > 0 &&
	    buf_unbase64(ret, json_string_value(v), json_string_length(v)) == 0)
		return true;
	validation(call, arena_fmt(&call->req->arena,
	    "1 validation error detected: value at '%s' is not valid", name));
	return false;
}

/* A key is there and can be used. */
static bool
need_key(struct call *call)
{
	if (call->key_id == NULL) {
		validation(call, "1 validation error detected: Value null at "
		    "'keyId' failed to satisfy constraint");
		return false;
	}
	if (!kms_is_enabled(call->c->kms, call->arn)) {
		kms_error(call->req, 400, "DisabledException",
		    arena_fmt(&call->req->arena, "%s is disabled.",
			call->arn));
		return false;
	}
	return true;
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

static void
decrypt(struct call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	char arn[KMS_ARN_MAX];
	json_t *o;
	int r;

	if (!take_bytes(call, "CiphertextBlob", &blob))
		return;
	r = kms_open(call->c->kms, call->req->region,
	    call->key_id != NULL ? call->arn : NULL, &call->context, &blob,
	    &plain, arn);
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
		answer(call->req, o);
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

static void
encrypt(struct call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	json_t *o;

	if (!take_bytes(call, "Plaintext", &plain) || !need_key(call))
		return;
	if (plain.len > ENCRYPT_MAX) {
		validation(call, "Plaintext is longer than 4096 bytes");
		return;
	}
	kms_seal(call->arn, &call->context, plain.p, plain.len, fresh_seed(),
	    &blob);
	o = reply_with_key(call->arn);
	set_bytes(o, "CiphertextBlob", &blob);
	json_object_set_new(o, "EncryptionAlgorithm",
	    json_string("SYMMETRIC_DEFAULT"));
	answer(call->req, o);
}

static json_int_t
data_key_len(struct call *call)
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

static void
generate(struct call *call)
{
	CLEANUP(buf_free) struct buf blob = { 0 }, plain = { 0 };
	json_int_t len = data_key_len(call);
	json_t *o;

	if (!need_key(call))
		return;
	if (len < 1 || len > 1024) {
		validation(call, "Please specify either number of bytes or "
		    "key spec.");
		return;
	}
	buf_reserve(&plain, (size_t)len);
	for (; (json_int_t)plain.len < len;) {
		uint64_t v = fresh_seed();

		buf_add(&plain, &v, (size_t)len - plain.len < sizeof v
			? (size_t)len - plain.len
			: sizeof v);
	}
	kms_seal(call->arn, &call->context, plain.p, plain.len, fresh_seed(),
	    &blob);
	o = reply_with_key(call->arn);
	set_bytes(o, "CiphertextBlob", &blob);
	set_bytes(o, "Plaintext", &plain);
	answer(call->req, o);
}

static void
describe(struct call *call)
{
	bool enabled = kms_is_enabled(call->c->kms, call->arn);
	json_t *o, *m;
	char account[16] = "";

	if (call->key_id == NULL) {
		validation(call, "KeyId is missing");
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
	json_object_set_new(m, "KeyUsage", json_string("ENCRYPT_DECRYPT"));
	json_object_set_new(m, "KeySpec", json_string("SYMMETRIC_DEFAULT"));
	json_object_set_new(m, "KeyManager", json_string("CUSTOMER"));
	json_object_set_new(m, "Origin", json_string("AWS_KMS"));
	json_object_set_new(m, "MultiRegion",
	    json_boolean(strstr(call->arn, "key/mrk-") != NULL));
	json_object_set_new(m, "EncryptionAlgorithms",
	    json_pack("[s]", "SYMMETRIC_DEFAULT"));
	json_object_set_new(o, "KeyMetadata", m);
	answer(call->req, o);
}

static void
list_keys(struct call *call)
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
	answer(call->req, o);
}

static void
create_key(struct call *call)
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
	describe(call);
}

static void
create_alias(struct call *call)
{
	const char *alias = json_string_value(json_object_get(call->in,
	    "AliasName"));
	const char *target = json_string_value(json_object_get(call->in,
	    "TargetKeyId"));

	call->key_id = target != NULL ? target : "";
	if (kms_resolve(call->c->kms, call->req->region, call->key_id,
		call->arn) < 0)
		not_found(call);
	else if (alias == NULL ||
	    kms_add_alias(call->c->kms, alias, call->arn) < 0)
		kms_error(call->req, 400, "InvalidAliasNameException", NULL);
	else
		reply_reset(call->req, 200);
}

static void
enable(struct call *call, bool enabled)
{
	if (call->key_id == NULL ||
	    kms_enable(call->c->kms, call->arn, enabled) < 0)
		validation(call, "KeyId is missing or not ours");
	else
		reply_reset(call->req, 200);
}

static void
other(struct call *call)
{
	const char *name = request_header(call->req, "x-amz-target");

	name = name != NULL && strlen(name) > strlen(TARGET)
	    ? name + strlen(TARGET)
	    : "";
	if (strcmp(name, "ListKeys") == 0)
		list_keys(call);
	else if (strcmp(name, "CreateKey") == 0)
		create_key(call);
	else if (strcmp(name, "CreateAlias") == 0)
		create_alias(call);
	else if (strcmp(name, "EnableKey") == 0)
		enable(call, true);
	else if (strcmp(name, "DisableKey") == 0)
		enable(call, false);
	else
		kms_error(call->req, 400, "UnknownOperationException", NULL);
}

static void
dispatch(struct call *call)
{
	switch (call->req->op) {
	case OP_KMS_DECRYPT:
		decrypt(call);
		break;
	case OP_KMS_ENCRYPT:
		encrypt(call);
		break;
	case OP_KMS_GENERATE:
		generate(call);
		break;
	case OP_KMS_DESCRIBE:
		describe(call);
		break;
	default:
		other(call);
	}
}

void
kms_handle(struct cloud *c, struct request *req)
{
	struct call call = { .c = c, .req = req };

	if (settings_is_denied(&c->settings, req->op)) {
		req->fault = "denied";
		kms_error(req, 400, "AccessDeniedException",
		    arena_fmt(&req->arena, "User: arn:aws:iam::%s:user/test is "
			"not authorized to perform: %s because no "
			"identity-based policy allows the %s action",
			c->account, op_action(req->op), op_action(req->op)));
		return;
	}
	call.in = json_loadb(req->body.p != NULL ? req->body.p : "",
	    req->body.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(call.in))
		kms_error(req, 400, "SerializationException", NULL);
	else if (take_context(&call) && take_key(&call))
		dispatch(&call);
	json_decref(call.in);
	buf_free(&call.context);
}
