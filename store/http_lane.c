#include "store/http_lane.h"

#define PASSED_MAX 7 /* see http_lane.h */

void
http_list_append(struct http_list *l, struct http_call *c)
{
	c->next = NULL;
	c->prev = l->tail;
	if (l->tail != NULL)
		l->tail->next = c;
	else
		l->head = c;
	l->tail = c;
}

void
http_list_remove(struct http_list *l, struct http_call *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		l->head = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		l->tail = c->prev;
	c->prev = c->next = NULL;
}

void
http_lane_append(struct http_lane_state *l, struct http_call *c)
{
	http_list_append(&l->waiting[c->prio], c);
	l->waiting_n++;
}

static void
take_out(struct http_lane_state *l, struct http_call *c)
{
	http_list_remove(&l->waiting[c->prio], c);
	l->waiting_n--;
}

void
http_lane_raise(struct http_lane_state *l, int64_t cause)
{
	struct http_call *next;

	for (struct http_call *c = l->waiting[HTTP_BACKGROUND].head; c != NULL;
	     c = next) {
		next = c->next;
		if (c->cause != cause)
			continue;
		take_out(l, c);
		c->prio = HTTP_FOREGROUND;
		http_lane_append(l, c);
	}
}

/* Whose turn is it? */
static struct http_call *
first(const struct http_lane_state *l)
{
	struct http_call *front = l->waiting[HTTP_FOREGROUND].head;
	struct http_call *back = l->waiting[HTTP_BACKGROUND].head;

	if (front == NULL || (back != NULL && l->passed >= PASSED_MAX))
		return back;
	return front;
}

struct http_call *
http_lane_next(struct http_lane_state *l, unsigned jobs, int64_t now_ms,
    int64_t *wait_ms)
{
	struct http_call *c = first(l);
	int64_t wait_us;

	if (c == NULL || l->active >= jobs)
		return NULL;
	if (now_ms < c->deadline_ms &&
	    (wait_us = pace_take(&l->pace, now_ms * 1000)) > 0) {
		if ((wait_us + 999) / 1000 < *wait_ms)
			*wait_ms = (wait_us + 999) / 1000;
		return NULL;
	}
	if (c->prio == HTTP_BACKGROUND)
		l->passed = 0;
	else if (l->waiting[HTTP_BACKGROUND].head != NULL)
		l->passed++;
	take_out(l, c);
	return c;
}

struct http_call *
http_lane_expired(struct http_lane_state *l, int64_t now_ms, bool all)
{
	for (int p = 0; p < HTTP_PRIOS; p++)
		for (struct http_call *c = l->waiting[p].head; c != NULL;
		     c = c->next)
			if (all || now_ms >= c->deadline_ms) {
				take_out(l, c);
				return c;
			}
	return NULL;
}
