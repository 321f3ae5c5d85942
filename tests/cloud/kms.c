/* The KMS service: TrentService.* over JSON 1.1. The operations themselves are
 * in kms_ops.c. */
#include "kms_call.h"

#include "permit.h"

#include <stdlib.h>
#include <string.h>

#define TARGET "TrentService."
#define ALIASES_MAX 50 /* of one key */

void
kms_answer(struct request *req, json_t *o)
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
	kms_answer(req, o);
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

void
kms_not_found(struct kms_call *call)
{
	kms_error(call->req, 400, "NotFoundException",
	    arena_fmt(&call->req->arena, "Key '%s' does not exist",
		call->key_id));
}

void
kms_invalid(struct kms_call *call, const char *message)
{
	kms_error(call->req, 400, "ValidationException", message);
}

static bool
take_context(struct kms_call *call)
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
take_key(struct kms_call *call)
{
	call->key_id = json_string_value(json_object_get(call->in, "KeyId"));
	if (call->key_id == NULL)
		return true;
	call->req->kms_key = arena_str(&call->req->arena, call->key_id,
	    strlen(call->key_id));
	if (kms_resolve(call->c->kms, call->req->region, call->key_id,
		call->arn) == 0)
		return true;
	kms_not_found(call);
	return false;
}

/* The part of a key's name that is its alias, or NULL. */
static const char *
alias_in(const char *key_id)
{
	return key_id != NULL ? strstr(key_id, "alias/") : NULL;
}

/* The condition keys of a call about the key. */
static void
take_conditions(struct kms_call *call, const char *arn, struct iam_ask *ret)
{
	json_t *ctx = json_object_get(call->in, "EncryptionContext"), *v;
	const char *alias = alias_in(call->key_id), *name;
	struct arena *a = &call->req->arena;
	struct pair *p = arena_alloc(a, (2 * json_object_size(ctx) + 1 +
	    ALIASES_MAX) * sizeof *p);
	char of_key[KMS_ARN_MAX];
	size_t n = 0;

	if (alias != NULL)
		p[n++] = (struct pair){ "kms:RequestAlias", alias };
	json_object_foreach (ctx, name, v) {
		p[n++] = (struct pair){ "kms:EncryptionContextKeys", name };
		p[n++] = (struct pair){
			arena_fmt(a, "kms:EncryptionContext:%s", name),
			json_string_value(v) };
	}
	for (size_t i = 0; i < ALIASES_MAX &&
	     kms_alias_of(call->c->kms, arn, i, of_key); i++)
		p[n++] = (struct pair){ "kms:ResourceAliases",
			arena_fmt(a, "%s", of_key) };
	ret->context = p;
	ret->context_len = n;
}

bool
kms_may(struct kms_call *call, const char *arn)
{
	struct iam_ask ask = { op_action(call->req->op), arn, NULL, 0 };
	const char *why;

	if (ask.action == NULL || !permit_is_limited(call->c, call->req->op))
		return true;
	take_conditions(call, arn, &ask);
	why = permit_refuses(call->c, call->req, &ask, arn);
	if (why != NULL)
		kms_error(call->req, 400, "AccessDeniedException", why);
	return why == NULL;
}

/* Base64 of the named member; false (and an error) when it is not there. */
bool
kms_take_bytes(struct kms_call *call, const char *name, struct buf *ret)
{
	json_t *v = json_object_get(call->in, name);

	if (json_is_string(v) && json_string_length(v) > 0 &&
	    buf_unbase64(ret, json_string_value(v), json_string_length(v)) == 0)
		return true;
	kms_invalid(call, arena_fmt(&call->req->arena,
	    "1 validation error detected: value at '%s' is not valid", name));
	return false;
}

static void
other(struct kms_call *call)
{
	const char *name = request_header(call->req, "x-amz-target");

	name = name != NULL && strlen(name) > strlen(TARGET)
	    ? name + strlen(TARGET)
	    : "";
	if (strcmp(name, "ListKeys") == 0)
		kms_list_keys(call);
	else if (strcmp(name, "CreateKey") == 0)
		kms_create_key(call);
	else if (strcmp(name, "CreateAlias") == 0)
		kms_create_alias(call);
	else if (strcmp(name, "EnableKey") == 0)
		kms_set_enabled(call, true);
	else if (strcmp(name, "DisableKey") == 0)
		kms_set_enabled(call, false);
	else
		kms_error(call->req, 400, "UnknownOperationException", NULL);
}

static void
dispatch(struct kms_call *call)
{
	switch (call->req->op) {
	case OP_KMS_DECRYPT:
		kms_decrypt(call);
		break;
	case OP_KMS_ENCRYPT:
		kms_encrypt(call);
		break;
	case OP_KMS_GENERATE:
		kms_generate(call);
		break;
	case OP_KMS_DESCRIBE:
		kms_describe(call);
		break;
	default:
		other(call);
	}
}

void
kms_handle(struct cloud *c, struct request *req)
{
	struct kms_call call = { .c = c, .req = req };

	call.in = json_loadb(req->body.p != NULL ? req->body.p : "",
	    req->body.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(call.in))
		kms_error(req, 400, "SerializationException", NULL);
	else if (take_context(&call) && take_key(&call) &&
	    (call.key_id == NULL || kms_may(&call, call.arn)))
		dispatch(&call);
	json_decref(call.in);
	buf_free(&call.context);
}
