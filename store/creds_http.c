#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/awserr.h"
#include "store/creds_http.h"
#include "store/creds_json.h"

#define BODY_MAX 65536
#define AGAIN_MS 200 /* before the second attempt; then twice as long */

/* Where ECS, EKS and EC2 answer. */
static const char *const link_local[] = { "169.254.170.2", "169.254.170.23",
	"169.254.169.254", "[fd00:ec2::23]", "[fd00:ec2::254]" };

bool
creds_http_is_link_local(const struct endpoint *e)
{
	for (size_t i = 0; i < NELEMS(link_local); i++)
		if (strcmp(e->host, link_local[i]) == 0)
			return true;
	return false;
}

int
creds_http_may(const struct endpoint *e, bool allow_http,
    char why[CREDS_WHY_MAX])
{
	if (e->is_tls || allow_http || endpoint_is_loopback(e) ||
	    creds_http_is_link_local(e))
		return 0;
	snprintf(why, CREDS_WHY_MAX, "plain http:// to another machine needs "
	    "--allow-http");
	return -EPERM;
}

static int
make_url(const struct creds_http *c, char ret[CREDS_URL_MAX])
{
	char host[ENDPOINT_HOST_MAX + 8];
	int n;

	endpoint_host_header(c->endpoint, host);
	n = snprintf(ret, CREDS_URL_MAX, "%s://%s%s%s",
	    c->endpoint->is_tls ? "https" : "http", host, c->endpoint->base,
	    c->path);
	return n < CREDS_URL_MAX ? 0 : -EMSGSIZE;
}

/* Also a 400 may say "later": STS throttles with one, and passes on that an
 * identity provider did not answer it. */
static bool
is_passing(const struct http_reply *r)
{
	struct awserr e;

	awserr_parse(r, &e);
	return r->status >= 500 || (r->status >= 400 &&
	    awserr_judge(&e).failure.kind != RETRY_NEVER);
}

static int
attempt(const struct creds_http *c, const char *url, struct http_reply *ret,
    char why[CREDS_WHY_MAX])
{
	const struct http_request req = {
		.method = c->method,
		.url = url,
		.header = c->header,
		.header_len = c->header_len,
		.body = c->body,
		.max_body = BODY_MAX,
		.timeout_ms = c->timeout_ms,
		.lane = HTTP_LANE_OTHER,
		.prio = HTTP_FOREGROUND,
		.is_loopback = c->is_direct || endpoint_is_loopback(c->endpoint),
	};
	int r = http_do(c->http, &req, ret);

	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "%.80s: %.160s",
		    c->endpoint->host, ret->why);
	else if (is_passing(ret)) {
		creds_http_refused(ret, why);
		r = -EAGAIN;
	}
	return r;
}

int
creds_http(const struct creds_http *c, struct http_reply *ret,
    char why[CREDS_WHY_MAX])
{
	char url[CREDS_URL_MAX];
	int r = make_url(c, url);

	*ret = (struct http_reply){ .status = 0 };
	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "the URL is too long");
	for (unsigned i = 0; r == 0; i++) {
		int64_t wait = (int64_t)AGAIN_MS << i;

		r = attempt(c, url, ret, why);
		if (r == 0 || i + 1 >= c->attempts || i > 5 ||
		    r == -ECANCELED || r == -EPROTO || r == -EINVAL ||
		    r == -ENETUNREACH || r == -EMSGSIZE)
			break;
		http_reply_free(ret);
		r = http_sleep_ms(c->http, wait / 2 +
		    randombytes_uniform((uint32_t)wait));
	}
	return r;
}

int
creds_http_refused(const struct http_reply *r, char why[CREDS_WHY_MAX])
{
	const struct slice body = { r->body.ptr, r->body.len };
	struct awserr e = { .status = 0 };
	char text[CREDS_WHY_MAX] = "";

	if (body.len > 0 && body.ptr[0] == '{')
		creds_json_error(body, text, sizeof(text));
	else if (awserr_parse_body(body, &e))
		snprintf(text, sizeof(text), "%s: %.300s", e.code, e.message);
	snprintf(why, CREDS_WHY_MAX, "HTTP %d%s%.400s", r->status,
	    text[0] != '\0' ? ": " : "", text);
	return r->status == 401 || r->status == 403 ? -EACCES : -EIO;
}
