#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops_priv.h"
#include "store/log.h"

void
ops_init(struct ops *o)
{
	held_init(&o->held);
	pthread_mutex_init(&o->lock, NULL);
}

void
ops_destroy(struct ops *o)
{
	ops_close_listings(o);
	held_destroy(&o->held);
	pthread_mutex_destroy(&o->lock);
}

/* What a program sees. Everything that is not in this table is EIO, and then
 * the log says what it was. */
int
ops_errno(int r)
{
	switch (-r) {
	case 0:
	/* of the tree */
	case ENOENT:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case EINVAL:
	case EPERM:
	case EROFS:
	case ENAMETOOLONG:
	case EMLINK:
	case ENODATA:
	case ERANGE:
	case ENOTSUP:
	case EFBIG:
	case ESTALE:
	/* of the machine */
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	/* of the mail */
	case EBADMSG:   /* refused by crypto */
	case EACCES:    /* AWS said no */
	case ETIMEDOUT: /* no answer in time */
		return -r;
	case EREMOTE: /* archived: restore it first */
		return EACCES;
	case ENOKEY: /* KMS refused the data key */
		return EKEYREJECTED;
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EAGAIN: /* throttled past the deadline */
		return ETIMEDOUT;
	case ECANCELED: /* the daemon ends, and the mount with it */
		return EIO;
	default:
		log_err(r, "ops: %s, shown as EIO", strerror(-r));
		return EIO;
	}
}

static void
reply_entry(fuse_req_t req, int r, const struct stat *st)
{
	struct fuse_entry_param e;

	if (r < 0) {
		reply_err(req, r);
		return;
	}
	fill_entry(&e, st);
	fuse_reply_entry(req, &e);
}

static void
reply_attr(fuse_req_t req, int r, const struct stat *st)
{
	if (r < 0)
		reply_err(req, r);
	else
		fuse_reply_attr(req, st, FOREVER);
}

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct ops *o = userdata;

	/* Messages never change and files change only through here: cached
	 * bytes stay good whatever mtime says. */
	conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA |
	    FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_WRITEBACK_CACHE |
	    FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
	    FUSE_CAP_SPLICE_MOVE |
	    /* With OPEN left to the kernel O_TRUNC must come as SETATTR. */
	    FUSE_CAP_ATOMIC_O_TRUNC);
	conn->want |= conn->capable &
	    (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS |
		FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
	conn->max_background = o->max_background;
	conn->congestion_threshold = o->max_background * 3 / 4;
	conn->time_gran = 1;
}

static void
op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct stat st;
	int r = mailbox_lookup(begin(req, OPS_LOOKUP), (int64_t)dir, name,
	    &st);

	if (r == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		held_asked(&ops_of(req)->held, (int64_t)st.st_ino);
	/* No negative entries: an arrival need not be announced by name. */
	reply_entry(req, r, &st);
}

static void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	held_remove(&ops_of(req)->held, (int64_t)ino);
	mailbox_forget(begin(req, OPS_FORGET), (int64_t)ino);
	fuse_reply_none(req);
}

static void
op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *f)
{
	struct mailbox *m = begin(req, OPS_FORGET);

	for (size_t i = 0; i < n; i++) {
		held_remove(&ops_of(req)->held, (int64_t)f[i].ino);
		mailbox_forget(m, (int64_t)f[i].ino);
	}
	fuse_reply_none(req);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int r = mailbox_getattr(begin(req, OPS_GETATTR), (int64_t)ino, &st);

	reply_attr(req, r, &st);
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *want, int to_set,
    struct fuse_file_info *fi)
{
	static const struct {
		int fuse;
		unsigned ours;
	} map[] = {
		{ FUSE_SET_ATTR_MODE, MAILBOX_SET_MODE },
		{ FUSE_SET_ATTR_UID, MAILBOX_SET_UID },
		{ FUSE_SET_ATTR_GID, MAILBOX_SET_GID },
		{ FUSE_SET_ATTR_SIZE, MAILBOX_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, MAILBOX_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, MAILBOX_SET_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, MAILBOX_SET_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, MAILBOX_SET_MTIME_NOW },
	};
	unsigned what = 0;
	struct stat st;
	int r;

	for (size_t i = 0; i < NELEMS(map); i++)
		if (to_set & map[i].fuse)
			what |= map[i].ours;
	r = mailbox_setattr(begin(req, OPS_SETATTR), (int64_t)ino, want, what,
	    &st);
	reply_attr(req, r, &st);
}

/* ---- names ---- */

static void
op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);
	struct stat st;
	int r = mailbox_mkdir(begin(req, OPS_MKDIR), (int64_t)dir, name,
	    mode & ~c->umask, c->uid, c->gid, &st);

	reply_entry(req, r, &st);
}

static int
create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
    struct stat *st)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);

	return mailbox_create(begin(req, OPS_CREATE), (int64_t)dir, name,
	    mode & ~c->umask, c->uid, c->gid, st);
}

static void
op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
    dev_t rdev)
{
	struct stat st;
	int r = S_ISREG(mode) ? create(req, dir, name, mode, &st) : -EPERM;

	reply_entry(req, r, &st);
}

static void
op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	struct stat st;
	int r = create(req, dir, name, mode, &st);

	if (r < 0) {
		reply_err(req, r);
		return;
	}
	fill_entry(&e, &st);
	fi->keep_cache = 1;
	fuse_reply_create(req, &e, fi);
}

static void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir,
    const char *name)
{
	begin(req, OPS_OTHER);
	reply_err(req, -EPERM);
}

static void
op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	begin(req, OPS_OTHER);
	reply_err(req, -EINVAL);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	reply_err(req, mailbox_unlink(begin(req, OPS_UNLINK), (int64_t)dir,
	    name));
}

static void
op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	reply_err(req, mailbox_rmdir(begin(req, OPS_RMDIR), (int64_t)dir,
	    name));
}

static void
op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
    const char *new_name, unsigned flags)
{
	int64_t ino;
	int r = mailbox_rename(begin(req, OPS_RENAME), (int64_t)dir, name,
	    (int64_t)new_dir, new_name, flags, &ino);

	/* The kernel holds the name, but knows that ctime has changed: told by
	 * the next listing, it need not ask for each. */
	held_remove(&ops_of(req)->held, ino);
	reply_err(req, r);
}

static void
op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name)
{
	struct stat st;
	int r = mailbox_link(begin(req, OPS_LINK), (int64_t)ino, (int64_t)dir,
	    name, &st);

	/* Held by one name, it is not by the other. */
	held_remove(&ops_of(req)->held, (int64_t)ino);
	reply_entry(req, r, &st);
}

/* ---- bytes ---- */

/* Once each; then the kernel opens, flushes and closes by itself. */
static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	begin(req, OPS_OPEN);
	if (ops_of(req)->audit != NULL)
		ops_open_audited(req, ino, fi);
	else
		fuse_reply_err(req, ENOSYS);
}

static void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	begin(req, OPS_OTHER);
	fuse_reply_err(req, ENOSYS);
}

/* Only of files that CREATE opened, or OPEN with an audit. */
static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	begin(req, OPS_OTHER);
	fuse_reply_err(req, 0);
}

/* Read and reply, unless that would take waiting: then -EINPROGRESS and no
 * reply. */
static int
read_reply(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    bool may_wait, bool *ret_is_message)
{
	uint8_t *buf = malloc(size ? size : 1); /* untouched for a message */
	struct mailbox_data d = { 0 };
	int r = buf == NULL ? -ENOMEM :
	    mailbox_read(ops_of(req)->mailbox, (int64_t)ino, off, size,
		may_wait, buf, &d);

	if (r == 0)
		fuse_reply_buf(req, (const char *)d.data.ptr, d.data.len);
	else if (r != -EINPROGRESS)
		reply_err(req, r);
	*ret_is_message = d.is_message;
	message_unref(d.message);
	free(buf);
	return r;
}

/* A READ that waits for S3 or KMS. */
struct read_job {
	struct pool_job job; /* first */
	fuse_req_t req;
	fuse_ino_t ino;
	size_t size;
	off_t off;
};

static void
run_read(struct pool_job *job)
{
	struct read_job *j = (struct read_job *)job;
	bool is_message;

	(void)read_reply(j->req, j->ino, j->size, j->off, true, &is_message);
	free(j);
}

static void
read_later(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off)
{
	struct read_job *j = malloc(sizeof(*j));

	if (j != NULL)
		*j = (struct read_job){ { run_read, NULL }, req, ino, size,
			off };
	if (answer_later(req, ops_of(req)->pool, (struct pool_job *)j) < 0)
		free(j);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct prefetch *p = ops_of(req)->prefetch;
	bool has_waited = fi->fh == OPS_HAS_WAITED, is_message;
	int r;

	begin(req, OPS_READ);
	r = read_reply(req, ino, size, off, false, &is_message);
	if (r == -EINPROGRESS)
		read_later(req, ino, size, off);
	/* The reader has its answer, or waits for S3, while we look ahead. */
	if (is_message && off == 0)
		prefetch_read(p, (int64_t)ino,
		    r != -EINPROGRESS && !has_waited);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
    off_t off, struct fuse_file_info *fi)
{
	ssize_t n = mailbox_write(begin(req, OPS_WRITE), (int64_t)ino, buf,
	    size, off);

	if (n < 0)
		reply_err(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

static void
op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
    struct fuse_file_info *fi)
{
	reply_err(req, mailbox_allocate(begin(req, OPS_OTHER), (int64_t)ino,
	    mode, off, len));
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
    struct fuse_file_info *fi)
{
	reply_err(req, mailbox_fsync(begin(req, OPS_FSYNC), (int64_t)ino));
}

/* ---- the rest ---- */

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r = mailbox_statfs(begin(req, OPS_OTHER), &st);

	if (r < 0)
		reply_err(req, r);
	else
		fuse_reply_statfs(req, &st);
}

/* The kernel decides by mode and owner (default_permissions). */
static void
op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	begin(req, OPS_OTHER);
	fuse_reply_err(req, 0);
}

/* No handlers for locks: the kernel's own are right, one daemon per mount. */
const struct fuse_lowlevel_ops ops_table = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.releasedir = ops_releasedir,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.setxattr = ops_setxattr,
	.getxattr = ops_getxattr,
	.listxattr = ops_listxattr,
	.removexattr = ops_removexattr,
	.access = op_access,
	.create = op_create,
	.fallocate = op_fallocate,
};
