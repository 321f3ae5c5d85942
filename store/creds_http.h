/* creds_http.h -- requests that are not signed, to those who give credentials.
 *
 * STS with a web identity, IAM Identity Center, the container endpoint, IMDS.
 * Replies are at most 64 KiB. Threads: any. */
#ifndef SESFS_STORE_CREDS_HTTP_H
#define SESFS_STORE_CREDS_HTTP_H

#include "store/creds.h"
#include "store/endpoint.h"
#include "store/http.h"

#define CREDS_URL_MAX 4096 /* bytes with the zero */

struct creds_http {
	struct http *http;
	const struct endpoint *endpoint;
	bool is_direct; /* past any proxy: it is on this machine or its link */
	const char *method;
	const char *path; /* after the endpoint's own: encoded, with query */
	const struct pair *header;
	size_t header_len;
	struct slice body;
	unsigned attempts;  /* in all */
	int64_t timeout_ms; /* of each */
};

/* Ask, and again after a growing wait when nobody answered, or 429 or 5xx was
 * the answer. Returns 0 with the reply to a request that the server dealt
 * with, of any other status; errors of http.h; -EAGAIN for 429 and 5xx; then
 * `why` has what it was. ret is always to be freed. */
int creds_http(const struct creds_http *c, struct http_reply *ret,
    char why[CREDS_WHY_MAX]) MUST_CHECK;

/* May credentials go there: TLS, this machine, one of the link-local addresses
 * where AWS answers without TLS, or allow_http? Returns 0; -EPERM with why. */
int creds_http_may(const struct endpoint *e, bool allow_http,
    char why[CREDS_WHY_MAX]) MUST_CHECK;

/* Is the host one of those link-local addresses? */
bool creds_http_is_link_local(const struct endpoint *e);

/* -EACCES for 401 and 403, else -EIO, with the status and what a JSON or XML
 * body says of it in `why`. */
int creds_http_refused(const struct http_reply *r, char why[CREDS_WHY_MAX]);

#endif
