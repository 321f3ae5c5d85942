#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/endpoint.h"
#include "store/kms_arn.h"
#include "store/kms_json.h"
#include "store/log.h"

#define BODY_MAX 65536 /* bytes either way; the largest blob is 8 KiB */

struct kms {
	struct aws *aws;	  /* constant */
	char *endpoint_url;	  /* constant */
	char region[ENDPOINT_REGION_MAX]; /* constant, the default one */
	unsigned flags;		  /* constant, of endpoint_choose() */
	int64_t deadline_ms;	  /* constant */
};

int
kms_new(const struct kms_opts *o, struct kms **ret)
{
	CLEANUP(kms_freep) struct kms *k = NULL;
	struct endpoint e;
	int r;

	*ret = NULL;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return -ENOMEM;
	k->aws = o->aws;
	k->deadline_ms = o->deadline_ms;
	k->flags = endpoint_flags(o->fips, o->dual_stack);
	if (!endpoint_is_region(o->region))
		return log_err(-EINVAL, "kms: region %s: not a region name",
		    o->region);
	snprintf(k->region, sizeof(k->region), "%s", o->region);
	if ((r = endpoint_choose(o->endpoint_url, "kms", k->region, k->flags,
	    &e)) < 0)
		return r;
	if (o->endpoint_url != NULL &&
	    (k->endpoint_url = strdup(o->endpoint_url)) == NULL)
		return -ENOMEM;
	*ret = TAKE(k);
	return 0;
}

void
kms_free(struct kms *k)
{
	if (k == NULL)
		return;
	free(k->endpoint_url);
	free(k);
}

/* What KMS says about a key or a blob, as against trouble on the way. */
static const struct {
	const char *code;
	enum refusal why;
} refusals[] = {
	{ "InvalidCiphertextException", KMS_REJECTED },
	{ "IncorrectKeyException", KMS_WRONG_KEY },
	{ "AccessDeniedException", KMS_ACCESS },
	{ "DisabledException", KMS_ACCESS },
	{ "NotFoundException", KMS_ACCESS },
	{ "KMSInvalidStateException", KMS_ACCESS },
	{ "KeyUnavailableException", KMS_ACCESS },
	{ "InvalidArnException", KMS_ACCESS },
	{ "InvalidKeyUsageException", KMS_ACCESS },
	{ "InvalidGrantTokenException", KMS_ACCESS },
};

static int
refine(const struct awserr *e, int err, enum refusal *ret_why)
{
	for (size_t i = 0; i < NELEMS(refusals); i++)
		if (strcmp(e->code, refusals[i].code) == 0) {
			*ret_why = refusals[i].why;
			return -ENOKEY;
		}
	if (err == -EIO && e->status >= 400 && e->status < 500)
		return -EACCES;
	return err;
}

static const char *
action_of(enum aws_op op)
{
	return op == AWS_KMS_DECRYPT ? "kms:Decrypt" :
	    op == AWS_KMS_GENERATE   ? "kms:GenerateDataKey" :
				       "kms:DescribeKey";
}

/* The region a call goes to: what the caller says, the key's, the default. */
static const char *
choose_region(struct kms *k, const char *key_id, const char *region,
    struct kms_arn *arn)
{
	if (region != NULL)
		return region;
	if (key_id != NULL && kms_arn_parse(key_id, arn))
		return arn->region;
	return k->region;
}

int
kms_endpoint(struct kms *k, const char *key_id, struct endpoint *ret,
    char ret_region[ENDPOINT_REGION_MAX])
{
	struct kms_arn arn;

	snprintf(ret_region, ENDPOINT_REGION_MAX, "%s",
	    choose_region(k, key_id, NULL, &arn));
	return endpoint_choose(k->endpoint_url, "kms", ret_region, k->flags,
	    ret);
}

static int
call(struct kms *k, const char *target, enum aws_op op, const char *key_id,
    const char *region, struct slice body, struct aws_reply *ret,
    enum refusal *ret_why)
{
	const struct pair header[] = {
		{ "content-type", "application/x-amz-json-1.1" },
		{ "x-amz-target", target },
	};
	struct kms_arn arn;
	struct endpoint e;
	struct aws_request req = { .method = "POST", .endpoint = &e,
		.service = "kms", .path = "/", .header = header,
		.header_len = NELEMS(header), .body = body, .op = op,
		.max_body = BODY_MAX, .deadline_ms = k->deadline_ms };
	char why[AWS_WHY_MAX], about[KMS_ARN_MAX + sizeof(ret->error.code)];
	int r;

	*ret_why = REFUSAL_NONE;
	req.region = choose_region(k, key_id, region, &arn);
	if ((r = endpoint_choose(k->endpoint_url, "kms", req.region, k->flags,
	    &e)) < 0)
		return r;
	r = aws_call(k->aws, &req, ret);
	if (r == 0)
		return 0;
	r = refine(&ret->error, r, ret_why);
	if (r == -ECANCELED)
		return r;
	snprintf(about, sizeof(about), "%s %s", key_id != NULL ? key_id : "",
	    ret->error.code);
	return log_err_about(r, r == -ENOKEY ? about : NULL,
	    "kms: %s %s in %s: %s%s", aws_op_name(op),
	    key_id != NULL ? key_id : "(key of the blob)", req.region,
	    aws_why_not(ret, action_of(op), why, sizeof(why)),
	    endpoint_doubt(r, k->flags));
}

/* Decrypt or GenerateDataKey. The answer's key must be the one asked for. */
static int
call_for_answer(struct kms *k, const char *target, enum aws_op op,
    const char *key_id, const char *region, struct slice body,
    struct kms_json_answer *ret, enum refusal *ret_why,
    char ret_request[KMS_REQUEST_MAX])
{
	struct aws_reply reply = { .http.status = 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	r = call(k, target, op, key_id, region, body, &reply, ret_why);
	memcpy(ret_request, reply.error.request_id, KMS_REQUEST_MAX);
	if (r == 0 && (r = kms_json_answer((struct slice){
	    reply.http.body.ptr, reply.http.body.len }, ret)) < 0)
		log_err(r, "kms: %s: malformed reply (request %s)",
		    aws_op_name(op), ret_request);
	aws_reply_free(&reply);
	if (r == 0 && key_id != NULL && !kms_arn_matches(key_id, ret->arn)) {
		*ret_why = KMS_WRONG_KEY;
		r = log_err(-ENOKEY, "kms: %s %s: the answer names another "
		    "key, %s (request %s)", aws_op_name(op), key_id, ret->arn,
		    ret_request);
	}
	if (r < 0)
		sodium_memzero(ret, sizeof(*ret));
	return r;
}

int
kms_decrypt(struct kms *k, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why)
{
	char request[KMS_REQUEST_MAX];

	return kms_decrypt_traced(k, key_id, region, blob, context, context_len,
	    ret, ret_len, ret_arn, ret_why, request);
}

int
kms_decrypt_traced(struct kms *k, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why, char ret_request[KMS_REQUEST_MAX])
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct kms_json_answer a;
	int r;

	sodium_memzero(ret, KMS_PLAIN_MAX);
	*ret_len = 0;
	ret_arn[0] = ret_request[0] = '\0';
	*ret_why = REFUSAL_NONE;
	r = kms_json_request(key_id, NULL, blob, context, context_len, &body);
	if (r == 0)
		r = call_for_answer(k, "TrentService.Decrypt",
		    AWS_KMS_DECRYPT, key_id, region,
		    (struct slice){ body.ptr, body.len }, &a, ret_why,
		    ret_request);
	buf_free(&body);
	if (r < 0)
		return r;
	memcpy(ret, a.plain, a.plain_len);
	*ret_len = a.plain_len;
	memcpy(ret_arn, a.arn, KMS_ARN_MAX);
	if (a.plain_len == 0)
		r = log_err(-EPROTO, "kms: decrypt: reply without Plaintext "
		    "(request %s)", ret_request);
	sodium_memzero(&a, sizeof(a));
	return r;
}

int
kms_generate_data_key(struct kms *k, const char *key_id,
    const struct pair *context, size_t context_len,
    uint8_t ret_key[KMS_DATA_KEY_LEN], uint8_t *ret_blob, size_t *ret_blob_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct slice none = { NULL, 0 };
	char request[KMS_REQUEST_MAX];
	struct kms_json_answer a;
	int r;

	sodium_memzero(ret_key, KMS_DATA_KEY_LEN);
	*ret_blob_len = 0;
	ret_arn[0] = '\0';
	*ret_why = REFUSAL_NONE;
	r = kms_json_request(key_id, "AES_256", none, context, context_len,
	    &body);
	if (r == 0)
		r = call_for_answer(k, "TrentService.GenerateDataKey",
		    AWS_KMS_GENERATE, key_id, NULL,
		    (struct slice){ body.ptr, body.len }, &a, ret_why,
		    request);
	buf_free(&body);
	if (r < 0)
		return r;
	if (a.plain_len != KMS_DATA_KEY_LEN || a.blob_len == 0) {
		r = log_err(-EPROTO, "kms: generate data key: reply without "
		    "a key of 32 bytes (request %s)", request);
	} else {
		memcpy(ret_key, a.plain, KMS_DATA_KEY_LEN);
		memcpy(ret_blob, a.blob, a.blob_len);
		*ret_blob_len = a.blob_len;
		memcpy(ret_arn, a.arn, KMS_ARN_MAX);
	}
	sodium_memzero(&a, sizeof(a));
	return r;
}

int
kms_describe_key(struct kms *k, const char *key_id, struct kms_key_info *ret,
    enum refusal *ret_why)
{
	struct aws_reply reply = { .http.status = 0 };
	struct buf body = BUF_INIT(BODY_MAX);
	struct slice none = { NULL, 0 };
	int r;

	*ret = (struct kms_key_info){ .is_enabled = false };
	*ret_why = REFUSAL_NONE;
	r = kms_json_request(key_id, NULL, none, NULL, 0, &body);
	if (r == 0)
		r = call(k, "TrentService.DescribeKey", AWS_KMS_DESCRIBE,
		    key_id, NULL, (struct slice){ body.ptr, body.len },
		    &reply, ret_why);
	buf_free(&body);
	if (r == 0 && (r = kms_json_key_info((struct slice){
	    reply.http.body.ptr, reply.http.body.len }, ret)) < 0)
		log_err(r, "kms: describe key %s: malformed reply (request %s)",
		    key_id, reply.error.request_id);
	aws_reply_free(&reply);
	return r;
}
