/* bloblru.h -- which blobs there are, where they lie, which was used last.
 *
 * A table by id and a list by use in one growing array: 28 bytes a blob. It
 * begins partial: what was there before is told by bloblru_found() while blobs
 * come, are used and go, until bloblru_complete(). Pure bookkeeping, no I/O.
 * Threads: one at a time (blobcache.lock). */
#ifndef SESFS_STORE_BLOBLRU_H
#define SESFS_STORE_BLOBLRU_H

#include "crypto/base.h"

#define BLOBLRU_ID_MAX 0xffffffffffffLL /* 48 bits */
#define BLOBLRU_UNIT_MAX 0x1ffff	/* 17 bits */
#define BLOBLRU_UNITS_MAX 0x7fff	/* 15 bits */

/* Where a record lies: the slot of its segment, and in units of 512 bytes its
 * offset there and its length (0: all of the segment). */
struct bloblru_place {
	uint16_t slot;
	uint32_t unit, units;
};

struct bloblru_item {
	uint32_t id_low;
	uint16_t id_high; /* id 0: not in use */
	uint16_t slot;
	uint32_t unit : 17, units : 15;
	uint32_t chain; /* next of the same bucket, or of those not in use */
	uint32_t newer, older;
};

struct bloblru {
	struct bloblru_item *item; /* item[0] heads the list by use */
	uint32_t *bucket;
	uint32_t items, room, buckets, free; /* free: chain of unused items */
	uint64_t count;
	bool is_partial;
	bool is_void;	  /* cleared while partial: what is found is old */
	int64_t *dropped; /* ids, while partial: not to be found */
	size_t dropped_n, dropped_room;
	bool is_sorted;	  /* dropped is */
};

int bloblru_init(struct bloblru *l) MUST_CHECK; /* -ENOMEM */
void bloblru_destroy(struct bloblru *l);

/* Is it there, and where? bloblru_use() also makes it the newest. */
bool bloblru_find(const struct bloblru *l, int64_t id,
    struct bloblru_place *ret);
bool bloblru_use(struct bloblru *l, int64_t id, struct bloblru_place *ret);
/* Add one that is not there, of an id from 1 to BLOBLRU_ID_MAX, as the newest.
 * -ENOMEM. */
int bloblru_add(struct bloblru *l, int64_t id,
    const struct bloblru_place *at) MUST_CHECK;
/* It was there from before: add it as the oldest and return 1; 0 when it is
 * known, or has been dropped since bloblru_init. -ENOMEM. */
int bloblru_found(struct bloblru *l, int64_t id,
    const struct bloblru_place *at) MUST_CHECK;
void bloblru_complete(struct bloblru *l);
/* Was it there, and where? */
bool bloblru_remove(struct bloblru *l, int64_t id, struct bloblru_place *ret);
/* The same, and while partial it cannot be found any more. */
bool bloblru_drop(struct bloblru *l, int64_t id, struct bloblru_place *ret);
void bloblru_clear(struct bloblru *l);

/* The id of the least recently used; 0 when empty. */
int64_t bloblru_oldest(const struct bloblru *l, struct bloblru_place *ret);
/* From the newest (*at = 0) to the oldest: the next one's id, 0 at the end. */
int64_t bloblru_next(const struct bloblru *l, uint32_t *at,
    struct bloblru_place *ret);
/* Of one segment, in any order: the next one's id, 0 at the end. *at = 0 at
 * first. What is returned may be removed. */
int64_t bloblru_next_of(const struct bloblru *l, uint16_t slot, uint32_t *at);

#endif
