/* mailbox_priv.h -- what the files of the mailbox share. */
#ifndef SESFS_FS_MAILBOX_PRIV_H
#define SESFS_FS_MAILBOX_PRIV_H

#include <pthread.h>

#include "fs/files.h"
#include "fs/mailbox.h"

#define ORPHANS_MAX 4096 /* a power of two, slots of the table */

/* Inodes without a name that the kernel may still hold: dropped at FORGET. An
 * open-addressed set; when it is full the oldest way out is the next start,
 * which drops every nameless node. */
struct orphans {
	pthread_mutex_t lock;
	int64_t ino[ORPHANS_MAX]; /* [lock] 0 free, -1 deleted */
	size_t n;		  /* [lock] */
};

void orphans_add(struct orphans *o, int64_t ino);
bool orphans_take(struct orphans *o, int64_t ino); /* was it one? */

struct mailbox {
	struct mailbox_opts o; /* constant; strings copied */
	struct files *files;
	struct orphans orphans;
	pthread_mutex_t folder_lock; /* one maker of folders at a time */
	pthread_mutex_t inval_lock;
	mailbox_inval_fn *inval; /* [inval_lock] */
	void *inval_arg;	 /* [inval_lock] */
};

/* Nanoseconds since the epoch. */
int64_t mailbox_now_ns(void);
/* Tell the kernel that an inode's attributes changed behind its back. */
void mailbox_inval(struct mailbox *m, int64_t ino);
/* stat(2) of a node. */
int mailbox_stat(struct mailbox *m, const struct node *n, struct stat *st)
    MUST_CHECK;

#endif
