/* ops_priv.h -- what the files of ops share. */
#ifndef SESFS_FS_OPS_PRIV_H
#define SESFS_FS_OPS_PRIV_H

#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>

#include "fs/ops.h"

#define FOREVER (10 * 365 * 86400.0) /* seconds; changes are notified */

static inline struct ops *
ops_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct mailbox *
begin(fuse_req_t req, enum ops_count what)
{
	struct ops *o = ops_of(req);

	atomic_fetch_add_explicit(&o->count[what], 1, memory_order_relaxed);
	return o->mailbox;
}

static inline void
reply_err(fuse_req_t req, int r)
{
	if (r < 0)
		atomic_fetch_add_explicit(&ops_of(req)->count[OPS_ERRORS], 1,
		    memory_order_relaxed);
	fuse_reply_err(req, ops_errno(r));
}

/* Have a pool answer the request. What the job is then, on failure, is the
 * caller's to free; the request has been answered. */
static inline int
answer_later(fuse_req_t req, struct pool *pool, struct pool_job *job)
{
	int r = job != NULL ? pool_submit(pool, POOL_READER, job) : -ENOMEM;

	if (r < 0)
		reply_err(req, r == -EAGAIN ? -ENOMEM : r);
	return r;
}

static inline void
fill_entry(struct fuse_entry_param *e, const struct stat *st)
{
	*e = (struct fuse_entry_param){
		.ino = st->st_ino,
		.attr = *st,
		.attr_timeout = FOREVER,
		.entry_timeout = FOREVER,
	};
}

/* ---- ops_dir.c ---- */

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi);
void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi);
void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* Directories that are still open when the session has ended. */
void ops_close_listings(struct ops *o);

/* ---- ops_open.c ---- */

/* OPEN with an audit. One that had to wait for S3 and KMS leaves a file handle
 * that says so. */
#define OPS_HAS_WAITED 1
void ops_open_audited(fuse_req_t req, fuse_ino_t ino,
    const struct fuse_file_info *fi);

/* ---- ops_xattr.c ---- */

void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
    size_t size);
void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
    const char *value, size_t size, int flags);
void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
