/* PutObject, CopyObject, DeleteObject, DeleteObjects. */
#include "s3.h"
#include "stamp.h"
#include "xml.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define META "x-amz-meta-"

/* A whole-body checksum that came along is held to. */
static bool
md5_is_right(const struct request *req)
{
	const char *want = request_header(req, "content-md5");
	CLEANUP(buf_free) struct buf b = { 0 };
	uint8_t sum[MD5_LEN];

	digest_md5(req->body.p, req->body.len, sum);
	buf_base64(&b, sum, sizeof sum);
	return want == NULL || strcmp(want, b.p) == 0;
}

/* Copy user metadata to `o`; returns its size. */
static size_t
take_meta(const struct request *req, struct object *o)
{
	size_t size = 0, skip = strlen(META);
	const struct pair *h;

	for (size_t i = 0; i < req->nheaders; i++) {
		h = &req->headers[i];
		if (strncmp(h->name, META, skip) != 0)
			continue;
		object_add_meta(o, h->name + skip, h->value);
		size += strlen(h->name) - skip + strlen(h->value);
	}
	return size;
}

static void
take_headers(const struct request *req, struct object *o)
{
	const char *type = request_header(req, "content-type");
	const char *class = request_header(req, "x-amz-storage-class");
	struct stored *s = o->stored;

	if (type != NULL)
		s->content_type = arena_fmt(&s->arena, "%s", type);
	if (class != NULL)
		s->storage_class = arena_fmt(&s->arena, "%s", class);
}

static bool
is_utf8(const char *s)
{
	json_t *j = json_string(s);

	json_decref(j);
	return j != NULL;
}

struct object *
s3_object_from(struct request *req, const char *key, int64_t mtime)
{
	struct object *o;

	if (!is_utf8(key)) {
		s3_error(req, 400, "InvalidURI",
		    "Couldn't parse the specified URI.");
		return NULL;
	}
	if (!md5_is_right(req)) {
		s3_error(req, 400, "BadDigest", "The Content-MD5 you specified "
		    "did not match what we received.");
		return NULL;
	}
	o = object_new(key, mtime);
	take_headers(req, o);
	if (take_meta(req, o) > S3_META_MAX) {
		s3_error(req, 400, "MetadataTooLarge", "Your metadata headers "
		    "exceed the maximum allowed metadata size");
		object_unref(o);
		return NULL;
	}
	object_set_body(o, &req->body);
	return o;
}

static const char *
unquoted(struct request *req, const char *etag)
{
	size_t len = etag != NULL ? strlen(etag) : 0;

	return len >= 2 && etag[0] == '"' && etag[len - 1] == '"'
	    ? arena_str(&req->arena, etag + 1, len - 2)
	    : etag;
}

/* Store under the conditions of the request; false when refused. */
static bool
store_object(struct cloud *c, struct request *req, struct object *o)
{
	const char *none = request_header(req, "if-none-match");
	struct store_if cond = { none != NULL && strcmp(none, "*") == 0,
		unquoted(req, request_header(req, "if-match")) };

	switch (store_put(c->store, req->bucket, o, &cond)) {
	case 0:
		return true;
	case -ENOENT:
		s3_error(req, 404, "NoSuchKey",
		    "The specified key does not exist.");
		return false;
	default:
		s3_error(req, 412, "PreconditionFailed", "At least one of the "
		    "pre-conditions you specified did not hold");
		return false;
	}
}

void
s3_put(struct cloud *c, struct request *req)
{
	struct object *o = s3_object_from(req, req->key, cloud_now(c));
	char etag[2 * MD5_LEN + 1];

	if (o == NULL)
		return;
	object_etag(o, etag);
	if (!store_object(c, req, o))
		return;
	req->reply.status = 200;
	reply_header_fmt(req, "ETag", "\"%s\"", etag);
}

/* The object that x-amz-copy-source names, or NULL and an error. */
static struct object *
copy_source(struct cloud *c, struct request *req, const char **ret_bucket,
    const char **ret_key)
{
	const char *s = request_header(req, "x-amz-copy-source");
	char *bucket = buf_unescape(&req->arena, s, strcspn(s, "?"), false);
	char *slash = NULL;
	struct object *o;

	if (bucket != NULL) {
		bucket += *bucket == '/';
		slash = strchr(bucket, '/');
	}
	if (slash == NULL || slash[1] == '\0') {
		s3_error(req, 400, "InvalidArgument", "Copy Source must "
		    "mention the source bucket and key: sourcebucket/"
		    "sourcekey");
		return NULL;
	}
	*slash = '\0';
	*ret_bucket = bucket;
	*ret_key = slash + 1;
	o = store_get(c->store, bucket, slash + 1);
	if (o == NULL)
		s3_error(req, 404, "NoSuchKey",
		    "The specified key does not exist.");
	return o;
}

static bool
copy_allowed(struct request *req, const struct object *src, bool to_itself,
    bool replace)
{
	const char *match = request_header(req, "x-amz-copy-source-if-match");
	char etag[2 * MD5_LEN + 1];

	object_etag(src, etag);
	if (match != NULL && !s3_etag_matches(match, etag)) {
		s3_error(req, 412, "PreconditionFailed", "At least one of the "
		    "pre-conditions you specified did not hold");
		return false;
	}
	if (to_itself && !replace) {
		s3_error(req, 400, "InvalidRequest", "This copy request is "
		    "illegal because it is trying to copy an object to itself "
		    "without changing the object's metadata");
		return false;
	}
	return true;
}

void
s3_copy(struct cloud *c, struct request *req)
{
	const char *how = request_header(req, "x-amz-metadata-directive");
	bool replace = how != NULL && strcmp(how, "REPLACE") == 0;
	CLEANUP(object_unrefp) struct object *src = NULL;
	const char *bucket, *key;
	char etag[2 * MD5_LEN + 1], at[STAMP_LEN];
	struct object *o;
	bool to_itself;

	src = copy_source(c, req, &bucket, &key);
	if (src == NULL)
		return;
	to_itself = strcmp(bucket, req->bucket) == 0 &&
	    strcmp(key, req->key) == 0;
	if (!copy_allowed(req, src, to_itself, replace))
		return;
	o = object_copy(src, req->key, !replace);
	o->mtime = cloud_now(c);
	if (replace) {
		take_headers(req, o);
		take_meta(req, o);
	}
	object_etag(o, etag);
	stamp_iso(o->mtime, at);
	if (!store_object(c, req, o))
		return;
	buf_fmt(s3_xml(req, 200), "<CopyObjectResult xmlns=\"" S3_NS "\">"
	    "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
	    "</CopyObjectResult>", at, etag);
}

void
s3_delete(struct cloud *c, struct request *req)
{
	store_delete(c->store, req->bucket, req->key);
	req->reply.status = 204;
}

struct deletion {
	struct cloud *c;
	const char *bucket;
	bool quiet;
	struct buf deleted; /* <Deleted> elements */
};

/* <Quiet> may stand before or after the keys, so the list is always made. */
static void
delete_leaf(void *arg, const char *name, const char *text)
{
	struct deletion *d = arg;

	if (strcmp(name, "Quiet") == 0)
		d->quiet = strcmp(text, "true") == 0;
	if (strcmp(name, "Key") != 0)
		return;
	store_delete(d->c->store, d->bucket, text);
	buf_str(&d->deleted, "<Deleted>");
	buf_element(&d->deleted, "Key", text);
	buf_str(&d->deleted, "</Deleted>");
}

static bool
has_checksum(const struct request *req)
{
	for (size_t i = 0; i < req->nheaders; i++)
		if (strcmp(req->headers[i].name, "content-md5") == 0 ||
		    strncmp(req->headers[i].name, "x-amz-checksum-", 15) == 0)
			return true;
	return false;
}

void
s3_delete_many(struct cloud *c, struct request *req)
{
	struct deletion d = { c, req->bucket, false, { 0 } };
	struct buf *b;

	if (!has_checksum(req)) {
		s3_error(req, 400, "InvalidRequest", "Missing required header "
		    "for this request: Content-MD5");
	} else if (!md5_is_right(req)) {
		s3_error(req, 400, "BadDigest", "The Content-MD5 you specified "
		    "did not match what we received.");
	} else if (req->body.len == 0 || xml_walk(req->body.p, req->body.len,
		       delete_leaf, &d) < 0) {
		s3_error(req, 400, "MalformedXML", "The XML you provided was "
		    "not well-formed");
	} else {
		b = s3_xml(req, 200);
		buf_str(b, "<DeleteResult xmlns=\"" S3_NS "\">");
		if (!d.quiet)
			buf_add(b, d.deleted.p, d.deleted.len);
		buf_str(b, "</DeleteResult>");
	}
	buf_free(&d.deleted);
}
