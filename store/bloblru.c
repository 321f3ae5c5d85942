#include "store/bloblru.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 256 /* items, a power of two; as many buckets as room */

static uint32_t
bucket_of(const struct bloblru *l, int64_t id)
{
	/* Fibonacci hashing: ids are consecutive, more or less. */
	return (uint32_t)(((uint64_t)id * 0x9e3779b97f4a7c15U) >> 32) &
	    (l->buckets - 1);
}

static void
rebuild(struct bloblru *l)
{
	memset(l->bucket, 0, l->buckets * sizeof(*l->bucket));
	for (uint32_t i = l->item[0].older; i != 0; i = l->item[i].older) {
		uint32_t b = bucket_of(l, l->item[i].id);

		l->item[i].chain = l->bucket[b];
		l->bucket[b] = i;
	}
}

static int
grow(struct bloblru *l)
{
	uint32_t room = l->room > 0 ? 2 * l->room : ROOM_MIN;
	struct bloblru_item *item;
	uint32_t *bucket;

	if (room < l->room)
		return -ENOMEM;
	if ((item = reallocarray(l->item, room, sizeof(*item))) == NULL)
		return -ENOMEM;
	l->item = item;
	if ((bucket = reallocarray(l->bucket, room, sizeof(*bucket))) == NULL)
		return -ENOMEM;
	l->bucket = bucket;
	l->room = l->buckets = room;
	return 0;
}

int
bloblru_init(struct bloblru *l)
{
	memset(l, 0, sizeof(*l));
	if (grow(l) < 0) {
		bloblru_destroy(l);
		return -ENOMEM;
	}
	bloblru_clear(l);
	l->is_partial = true;
	l->is_void = false;
	return 0;
}

void
bloblru_destroy(struct bloblru *l)
{
	free(l->item);
	free(l->bucket);
	free(l->removed);
	memset(l, 0, sizeof(*l));
}

void
bloblru_clear(struct bloblru *l)
{
	memset(&l->item[0], 0, sizeof(l->item[0]));
	l->items = 1;
	l->free = 0;
	l->count = l->bytes = 0;
	l->is_void = true;
	rebuild(l);
}

static uint32_t
find(const struct bloblru *l, int64_t id)
{
	uint32_t i = l->bucket[bucket_of(l, id)];

	while (i != 0 && l->item[i].id != id)
		i = l->item[i].chain;
	return i;
}

struct bloblru_item *
bloblru_find(struct bloblru *l, int64_t id)
{
	uint32_t i = find(l, id);

	return i != 0 ? &l->item[i] : NULL;
}

static void
take_out(struct bloblru *l, uint32_t i)
{
	l->item[l->item[i].newer].older = l->item[i].older;
	l->item[l->item[i].older].newer = l->item[i].newer;
}

/* Put in just behind `newer` (0: as the newest of all). */
static void
put_in(struct bloblru *l, uint32_t i, uint32_t newer)
{
	uint32_t older = l->item[newer].older;

	l->item[i].newer = newer;
	l->item[i].older = older;
	l->item[newer].older = i;
	l->item[older].newer = i;
}

static int
new_item(struct bloblru *l, uint32_t *ret)
{
	int r;

	if ((*ret = l->free) != 0) {
		l->free = l->item[*ret].chain;
		return 0;
	}
	if (l->items == l->room) {
		if ((r = grow(l)) < 0)
			return r;
		rebuild(l);
	}
	*ret = l->items++;
	return 0;
}

static int
insert(struct bloblru *l, int64_t id, uint64_t bytes, int64_t used_unix,
    bool is_oldest)
{
	uint32_t i, b;
	int r;

	if ((r = new_item(l, &i)) < 0)
		return r;
	b = bucket_of(l, id);
	l->item[i] = (struct bloblru_item){ .id = id, .bytes = bytes,
		.used_unix = used_unix, .chain = l->bucket[b] };
	l->bucket[b] = i;
	put_in(l, i, is_oldest ? l->item[0].newer : 0);
	l->count++;
	l->bytes += bytes;
	return 0;
}

int
bloblru_add(struct bloblru *l, int64_t id, uint64_t bytes, int64_t used_unix)
{
	uint32_t i = find(l, id);

	if (i == 0)
		return insert(l, id, bytes, used_unix, false);
	l->bytes += bytes - l->item[i].bytes;
	l->item[i].bytes = bytes;
	l->item[i].used_unix = used_unix;
	take_out(l, i);
	put_in(l, i, 0);
	return 0;
}

/* ---- while partial ---- */

static int
by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* When memory fails, the table may come to count one blob too many; the next
 * use of it puts that right. */
static void
remember_removed(struct bloblru *l, int64_t id)
{
	if (l->removed_n == l->removed_room) {
		size_t room = l->removed_room > 0 ? 2 * l->removed_room : 64;
		int64_t *p = reallocarray(l->removed, room, sizeof(*p));

		if (p == NULL)
			return;
		l->removed = p;
		l->removed_room = room;
	}
	l->removed[l->removed_n++] = id;
	l->is_sorted = false;
}

static bool
was_removed(struct bloblru *l, int64_t id)
{
	if (l->removed_n == 0)
		return false;
	if (!l->is_sorted)
		qsort(l->removed, l->removed_n, sizeof(*l->removed), by_id);
	l->is_sorted = true;
	return bsearch(&id, l->removed, l->removed_n, sizeof(id), by_id) !=
	    NULL;
}

int
bloblru_found(struct bloblru *l, int64_t id, uint64_t bytes, int64_t used_unix)
{
	if (l->is_void || find(l, id) != 0 || was_removed(l, id))
		return 0;
	return insert(l, id, bytes, used_unix, true);
}

void
bloblru_complete(struct bloblru *l)
{
	l->is_partial = false;
	free(l->removed);
	l->removed = NULL;
	l->removed_n = l->removed_room = 0;
}

bool
bloblru_remove(struct bloblru *l, int64_t id)
{
	uint32_t *at = &l->bucket[bucket_of(l, id)], i;

	while (*at != 0 && l->item[*at].id != id)
		at = &l->item[*at].chain;
	if (l->is_partial)
		remember_removed(l, id);
	if ((i = *at) == 0)
		return false;
	*at = l->item[i].chain;
	take_out(l, i);
	l->count--;
	l->bytes -= l->item[i].bytes;
	l->item[i].chain = l->free;
	l->free = i;
	return true;
}

int64_t
bloblru_oldest(const struct bloblru *l)
{
	uint32_t i = l->item[0].newer;

	return i != 0 ? l->item[i].id : 0;
}
