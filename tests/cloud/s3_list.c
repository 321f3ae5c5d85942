/* Listings: ListObjectsV2, ListObjects, ListBuckets. */
#include "s3.h"
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 1000

struct listing {
	bool v2, url, owner;
	const char *prefix, *delimiter;
	const char *after; /* only keys above this */
	bool after_is_prefix; /* ... and none that begin with it */
	size_t max, count;
	bool truncated;
	struct buf contents, prefixes;
	struct buf last; /* what was listed last */
	bool last_is_prefix;
	const char *account;
};

/* A token is a cursor in disguise: base64 of 'k' or 'p' and where to go on. */
static bool
token_read(struct request *req, const char *token, struct listing *l)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (buf_unbase64(&b, token, strlen(token)) < 0 || b.len < 2 ||
	    (b.p[0] != 'k' && b.p[0] != 'p') || strlen(b.p) != b.len)
		return false;
	l->after_is_prefix = b.p[0] == 'p';
	l->after = arena_str(&req->arena, b.p + 1, b.len - 1);
	return true;
}

static void
token_write(const struct listing *l, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_char(&b, l->last_is_prefix ? 'p' : 'k');
	buf_add(&b, l->last.p, l->last.len);
	buf_base64(ret, b.p, b.len);
}

/* An element that encoding-type=url applies to. */
static void
name_element(const struct listing *l, struct buf *b, const char *name,
    const char *value)
{
	if (!l->url) {
		buf_element(b, name, value);
		return;
	}
	buf_fmt(b, "<%s>", name);
	buf_form(b, value);
	buf_fmt(b, "</%s>", name);
}

static void
list_owner(const struct listing *l, struct buf *b)
{
	buf_fmt(b, "<Owner><ID>%s</ID><DisplayName>owner</DisplayName></Owner>",
	    l->account);
}

static void
list_object(struct listing *l, const struct object *o)
{
	char etag[2 * MD5_LEN + 1], at[STAMP_LEN];
	struct buf *b = &l->contents;

	object_etag(o, etag);
	stamp_iso(o->mtime, at);
	buf_str(b, "<Contents>");
	name_element(l, b, "Key", o->key);
	buf_fmt(b, "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
	    "<Size>%zu</Size>", at, etag, o->len);
	if (l->owner)
		list_owner(l, b);
	buf_element(b, "StorageClass", object_storage_class(o));
	buf_str(b, "</Contents>");
	buf_clear(&l->last);
	buf_str(&l->last, o->key);
	l->last_is_prefix = false;
}

static void
list_prefix(struct listing *l, const char *key, size_t len)
{
	struct buf *b = &l->prefixes;

	buf_clear(&l->last);
	buf_add(&l->last, key, len);
	l->last_is_prefix = true;
	buf_str(b, "<CommonPrefixes>");
	name_element(l, b, "Prefix", l->last.p);
	buf_str(b, "</CommonPrefixes>");
}

static int
visit(void *arg, const struct object *o, size_t *skip_len)
{
	struct listing *l = arg;
	size_t prefix_len = strlen(l->prefix), after_len = strlen(l->after);
	const char *cut = NULL;

	if (l->after_is_prefix && strncmp(o->key, l->after, after_len) == 0) {
		*skip_len = after_len;
		return 2;
	}
	if (after_len > 0 && strcmp(o->key, l->after) <= 0)
		return 0;
	if (strncmp(o->key, l->prefix, prefix_len) != 0)
		return 1;
	if (l->count == l->max) {
		l->truncated = true;
		return 1;
	}
	l->count++;
	if (*l->delimiter != '\0')
		cut = strstr(o->key + prefix_len, l->delimiter);
	if (cut == NULL) {
		list_object(l, o);
		return 0;
	}
	*skip_len = (size_t)(cut - o->key) + strlen(l->delimiter);
	list_prefix(l, o->key, *skip_len);
	return 2;
}

static const char *
query_or_empty(const struct request *req, const char *name)
{
	const char *v = request_query(req, name);

	return v != NULL ? v : "";
}

/* Read the parameters; false when one is wrong, and the reply says so. */
static bool
list_params(struct cloud *c, struct request *req, struct listing *l)
{
	const char *max = request_query(req, "max-keys"), *token;
	char *end = NULL;
	unsigned long n = max != NULL ? strtoul(max, &end, 10) : MAX_KEYS;
	size_t len;

	if (max != NULL && (*max < '0' || *max > '9' || *end != '\0')) {
		s3_error(req, 400, "InvalidArgument",
		    "Provided max-keys not an integer or within integer range");
		return false;
	}
	l->max = n < MAX_KEYS ? n : MAX_KEYS;
	l->account = c->account;
	l->v2 = strcmp(query_or_empty(req, "list-type"), "2") == 0;
	l->url = strcmp(query_or_empty(req, "encoding-type"), "url") == 0;
	l->owner = !l->v2 ||
	    strcmp(query_or_empty(req, "fetch-owner"), "true") == 0;
	l->prefix = query_or_empty(req, "prefix");
	l->delimiter = query_or_empty(req, "delimiter");
	l->after = query_or_empty(req, l->v2 ? "start-after" : "marker");
	if (l->v2 && settings_get(&c->settings, SET_S3_FROM_START) != 0)
		l->after = "";
	len = strlen(l->after);
	if (!l->v2 && *l->delimiter != '\0' && len > 0)
		l->after_is_prefix = len >= strlen(l->delimiter) &&
		    strcmp(l->after + len - strlen(l->delimiter),
			l->delimiter) == 0;
	token = l->v2 ? request_query(req, "continuation-token") : NULL;
	if (token != NULL && !token_read(req, token, l)) {
		s3_error(req, 400, "InvalidArgument",
		    "The continuation token provided is incorrect");
		return false;
	}
	return true;
}

static void
list_head_v2(const struct request *req, const struct listing *l, struct buf *b)
{
	const char *token = request_query(req, "continuation-token");
	const char *after = request_query(req, "start-after");

	if (after != NULL)
		name_element(l, b, "StartAfter", after);
	if (token != NULL)
		buf_element(b, "ContinuationToken", token);
	if (l->truncated) {
		buf_str(b, "<NextContinuationToken>");
		token_write(l, b);
		buf_str(b, "</NextContinuationToken>");
	}
	buf_fmt(b, "<KeyCount>%zu</KeyCount>", l->count);
}

static void
list_head_v1(const struct request *req, const struct listing *l, struct buf *b)
{
	name_element(l, b, "Marker", query_or_empty(req, "marker"));
	if (l->truncated && *l->delimiter != '\0')
		name_element(l, b, "NextMarker", l->last.p);
}

static void
list_reply(struct request *req, const struct listing *l)
{
	struct buf *b = &req->reply.body;

	req->reply.status = 200;
	reply_header(req, "Content-Type", "application/xml");
	buf_reserve(b, l->contents.len + l->prefixes.len + 1024);
	buf_str(b, S3_XML "<ListBucketResult xmlns=\"" S3_NS "\">");
	buf_element(b, "Name", req->bucket);
	name_element(l, b, "Prefix", l->prefix);
	(l->v2 ? list_head_v2 : list_head_v1)(req, l, b);
	buf_fmt(b, "<MaxKeys>%zu</MaxKeys>", l->max);
	if (*l->delimiter != '\0')
		name_element(l, b, "Delimiter", l->delimiter);
	if (l->url)
		buf_str(b, "<EncodingType>url</EncodingType>");
	buf_fmt(b, "<IsTruncated>%s</IsTruncated>",
	    l->truncated ? "true" : "false");
	buf_add(b, l->contents.p, l->contents.len);
	buf_add(b, l->prefixes.p, l->prefixes.len);
	buf_str(b, "</ListBucketResult>");
}

void
s3_list(struct cloud *c, struct request *req)
{
	struct listing l = { 0 };
	const char *from;

	if (!list_params(c, req, &l))
		return;
	from = strcmp(l.after, l.prefix) > 0 ? l.after : l.prefix;
	if (l.max > 0 &&
	    store_walk(c->store, req->bucket, from, visit, &l) < 0)
		s3_error(req, 404, "NoSuchBucket",
		    "The specified bucket does not exist");
	else
		list_reply(req, &l);
	buf_free(&l.contents);
	buf_free(&l.prefixes);
	buf_free(&l.last);
}

void
s3_list_buckets(struct cloud *c, struct request *req)
{
	struct buf *b = s3_xml(req, 200);
	struct bucket_info *all;
	size_t n = store_buckets(c->store, &all);
	char at[STAMP_LEN];

	buf_fmt(b, "<ListAllMyBucketsResult xmlns=\"" S3_NS "\"><Owner>"
	    "<ID>%s</ID><DisplayName>owner</DisplayName></Owner><Buckets>",
	    c->account);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].owner, c->account) != 0)
			continue;
		stamp_iso(all[i].created, at);
		buf_fmt(b, "<Bucket><Name>%s</Name><CreationDate>%s"
		    "</CreationDate></Bucket>", all[i].name, at);
	}
	buf_str(b, "</Buckets></ListAllMyBucketsResult>");
	free(all);
}
