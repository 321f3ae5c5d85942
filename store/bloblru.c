#include "store/bloblru.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM_MIN 256 /* items, a power of two; as many buckets as room */
#define DROPPED_MAX 65536

_Static_assert(sizeof(struct bloblru_item) == 24, "a million of them");

static int64_t
id_of(const struct bloblru_item *i)
{
	return (int64_t)((uint64_t)i->id_high << 32 | i->id_low);
}

static struct bloblru_place
place_of(const struct bloblru_item *i)
{
	return (struct bloblru_place){ i->slot, i->unit, i->units };
}

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
		uint32_t b = bucket_of(l, id_of(&l->item[i]));

		l->item[i].chain = l->bucket[b];
		l->bucket[b] = i;
	}
}

/* Mapped, not from the heap: a table that doubles would leave holes of its size
 * there, and pages that are not used yet are not there at all. */
static void *
resize(void *p, uint32_t old, uint32_t room, size_t size)
{
	void *q = p == NULL ? mmap(NULL, room * size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) :
			      mremap(p, old * size, room * size,
				  MREMAP_MAYMOVE);

	return q != MAP_FAILED ? q : NULL;
}

static int
grow(struct bloblru *l)
{
	uint32_t room = l->room > 0 ? 2 * l->room : ROOM_MIN;
	struct bloblru_item *item;
	uint32_t *bucket;

	if (room < l->room)
		return -ENOMEM;
	item = resize(l->item, l->room, room, sizeof(*item));
	if (item == NULL)
		return -ENOMEM;
	l->item = item;
	l->room = room;
	bucket = resize(l->bucket, l->buckets, room, sizeof(*bucket));
	if (bucket == NULL)
		return -ENOMEM;
	l->bucket = bucket;
	l->buckets = room;
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
	if (l->item != NULL)
		munmap(l->item, l->room * sizeof(*l->item));
	if (l->bucket != NULL)
		munmap(l->bucket, l->buckets * sizeof(*l->bucket));
	free(l->dropped);
	memset(l, 0, sizeof(*l));
}

void
bloblru_clear(struct bloblru *l)
{
	/* To make it smaller fails for no reason that matters: then it just
	 * stays as it is. */
	if (resize(l->item, l->room, ROOM_MIN, sizeof(*l->item)) == l->item)
		l->room = ROOM_MIN;
	if (resize(l->bucket, l->buckets, ROOM_MIN, sizeof(*l->bucket)) ==
	    l->bucket)
		l->buckets = ROOM_MIN;
	memset(&l->item[0], 0, sizeof(l->item[0]));
	l->items = 1;
	l->free = 0;
	l->count = 0;
	l->is_void = true;
	rebuild(l);
}

static uint32_t
find(const struct bloblru *l, int64_t id)
{
	uint32_t i = l->bucket[bucket_of(l, id)];

	while (i != 0 && id_of(&l->item[i]) != id)
		i = l->item[i].chain;
	return i;
}

bool
bloblru_find(const struct bloblru *l, int64_t id, struct bloblru_place *ret)
{
	uint32_t i = find(l, id);

	*ret = place_of(&l->item[i]);
	return i != 0;
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

bool
bloblru_use(struct bloblru *l, int64_t id, struct bloblru_place *ret)
{
	uint32_t i = find(l, id);

	*ret = place_of(&l->item[i]);
	if (i == 0)
		return false;
	take_out(l, i);
	put_in(l, i, 0);
	return true;
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
insert(struct bloblru *l, int64_t id, const struct bloblru_place *at,
    bool is_oldest)
{
	uint32_t i, b;
	int r;

	if ((r = new_item(l, &i)) < 0)
		return r;
	b = bucket_of(l, id);
	l->item[i] = (struct bloblru_item){ .id_low = (uint32_t)id,
		.id_high = (uint16_t)(id >> 32), .slot = at->slot,
		.unit = at->unit & BLOBLRU_UNIT_MAX,
		.units = at->units & BLOBLRU_UNITS_MAX,
		.chain = l->bucket[b] };
	l->bucket[b] = i;
	put_in(l, i, is_oldest ? l->item[0].newer : 0);
	l->count++;
	return 0;
}

int
bloblru_add(struct bloblru *l, int64_t id, const struct bloblru_place *at)
{
	return insert(l, id, at, false);
}

/* ---- while partial ---- */

static int
by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where there is no room to remember one, nothing more is found. */
static void
remember_dropped(struct bloblru *l, int64_t id)
{
	if (l->dropped_n == l->dropped_room) {
		size_t room = l->dropped_room > 0 ? 2 * l->dropped_room : 64;
		int64_t *p = room > DROPPED_MAX ? NULL :
		    reallocarray(l->dropped, room, sizeof(*p));

		if (p == NULL) {
			l->is_void = true;
			return;
		}
		l->dropped = p;
		l->dropped_room = room;
	}
	l->dropped[l->dropped_n++] = id;
	l->is_sorted = false;
}

static bool
was_dropped(struct bloblru *l, int64_t id)
{
	if (l->dropped_n == 0)
		return false;
	if (!l->is_sorted)
		qsort(l->dropped, l->dropped_n, sizeof(*l->dropped), by_id);
	l->is_sorted = true;
	return bsearch(&id, l->dropped, l->dropped_n, sizeof(id), by_id) !=
	    NULL;
}

int
bloblru_found(struct bloblru *l, int64_t id, const struct bloblru_place *at)
{
	int r;

	if (l->is_void || find(l, id) != 0 || was_dropped(l, id))
		return 0;
	return (r = insert(l, id, at, true)) < 0 ? r : 1;
}

void
bloblru_complete(struct bloblru *l)
{
	l->is_partial = false;
	free(l->dropped);
	l->dropped = NULL;
	l->dropped_n = l->dropped_room = 0;
}

bool
bloblru_remove(struct bloblru *l, int64_t id, struct bloblru_place *ret)
{
	uint32_t *at = &l->bucket[bucket_of(l, id)], i;

	while (*at != 0 && id_of(&l->item[*at]) != id)
		at = &l->item[*at].chain;
	i = *at;
	*ret = place_of(&l->item[i]);
	if (i == 0)
		return false;
	*at = l->item[i].chain;
	take_out(l, i);
	l->count--;
	l->item[i].id_low = l->item[i].id_high = 0;
	l->item[i].chain = l->free;
	l->free = i;
	return true;
}

bool
bloblru_drop(struct bloblru *l, int64_t id, struct bloblru_place *ret)
{
	if (l->is_partial)
		remember_dropped(l, id);
	return bloblru_remove(l, id, ret);
}

/* ---- walks ---- */

int64_t
bloblru_oldest(const struct bloblru *l, struct bloblru_place *ret)
{
	uint32_t i = l->item[0].newer;

	*ret = place_of(&l->item[i]);
	return id_of(&l->item[i]);
}

int64_t
bloblru_next(const struct bloblru *l, uint32_t *at, struct bloblru_place *ret)
{
	*at = l->item[*at].older;
	*ret = place_of(&l->item[*at]);
	return id_of(&l->item[*at]);
}

int64_t
bloblru_next_of(const struct bloblru *l, uint16_t slot, uint32_t *at)
{
	while (++*at < l->items) {
		const struct bloblru_item *i = &l->item[*at];

		if (i->slot == slot && id_of(i) != 0)
			return id_of(i);
	}
	return 0;
}
