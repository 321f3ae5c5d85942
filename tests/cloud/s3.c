#include "s3.h"

#include "permit.h"
#include "stamp.h"
#include "xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const unsupported[] = { "acl", "analytics", "cors",
	"encryption", "inventory", "lifecycle", "logging", "metrics",
	"notification", "object-lock", "partNumber", "policy", "replication",
	"requestPayment", "restore", "select", "tagging", "torrent", "uploadId",
	"uploads", "versioning", "versions", "website" };

struct buf *
s3_xml(struct request *req, int status)
{
	reply_reset(req, status);
	reply_header(req, "Content-Type", "application/xml");
	buf_str(&req->reply.body, S3_XML);
	return &req->reply.body;
}

/* Open an <Error>, which error_end() closes; more elements may go between. */
static struct buf *
error_begin(struct request *req, int status, const char *code,
    const char *message)
{
	struct buf *b = s3_xml(req, status);

	buf_str(b, "<Error>");
	buf_element(b, "Code", code);
	buf_element(b, "Message", message);
	return b;
}

static void
error_end(struct request *req)
{
	struct buf *b = &req->reply.body;

	buf_element(b, "Resource", req->path != NULL ? req->path : "");
	buf_fmt(b, "<RequestId>%016llX</RequestId><HostId>sesfs-cloud</HostId>"
	    "</Error>", (unsigned long long)req->serial);
	if (strcmp(req->method, "HEAD") == 0)
		buf_clear(b);
}

void
s3_error(struct request *req, int status, const char *code, const char *message)
{
	error_begin(req, status, code, message);
	error_end(req);
}

/* What policies call the bucket, or its object `key`. */
static const char *
arn_of(struct request *req, const char *key)
{
	if (req->access_point != NULL)
		return arena_fmt(&req->arena, "%s%s%s", req->access_point,
		    key != NULL ? "/object/" : "", key != NULL ? key : "");
	return arena_fmt(&req->arena, "arn:aws:s3:::%s%s%s",
	    req->bucket != NULL ? req->bucket : "*", key != NULL ? "/" : "",
	    key != NULL ? key : "");
}

bool
s3_may(struct cloud *c, struct request *req, enum op op, const char *key,
    const char *prefix)
{
	struct pair context[2];
	struct iam_ask ask = { op_action(op), NULL, context, 0 };
	struct bucket_info info;
	const char *why;

	if (ask.action == NULL || !permit_is_limited(c, op))
		return true;
	ask.resource = arn_of(req, key);
	if (prefix != NULL)
		context[ask.context_len++] = (struct pair){ "s3:prefix",
			prefix };
	if (req->bucket != NULL &&
	    store_info(c->store, req->bucket, &info) == 0)
		context[ask.context_len++] = (struct pair){
			"s3:ResourceAccount", info.owner };
	why = permit_refuses(c, req, &ask, arena_fmt(&req->arena, "\"%s\"",
	    ask.resource));
	if (why != NULL)
		s3_error(req, 403, "AccessDenied", why);
	return why == NULL;
}

/* What the operation itself needs. */
static bool
may(struct cloud *c, struct request *req)
{
	return s3_may(c, req, req->op, req->key, req->op == OP_S3_LIST
		? request_query(req, "prefix")
		: NULL);
}

void
s3_auth_error(struct cloud *c, struct request *req,
    const struct auth_result *why)
{
	char now[STAMP_LEN];
	struct buf *b;

	switch (why->verdict) {
	case AUTH_OK:
		return;
	case AUTH_ANONYMOUS:
		s3_error(req, 403, "AccessDenied", "Access Denied");
		return;
	case AUTH_MALFORMED:
		s3_error(req, 400, "AuthorizationHeaderMalformed",
		    "The authorization header that you provided is not valid.");
		return;
	case AUTH_UNKNOWN_KEY:
		b = error_begin(req, 403, "InvalidAccessKeyId", "The AWS "
		    "Access Key Id you provided does not exist in our records."
		);
		buf_element(b, "AWSAccessKeyId", why->access_key);
		break;
	case AUTH_BAD_SIGNATURE:
		b = error_begin(req, 403, "SignatureDoesNotMatch",
		    "The request signature we calculated does not match the "
		    "signature you provided. Check your key and signing "
		    "method.");
		buf_element(b, "AWSAccessKeyId", why->access_key);
		buf_element(b, "StringToSign", why->string_to_sign);
		buf_element(b, "CanonicalRequest", why->canonical);
		break;
	case AUTH_UNSIGNED_HEADERS:
		s3_error(req, 403, "AccessDenied", "There were headers "
		    "present in the request which were not signed");
		return;
	case AUTH_SKEWED:
		b = error_begin(req, 403, "RequestTimeTooSkewed",
		    "The difference between the request time and the current "
		    "time is too large.");
		stamp_iso(cloud_now(c), now);
		buf_element(b, "ServerTime", now);
		buf_str(b, "<MaxAllowedSkewMilliseconds>900000"
		    "</MaxAllowedSkewMilliseconds>");
		break;
	case AUTH_URL_EXPIRED:
		s3_error(req, 403, "AccessDenied", "Request has expired");
		return;
	case AUTH_BAD_TOKEN:
		s3_error(req, 400, "InvalidToken",
		    "The provided token is malformed or otherwise invalid.");
		return;
	case AUTH_TOKEN_EXPIRED:
		s3_error(req, 400, "ExpiredToken",
		    "The provided token has expired.");
		return;
	case AUTH_NO_PAYLOAD_HASH:
		s3_error(req, 400, "InvalidRequest", "Missing required header "
		    "for this request: x-amz-content-sha256");
		return;
	case AUTH_PAYLOAD_MISMATCH:
		s3_error(req, 400, "XAmzContentSHA256Mismatch", "The provided "
		    "'x-amz-content-sha256' header does not match what was "
		    "computed.");
		return;
	}
	error_end(req);
}

/* Where the name of AWS's endpoint begins in a host, or NULL. */
static const char *
endpoint_of_host(const char *host)
{
	static const char *const names[] = { "s3.", "s3-fips.",
		"s3-accesspoint.", "s3-accesspoint-fips.", "localhost" };

	for (const char *label = host; label != NULL;
	     label = strchr(label, '.')) {
		label += *label == '.';
		for (size_t i = 0; i < NELEMS(names); i++)
			if (strncmp(label, names[i], strlen(names[i])) == 0)
				return label;
	}
	return NULL;
}

/* The ARN of NAME-ACCOUNT. */
static const char *
point_arn(struct request *req, const struct bucket_info *info)
{
	const char *dash = strrchr(info->access_point, '-');

	return arena_fmt(&req->arena, "arn:aws:s3:%s:%s:accesspoint/%.*s",
	    info->region, dash != NULL ? dash + 1 : "", dash != NULL
		? (int)(dash - info->access_point)
		: 0, info->access_point);
}

/* The bucket of a virtual-host style request, which may come by an access
 * point; NULL when the host is just an endpoint. */
static const char *
bucket_of_host(struct cloud *c, struct request *req)
{
	const char *host = request_header(req, "host"), *end;
	struct bucket_info info;

	if (host == NULL || (end = endpoint_of_host(host)) == NULL ||
	    end == host)
		return NULL;
	host = arena_str(&req->arena, host, (size_t)(end - 1 - host));
	if (store_behind(c->store, host, &info) < 0)
		return host;
	req->access_point = point_arn(req, &info);
	return arena_str(&req->arena, info.name, strlen(info.name));
}

static void
route_path(struct cloud *c, struct request *req)
{
	const char *path = req->path != NULL ? req->path : "/";
	size_t len;

	path += *path == '/';
	req->bucket = bucket_of_host(c, req);
	if (req->bucket == NULL && *path != '\0') {
		len = strcspn(path, "/");
		req->bucket = arena_str(&req->arena, path, len);
		path += len + (path[len] == '/');
	}
	req->key = *path != '\0' ? path : NULL;
}

static enum op
route_bucket(const struct request *req)
{
	const char *m = req->method;

	if (strcmp(m, "GET") == 0)
		return request_query(req, "location") != NULL ? OP_S3_LOCATION
							      : OP_S3_LIST;
	if (strcmp(m, "HEAD") == 0)
		return OP_S3_BUCKET_HEAD;
	if (strcmp(m, "PUT") == 0)
		return OP_S3_BUCKET_CREATE;
	if (strcmp(m, "DELETE") == 0)
		return OP_S3_BUCKET_DELETE;
	if (strcmp(m, "POST") == 0 && request_query(req, "delete") != NULL)
		return OP_S3_DELETE;
	return OP_UNKNOWN;
}

static enum op
route_object(const struct request *req)
{
	const char *m = req->method;

	if (strcmp(m, "GET") == 0)
		return OP_S3_GET;
	if (strcmp(m, "HEAD") == 0)
		return OP_S3_HEAD;
	if (strcmp(m, "PUT") == 0)
		return request_header(req, "x-amz-copy-source") != NULL
		    ? OP_S3_COPY
		    : OP_S3_PUT;
	return strcmp(m, "DELETE") == 0 ? OP_S3_DELETE : OP_UNKNOWN;
}

void
s3_route(struct cloud *c, struct request *req)
{
	route_path(c, req);
	if (req->bucket == NULL)
		req->op = strcmp(req->method, "GET") == 0 ? OP_S3_BUCKETS
							  : OP_UNKNOWN;
	else
		req->op = req->key == NULL ? route_bucket(req)
					   : route_object(req);
	for (size_t i = 0; i < NELEMS(unsupported); i++)
		if (request_query(req, unsupported[i]) != NULL)
			req->op = OP_UNKNOWN;
}

/* The request came to the endpoint of the region it is signed for. AWS sends a
 * caller at the wrong endpoint to the right one, and tells one that signs for
 * some other place than the endpoint so. Our one endpoint plays all regions:
 * the first answer is given to those who sign for its own, the second to all
 * others. */
static void
wrong_region(struct cloud *c, struct request *req,
    const struct bucket_info *info)
{
	struct buf *b;

	if (strcmp(req->region, c->region) == 0) {
		b = error_begin(req, 301, "PermanentRedirect", "The bucket you "
		    "are attempting to access must be addressed using the "
		    "specified endpoint. Please send all future requests to "
		    "this endpoint.");
		buf_fmt(b, "<Endpoint>s3.%s.amazonaws.com</Endpoint>",
		    info->region);
		buf_element(b, "Bucket", info->name);
	} else {
		b = error_begin(req, 400, "AuthorizationHeaderMalformed",
		    arena_fmt(&req->arena, "The authorization header is "
		    "malformed; the region '%s' is wrong; expecting '%s'",
		    req->region, info->region));
		buf_element(b, "Region", info->region);
	}
	reply_header(req, "x-amz-bucket-region", info->region);
	error_end(req);
}

/* What holds for every request to a bucket. */
static bool
bucket_allows(struct cloud *c, struct request *req, struct bucket_info *info)
{
	const char *owner = request_header(req, "x-amz-expected-bucket-owner");
	const char *payer = request_header(req, "x-amz-request-payer");

	if (store_info(c->store, req->bucket, info) < 0) {
		s3_error(req, 404, "NoSuchBucket",
		    "The specified bucket does not exist");
		return false;
	}
	if (strcmp(info->region, req->region) != 0) {
		wrong_region(c, req, info);
		return false;
	}
	if ((owner != NULL && strcmp(owner, info->owner) != 0) ||
	    (info->requester_pays &&
		(payer == NULL || strcasecmp(payer, "requester") != 0))) {
		s3_error(req, 403, "AccessDenied", "Access Denied");
		return false;
	}
	if (info->requester_pays)
		reply_header(req, "x-amz-request-charged", "requester");
	return true;
}

static bool
is_bucket_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 3 && len <= BUCKET_NAME_MAX && name[0] != '.' &&
	    name[0] != '-' && name[len - 1] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static void
take_location(void *arg, const char *name, const char *text)
{
	struct bucket_info *info = arg;

	if (strcmp(name, "LocationConstraint") == 0 &&
	    strlen(text) < sizeof info->region)
		strcpy(info->region, text);
}

static void
bucket_create(struct cloud *c, struct request *req)
{
	struct bucket_info info = { .created = cloud_now(c) };

	if (!is_bucket_name(req->bucket)) {
		s3_error(req, 400, "InvalidBucketName",
		    "The specified bucket is not valid.");
		return;
	}
	strcpy(info.name, req->bucket);
	strcpy(info.region, "us-east-1");
	strncpy(info.owner, c->account, sizeof info.owner - 1);
	if (req->body.len > 0 && xml_walk(req->body.p, req->body.len,
		take_location, &info) < 0) {
		s3_error(req, 400, "MalformedXML", "The XML you provided was "
		    "not well-formed");
		return;
	}
	if (store_create(c->store, &info) < 0) {
		s3_error(req, 409, "BucketAlreadyOwnedByYou", "Your previous "
		    "request to create the named bucket succeeded and you "
		    "already own it.");
		return;
	}
	reply_reset(req, 200);
	reply_header_fmt(req, "Location", "/%s", req->bucket);
}

static void
bucket_delete(struct cloud *c, struct request *req)
{
	if (store_remove(c->store, req->bucket) == -ENOTEMPTY)
		s3_error(req, 409, "BucketNotEmpty",
		    "The bucket you tried to delete is not empty");
	else
		req->reply.status = 204;
}

static void
bucket_location(struct request *req, const struct bucket_info *info)
{
	bool first = strcmp(info->region, "us-east-1") == 0;

	buf_fmt(s3_xml(req, 200), "<LocationConstraint xmlns=\"" S3_NS "\">%s"
	    "</LocationConstraint>", first ? "" : info->region);
}

static void
bucket_request(struct cloud *c, struct request *req,
    const struct bucket_info *info)
{
	switch (req->op) {
	case OP_S3_BUCKET_HEAD:
		req->reply.status = 200;
		reply_header(req, "x-amz-bucket-region", info->region);
		break;
	case OP_S3_BUCKET_DELETE:
		bucket_delete(c, req);
		break;
	case OP_S3_LOCATION:
		bucket_location(req, info);
		break;
	case OP_S3_LIST:
		s3_list(c, req);
		break;
	case OP_S3_GET:
	case OP_S3_HEAD:
		s3_get(c, req);
		break;
	case OP_S3_PUT:
		s3_put(c, req);
		break;
	case OP_S3_COPY:
		s3_copy(c, req);
		break;
	case OP_S3_DELETE:
		if (req->key == NULL)
			s3_delete_many(c, req);
		else
			s3_delete(c, req);
		break;
	default:
		s3_error(req, 501, "NotImplemented", "A header or query you "
		    "provided implies functionality that is not implemented");
	}
}

/* Requests that need no bucket. */
static void
service_request(struct cloud *c, struct request *req)
{
	if (!may(c, req))
		return;
	if (req->op == OP_S3_BUCKETS)
		s3_list_buckets(c, req);
	else
		bucket_create(c, req);
}

void
s3_handle(struct cloud *c, struct request *req)
{
	struct bucket_info info;

	if (req->path == NULL)
		s3_error(req, 400, "InvalidURI",
		    "Couldn't parse the specified URI.");
	else if (req->too_large)
		s3_error(req, 400, "EntityTooLarge", "Your proposed upload "
		    "exceeds the maximum allowed size");
	else if (req->key != NULL && strlen(req->key) > S3_KEY_MAX)
		s3_error(req, 400, "KeyTooLongError", "Your key is too long");
	else if (req->op == OP_S3_BUCKETS || req->op == OP_S3_BUCKET_CREATE)
		service_request(c, req);
	else if (req->bucket == NULL)
		s3_error(req, 405, "MethodNotAllowed", "The specified method "
		    "is not allowed against this resource.");
	else if (bucket_allows(c, req, &info) && may(c, req))
		bucket_request(c, req, &info);
}
