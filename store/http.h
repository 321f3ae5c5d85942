/* http.h -- HTTP requests for everybody, on one network thread.
 *
 * One thread drives a libcurl multi handle: HTTP/1.1 with kept connections, TLS
 * as in tls.h, its sessions and names shared. Requests wait in lanes, one per
 * service, so that a slow one does not hold up the others; each lane has at most
 * `jobs` transfers in flight, may have a pace that follows what the service
 * takes (pace.h), and takes foreground requests first (http_lane.h), each kind
 * in order of arrival. Redirects are never followed, content is never decoded.
 * Proxies are curl's business (https_proxy, NO_PROXY), but loopback is never
 * asked for through one.
 *
 * Threads: any may submit; callbacks run on the network thread and must not
 * block. Errors, all after which no reply exists:
 *	-EHOSTUNREACH	no such host name
 *	-ECONNREFUSED	nobody listens there
 *	-ECONNRESET	broken before or within the reply, or a short body
 *	-ETIMEDOUT	the deadline passed, perhaps while it still waited in its
 *			lane, or nothing moved for stall_ms
 *	-ENETUNREACH	something in between: the proxy refuses, or what answers
 *			speaks no TLS
 *	-EPROTO		TLS refused (certificate, version), or not HTTP
 *	-EINVAL		https_proxy is not the URL of a proxy
 *	-EMSGSIZE	body above max_body, or headers above 64 KiB
 *	-ECANCELED	http_stop()
 *	-ENOMEM, -EIO	the rest
 */
#ifndef SESFS_STORE_HTTP_H
#define SESFS_STORE_HTTP_H

#include "crypto/base.h"
#include "store/buf.h"

#define HTTP_HEAD_MAX 65536 /* bytes of one reply's headers */
#define HTTP_WHY_MAX 256    /* bytes of an explanation */
#define HTTP_ERROR_BODY_MAX 65536 /* bytes of a body with status >= 300 */

struct http;

enum http_lane {
	HTTP_LANE_S3,
	HTTP_LANE_KMS,
	HTTP_LANE_OTHER, /* STS, SQS, credential endpoints */
	HTTP_LANES
};

enum http_prio {
	HTTP_FOREGROUND, /* someone waits in a system call */
	HTTP_BACKGROUND, /* sync, prefetch */
	HTTP_PRIOS
};

struct http_opts {
	unsigned jobs;		/* transfers in flight per lane; 0 = 64 */
	const char *ca_bundle;	/* PEM file instead of the system's, or NULL */
	bool fips;		/* see tls.h */
	int64_t connect_ms;	/* longest wait for a connection; 0 = 10,000 */
	int64_t stall_ms;	/* longest silence; 0 = 30,000 */
	const char *app_id;	/* who we are beside sesfs/VERSION in the user
				 * agent, as AWS_SDK_UA_APP_ID; NULL none */
	unsigned rate[HTTP_LANES]; /* requests a second at most, retries
				    * included; 0 = as many as come */
};

/* Start the network thread. Returns 0; -EINVAL when TLS cannot be had as asked
 * (the CA bundle cannot be read; logged); -ENOMEM, -EAGAIN (no thread). */
int http_new(const struct http_opts *o, struct http **ret) MUST_CHECK;

/* Cancel everything: what is in flight or waiting, and what is submitted from
 * now on, ends with -ECANCELED, promptly. Any thread; more than once is
 * fine. */
void http_stop(struct http *h);

/* Stop, join the network thread and free. Nobody may be inside a call. */
void http_free(struct http *h);
DEFINE_FREEP(struct http, http_free)

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "DELETE" */
	const char *url;    /* complete, encoded, sent as it is */
	const struct pair *header;
	size_t header_len;
	struct slice body; /* stays the caller's, untouched until done */
	uint64_t max_body; /* longest reply body, bytes */
	int64_t timeout_ms; /* from now, waiting included; > 0 */
	enum http_lane lane;
	enum http_prio prio;
	bool is_loopback; /* go there directly, whatever proxies are set */
	bool wants_tls;	  /* describe the connection in the reply's `tls` */
};

struct http_reply {
	int status;	     /* 0 when there was no reply */
	bool is_unsent;	     /* with -ETIMEDOUT: it still waited in its lane */
	struct pair *header; /* names in lower case, order of arrival */
	size_t header_len;
	struct buf body;
	bool has_length;
	uint64_t length; /* Content-Length, when has_length */
	uint64_t bytes_in, bytes_out;
	struct buf head_; /* owns the header strings */
	char why[HTTP_WHY_MAX]; /* on error: what went wrong, for the log */
	char tls[HTTP_WHY_MAX]; /* "TLSv1.3 TLS_AES_128_GCM_SHA256, certificate
				 * issued by ..."; "" without TLS, or when it
				 * was not asked for */
};

/* Called once per submitted request, with err 0 and a reply of any status, or
 * an error from above and only `why` and is_unsent in it. The reply becomes the callee's:
 * move it out and http_reply_free() it; what is left in it is freed. */
typedef void http_done_fn(void *arg, int err, struct http_reply *reply);

/* Queue a request. All of it but the body is copied. Returns 0, then `done`
 * will be called; -ENOMEM, -EINVAL, -ECANCELED, then it will not. */
int http_submit(struct http *h, const struct http_request *req,
    http_done_fn *done, void *arg) MUST_CHECK;

/* The same, and wait. ret is always to be freed, also after an error (it has
 * the reason then). */
int http_do(struct http *h, const struct http_request *req,
    struct http_reply *ret) MUST_CHECK;

/* Wipes and frees members, not the struct. */
void http_reply_free(struct http_reply *r);

/* First header of that (lower-case) name, or NULL. */
const char *http_reply_header(const struct http_reply *r, const char *name);

/* Tell a lane what the service made of a request: it said "too often", or it
 * served it. Returns whether the lane has a pace, which then heeds it. */
bool http_report(struct http *h, enum http_lane lane, bool is_throttled);

struct http_pace {
	double limit;	  /* requests a second, as http_opts.rate; 0 = none */
	double rate;	  /* the same as it is now */
	uint64_t waiting; /* requests that have not been sent yet */
};
void http_get_pace(struct http *h, enum http_lane lane,
    struct http_pace *ret);

/* The file of certificates that is trusted without a bundle of one's own, or
 * NULL when libcurl does not tell. */
const char *http_default_ca(void);

/* Sleep. Returns 0 after ms milliseconds; -ECANCELED as soon as http_stop()
 * is called. */
int http_sleep_ms(struct http *h, int64_t ms) MUST_CHECK;

/* The priority of the requests which the calling thread makes from now on (a
 * thread begins in the foreground). Sync and prefetch threads say
 * HTTP_BACKGROUND once. */
void http_set_thread_prio(enum http_prio prio);
enum http_prio http_thread_prio(void);

/* What the calling thread's requests are for from now on, by a number of the
 * caller's; 0: nothing that anybody would raise. */
void http_set_thread_cause(int64_t cause);
int64_t http_thread_cause(void);
/* Somebody waits for it now: requests for it that wait for their turn in the
 * background do so in the foreground. Those that are yet to come are as their
 * thread is. */
void http_raise(struct http *h, int64_t cause);

#endif
