/* ops.h -- FUSE requests, answered from a mailbox.
 *
 * I/O is by inode: OPEN, FLUSH and RELEASE are left to the kernel (it is told
 * ENOSYS once, which no program sees), so that a read is at most one READ and a
 * re-read none. With an audit OPEN is not (ops_open.c). FUSE's own threads never
 * wait for S3, KMS or an audit: a READ, GETXATTR or audited OPEN that has to is
 * answered from a pool. Attributes and names are cached by the kernel without limit and
 * taken back by notification. The one place that decides which errno a program
 * sees: ops_errno(). */
#ifndef SESFS_FS_OPS_H
#define SESFS_FS_OPS_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/audit.h"
#include "fs/held.h"
#include "fs/mailbox.h"
#include "store/pool.h"
#include "store/prefetch.h"

struct fuse_lowlevel_ops;

enum ops_count {
	OPS_LOOKUP,
	OPS_GETATTR,
	OPS_SETATTR,
	OPS_READDIR,
	OPS_READ,
	OPS_WRITE,
	OPS_OPEN,
	OPS_CREATE,
	OPS_RENAME,
	OPS_LINK,
	OPS_UNLINK,
	OPS_MKDIR,
	OPS_RMDIR,
	OPS_XATTR,
	OPS_FSYNC,
	OPS_FORGET,
	OPS_OTHER,
	OPS_ERRORS,
	OPS_COUNTS
};

/* The userdata of the FUSE session. Zeroed, then ops_init; those before count
 * are the caller's to set. */
struct ops {
	struct mailbox *mailbox;
	struct pool *pool;
	struct prefetch *prefetch;
	struct audit *audit; /* told of every open; NULL: nobody is */
	struct pool *audit_pool; /* where that waits; NULL without an audit */
	const char *control; /* answered as the root's user.sesfs.control */
	unsigned max_background; /* requests the kernel may queue ahead */
	atomic_uint_fast64_t count[OPS_COUNTS];
	struct held held;
	atomic_uint ahead; /* buffers that open directories keep */
	pthread_mutex_t lock;
	struct listing *listings; /* [lock] open directories */
};

void ops_init(struct ops *o);
void ops_destroy(struct ops *o); /* after the session */

extern const struct fuse_lowlevel_ops ops_table;

/* The errno (positive) that a program sees for the negative result `r` of a
 * mailbox operation; logs what turns into EIO. Pure but for that. */
int ops_errno(int r);

#endif
