#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *action;
} ops[OP_COUNT] = {
	[OP_UNKNOWN] = { "unknown", NULL },
	[OP_S3_BUCKETS] = { "s3.buckets", "s3:ListAllMyBuckets" },
	[OP_S3_LIST] = { "s3.list", "s3:ListBucket" },
	[OP_S3_GET] = { "s3.get", "s3:GetObject" },
	[OP_S3_HEAD] = { "s3.head", "s3:GetObject" },
	[OP_S3_PUT] = { "s3.put", "s3:PutObject" },
	[OP_S3_DELETE] = { "s3.delete", "s3:DeleteObject" },
	[OP_S3_COPY] = { "s3.copy", "s3:PutObject" },
	[OP_S3_BUCKET_HEAD] = { "s3.bucket_head", "s3:ListBucket" },
	[OP_S3_BUCKET_CREATE] = { "s3.bucket_create", "s3:CreateBucket" },
	[OP_S3_BUCKET_DELETE] = { "s3.bucket_delete", "s3:DeleteBucket" },
	[OP_S3_LOCATION] = { "s3.location", "s3:GetBucketLocation" },
	[OP_KMS_DECRYPT] = { "kms.decrypt", "kms:Decrypt" },
	[OP_KMS_ENCRYPT] = { "kms.encrypt", "kms:Encrypt" },
	[OP_KMS_GENERATE] = { "kms.generate", "kms:GenerateDataKey" },
	[OP_KMS_DESCRIBE] = { "kms.describe", "kms:DescribeKey" },
	[OP_KMS_OTHER] = { "kms.other", NULL },
	[OP_SQS_CREATE] = { "sqs.create", "sqs:CreateQueue" },
	[OP_SQS_URL] = { "sqs.url", "sqs:GetQueueUrl" },
	[OP_SQS_GET] = { "sqs.get", "sqs:GetQueueAttributes" },
	[OP_SQS_SET] = { "sqs.set", "sqs:SetQueueAttributes" },
	[OP_SQS_OTHER] = { "sqs.other", NULL },
	[OP_STS_IDENTITY] = { "sts.identity", "sts:GetCallerIdentity" },
	[OP_STS_ASSUME] = { "sts.assume", "sts:AssumeRole" },
	[OP_STS_WEB] = { "sts.web", "sts:AssumeRoleWithWebIdentity" },
	[OP_STS_OTHER] = { "sts.other", NULL },
	[OP_IMDS_TOKEN] = { "imds.token", "imds:Token" },
	[OP_IMDS_ROLE] = { "imds.role", "imds:Role" },
	[OP_IMDS_CREDS] = { "imds.creds", "imds:Credentials" },
	[OP_IMDS_REGION] = { "imds.region", "imds:Region" },
	[OP_CONTAINER] = { "container", "container:Credentials" },
	[OP_SSO_CREDS] = { "sso.creds", "sso:GetRoleCredentials" },
	[OP_OIDC_TOKEN] = { "oidc.token", "sso-oauth:CreateToken" },
	[OP_ID_OTHER] = { "id.other", NULL },
};

const char *
op_name(enum op op)
{
	return ops[op].name;
}

const char *
op_action(enum op op)
{
	return ops[op].action;
}

enum op
op_by_action(const char *action)
{
	for (int i = 0; i < OP_COUNT; i++)
		if (ops[i].action != NULL && strcmp(ops[i].action, action) == 0)
			return (enum op)i;
	return OP_UNKNOWN;
}

struct bytes *
bytes_new(struct buf *b)
{
	struct bytes *ret = xmalloc(sizeof *ret);

	ret->refs = 1;
	ret->len = b->len;
	ret->p = (uint8_t *)buf_take(b);
	return ret;
}

struct bytes *
bytes_ref(struct bytes *b)
{
	__atomic_add_fetch(&b->refs, 1, __ATOMIC_RELAXED);
	return b;
}

void
bytes_unref(struct bytes *b)
{
	if (b == NULL || __atomic_sub_fetch(&b->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(b->p);
	free(b);
}

static void
parse_query(struct request *req, const char *s)
{
	struct arena *a = &req->arena;
	size_t n = 1, len, name_len;
	const char *eq;
	struct pair *q;

	for (const char *p = s; *p != '\0'; p++)
		n += *p == '&';
	req->query = arena_alloc(a, n * sizeof *req->query);
	for (; *s != '\0'; s += len + (s[len] != '\0')) {
		len = strcspn(s, "&");
		if (len == 0)
			continue;
		eq = memchr(s, '=', len);
		name_len = eq != NULL ? (size_t)(eq - s) : len;
		q = &req->query[req->nquery];
		q->name = buf_unescape(a, s, name_len, true);
		q->value = eq == NULL
		    ? ""
		    : buf_unescape(a, eq + 1, len - name_len - 1, true);
		if (q->name == NULL || q->value == NULL) {
			req->path = NULL;
			return;
		}
		req->nquery++;
	}
}

struct request *
request_new(const char *target)
{
	struct request *req = xcalloc(1, sizeof *req);
	size_t path_len = strcspn(target, "?");

	req->target = arena_str(&req->arena, target, strlen(target));
	req->path = buf_unescape(&req->arena, target, path_len, false);
	req->region = "";
	parse_query(req, target[path_len] == '?' ? target + path_len + 1 : "");
	return req;
}

void
request_free(struct request *req)
{
	if (req == NULL)
		return;
	buf_free(&req->body);
	buf_free(&req->reply.body);
	bytes_unref(req->reply.shared);
	arena_free(&req->arena);
	free(req);
}

static void
pairs_add(struct arena *a, struct pair **pairs, size_t *n, size_t *cap,
    struct pair pair)
{
	struct pair *grown;

	if (*n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 16;
		grown = arena_alloc(a, *cap * sizeof *grown);
		if (*n > 0)
			memcpy(grown, *pairs, *n * sizeof *grown);
		*pairs = grown;
	}
	(*pairs)[(*n)++] = pair;
}

void
request_add_header(struct request *req, const char *name, const char *value)
{
	char *lower = arena_str(&req->arena, name, strlen(name));

	for (char *p = lower; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 'a' - 'A');
	pairs_add(&req->arena, &req->headers, &req->nheaders,
	    &req->headers_cap, (struct pair){ lower,
	    arena_str(&req->arena, value, strlen(value)) });
}

static const char *
find(const struct pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

const char *
request_header(const struct request *req, const char *name)
{
	return find(req->headers, req->nheaders, name);
}

const char *
request_query(const struct request *req, const char *name)
{
	return find(req->query, req->nquery, name);
}

void
reply_header(struct request *req, const char *name, const char *value)
{
	struct reply *r = &req->reply;

	pairs_add(&req->arena, &r->headers, &r->nheaders, &r->cap,
	    (struct pair){ arena_str(&req->arena, name, strlen(name)),
	    arena_str(&req->arena, value, strlen(value)) });
}

void
reply_header_fmt(struct request *req, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	reply_header(req, name, value);
}

void
reply_reset(struct request *req, int status)
{
	struct reply *r = &req->reply;

	buf_clear(&r->body);
	bytes_unref(r->shared);
	r->shared = NULL;
	r->from = r->len = 0;
	r->bodyless = false;
	r->nheaders = 0;
	r->status = status;
}
