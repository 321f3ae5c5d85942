/* GetObject and HeadObject. */
#include "s3.h"
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

/* S3 takes header octets for ISO-8859-1 and gives what is not ASCII back as an
 * RFC 2047 word of that text in UTF-8. */
static const char *
meta_value(struct request *req, const char *value)
{
	CLEANUP(buf_free) struct buf utf8 = { 0 }, word = { 0 };
	bool ascii = true;

	for (const char *p = value; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		ascii = ascii && c < 0x80;
		if (c >= 0x80)
			buf_char(&utf8, (char)(0xc0 | c >> 6));
		buf_char(&utf8, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
	}
	if (ascii)
		return value;
	buf_str(&word, "=?UTF-8?B?");
	buf_base64(&word, utf8.p, utf8.len);
	buf_str(&word, "?=");
	return arena_str(&req->arena, word.p, word.len);
}

static void
object_headers(struct request *req, const struct object *o, const char *etag)
{
	const char *class = object_storage_class(o);
	char at[STAMP_LEN];
	struct pair *meta;
	size_t n;

	stamp_http(o->mtime, at);
	reply_header(req, "Last-Modified", at);
	reply_header_fmt(req, "ETag", "\"%s\"", etag);
	reply_header(req, "Accept-Ranges", "bytes");
	reply_header(req, "Content-Type", o->stored != NULL
		? o->stored->content_type
		: "application/octet-stream");
	if (strcmp(class, "STANDARD") != 0)
		reply_header(req, "x-amz-storage-class", class);
	object_meta(o, &req->arena, &meta, &n);
	for (size_t i = 0; i < n; i++)
		reply_header(req, arena_fmt(&req->arena, "x-amz-meta-%s",
		    meta[i].name), meta_value(req, meta[i].value));
}

bool
s3_etag_matches(const char *value, const char *etag)
{
	size_t len = strlen(etag);
	const char *p;

	if (strcmp(value, "*") == 0)
		return true;
	for (p = value; (p = strstr(p, etag)) != NULL; p += len)
		if ((p == value || p[-1] == '"') &&
		    (p[len] == '\0' || p[len] == '"'))
			return true;
	return false;
}

/* 0 to go on, else the status of the refusal (RFC 9110, 13.2.2). */
static int
preconditions(const struct request *req, const struct object *o,
    const char *etag)
{
	const char *match = request_header(req, "if-match");
	const char *none = request_header(req, "if-none-match");
	const char *since = request_header(req, "if-modified-since");
	const char *unmod = request_header(req, "if-unmodified-since");
	int64_t at;

	if (match != NULL && !s3_etag_matches(match, etag))
		return 412;
	if (match == NULL && unmod != NULL &&
	    stamp_parse_http(unmod, &at) == 0 && o->mtime > at)
		return 412;
	if (none != NULL && s3_etag_matches(none, etag))
		return 304;
	if (none == NULL && since != NULL &&
	    stamp_parse_http(since, &at) == 0 && o->mtime <= at)
		return 304;
	return 0;
}

enum range { RANGE_NONE, RANGE_PART, RANGE_BAD };

/* A Range header of one part; others are ignored, as S3 does. */
static enum range
parse_range(const char *s, size_t len, size_t *from, size_t *n)
{
	unsigned long long a, b;
	char *end;

	if (s == NULL || strncmp(s, "bytes=", 6) != 0)
		return RANGE_NONE;
	s += 6;
	if (*s == '-') {
		b = strtoull(s + 1, &end, 10);
		if (end == s + 1 || *end != '\0')
			return RANGE_NONE;
		if (b == 0 || len == 0)
			return RANGE_BAD;
		*n = b < len ? b : len;
		*from = len - *n;
		return RANGE_PART;
	}
	a = strtoull(s, &end, 10);
	if (end == s || *end != '-')
		return RANGE_NONE;
	s = end + 1;
	b = *s != '\0' ? strtoull(s, &end, 10) : UINT64_MAX;
	if (*s != '\0' && (end == s || *end != '\0' || b < a))
		return RANGE_NONE;
	if (a >= len)
		return RANGE_BAD;
	*from = a;
	*n = (b < len ? b + 1 : len) - a;
	return RANGE_PART;
}

static void
send_object(struct request *req, const struct object *o, const char *etag)
{
	struct reply *r = &req->reply;
	size_t from = 0, n = o->len;
	enum range range;

	range = parse_range(request_header(req, "range"), o->len, &from, &n);
	if (range == RANGE_BAD) {
		s3_error(req, 416, "InvalidRange",
		    "The requested range is not satisfiable");
		reply_header_fmt(req, "Content-Range", "bytes */%zu", o->len);
		return;
	}
	r->status = range == RANGE_PART ? 206 : 200;
	object_headers(req, o, etag);
	if (range == RANGE_PART)
		reply_header_fmt(req, "Content-Range", "bytes %zu-%zu/%zu",
		    from, from + n - 1, o->len);
	r->from = from;
	r->len = n;
	if (req->op == OP_S3_HEAD)
		r->bodyless = true;
	else
		r->shared = object_body(o);
}

static bool
is_archived(const struct object *o)
{
	const char *class = object_storage_class(o);

	return strcmp(class, "GLACIER") == 0 ||
	    strcmp(class, "DEEP_ARCHIVE") == 0;
}

void
s3_get(struct cloud *c, struct request *req)
{
	CLEANUP(object_unrefp) struct object *o = NULL;
	char etag[2 * MD5_LEN + 1];
	int refusal;

	o = store_get(c->store, req->bucket, req->key);
	if (o == NULL) {
		/* Who may not list it may not learn that it does not exist;
		 * the key is the prefix then, as AWS has it. */
		if (s3_may(c, req, OP_S3_LIST, NULL, req->key))
			s3_error(req, 404, "NoSuchKey",
			    "The specified key does not exist.");
		return;
	}
	object_etag(o, etag);
	refusal = preconditions(req, o, etag);
	if (refusal == 412) {
		s3_error(req, 412, "PreconditionFailed", "At least one of the "
		    "pre-conditions you specified did not hold");
	} else if (refusal == 304) {
		req->reply.status = 304;
		reply_header_fmt(req, "ETag", "\"%s\"", etag);
	} else if (req->op == OP_S3_GET && is_archived(o)) {
		s3_error(req, 403, "InvalidObjectState", "The operation is "
		    "not valid for the object's storage class");
	} else {
		send_object(req, o, etag);
	}
}
