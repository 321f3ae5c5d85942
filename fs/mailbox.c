#include "fs/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/mailbox_priv.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/plain.h"

/* What glibc's readdir(3) asks for at once, and hence the kernel us. */
#define DIR_BLKSIZE (128 << 10)

/* ---- life ---- */

static bool
is_known(void *arg, int64_t ino)
{
	struct mailbox *m = arg;
	struct node n;

	return index_node(m->o.index, ino, &n) != -ENOENT;
}

int
mailbox_new(const struct mailbox_opts *o, struct mailbox **ret)
{
	CLEANUP(mailbox_freep) struct mailbox *m = NULL;
	int r;

	*ret = NULL;
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return -ENOMEM;
	orphans_init(&m->orphans);
	pthread_mutex_init(&m->folder_lock, NULL);
	pthread_mutex_init(&m->inval_lock, NULL);
	m->o = *o;
	m->o.prefix = strdup(o->prefix);
	m->o.inbox = strdup(o->inbox != NULL ? o->inbox : "");
	m->o.junk = o->junk != NULL ? strdup(o->junk) : NULL;
	if (m->o.prefix == NULL || m->o.inbox == NULL ||
	    (o->junk != NULL && m->o.junk == NULL))
		return -ENOMEM;
	if ((r = files_open(o->state_dir, &m->files)) < 0)
		return log_err(r, "mailbox: open %s/files: %s", o->state_dir,
		    strerror(-r));
	if ((r = files_sweep(m->files, is_known, m)) < 0)
		return r;
	*ret = TAKE(m);
	return 0;
}

void
mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	files_close(m->files);
	free_const(m->o.prefix);
	free_const(m->o.inbox);
	free_const(m->o.junk);
	orphans_destroy(&m->orphans);
	pthread_mutex_destroy(&m->folder_lock);
	pthread_mutex_destroy(&m->inval_lock);
	free(m);
}

void
mailbox_set_inval(struct mailbox *m, mailbox_inval_fn *fn, void *arg)
{
	LOCK_SCOPE(&m->inval_lock);
	m->inval = fn;
	m->inval_arg = arg;
}

/* Held across the callback so that none is under way once mailbox_set_inval
 * has returned; the callback only writes a notification that never waits. */
int
mailbox_inval(struct mailbox *m, int64_t ino)
{
	LOCK_SCOPE(&m->inval_lock);
	/* Not mounted: nobody holds anything. */
	return m->inval != NULL ? m->inval(m->inval_arg, ino) : -ENOENT;
}

int64_t
mailbox_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* ---- attributes ---- */

static struct timespec
to_ts(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static int
stat_file(struct mailbox *m, const struct node *n, struct stat *st)
{
	struct files_attr a;
	int r = files_stat(m->files, n->ino, &a);

	/* The name outlived the bytes: a death between the two, or a loss of
	 * power before fsync. An empty file can be used and removed. */
	if (r == -ENOENT && n->nlink > 0 &&
	    (r = files_restore(m->files, n->ino)) == 0)
		r = files_stat(m->files, n->ino, &a);
	if (r < 0)
		return log_err(r == -ENOENT ? -EIO : r,
		    "mailbox: stat files/%lld: %s", (long long)n->ino,
		    strerror(-r));
	st->st_mode = S_IFREG | n->mode;
	st->st_size = (off_t)a.size;
	st->st_blocks = (blkcnt_t)a.blocks;
	st->st_atim = to_ts(a.atime_ns);
	st->st_mtim = to_ts(a.mtime_ns);
	/* Renames and links are the index's business, bytes the file's. */
	st->st_ctim = to_ts(a.ctime_ns > n->ctime_ns ? a.ctime_ns :
						       n->ctime_ns);
	return 0;
}

int
mailbox_stat(struct mailbox *m, const struct node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = (ino_t)n->ino;
	st->st_nlink = n->nlink;
	st->st_uid = n->uid != UINT32_MAX ? n->uid : m->o.uid;
	st->st_gid = n->gid != UINT32_MAX ? n->gid : m->o.gid;
	st->st_blksize = 4096;
	st->st_mtim = to_ts(n->mtime_ns);
	st->st_ctim = to_ts(n->ctime_ns);
	switch (n->kind) {
	case NODE_FILE:
		return stat_file(m, n, st);
	case NODE_DIR:
		st->st_mode = S_IFDIR |
		    (n->uid != UINT32_MAX ? n->mode : 0777 & ~m->o.umask);
		st->st_size = 4096;
		st->st_blksize = DIR_BLKSIZE;
		/* Always now: what cleans tmp/ goes by its atime. */
		st->st_atim = to_ts(mailbox_now_ns());
		return 0;
	case NODE_MESSAGE:
		st->st_mode = S_IFREG | (0666 & ~m->o.umask);
		st->st_size = (off_t)n->size;
		st->st_blocks = (blkcnt_t)((n->size + 511) / 512);
		st->st_atim = st->st_mtim;
		return 0;
	}
	return -EIO;
}

int
mailbox_lookup(struct mailbox *m, int64_t dir, const char *name,
    struct stat *st)
{
	struct node n;
	int r = index_lookup(m->o.index, dir, name, &n);

	return r < 0 ? r : mailbox_stat(m, &n, st);
}

int
mailbox_getattr(struct mailbox *m, int64_t ino, struct stat *st)
{
	struct node n;
	int r = index_node(m->o.index, ino, &n);

	if (r == -ENOENT || (r == 0 && n.kind == NODE_MESSAGE && n.is_gone))
		return -ESTALE;
	return r < 0 ? r : mailbox_stat(m, &n, st);
}

int
mailbox_parent(struct mailbox *m, int64_t dir, int64_t *ret)
{
	struct node n;
	int r = index_node(m->o.index, dir, &n);

	*ret = r == 0 && n.parent != 0 ? n.parent : INDEX_ROOT_INO;
	return r;
}

int
mailbox_readdir(struct mailbox *m, int64_t dir, int64_t cookie,
    index_known_fn *known, index_dirent_fn *fn, void *arg)
{
	return index_readdir(m->o.index, dir, cookie, known, fn, arg);
}

uint64_t
mailbox_version(struct mailbox *m)
{
	return index_version(m->o.index);
}

int
mailbox_stat_row(struct mailbox *m, const struct dirent_row *row,
    struct stat *st)
{
	return mailbox_stat(m, &row->node, st);
}

static struct timespec
pick_time(unsigned what, unsigned set, unsigned now, struct timespec given)
{
	if (what & now)
		return (struct timespec){ 0, UTIME_NOW };
	if (what & set)
		return given;
	return (struct timespec){ 0, UTIME_OMIT };
}

static int
set_file(struct mailbox *m, const struct node *n, const struct stat *want,
    unsigned what)
{
	const struct timespec ts[2] = {
		pick_time(what, MAILBOX_SET_ATIME, MAILBOX_SET_ATIME_NOW,
		    want->st_atim),
		pick_time(what, MAILBOX_SET_MTIME, MAILBOX_SET_MTIME_NOW,
		    want->st_mtim),
	};
	int r = 0;

	if (what & MAILBOX_SET_SIZE)
		r = files_truncate(m->files, n->ino, want->st_size);
	if (r == 0 && (ts[0].tv_nsec != UTIME_OMIT ||
			  ts[1].tv_nsec != UTIME_OMIT))
		r = files_utimens(m->files, n->ino, ts);
	return r;
}

/* What a message already is may be "set"; a new atime means nothing. */
static int
check_message(struct mailbox *m, const struct node *n,
    const struct stat *want, unsigned what)
{
	struct stat st;
	int r = mailbox_stat(m, n, &st);

	if (r < 0)
		return r;
	if ((what & MAILBOX_SET_MODE &&
		(want->st_mode & 07777) != (st.st_mode & 07777)) ||
	    (what & MAILBOX_SET_UID && want->st_uid != st.st_uid) ||
	    (what & MAILBOX_SET_GID && want->st_gid != st.st_gid) ||
	    (what & MAILBOX_SET_SIZE && want->st_size != st.st_size) ||
	    (what & MAILBOX_SET_MTIME &&
		(want->st_mtim.tv_sec != st.st_mtim.tv_sec ||
		    want->st_mtim.tv_nsec != st.st_mtim.tv_nsec)) ||
	    what & MAILBOX_SET_MTIME_NOW)
		return -EPERM;
	return 0;
}

static int64_t
to_ns(struct timespec ts, bool now)
{
	return now ? mailbox_now_ns() : ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* The part of a change that the index keeps. */
static int
set_node(struct mailbox *m, struct node *n, const struct stat *want,
    unsigned what)
{
	unsigned set = 0;

	if (what & MAILBOX_SET_MODE) {
		n->mode = want->st_mode & 07777;
		set |= INDEX_SET_MODE;
	}
	if (what & (MAILBOX_SET_UID | MAILBOX_SET_GID)) {
		n->uid = what & MAILBOX_SET_UID ? want->st_uid : n->uid;
		n->gid = what & MAILBOX_SET_GID ? want->st_gid : n->gid;
		set |= INDEX_SET_OWNER;
	}
	if (n->kind == NODE_DIR &&
	    what & (MAILBOX_SET_ATIME | MAILBOX_SET_ATIME_NOW)) {
		n->atime_ns = to_ns(want->st_atim,
		    what & MAILBOX_SET_ATIME_NOW);
		set |= INDEX_SET_ATIME;
	}
	if (n->kind == NODE_DIR &&
	    what & (MAILBOX_SET_MTIME | MAILBOX_SET_MTIME_NOW)) {
		n->mtime_ns = to_ns(want->st_mtim,
		    what & MAILBOX_SET_MTIME_NOW);
		set |= INDEX_SET_MTIME;
	}
	if (set == 0)
		return 0;
	/* A directory of ours that changes hands becomes a client's. */
	if (n->kind == NODE_DIR && n->uid == UINT32_MAX &&
	    set & (INDEX_SET_MODE | INDEX_SET_OWNER)) {
		if (!(what & MAILBOX_SET_MODE))
			n->mode = 0777 & ~m->o.umask;
		n->uid = m->o.uid;
		n->gid = n->gid != UINT32_MAX ? n->gid : m->o.gid;
		set |= INDEX_SET_MODE | INDEX_SET_OWNER;
	}
	return index_setattr(m->o.index, n, set, mailbox_now_ns(), n);
}

int
mailbox_setattr(struct mailbox *m, int64_t ino, const struct stat *want,
    unsigned what, struct stat *st)
{
	struct node n;
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	if (n.kind == NODE_MESSAGE) {
		if ((r = check_message(m, &n, want, what)) < 0)
			return r;
		return mailbox_stat(m, &n, st);
	}
	if (n.kind == NODE_FILE && (r = set_file(m, &n, want, what)) < 0)
		return r;
	if (n.kind == NODE_DIR && what & MAILBOX_SET_SIZE)
		return -EISDIR;
	if ((r = set_node(m, &n, want, what)) < 0)
		return r;
	return mailbox_stat(m, &n, st);
}

/* ---- bytes ---- */

static int
read_message(struct mailbox *m, const struct node *n, off_t off, size_t size,
    bool may_wait, struct mailbox_data *ret)
{
	struct slice all;
	int r;

	if (m->o.source == NULL)
		return -EIO;
	if (off < 0 || (uint64_t)off >= n->size)
		return 0; /* the end; nothing to fetch for that */
	r = may_wait ?
	    source_open(m->o.source, n->object_id, &ret->message) :
	    source_open_local(m->o.source, n->object_id, &ret->message);
	if (r < 0)
		return r;
	all = message_data(ret->message);
	if ((uint64_t)off < all.len) {
		ret->data.ptr = all.ptr + off;
		ret->data.len = all.len - (size_t)off < size ?
		    all.len - (size_t)off : size;
	}
	/* A program that reads a little at a time makes the kernel ask for a
	 * little at a time; the message shall not be opened for each. */
	message_served(ret->message, ret->data.len);
	return 0;
}

int
mailbox_read(struct mailbox *m, int64_t ino, off_t off, size_t size,
    bool may_wait, uint8_t *buf, struct mailbox_data *ret)
{
	struct node n;
	ssize_t got;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	if (n.kind == NODE_DIR)
		return -EISDIR;
	if ((ret->is_message = n.kind == NODE_MESSAGE))
		return read_message(m, &n, off, size, may_wait, ret);
	if ((got = files_read(m->files, ino, buf, size, off)) < 0)
		return (int)got;
	ret->data = (struct slice){ buf, (size_t)got };
	return 0;
}

static int
open_message(struct mailbox *m, int64_t object_id, bool may_wait,
    struct mailbox_opened *ret)
{
	struct object o;
	bool has_key;
	int r;

	if (m->o.source == NULL)
		return -EIO;
	if ((r = index_object(m->o.index, object_id, &o)) < 0)
		return r;
	ret->key = strdup(o.key);
	has_key = source_has_key(m->o.source, &o);
	object_clear(&o);
	if (ret->key == NULL)
		return -ENOMEM;
	if (has_key)
		return 0;
	return may_wait ?
	    source_open_traced(m->o.source, object_id, &ret->trace,
		&ret->message) :
	    source_open_local(m->o.source, object_id, &ret->message);
}

int
mailbox_open(struct mailbox *m, int64_t ino, bool may_wait,
    struct mailbox_opened *ret)
{
	struct node n;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	ret->is_message = n.kind == NODE_MESSAGE;
	return ret->is_message ?
	    open_message(m, n.object_id, may_wait, ret) : 0;
}

void
mailbox_opened_clear(struct mailbox_opened *o)
{
	message_unref(TAKE(o->message));
	free(TAKE(o->key));
}

/* Only clients' own files can be changed. */
static int
check_file(struct mailbox *m, int64_t ino)
{
	struct node n;
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	return n.kind == NODE_FILE ? 0 : n.kind == NODE_DIR ? -EISDIR : -EPERM;
}

ssize_t
mailbox_write(struct mailbox *m, int64_t ino, const void *buf, size_t len,
    off_t off)
{
	int r = check_file(m, ino);

	return r < 0 ? r : files_write(m->files, ino, buf, len, off);
}

int
mailbox_allocate(struct mailbox *m, int64_t ino, int mode, off_t off,
    off_t len)
{
	int r = check_file(m, ino);

	return r < 0 ? r : files_allocate(m->files, ino, mode, off, len);
}

int
mailbox_fsync(struct mailbox *m, int64_t ino)
{
	struct node n;
	int r;

	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	if (n.kind == NODE_FILE && (r = files_sync(m->files, ino)) < 0)
		return r;
	return index_sync(m->o.index);
}

int
mailbox_statfs(struct mailbox *m, struct statvfs *ret)
{
	struct index_counts c;
	struct statvfs host;
	int r;

	if ((r = index_counts(m->o.index, &c)) < 0)
		return r;
	if (statvfs(m->o.state_dir, &host) < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	ret->f_bsize = ret->f_frsize = 4096;
	/* Clients' files need room in the state directory; mail is elsewhere
	 * and full by nature. */
	ret->f_bfree = host.f_bfree * (host.f_frsize / 512) / 8;
	ret->f_bavail = host.f_bavail * (host.f_frsize / 512) / 8;
	ret->f_blocks = (c.plain_bytes + 4095) / 4096 + ret->f_bfree;
	ret->f_files = c.ready + host.f_ffree;
	ret->f_ffree = ret->f_favail = host.f_ffree;
	ret->f_namemax = INDEX_NAME_MAX;
	return 0;
}
