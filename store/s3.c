#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/endpoint.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/s3.h"
#include "store/s3_arn.h"
#include "store/s3_list.h"
#include "store/stamp.h"

/* 1000 keys of 1024 bytes, each as three, and what stands around them. */
#define LIST_BODY_MAX (8 << 20)
#define META_BYTES_MAX 8192
#define REGION_FIRST "us-east-1" /* where an unknown bucket is looked for */
#define HEADERS_MAX 4

struct s3 {
	struct aws *aws;	     /* constant */
	char *bucket, *endpoint_url; /* constant */
	bool is_access_point;	     /* constant */
	char label[S3_ARN_LABEL_MAX]; /* constant, of an access point */
	bool is_path_style, requester_pays; /* constant */
	unsigned flags;		     /* constant, of endpoint_choose() */
	char owner[16];		     /* constant, "" = any */

	pthread_mutex_t lock;
	char region[ENDPOINT_REGION_MAX]; /* [lock] */
	atomic_bool is_unreachable;
};

/* One operation: the request, and what the request points to. */
struct op {
	struct aws_request req;
	struct endpoint endpoint;
	char region[ENDPOINT_REGION_MAX];
	struct pair header[HEADERS_MAX];
	const char *verb; /* for the log */
	const char *action; /* that IAM must allow */
	const char *key;  /* for the log; "" for the bucket's own */
};

static const char *
service_of(const struct s3 *s)
{
	return s->is_access_point ? "s3-accesspoint" : "s3";
}

static int
check_access_point(const struct s3_opts *o, const struct endpoint *e)
{
	if (o->path_style)
		return log_err(-EINVAL, "s3: %s: an access point is not "
		    "reached with --path-style", o->bucket);
	if (endpoint_is_address(e))
		return log_err(-EINVAL, "s3: %s: the name of an access point "
		    "cannot stand before %s; use a host name in the endpoint "
		    "URL", o->bucket, e->host);
	return 0;
}

static int
check_opts(const struct s3_opts *o, const struct s3 *s, struct endpoint *ret)
{
	const char *owner = o->expected_bucket_owner;
	int r;

	if (owner != NULL && (strlen(owner) != 12 ||
	    strspn(owner, "0123456789") != 12))
		return log_err(-EINVAL, "s3: expected bucket owner %s: not "
		    "twelve digits", owner);
	if ((r = endpoint_choose(o->endpoint_url, service_of(s), s->region,
	    s->flags, ret)) < 0)
		return r;
	return s->is_access_point ? check_access_point(o, ret) : 0;
}

/* A bucket's name, or an access point that says which region it is in. */
static int
set_bucket(struct s3 *s, const struct s3_opts *o)
{
	const char *why, *region = o->region != NULL ? o->region : REGION_FIRST;
	struct s3_arn arn;
	size_t len;

	if ((s->bucket = strdup(o->bucket)) == NULL)
		return -ENOMEM;
	s->is_access_point = s3_arn_is(o->bucket);
	if (!s->is_access_point && !endpoint_is_bucket(o->bucket))
		return log_err(-EINVAL, "s3: bucket %s: not a bucket name",
		    o->bucket);
	if (s->is_access_point) {
		if (s3_arn_parse(o->bucket, &arn, &len, &why) < 0 ||
		    o->bucket[len] != '\0')
			return log_err(-EINVAL, "s3: %s: %s", o->bucket,
			    why != NULL ? why : "something follows the name");
		snprintf(s->label, sizeof(s->label), "%s", arn.label);
		region = arn.region;
	}
	if (!endpoint_is_region(region))
		return log_err(-EINVAL, "s3: region %s: not a region name",
		    region);
	snprintf(s->region, sizeof(s->region), "%s", region);
	return 0;
}

int
s3_new(const struct s3_opts *o, struct s3 **ret)
{
	CLEANUP(s3_freep) struct s3 *s = NULL;
	struct endpoint e;
	int r;

	*ret = NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->flags = endpoint_flags(o->fips, o->dual_stack);
	if ((r = set_bucket(s, o)) < 0 || (r = check_opts(o, s, &e)) < 0)
		return r;
	s->aws = o->aws;
	s->is_path_style = !s->is_access_point && (o->path_style ||
	    e.is_custom || !endpoint_can_virtual(&e, o->bucket));
	s->requester_pays = o->requester_pays;
	snprintf(s->owner, sizeof(s->owner), "%s",
	    o->expected_bucket_owner != NULL ? o->expected_bucket_owner : "");
	if (o->endpoint_url != NULL &&
	    (s->endpoint_url = strdup(o->endpoint_url)) == NULL)
		return -ENOMEM;
	*ret = TAKE(s);
	return 0;
}

void
s3_free(struct s3 *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->bucket);
	free(s->endpoint_url);
	free(s);
}

static void
get_region(struct s3 *s, char ret[ENDPOINT_REGION_MAX])
{
	LOCK_SCOPE(&s->lock);
	memcpy(ret, s->region, ENDPOINT_REGION_MAX);
}

static void
set_region(struct s3 *s, const char *region)
{
	LOCK_SCOPE(&s->lock);
	snprintf(s->region, sizeof(s->region), "%s", region);
}

/* Point the operation at the bucket in the region that is known now. */
static int
aim(struct s3 *s, struct op *op)
{
	struct endpoint e;
	int r;

	get_region(s, op->region);
	if ((r = endpoint_choose(s->endpoint_url, service_of(s), op->region,
	    s->flags, &e)) < 0)
		return r;
	return endpoint_bucket(&e, s->is_access_point ? s->label : s->bucket,
	    s->is_path_style, &op->endpoint);
}

static void
begin(struct s3 *s, struct op *op, const char *method, enum aws_op what)
{
	struct aws_request *q = &op->req;

	op->key = "";
	*q = (struct aws_request){ .method = method, .service = "s3",
		.endpoint = &op->endpoint, .region = op->region, .path = "/",
		.header = op->header, .op = what };
	if (s->owner[0] != '\0')
		op->header[q->header_len++] = (struct pair){
			"x-amz-expected-bucket-owner", s->owner };
	if (s->requester_pays)
		op->header[q->header_len++] = (struct pair){
			"x-amz-request-payer", "requester" };
}

/* A redirect never says where to send things (its Location is not looked at);
 * it says which region the bucket is in, and only a name of that shape is
 * believed. The region of an access point is part of its name. */
static bool
learn_region(struct s3 *s, const struct op *op, const struct aws_reply *rp)
{
	const struct awserr *e = &rp->error;

	if (s->is_access_point || e->region[0] == '\0' ||
	    strcmp(e->region, op->region) == 0 ||
	    (e->status != 301 && e->status != 307 && e->status != 400))
		return false;
	log_info(0, "s3: bucket %s: is in %s, not %s", s->bucket, e->region,
	    op->region);
	set_region(s, e->region);
	return true;
}

static int
refine(const struct awserr *e, int err)
{
	if (strcmp(e->code, "NoSuchBucket") == 0)
		return -ENXIO;
	if (strcmp(e->code, "InvalidObjectState") == 0)
		return -EREMOTE;
	return err;
}

/* Another owner than is expected looks like a permission that is missing, but
 * that AWS does not name one. */
static void
doubt_owner(const struct s3 *s, const struct awserr *e,
    char why[AWS_WHY_MAX])
{
	size_t n = strlen(why);

	if (s->owner[0] != '\0' && strcmp(e->code, "AccessDenied") == 0 &&
	    strstr(e->message, "not authorized") == NULL)
		snprintf(why + n, AWS_WHY_MAX - n, ", and %s own the bucket",
		    s->owner);
}

/* What came of a call tells whether S3 can be reached, unless we gave up. */
static void
judge_reach(struct s3 *s, int r)
{
	if (r != -ECANCELED && r != -ENOMEM)
		atomic_store(&s->is_unreachable, aws_is_out_of_reach(r));
}

/* Make the call, in the right region; log what went wrong for good. */
static int
perform(struct s3 *s, struct op *op, struct aws_reply *ret)
{
	char why[AWS_WHY_MAX];
	int r;

	if ((r = aim(s, op)) < 0)
		return r;
	r = aws_call(s->aws, &op->req, ret);
	if (r < 0 && learn_region(s, op, ret)) {
		aws_reply_free(ret);
		if ((r = aim(s, op)) < 0)
			return r;
		r = aws_call(s->aws, &op->req, ret);
	}
	judge_reach(s, r);
	if (r == 0)
		return 0;
	r = refine(&ret->error, r);
	/* Gone or changed is an answer, stopping is our own doing. */
	if (r == -ENOENT || r == -ESTALE || r == -ECANCELED)
		return log_debug(r, "s3: %s %s/%s: %s", op->verb, s->bucket,
		    op->key, aws_why(ret, why, sizeof(why)));
	aws_why_not(ret, op->action, why, sizeof(why));
	doubt_owner(s, &ret->error, why);
	return log_err(r, "s3: %s %s/%s: %s%s", op->verb, s->bucket, op->key,
	    why, endpoint_doubt(r, s->flags));
}

static size_t
list_query(struct pair q[6], const char *prefix, const char *start_after,
    const char *token, const char *max_keys)
{
	size_t n = 0;

	q[n++] = (struct pair){ "list-type", "2" };
	q[n++] = (struct pair){ "encoding-type", "url" };
	q[n++] = (struct pair){ "max-keys", max_keys };
	q[n++] = (struct pair){ "prefix", prefix };
	if (token != NULL)
		q[n++] = (struct pair){ "continuation-token", token };
	else if (start_after != NULL)
		q[n++] = (struct pair){ "start-after", start_after };
	return n;
}

int
s3_list(struct s3 *s, const char *prefix, const char *start_after,
    const char *token, unsigned max_keys, struct s3_page *ret)
{
	struct s3_list_want want = { prefix, max_keys };
	struct aws_reply reply = { .http.status = 0 };
	struct pair query[6];
	char count[16];
	const char *why;
	struct op op;
	int r;

	*ret = (struct s3_page){ .n = 0 };
	begin(s, &op, "GET", AWS_S3_LIST);
	snprintf(count, sizeof(count), "%u", max_keys);
	op.verb = "list";
	op.action = "s3:ListBucket";
	op.key = prefix;
	op.req.query = query;
	op.req.query_len = list_query(query, prefix, start_after, token,
	    count);
	op.req.max_body = LIST_BODY_MAX;
	op.req.may_fail_late = true;
	r = perform(s, &op, &reply);
	if (r == 0 && (r = s3_list_parse((struct slice){ reply.http.body.ptr,
	    reply.http.body.len }, &want, ret, &why)) < 0)
		log_err(r, "s3: list %s/%s: malformed reply: %s (request %s)",
		    s->bucket, prefix, why, reply.error.request_id);
	aws_reply_free(&reply);
	return r;
}

static bool
is_meta(const char *name)
{
	return strncmp(name, "x-amz-meta-", 11) == 0;
}

/* Copy the user metadata into one allocation of the object's. */
static int
take_meta(const struct http_reply *h, struct s3_object *o)
{
	size_t n = 0, bytes = 0;
	char *at;

	for (size_t i = 0; i < h->header_len; i++) {
		size_t more = strlen(h->header[i].name) +
		    strlen(h->header[i].value) + 2;

		if (!is_meta(h->header[i].name))
			continue;
		if (n >= S3_META_MAX || bytes + more > META_BYTES_MAX) {
			o->meta_overflow = true;
			break;
		}
		n++;
		bytes += more;
	}
	o->meta = o->arena_ = malloc((n + 1) * sizeof(*o->meta) + bytes);
	if (o->meta == NULL)
		return -ENOMEM;
	at = (char *)(o->meta + n + 1);
	for (size_t i = 0; o->meta_len < n; i++) {
		if (!is_meta(h->header[i].name))
			continue;
		o->meta[o->meta_len].name = at;
		at = stpcpy(at, h->header[i].name + 11) + 1;
		o->meta[o->meta_len++].value = at;
		at = stpcpy(at, h->header[i].value) + 1;
	}
	return 0;
}

static const char *
take_attributes(const struct http_reply *h, struct s3_object *o)
{
	const char *etag = http_reply_header(h, "etag");
	const char *modified = http_reply_header(h, "last-modified");
	size_t n = etag != NULL ? strlen(etag) : 0;

	if (http_reply_header(h, "content-range") != NULL || h->status != 200)
		return "a part was answered, the whole was asked for";
	if (!h->has_length)
		return "no Content-Length";
	if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
		etag++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(o->etag))
		return "no proper ETag";
	memcpy(o->etag, etag, n);
	if (modified == NULL ||
	    stamp_parse_http(modified, &o->last_modified_unix) < 0)
		return "no proper Last-Modified";
	o->len = h->length;
	return NULL;
}

static int
take_object(struct http_reply *h, bool has_body, struct s3_object *ret,
    const char **ret_why)
{
	int r;

	if ((*ret_why = take_attributes(h, ret)) != NULL)
		return -EPROTO;
	if (has_body && h->body.len != ret->len) {
		*ret_why = "the body is not Content-Length long";
		return -EPROTO;
	}
	if ((r = take_meta(h, ret)) < 0)
		return r;
	/* S3 counts what it could not put into headers. */
	if (http_reply_header(h, "x-amz-missing-meta") != NULL)
		ret->meta_overflow = true;
	if (has_body)
		ret->body = TAKE(h->body.ptr);
	return 0;
}

static int
fetch(struct s3 *s, struct op *op, const char *key, bool has_body,
    struct s3_object *ret)
{
	struct aws_reply reply = { .http.status = 0 };
	char path[S3_KEY_MAX + 2];
	const char *why = "out of memory";
	int r;

	*ret = (struct s3_object){ .body = NULL };
	if (key[0] == '\0' || strlen(key) > S3_KEY_MAX)
		return -EINVAL;
	snprintf(path, sizeof(path), "/%s", key);
	op->key = key;
	op->action = "s3:GetObject";
	op->req.path = path;
	r = perform(s, op, &reply);
	if (r == 0 && (r = take_object(&reply.http, has_body, ret, &why)) < 0)
		log_err(r, "s3: %s %s/%s: malformed reply: %s (request %s)",
		    op->verb, s->bucket, key, why, reply.error.request_id);
	if (r < 0)
		s3_object_free(ret);
	aws_reply_free(&reply);
	return r;
}

int
s3_get(struct s3 *s, const char *key, const char *if_match, uint64_t max_len,
    struct s3_object *ret)
{
	char quoted[S3_ETAG_MAX + 2];
	struct op op;

	begin(s, &op, "GET", AWS_S3_GET);
	op.verb = "get";
	op.req.max_body = max_len;
	if (if_match != NULL) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", if_match);
		op.header[op.req.header_len++] = (struct pair){ "if-match",
			quoted };
	}
	return fetch(s, &op, key, true, ret);
}

int
s3_head(struct s3 *s, const char *key, struct s3_object *ret)
{
	struct op op;

	begin(s, &op, "HEAD", AWS_S3_HEAD);
	op.verb = "head";
	return fetch(s, &op, key, false, ret);
}

void
s3_object_free(struct s3_object *o)
{
	if (o->body != NULL)
		sodium_memzero(o->body, o->len);
	free(o->body);
	free(o->arena_);
	*o = (struct s3_object){ .body = NULL };
}

int
s3_reach(struct s3 *s, const char *prefix, char ret_region[32])
{
	struct s3_page page;
	int r = s3_list(s, prefix, NULL, NULL, 1, &page);

	if (r < 0)
		return r;
	s3_page_free(&page);
	get_region(s, ret_region);
	return 0;
}

bool
s3_is_unreachable(struct s3 *s)
{
	return atomic_load(&s->is_unreachable);
}

int
s3_endpoint(struct s3 *s, struct endpoint *ret)
{
	struct op op;
	int r = aim(s, &op);

	*ret = op.endpoint;
	return r;
}
