/* mailbox_priv.h -- what the files of the mailbox share. */
#ifndef SESFS_FS_MAILBOX_PRIV_H
#define SESFS_FS_MAILBOX_PRIV_H

#include <pthread.h>

#include "fs/files.h"
#include "fs/mailbox.h"
#include "fs/orphans.h"

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
/* Tell the kernel that an inode's attributes changed behind its back, once the
 * change is committed: what it asks for then it keeps. -ENOENT when it does not
 * hold the inode. */
int mailbox_inval(struct mailbox *m, int64_t ino);
/* stat(2) of a node. */
int mailbox_stat(struct mailbox *m, const struct node *n, struct stat *st)
    MUST_CHECK;

#endif
