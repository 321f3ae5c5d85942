/* mailbox.h -- the Maildir that a mail reader sees, without FUSE.
 *
 * Every operation of the tree by inode: which names there are, what may be
 * done to them and what it does to the index and to clients' own files. ops.c
 * translates FUSE requests into these calls; sync delivers through it. Errors
 * are negative errnos as the kernel shall see them, except those of
 * mailbox_read on a message, which ops.c maps (sesfs(7), ERRORS). Threads:
 * any. */
#ifndef SESFS_FS_MAILBOX_H
#define SESFS_FS_MAILBOX_H

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/index.h"
#include "store/source.h"
#include "store/sync.h"

struct mailbox;

/* Tell the kernel: what it knows of this inode's attributes is old. */
typedef void mailbox_inval_fn(void *arg, int64_t ino);

struct mailbox_opts {
	struct index *index;
	struct source *source; /* NULL: nothing can be read (tests) */
	const char *state_dir; /* files/ lies there */
	const char *prefix;    /* of all keys, as given to sync */
	const char *inbox;     /* key directory of the INBOX, relative to
				* prefix; "" */
	const char *junk;      /* folder for verdict FAIL, "Junk", or NULL */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool read_only;
};

int mailbox_new(const struct mailbox_opts *o, struct mailbox **ret) MUST_CHECK;
void mailbox_free(struct mailbox *m);
DEFINE_FREEP(struct mailbox, mailbox_free)
/* Set once the kernel is there to be told; NULL to stop. */
void mailbox_set_inval(struct mailbox *m, mailbox_inval_fn *fn, void *arg);

/* For sync_opts; arg is the mailbox. */
int mailbox_deliver(void *arg, struct arrival *a, size_t n) MUST_CHECK;
int mailbox_gone(void *arg, int64_t object_id) MUST_CHECK;

/* For `ls`: "" for the INBOX, "Sales", "Sales.2026"; -ENOTDIR when the
 * directory is no folder's cur, new or tmp. is_new may be NULL. */
int mailbox_folder_of(struct mailbox *m, int64_t dir, char *ret, size_t max,
    bool *is_new) MUST_CHECK;

#endif
