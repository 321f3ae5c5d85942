/* http_call.h -- one transfer of http.c. Used by http.c alone.
 *
 * Threads: made by the submitter, then the network thread's alone. */
#ifndef SESFS_STORE_HTTP_CALL_H
#define SESFS_STORE_HTTP_CALL_H

#include <curl/curl.h>

#include "store/http.h"
#include "store/tls.h"

struct http_call {
	char method[8];
	char *url;
	struct curl_slist *header;
	struct slice body;
	uint64_t max_body;
	int64_t deadline_ms; /* monotonic */
	enum http_lane lane;
	enum http_prio prio;
	int64_t cause; /* see http_set_thread_cause() */
	bool is_loopback, wants_tls;
	http_done_fn *done;
	void *arg;

	CURL *easy;		/* while in flight */
	int err;		/* why a callback broke off, or 0 */
	struct http_reply reply;
	uint64_t moved;		/* bytes both ways when last looked */
	int64_t moved_at_ms;
	char curl_error[CURL_ERROR_SIZE];

	struct http_call *prev, *next; /* in a list of http.c */
};

/* Returns 0; -EINVAL for an unknown method or header that would not stay one
 * line; -ENOMEM. */
int http_call_new(const struct http_request *req, int64_t now_ms,
    struct http_call **ret) MUST_CHECK;
void http_call_free(struct http_call *c);
DEFINE_FREEP(struct http_call, http_call_free)

/* What is the same for all transfers. */
#define HTTP_AGENT_MAX 128 /* bytes with the zero */
struct http_setup {
	char agent[HTTP_AGENT_MAX];
	struct tls_opts tls;
	int64_t connect_ms, stall_ms;
	CURLSH *share;
};

/* Make a fresh easy handle do this call. */
int http_call_setup(struct http_call *c, CURL *easy,
    const struct http_setup *s, int64_t now_ms) MUST_CHECK;

/* Has nothing moved for stall_ms? */
bool http_call_is_stalled(struct http_call *c, int64_t now_ms,
    int64_t stall_ms);

/* The transfer ended with this code: read the headers and make the error.
 * Returns what `done` gets. */
int http_call_result(struct http_call *c, CURLcode code) MUST_CHECK;

#endif
