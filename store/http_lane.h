/* http_lane.h -- which of a service's requests is next. Used by http.c alone.
 *
 * Requests of one service wait in a lane of their own. Those of the foreground
 * go first, each kind in order of arrival; but one of the background goes after
 * every seven that went before it, as somebody may be waiting for it who came
 * later, and would otherwise wait until all foreground rests. A lane may have a
 * pace (pace.h). Threads: [http.lock], but for `active`. */
#ifndef SESFS_STORE_HTTP_LANE_H
#define SESFS_STORE_HTTP_LANE_H

#include "store/http_call.h"
#include "store/pace.h"

struct http_list {
	struct http_call *head, *tail;
};

void http_list_append(struct http_list *l, struct http_call *c);
void http_list_remove(struct http_list *l, struct http_call *c);

struct http_lane_state {
	struct http_list waiting[HTTP_PRIOS];
	uint64_t waiting_n;
	unsigned passed; /* foreground requests that went before background */
	struct pace pace;
	unsigned active; /* in flight; the network thread's alone */
};

void http_lane_append(struct http_lane_state *l, struct http_call *c);

/* What waits in the background for this cause (not 0) goes to the end of the
 * foreground. */
void http_lane_raise(struct http_lane_state *l, int64_t cause);

/* Take out what may start now, with at most `jobs` in flight, or what has
 * waited beyond its deadline. NULL: nothing; when only the pace is in the way,
 * *wait_ms is lowered to the time until it is not. */
struct http_call *http_lane_next(struct http_lane_state *l, unsigned jobs,
    int64_t now_ms, int64_t *wait_ms);

/* Take out one whose deadline has passed, or (all) any; else NULL. */
struct http_call *http_lane_expired(struct http_lane_state *l, int64_t now_ms,
    bool all);

#endif
