#include "store/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WALKS 8	   /* followed at once */
#define RECENT 16  /* reads that are no walk (yet) */
#define REACH 256  /* of places by number, so that far ones cost no query */
#define STEP 64	   /* places asked for at once */
#define SIDED 3	   /* reads on one side that make a walk */
#define RESTING 64 /* steps of others without one of its own */

struct walk {
	bool is_used, is_backward;
	enum place_order order;
	int64_t parent;
	int64_t tail, head; /* places: where it began, the last one fetched */
	unsigned window, unread; /* messages */
	uint64_t unread_bytes;
	uint64_t used_at; /* tick */
};

/* A message ahead of a walk. */
struct ahead {
	int64_t ino; /* 0: free */
	uint64_t bytes; /* 0 when it was here */
	void *fetched;
	bool was_here;
	unsigned walk;
};

struct streams {
	struct stream_opts o; /* constant */
	struct walk walk[WALKS];
	struct index_place recent[RECENT]; /* parent 0: none */
	unsigned next_recent;
	uint64_t tick;
	struct stream_stats stats;
	size_t slots; /* a power of two, never more than half full */
	struct ahead ahead[];
};

int
streams_new(const struct stream_opts *o, struct streams **ret)
{
	size_t slots = 64;
	struct streams *s;

	while (slots < 2 * (size_t)WALKS * o->window)
		slots *= 2;
	*ret = s = calloc(1, sizeof(*s) + slots * sizeof(s->ahead[0]));
	if (s == NULL)
		return -ENOMEM;
	s->o = *o;
	s->slots = slots;
	return 0;
}

void
streams_free(struct streams *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->slots; i++)
		if (s->ahead[i].ino != 0)
			s->o.forget(s->o.arg, s->ahead[i].fetched);
	free(s);
}

void
streams_get_stats(const struct streams *s, struct stream_stats *ret)
{
	*ret = s->stats;
}

/* ---- what is ahead: a table by inode, probed linearly ---- */

static size_t
home(const struct streams *s, int64_t ino)
{
	return ((uint64_t)ino * 0x9e3779b97f4a7c15U >> 32) & (s->slots - 1);
}

/* Its slot, or the free one where it would go. */
static struct ahead *
find_ahead(struct streams *s, int64_t ino)
{
	size_t i = home(s, ino);

	while (s->ahead[i].ino != 0 && s->ahead[i].ino != ino)
		i = (i + 1) & (s->slots - 1);
	return &s->ahead[i];
}

/* Free a slot, and move up what was only beyond it because it was taken. */
static void
clear_slot(struct streams *s, struct ahead *a)
{
	size_t hole = (size_t)(a - s->ahead), i = hole;

	for (;;) {
		size_t h;

		i = (i + 1) & (s->slots - 1);
		if (s->ahead[i].ino == 0)
			break;
		h = home(s, s->ahead[i].ino);
		if (((i - h) & (s->slots - 1)) <
		    ((i - hole) & (s->slots - 1)))
			continue;
		s->ahead[hole] = s->ahead[i];
		hole = i;
	}
	s->ahead[hole].ino = 0;
}

/* The message is ahead no more: it was read, or its walk is given up. */
static void
take_ahead(struct streams *s, struct ahead *a)
{
	struct walk *w = &s->walk[a->walk];

	w->unread--;
	w->unread_bytes -= a->bytes;
	s->stats.unread_bytes -= a->bytes;
	s->o.forget(s->o.arg, a->fetched);
	clear_slot(s, a);
}

/* ---- walks ---- */

static void
drop_walk(struct streams *s, struct walk *w)
{
	s->stats.wasted_bytes += w->unread_bytes;
	for (size_t i = 0; i < s->slots && w->unread > 0;) {
		struct ahead *a = &s->ahead[i];

		/* The slot may be filled anew, by a later one, or by an
		 * earlier one that wrapped around and was not ours. */
		if (a->ino != 0 && &s->walk[a->walk] == w)
			take_ahead(s, a);
		else
			i++;
	}
	*w = (struct walk){ .is_used = false };
}

/* The walk that was not followed for longest; has_unread: of those that have
 * something ahead. */
static struct walk *
oldest_walk(struct streams *s, bool has_unread)
{
	struct walk *ret = NULL;

	for (size_t i = 0; i < WALKS; i++) {
		struct walk *w = &s->walk[i];

		if (w->is_used && (!has_unread || w->unread > 0) &&
		    (ret == NULL || w->used_at < ret->used_at))
			ret = w;
	}
	return ret;
}

/* Is there room for so many bytes more? Walks that rest make room; those that
 * are followed at the same time share what there is. */
static bool
make_room(struct streams *s, uint64_t bytes)
{
	if (bytes > s->o.unread_max)
		return false;
	while (s->stats.unread_bytes + bytes > s->o.unread_max) {
		struct walk *old = oldest_walk(s, true);

		if (s->tick - old->used_at < RESTING)
			return false;
		drop_walk(s, old);
	}
	return true;
}

/* Returns false when it has to wait for the reader. */
static bool
fetch(struct streams *s, struct walk *w, const struct index_place *p)
{
	struct ahead a = { .ino = p->at[PLACE_INO],
		.walk = (unsigned)(w - s->walk) };

	if (find_ahead(s, a.ino)->ino != 0)
		return true; /* ahead of another one already */
	if (!make_room(s, p->size) ||
	    (a.fetched = s->o.fetch(s->o.arg, p, &a.was_here)) == NULL)
		return false;
	a.bytes = a.was_here ? 0 : p->size;
	*find_ahead(s, a.ino) = a;
	w->unread++;
	w->unread_bytes += a.bytes;
	s->stats.unread_bytes += a.bytes;
	s->stats.fetched += !a.was_here;
	s->stats.fetched_bytes += a.bytes;
	return true;
}

/* Keep `window` messages ahead; not for every single one that is missing. */
static void
extend(struct streams *s, struct walk *w)
{
	struct index_place p[STEP];

	w->used_at = ++s->tick;
	if (4 * w->unread > 3 * w->window)
		return;
	while (w->unread < w->window) {
		unsigned want = w->window - w->unread;
		int n = s->o.places(s->o.arg, w->order, w->is_backward,
		    w->parent, w->head, p, want < STEP ? want : STEP);

		if (n <= 0)
			return; /* the end, or the index's trouble */
		for (int i = 0; i < n; i++) {
			if (!fetch(s, w, &p[i]))
				return;
			w->head = p[i].at[w->order];
		}
	}
}

static void
begin_walk(struct streams *s, enum place_order order, bool is_backward,
    const struct index_place *at)
{
	struct walk *w = NULL;

	for (size_t i = 0; i < WALKS && w == NULL; i++)
		if (!s->walk[i].is_used)
			w = &s->walk[i];
	if (w == NULL) {
		w = oldest_walk(s, false);
		drop_walk(s, w);
	}
	*w = (struct walk){
		.is_used = true,
		.is_backward = is_backward,
		.order = order,
		.parent = at->parent,
		.tail = at->at[order],
		.head = at->at[order],
		.window = STREAM_FIRST < s->o.window ? STREAM_FIRST :
						       s->o.window,
	};
	extend(s, w);
}

/* ---- reads ---- */

static void
on_hit(struct streams *s, struct ahead *a)
{
	struct walk *w = &s->walk[a->walk];

	s->stats.hits += !a->was_here;
	take_ahead(s, a);
	w->window = w->window + 2 < s->o.window ? w->window + 2 :
						  s->o.window;
	extend(s, w);
}

/* How many steps from place `from` to `to`, at most STREAM_NEAR; 0: more. */
static int
steps(struct streams *s, enum place_order order, const struct index_place *from,
    const struct index_place *to, bool *ret_backward)
{
	struct index_place p[STREAM_NEAR];
	int64_t d = to->at[order] - from->at[order];
	int n;

	*ret_backward = d < 0;
	if (d == 0 || d > REACH || d < -REACH)
		return 0;
	n = s->o.places(s->o.arg, order, d < 0, from->parent, from->at[order],
	    p, STREAM_NEAR);
	for (int i = 0; i < n; i++)
		if (p[i].at[order] == to->at[order])
			return i + 1;
	return 0;
}

/* Does a walk pass here? Within what it has fetched it was read twice, or by
 * someone before; just beyond its head the reader is ahead of us. */
static bool
is_on_walk(struct streams *s, struct walk *w, const struct index_place *p)
{
	struct index_place head = *p;
	int64_t at = p->at[w->order];
	bool backward;

	if (!w->is_used || w->parent != p->parent)
		return false;
	if (w->is_backward ? at <= w->tail && at >= w->head :
			     at >= w->tail && at <= w->head)
		return true;
	head.at[w->order] = w->head;
	if (steps(s, w->order, &head, p, &backward) == 0 ||
	    backward != w->is_backward)
		return false;
	w->head = at;
	return true;
}

/* The recent read that is nearest by number, or NULL. */
static const struct index_place *
nearest(const struct streams *s, enum place_order order,
    const struct index_place *at)
{
	const struct index_place *ret = NULL;
	int64_t best = REACH;

	for (size_t i = 0; i < RECENT; i++) {
		const struct index_place *r = &s->recent[i];
		int64_t d = llabs(at->at[order] - r->at[order]);

		if (r->parent == at->parent && d != 0 && d <= best) {
			best = d;
			ret = r;
		}
	}
	return ret;
}

/* Recent reads up to `reach` behind and before a place. */
static void
look_around(const struct streams *s, enum place_order order,
    const struct index_place *at, int64_t reach, int *ret_behind,
    int *ret_before)
{
	*ret_behind = *ret_before = 0;
	for (size_t i = 0; i < RECENT; i++) {
		int64_t d = at->at[order] - s->recent[i].at[order];

		if (s->recent[i].parent != at->parent || llabs(d) > reach)
			continue;
		*ret_behind += d > 0;
		*ret_before += d < 0;
	}
}

/* Does a walk lead here? Two reads make one when they are neighbours and stand
 * alone. Else several that all lie on one side tell whence it came, as a reader
 * with several threads reads a little out of order. */
static bool
is_walk(struct streams *s, enum place_order order, const struct index_place *at)
{
	const struct index_place *from = nearest(s, order, at);
	int behind, before, n;
	bool back;

	if (from == NULL || (n = steps(s, order, from, at, &back)) == 0)
		return false;
	look_around(s, order, at,
	    4 * llabs(at->at[order] - from->at[order]), &behind, &before);
	if ((n > 1 || behind + before > 1) &&
	    (behind < SIDED || before > 0) && (before < SIDED || behind > 0))
		return false;
	begin_walk(s, order, before > 0, at);
	return true;
}

void
streams_read(struct streams *s, int64_t ino, bool is_local)
{
	struct ahead *a = find_ahead(s, ino);
	struct index_place at;

	if (a->ino == ino) {
		on_hit(s, a);
		return;
	}
	if (is_local || s->o.place(s->o.arg, ino, 0, &at) < 0)
		return;
	for (size_t i = 0; i < WALKS; i++)
		if (is_on_walk(s, &s->walk[i], &at)) {
			extend(s, &s->walk[i]);
			return;
		}
	for (int o = 0; o < PLACE_ORDERS; o++)
		if (is_walk(s, (enum place_order)o, &at))
			break;
	s->recent[s->next_recent] = at;
	s->next_recent = (s->next_recent + 1) % RECENT;
}
