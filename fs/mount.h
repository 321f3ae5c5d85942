/* mount.h -- a mounted mailbox: the FUSE session and its life. */
#ifndef SESFS_FS_MOUNT_H
#define SESFS_FS_MOUNT_H

#include "fs/mailbox.h"
#include "fs/ops.h"

struct mount;

struct mount_opts {
	struct mailbox *mailbox;
	const char *source;	/* shown in mount(8) */
	const char *mountpoint; /* absolute */
	const char *control;	/* socket path, answered to getxattr of the root
				 * as user.sesfs.control */
	bool allow_other, read_only;
	bool nonempty; /* the mountpoint may hold something */
	struct pool *pool;	/* where reads wait for S3 */
	struct prefetch *prefetch;
	struct audit *audit;	/* told of every open, or NULL */
	unsigned max_reads;	/* READs that the kernel may send ahead */
	/* The session is about to end (mount_stop, or unmounted from outside):
	 * let go of what reads wait for. Called once, from a thread of
	 * mount's; may be NULL. */
	void (*on_stop)(void *arg);
	void *on_stop_arg;
};

/* Mount. A stale mount of a dead daemon on the mountpoint ("Transport endpoint
 * is not connected") is lazily unmounted first. -EBUSY when something live is
 * mounted there; -ENOTEMPTY; -ENOTDIR, -EACCES, -ENODEV (no /dev/fuse); all
 * logged. */
int mount_new(const struct mount_opts *o, struct mount **ret) MUST_CHECK;
void mount_free(struct mount *m); /* unmounts */
DEFINE_FREEP(struct mount, mount_free)

/* Serve until unmounted or mount_stop. Returns 0 or -errno. Signals are the
 * caller's business. */
int mount_run(struct mount *m) MUST_CHECK;
void mount_stop(struct mount *m); /* async-signal-safe */

struct mount_stats {
	uint64_t count[OPS_COUNTS];
};
const char *mount_count_name(enum ops_count c); /* "lookup", "read", ... */
void mount_get_stats(struct mount *m, struct mount_stats *ret);

/* For umount and the stale check: lazily unmount, as fusermount3 -u[z]. */
int mount_detach(const char *mountpoint, bool lazy) MUST_CHECK;

#endif
