#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/http_call.h"
#include "store/http_why.h"
#include "store/tls_seen.h"

static int
add_header(struct http_call *c, const char *line)
{
	struct curl_slist *more;

	if ((more = curl_slist_append(c->header, line)) == NULL)
		return -ENOMEM;
	c->header = more;
	return 0;
}

static int
copy_headers(struct http_call *c, const struct http_request *req)
{
	int r = 0;

	for (size_t i = 0; i < req->header_len && r == 0; i++) {
		struct buf line = BUF_INIT(HTTP_HEAD_MAX);
		const struct pair *h = &req->header[i];

		if (h->value[strcspn(h->value, "\r\n")] != '\0')
			return -EINVAL;
		/* "Name;" is curl's way to send one without a value. */
		r = h->value[0] == '\0' ? buf_printf(&line, "%s;", h->name) :
		    buf_printf(&line, "%s: %s", h->name, h->value);
		if (r == 0 && buf_str(&line) == NULL)
			r = -ENOMEM;
		if (r == 0)
			r = add_header(c, (const char *)line.ptr);
		buf_free(&line);
	}
	/* Not the headers that curl adds by itself. */
	if (r == 0)
		r = add_header(c, "Expect:");
	if (r == 0)
		r = add_header(c, "Accept:");
	return r;
}

static bool
has_header(const struct http_request *req, const char *name)
{
	for (size_t i = 0; i < req->header_len; i++)
		if (strcasecmp(req->header[i].name, name) == 0)
			return true;
	return false;
}

int
http_call_new(const struct http_request *req, int64_t now_ms,
    struct http_call **ret)
{
	CLEANUP(http_call_freep) struct http_call *c = NULL;
	int r;

	*ret = NULL;
	if (strlen(req->method) >= sizeof(c->method) || req->timeout_ms <= 0)
		return -EINVAL;
	/* curl would add a type of its own; callers with a body name one. */
	if (req->body.ptr != NULL && !has_header(req, "content-type"))
		return -EINVAL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	strcpy(c->method, req->method);
	c->body = req->body;
	c->max_body = req->max_body;
	c->deadline_ms = now_ms + req->timeout_ms;
	c->lane = req->lane;
	c->prio = req->prio;
	c->is_loopback = req->is_loopback;
	c->wants_tls = req->wants_tls;
	c->reply.head_.max = HTTP_HEAD_MAX;
	if ((c->url = strdup(req->url)) == NULL)
		return -ENOMEM;
	if ((r = copy_headers(c, req)) < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

void
http_call_free(struct http_call *c)
{
	if (c == NULL)
		return;
	http_reply_free(&c->reply);
	curl_slist_free_all(c->header);
	free(c->url);
	free(c);
}

static bool
begins(const char *s, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && strncasecmp(s, with, n) == 0;
}

/* A second, different Content-Length is how replies are smuggled. */
static int
take_length(struct http_call *c, const char *s, size_t len)
{
	uint64_t v = 0;

	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL)
		len--;
	if (len == 0 || len > 18)
		return -EPROTO;
	for (; len > 0; s++, len--) {
		if (*s < '0' || *s > '9')
			return -EPROTO;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (c->reply.has_length && c->reply.length != v)
		return -EPROTO;
	c->reply.has_length = true;
	c->reply.length = v;
	return 0;
}

static int
take_header_line(struct http_call *c, const char *s, size_t len)
{
	static const char length[] = "content-length:";

	if (c->reply.body.len > 0)
		return 0; /* a trailer: nothing that is believed */
	if (begins(s, len, "HTTP/")) {
		if (c->wants_tls)
			tls_seen(c->easy, c->reply.tls,
			    sizeof(c->reply.tls));
		/* After an interim (1xx) reply the true one begins. */
		c->reply.head_.len = 0;
		c->reply.has_length = false;
		return 0;
	}
	if (begins(s, len, length)) {
		int r = take_length(c, s + sizeof(length) - 1,
		    len - (sizeof(length) - 1));

		if (r < 0)
			return r;
	}
	return buf_add(&c->reply.head_, s, len);
}

static size_t
on_header(char *s, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;

	c->err = take_header_line(c, s, size * n);
	return c->err == 0 ? size * n : 0;
}

/* The first byte of a body: now the status says how long it may be. */
static int
begin_body(struct http_call *c)
{
	long status = 0;
	uint64_t max = c->max_body;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300)
		max = HTTP_ERROR_BODY_MAX;
	if (c->reply.has_length && c->reply.length > max)
		return -EMSGSIZE;
	c->reply.body.max = (size_t)max;
	return c->reply.has_length ?
	    buf_reserve(&c->reply.body, (size_t)c->reply.length) : 0;
}

static size_t
on_body(char *s, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;

	if (c->reply.body.ptr == NULL && n > 0)
		c->err = begin_body(c);
	if (c->err == 0)
		c->err = buf_add(&c->reply.body, s, size * n);
	/* libcurl is done with it, but (from 8.7 on) may keep its buffer. */
	sodium_memzero(s, size * n);
	return c->err == 0 ? size * n : 0;
}

/* Turns true into false when an option is not taken. */
#define SET(easy, opt, value)                                                  \
	(curl_easy_setopt(easy, opt, value) == CURLE_OK)

static bool
setup_method(struct http_call *c, CURL *e)
{
	if (strcmp(c->method, "HEAD") == 0)
		return SET(e, CURLOPT_NOBODY, 1L);
	if (c->body.ptr != NULL || strcmp(c->method, "POST") == 0 ||
	    strcmp(c->method, "PUT") == 0)
		return SET(e, CURLOPT_POST, 1L) &&
		    SET(e, CURLOPT_POSTFIELDS,
			c->body.ptr != NULL ? (const char *)c->body.ptr : "") &&
		    SET(e, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)c->body.len) &&
		    SET(e, CURLOPT_CUSTOMREQUEST, c->method);
	return SET(e, CURLOPT_HTTPGET, 1L) &&
	    SET(e, CURLOPT_CUSTOMREQUEST, c->method);
}

static bool
setup_security(struct http_call *c, CURL *e, const struct http_setup *s)
{
	bool is_tls = strncmp(c->url, "https://", 8) == 0;

	return SET(e, CURLOPT_PROTOCOLS_STR, is_tls ? "https" : "http") &&
	    SET(e, CURLOPT_FOLLOWLOCATION, 0L) && tls_setup(e, &s->tls) &&
	    (!c->is_loopback || SET(e, CURLOPT_NOPROXY, "*"));
}

static bool
setup_transfer(struct http_call *c, CURL *e, const struct http_setup *s,
    int64_t left_ms)
{
	return SET(e, CURLOPT_URL, c->url) &&
	    SET(e, CURLOPT_PATH_AS_IS, 1L) &&
	    SET(e, CURLOPT_HTTPHEADER, c->header) &&
	    SET(e, CURLOPT_USERAGENT, s->agent) &&
	    SET(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	    SET(e, CURLOPT_HTTP_CONTENT_DECODING, 0L) &&
	    SET(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
	    SET(e, CURLOPT_NOSIGNAL, 1L) &&
	    SET(e, CURLOPT_TCP_KEEPALIVE, 1L) &&
	    SET(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_ms) &&
	    SET(e, CURLOPT_TIMEOUT_MS, (long)left_ms) &&
	    SET(e, CURLOPT_SHARE, s->share) &&
	    SET(e, CURLOPT_HEADERFUNCTION, on_header) &&
	    SET(e, CURLOPT_HEADERDATA, c) &&
	    SET(e, CURLOPT_WRITEFUNCTION, on_body) &&
	    SET(e, CURLOPT_WRITEDATA, c) &&
	    SET(e, CURLOPT_ERRORBUFFER, c->curl_error) &&
	    SET(e, CURLOPT_PRIVATE, c);
}

int
http_call_setup(struct http_call *c, CURL *easy, const struct http_setup *s,
    int64_t now_ms)
{
	c->easy = easy;
	c->moved_at_ms = now_ms;
	if (!setup_method(c, easy) || !setup_security(c, easy, s) ||
	    !setup_transfer(c, easy, s, c->deadline_ms - now_ms))
		return -EIO;
	return 0;
}

static uint64_t
bytes_moved(struct http_call *c)
{
	curl_off_t down = 0, up = 0;
	long head_in = 0, head_out = 0;

	curl_easy_getinfo(c->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(c->easy, CURLINFO_HEADER_SIZE, &head_in);
	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &head_out);
	c->reply.bytes_in = (uint64_t)down + (uint64_t)head_in;
	c->reply.bytes_out = (uint64_t)up + (uint64_t)head_out;
	return c->reply.bytes_in + c->reply.bytes_out;
}

bool
http_call_is_stalled(struct http_call *c, int64_t now_ms, int64_t stall_ms)
{
	uint64_t moved = bytes_moved(c);

	if (moved != c->moved) {
		c->moved = moved;
		c->moved_at_ms = now_ms;
	}
	return now_ms - c->moved_at_ms >= stall_ms;
}

/* One "Name: value\r\n" at s, made into two strings in place. Returns the byte
 * after it, or NULL when it is not a header. */
static char *
split_header(char *s, char *end, struct pair *ret)
{
	char *nl = memchr(s, '\n', (size_t)(end - s));
	char *colon = memchr(s, ':', (size_t)((nl != NULL ? nl : end) - s));
	char *stop = nl, *v;

	if (nl == NULL || colon == NULL || colon == s)
		return NULL;
	*colon = '\0';
	for (char *p = s; *p != '\0'; p++) {
		if (*p <= ' ')
			return NULL; /* also a folded line */
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	}
	for (v = colon + 1; v < stop && (*v == ' ' || *v == '\t');)
		v++;
	while (stop > v && strchr(" \t\r", stop[-1]) != NULL)
		stop--;
	*stop = '\0';
	ret->name = s;
	ret->value = v;
	return nl + 1;
}

static int
index_headers(struct http_reply *r)
{
	char *s = (char *)r->head_.ptr, *end = s + r->head_.len;
	size_t lines = 0;

	for (size_t i = 0; i < r->head_.len; i++)
		lines += s[i] == '\n';
	if ((r->header = calloc(lines + 1, sizeof(*r->header))) == NULL)
		return -ENOMEM;
	while (s < end) {
		if (*s == '\r' || *s == '\n')
			break; /* the empty line */
		s = split_header(s, end, &r->header[r->header_len]);
		if (s == NULL)
			return -EPROTO;
		r->header_len++;
	}
	return 0;
}

static const char *
own_reason(int err)
{
	switch (err) {
	case -EMSGSIZE:
		return "longer than allowed";
	case -EPROTO:
		return "malformed headers";
	case -ECANCELED:
		return "stopped";
	case -ETIMEDOUT:
		return "stalled";
	default:
		return strerror(-err);
	}
}

/* Leaves nothing of the reply but what is counted, and why. */
static int
fail(struct http_call *c, int err, const char *why)
{
	struct http_reply *r = &c->reply;
	uint64_t in = r->bytes_in, out = r->bytes_out;

	http_reply_free(r);
	r->bytes_in = in;
	r->bytes_out = out;
	snprintf(r->why, sizeof(r->why), "%s", why);
	return err;
}

int
http_call_result(struct http_call *c, CURLcode code)
{
	struct http_reply *r = &c->reply;
	char why[HTTP_WHY_MAX];
	long status = 0;
	int err = c->err;

	if (c->easy != NULL)
		(void)bytes_moved(c);
	if (err == -ETIMEDOUT && c->easy == NULL) {
		(void)fail(c, err, "not sent: too many requests were before "
		    "it");
		r->is_unsent = true;
		return err;
	}
	if (err < 0)
		return fail(c, err, own_reason(err));
	if (code != CURLE_OK) {
		err = http_why(c->easy, code, c->curl_error, why);
		return fail(c, err, why);
	}
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	r->status = (int)status;
	if ((err = index_headers(r)) < 0)
		return fail(c, err, own_reason(err));
	if (strcmp(c->method, "HEAD") != 0 && r->has_length &&
	    r->length != r->body.len && status != 304)
		return fail(c, -ECONNRESET, "body is not Content-Length long");
	if (buf_str(&r->body) == NULL)
		return fail(c, -ENOMEM, own_reason(-ENOMEM));
	return 0;
}

void
http_reply_free(struct http_reply *r)
{
	buf_free(&r->body);
	buf_free(&r->head_);
	free(r->header);
	*r = (struct http_reply){ .status = 0 };
}

const char *
http_reply_header(const struct http_reply *r, const char *name)
{
	for (size_t i = 0; i < r->header_len; i++)
		if (strcmp(r->header[i].name, name) == 0)
			return r->header[i].value;
	return NULL;
}
