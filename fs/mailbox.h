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
#include <sys/types.h>

#include "store/index.h"
#include "store/source.h"
#include "store/sync.h"

struct mailbox;

/* Tell the kernel: what it knows of this inode's attributes is old. -ENOENT
 * when it knows nothing of it. */
typedef int mailbox_inval_fn(void *arg, int64_t ino);

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
	bool refuse_delete; /* --delete=refuse: unlink of mail is EPERM */
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

/* ---- operations; `st` is filled as stat(2) shows the node ---- */

int mailbox_lookup(struct mailbox *m, int64_t dir, const char *name,
    struct stat *st) MUST_CHECK;
/* -ESTALE: the object left the bucket; the kernel then looks its name up
 * again and finds that out. */
int mailbox_getattr(struct mailbox *m, int64_t ino, struct stat *st) MUST_CHECK;

enum {
	MAILBOX_SET_MODE = 1,
	MAILBOX_SET_UID = 2,
	MAILBOX_SET_GID = 4,
	MAILBOX_SET_SIZE = 8,
	MAILBOX_SET_ATIME = 16, /* st_atim */
	MAILBOX_SET_MTIME = 32, /* st_mtim */
	MAILBOX_SET_ATIME_NOW = 64,
	MAILBOX_SET_MTIME_NOW = 128,
};
/* Messages are immutable: -EPERM for what would change one. */
int mailbox_setattr(struct mailbox *m, int64_t ino, const struct stat *want,
    unsigned what, struct stat *st) MUST_CHECK;

/* See index_readdir() and index_version(). */
int mailbox_readdir(struct mailbox *m, int64_t dir, int64_t cookie,
    index_known_fn *known, index_dirent_fn *fn, void *arg) MUST_CHECK;
uint64_t mailbox_version(struct mailbox *m);
/* Attributes of an entry that readdir returned. */
int mailbox_stat_row(struct mailbox *m, const struct dirent_row *row,
    struct stat *st) MUST_CHECK;
int mailbox_parent(struct mailbox *m, int64_t dir, int64_t *ret) MUST_CHECK;

/* New file of a client. -EROFS in new/ and cur/. */
int mailbox_create(struct mailbox *m, int64_t dir, const char *name,
    mode_t mode, uid_t uid, gid_t gid, struct stat *st) MUST_CHECK;
int mailbox_mkdir(struct mailbox *m, int64_t dir, const char *name,
    mode_t mode, uid_t uid, gid_t gid, struct stat *st) MUST_CHECK;
/* Mail is hidden (a tombstone stays), a client's file removed once the kernel
 * forgets it. */
int mailbox_unlink(struct mailbox *m, int64_t dir, const char *name) MUST_CHECK;
int mailbox_rmdir(struct mailbox *m, int64_t dir, const char *name) MUST_CHECK;
/* *ret_ino: what was moved; its ctime is another now. */
int mailbox_rename(struct mailbox *m, int64_t dir, const char *name,
    int64_t new_dir, const char *new_name, unsigned flags,
    int64_t *ret_ino) MUST_CHECK;
int mailbox_link(struct mailbox *m, int64_t ino, int64_t dir, const char *name,
    struct stat *st) MUST_CHECK;

/* Bytes of a message or file: either a slice of `message` (unref it) or, for a
 * file, `len` bytes in buf (at least `size`). */
struct mailbox_data {
	bool is_message;	 /* set also when the read fails */
	struct message *message; /* NULL: see buf */
	struct slice data;
};
/* may_wait false: -EINPROGRESS instead of asking S3 or KMS. */
int mailbox_read(struct mailbox *m, int64_t ino, off_t off, size_t size,
    bool may_wait, uint8_t *buf, struct mailbox_data *ret) MUST_CHECK;
/* A message as it is opened, for who keeps a record of that; freed by
 * mailbox_opened_clear. */
struct mailbox_opened {
	bool is_message; /* else nothing more is set; also when it fails */
	char *key;	 /* of the object */
	struct source_trace trace;
	struct message *message; /* at hand for whoever reads it next; NULL
				  * when its key is, which does */
};
/* Have the key of a message at hand: where it is not, the message is opened, as
 * mailbox_read would. may_wait false: -EINPROGRESS instead. */
int mailbox_open(struct mailbox *m, int64_t ino, bool may_wait,
    struct mailbox_opened *ret) MUST_CHECK;
void mailbox_opened_clear(struct mailbox_opened *o);
ssize_t mailbox_write(struct mailbox *m, int64_t ino, const void *buf,
    size_t len, off_t off) MUST_CHECK;
int mailbox_allocate(struct mailbox *m, int64_t ino, int mode, off_t off,
    off_t len) MUST_CHECK;
int mailbox_fsync(struct mailbox *m, int64_t ino) MUST_CHECK;
int mailbox_statfs(struct mailbox *m, struct statvfs *ret) MUST_CHECK;
/* The kernel dropped the inode from its cache. */
void mailbox_forget(struct mailbox *m, int64_t ino);

/* Extended attributes of messages, user.sesfs.*: the value's length, with the
 * value in buf when it fits in `max` (max 0: length only, else -ERANGE).
 * -ENODATA for any other name of that namespace, -ENOTSUP for any other
 * namespace (access lists, labels, capabilities). They are not listed (as CephFS does): backup
 * programs would ask for each of them of every message on every run, and
 * restore them where they mean nothing. */
ssize_t mailbox_getxattr(struct mailbox *m, int64_t ino, const char *name,
    char *buf, size_t max) MUST_CHECK;
/* Is it one that may have to be read from the message, from S3? Pure. */
bool mailbox_xattr_may_wait(const char *name);
#endif
