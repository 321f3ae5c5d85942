/* held.h -- which messages the kernel is known to hold, inode and name.
 *
 * What it holds a listing need not tell it again. One bit an inode, set when a
 * reply names the message and cleared by its FORGET. It may be wrong either
 * way: a bit too few has a message told twice, a bit too many (the kernel
 * dropped the name but still has the inode; a reply was thrown away) costs a
 * LOOKUP. Such a LOOKUP is a miss, and listings that see misses tell all.
 *
 * Memory: HELD_MAX bits of address space, of which only pages that have a bit
 * set are there. Inodes beyond that are never held. Threads: any; no lock. */
#ifndef SESFS_FS_HELD_H
#define SESFS_FS_HELD_H

#include <stdatomic.h>

#include "crypto/base.h"

#define HELD_MAX ((int64_t)1 << 26) /* 8 MiB of bits */

struct held {
	atomic_uint_fast64_t *word; /* NULL: no memory, none is held */
	atomic_uint misses;
};

void held_init(struct held *h);
void held_destroy(struct held *h);

bool held_has(const struct held *h, int64_t ino);
void held_add(struct held *h, int64_t ino);
void held_remove(struct held *h, int64_t ino);
/* The kernel was told of it because it asked: a miss when it should have
 * known. */
void held_asked(struct held *h, int64_t ino);
/* Differs from an earlier value when there have been misses since. */
unsigned held_misses(const struct held *h);

#endif
