/* http_events.h -- what the network thread waits for. Used by http.c alone.
 *
 * libcurl tells which sockets it wants to hear of and when it wants to be
 * called again; epoll waits for those, so that an event costs the same however
 * many transfers are in flight (curl_multi_perform looks at each of them every
 * time). Threads: one waits; any may wake it. */
#ifndef SESFS_STORE_HTTP_EVENTS_H
#define SESFS_STORE_HTTP_EVENTS_H

#include <curl/curl.h>

#include "crypto/base.h"

struct http_events;

/* Take over the multi handle's socket and timer callbacks. The multi handle
 * ends first. -EMFILE and the like; -ENOMEM. */
int http_events_new(CURLM *multi, struct http_events **ret) MUST_CHECK;
void http_events_free(struct http_events *e);
DEFINE_FREEP(struct http_events, http_events_free)

/* Wait until something happens, libcurl is due, somebody wakes it, or max_ms
 * milliseconds have passed; let libcurl do what there is to do. */
void http_events_wait(struct http_events *e, int64_t max_ms);
/* End the wait, or the next one. */
void http_events_wake(struct http_events *e);

#endif
