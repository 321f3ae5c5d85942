/* bloblru.h -- which blobs there are, how big, and which was used last.
 *
 * A table by id and a list by use in one growing array; about 48 bytes a
 * blob. It begins partial: what was there before is told by bloblru_found()
 * while blobs come, are used and go, until bloblru_complete(). Pure
 * bookkeeping, no I/O. Threads: one at a time (blobcache.lock). */
#ifndef SESFS_STORE_BLOBLRU_H
#define SESFS_STORE_BLOBLRU_H

#include "crypto/base.h"

struct bloblru_item {
	int64_t id;
	uint64_t bytes;
	int64_t used_unix; /* last use that the file's mtime shows */
	uint32_t chain;	   /* next of the same bucket */
	uint32_t newer, older;
};

struct bloblru {
	struct bloblru_item *item; /* item[0] heads the list by use */
	uint32_t *bucket;
	uint32_t items, room, buckets, free; /* free: chain of unused items */
	uint64_t count, bytes;
	bool is_partial;
	bool is_void;	  /* cleared while partial: what is found is old */
	int64_t *removed; /* ids, while partial: not to be found */
	size_t removed_n, removed_room;
	bool is_sorted;	  /* removed is */
};

int bloblru_init(struct bloblru *l) MUST_CHECK; /* -ENOMEM */
void bloblru_destroy(struct bloblru *l);

/* The item of an id, or NULL. Valid until the next call that adds. */
struct bloblru_item *bloblru_find(struct bloblru *l, int64_t id);
/* Add, or find and set the size; it becomes the newest. -ENOMEM. */
int bloblru_add(struct bloblru *l, int64_t id, uint64_t bytes,
    int64_t used_unix) MUST_CHECK;
/* It was there from before: add it as the oldest, unless it is known, or has
 * been removed since bloblru_init. -ENOMEM. */
int bloblru_found(struct bloblru *l, int64_t id, uint64_t bytes,
    int64_t used_unix) MUST_CHECK;
void bloblru_complete(struct bloblru *l);
bool bloblru_remove(struct bloblru *l, int64_t id); /* was it there */
int64_t bloblru_oldest(const struct bloblru *l); /* id; 0 when empty */
void bloblru_clear(struct bloblru *l);

#endif
