/* stream.h -- where readers are going.
 *
 * Fed with the inodes of messages as they are read for the first time, it finds
 * readers that walk a directory: by entry (as readdir lists it) or by inode,
 * which is the order of arrival and so nearly that of the names; either way
 * forwards or backwards; several at once. It says what to fetch ahead of them:
 * at first STREAM_FIRST messages, two more for each one that was read as
 * foreseen, up to `window` and, over all walks, `unread_max` bytes. A walk that
 * is not followed any more is never extended; so what is fetched in vain stays
 * within twice what was read of it, STREAM_FIRST, and the limits.
 *
 * No threads, no clock; what it knows of the directory comes through functions.
 * Readers that go at random cost a few look-ups of places each. */
#ifndef SESFS_STORE_STREAM_H
#define SESFS_STORE_STREAM_H

#include "store/index.h"

#define STREAM_FIRST 4	/* messages ahead when a walk begins */
#define STREAM_NEAR 16	/* places: this near is still the same walk */

struct stream_opts {
	unsigned window;     /* messages ahead of one walk, at most */
	uint64_t unread_max; /* bytes ahead, of all walks */
	/* As index_place and index_places. */
	int (*place)(void *arg, int64_t ino, int64_t parent,
	    struct index_place *ret);
	int (*places)(void *arg, enum place_order order, bool is_backward,
	    int64_t parent, int64_t from, struct index_place *ret, size_t n);
	/* Fetch this one ahead; what `forget` is to be given. NULL: not now.
	 * *ret_here: it is here already, nothing needs to be fetched; such a
	 * one leads the walk on and counts for nothing. */
	void *(*fetch)(void *arg, const struct index_place *p, bool *ret_here);
	/* It is ahead no more: it is being read, or its walk is given up. What
	 * has not begun yet need not. */
	void (*forget)(void *arg, void *fetched);
	void *arg;
};

struct streams;

/* -ENOMEM. */
int streams_new(const struct stream_opts *o, struct streams **ret) MUST_CHECK;
void streams_free(struct streams *s);
DEFINE_FREEP(struct streams, streams_free)

/* A message begins to be read. is_local: it was at hand; unless it was fetched
 * ahead, that says nothing of a walk that waits for anything, and costs
 * nothing. */
void streams_read(struct streams *s, int64_t ino, bool is_local);

struct stream_stats {
	uint64_t fetched, fetched_bytes; /* ahead */
	uint64_t hits;			 /* of them, read afterwards */
	uint64_t unread_bytes;		 /* ahead of walks now */
	uint64_t wasted_bytes;		 /* of walks that ended early */
};
void streams_get_stats(const struct streams *s, struct stream_stats *ret);

#endif
