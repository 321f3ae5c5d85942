/* index_memo.h -- inodes as they were last read.
 *
 * READ and GETATTR ask again for rows that a listing or a LOOKUP has just read.
 * Such a row is good for as long as nothing was committed since the snapshot it
 * comes from: one number says so, and who writes need not know of this.
 *
 * A table of MEMO_SLOTS, an inode's place is its number modulo that, the newest
 * stays; memory comes as it is used. Threads: any. */
#ifndef SESFS_STORE_INDEX_MEMO_H
#define SESFS_STORE_INDEX_MEMO_H

#include <pthread.h>

#include "store/index.h"

#define MEMO_SLOTS 32768 /* of about 100 bytes */
#define MEMO_LOCKS 64

struct memo_slot {
	uint64_t version; /* of the index when its snapshot began */
	struct node node; /* ino 0: none */
};

struct memo {
	struct memo_slot *slot; /* NULL: no memory, nothing is remembered */
	pthread_mutex_t lock[MEMO_LOCKS]; /* of every MEMO_LOCKS-th slot */
};

void memo_init(struct memo *m);
void memo_destroy(struct memo *m);

/* Is the inode known as of that version? Then *ret is its row. */
bool memo_get(struct memo *m, uint64_t version, int64_t ino, struct node *ret);
/* version: taken before the snapshot was. */
void memo_put(struct memo *m, uint64_t version, const struct node *n);

#endif
