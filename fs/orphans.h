/* orphans.h -- inodes without a name that the kernel may still hold.
 *
 * Each is dropped at its FORGET. A set that grows with what it holds; what it
 * has no memory for is dropped at the next start, as every nameless inode is.
 * Threads: any. */
#ifndef SESFS_FS_ORPHANS_H
#define SESFS_FS_ORPHANS_H

#include <pthread.h>

#include "crypto/base.h"

struct orphans {
	pthread_mutex_t lock;
	int64_t *slot; /* [lock] open addressing, 0 free */
	size_t cap;    /* [lock] a power of two, or 0 */
	size_t n;      /* [lock] */
};

void orphans_init(struct orphans *o);
void orphans_destroy(struct orphans *o);

void orphans_add(struct orphans *o, int64_t ino);
bool orphans_take(struct orphans *o, int64_t ino); /* was it one? */

#endif
