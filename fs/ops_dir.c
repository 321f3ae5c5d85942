/* Listing directories.
 *
 * A mailbox has any number of messages, and its listing is what every mail
 * program begins with. Three things make it cheap. The kernel is told of a
 * message (READDIRPLUS, so that nobody has to LOOKUP each) only when it does
 * not hold it already. Directories show a large block size, which makes the C
 * library ask for much at once. And while the kernel digests one reply the next
 * is made ready: after two requests in a row, before the third has come.
 *
 * A reply made ahead is used only when nothing at all has been committed to the
 * index since it was begun. Names cannot change between a request and its reply
 * (the kernel holds the directory's lock), but they can before it, and an old
 * name in a reply would be an entry in the kernel's cache for ever. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops_priv.h"
#include "store/lock.h"

#define AHEAD_SIZE_MAX (1 << 20) /* bytes of a reply made ahead */
#define AHEAD_BUFFERS 16	 /* kept in all, by open directories */
#define MISSES_MAX 8		 /* may be chance */
/* The least that FUSE's form of an entry takes: an empty name. */
#define ENTRY_MIN 152

/* A reply, or the beginning of one. */
struct chunk {
	char *buf;
	size_t size, used; /* bytes */
	int64_t *told; /* messages it tells of; room for all that fit */
	size_t told_n;
	size_t passed;	/* entries whose message is held */
	off_t off, next; /* answers a request at off; the next one's */
	bool plus;
	bool is_full; /* there may be more */
	bool is_stable; /* as good later, if the index is as it was */
	uint64_t version; /* of the index before it was begun */
};

/* An open directory. */
struct listing {
	struct ops *ops;
	int64_t dir;
	pthread_mutex_t lock;
	struct chunk c; /* [lock] buf NULL: nothing kept */
	bool is_ready;	/* [lock] c was made ahead */
	bool is_moving; /* [lock] things change; no use in making ahead */
	bool tell_all;	/* [lock] the kernel does not hold what it should */
	unsigned misses; /* [lock] when the listing began */
	struct listing *next, **link; /* [ops.lock] */
};

/* ---- entries ---- */

/* Returns false when the entry does not fit any more. */
static bool
add_entry(struct chunk *c, const char *name, const struct stat *st,
    bool with_attr, off_t next)
{
	struct fuse_entry_param e = { 0 };
	char *at = c->buf + c->used;
	size_t left = c->size - c->used, n;

	if (!c->plus) {
		n = fuse_add_direntry(NULL, at, left, name, st, next);
	} else {
		if (with_attr)
			fill_entry(&e, st);
		else
			e.attr = *st; /* ino 0: the kernel asks, if need be */
		n = fuse_add_direntry_plus(NULL, at, left, name, &e, next);
	}
	if (n > left)
		return false;
	c->used += n;
	c->next = next;
	return true;
}

/* Offsets: 1 after ".", 2 after "..", then the index's cookie + 2. */
static int
add_dots(struct listing *l, struct chunk *c)
{
	struct stat st = { .st_mode = S_IFDIR, .st_ino = (ino_t)l->dir };
	int64_t parent;
	int r;

	if (c->off < 1 && !add_entry(c, ".", &st, false, 1))
		c->is_full = true;
	if (c->off >= 2 || c->is_full)
		return 0;
	if ((r = mailbox_parent(l->ops->mailbox, l->dir, &parent)) < 0)
		return r;
	st.st_ino = (ino_t)parent;
	c->is_full = !add_entry(c, "..", &st, false, 2);
	return 0;
}

struct filling {
	struct listing *l;
	struct chunk *c;
};

static bool
is_held(void *arg, int64_t ino)
{
	const struct filling *f = arg;

	return !f->l->tell_all && held_has(&f->l->ops->held, ino);
}

static bool
add_held(struct chunk *c, const struct dirent_row *row)
{
	const struct stat st = { .st_ino = (ino_t)row->node.ino,
		.st_mode = S_IFREG };

	c->passed++;
	return add_entry(c, row->name, &st, false, row->cookie + 2);
}

static bool
add_row(void *arg, const struct dirent_row *row)
{
	const struct filling *f = arg;
	const struct node *n = &row->node;
	struct chunk *c = f->c;
	struct stat st = { .st_ino = (ino_t)n->ino,
		.st_mode = n->kind == NODE_DIR ? S_IFDIR : S_IFREG };
	bool is_message = n->kind == NODE_MESSAGE, ok = false;

	if (!row->has_node || (c->plus && is_message && is_held(arg, n->ino)))
		return add_held(c, row);
	if (c->plus) {
		ok = mailbox_stat_row(f->l->ops->mailbox, row, &st) == 0;
		/* Its size and times are the file's, not the index's. */
		c->is_stable = c->is_stable && n->kind != NODE_FILE;
	}
	if (!add_entry(c, row->name, &st, ok, row->cookie + 2))
		return false;
	/* One with several names may be held by another one. */
	if (ok && is_message && n->nlink == 1)
		c->told[c->told_n++] = n->ino;
	return true;
}

/* Fill the chunk from its off on. What the kernel mostly holds is read without
 * its attributes. */
static int
fill(struct listing *l, struct chunk *c)
{
	bool is_known = c->plus && c->passed >= c->told_n;
	struct filling f = { l, c };
	int r;

	c->version = mailbox_version(l->ops->mailbox);
	c->used = c->told_n = c->passed = 0;
	c->next = c->off;
	c->is_full = false;
	c->is_stable = true;
	if ((r = add_dots(l, c)) < 0 || c->is_full)
		return r;
	r = mailbox_readdir(l->ops->mailbox, l->dir,
	    c->off > 2 ? c->off - 2 : 0, is_known ? is_held : NULL, add_row,
	    &f);
	c->is_full = r == 1;
	return r < 0 && c->used == 0 ? r : 0;
}

/* ---- chunks ---- */

static void
chunk_drop(struct listing *l)
{
	if (l->c.buf != NULL)
		atomic_fetch_sub(&l->ops->ahead, 1);
	free(l->c.buf);
	free(l->c.told);
	l->c = (struct chunk){ 0 };
	l->is_ready = false;
}

static int
chunk_alloc(struct chunk *c, size_t size)
{
	c->buf = malloc(size);
	c->told = malloc((size / ENTRY_MIN + 1) * sizeof(*c->told));
	c->size = size;
	if (c->buf != NULL && c->told != NULL)
		return 0;
	free(c->buf);
	free(c->told);
	*c = (struct chunk){ 0 };
	return -ENOMEM;
}

/* Have l->c with room for `size` bytes. Beyond AHEAD_BUFFERS it is the caller's
 * to drop after the reply (is_kept false). */
static int
chunk_get(struct listing *l, size_t size, bool *ret_kept)
{
	int r;

	*ret_kept = true;
	if (l->c.buf != NULL && l->c.size == size)
		return 0;
	chunk_drop(l);
	if ((r = chunk_alloc(&l->c, size)) < 0)
		return r;
	*ret_kept = atomic_fetch_add(&l->ops->ahead, 1) < AHEAD_BUFFERS &&
	    size <= AHEAD_SIZE_MAX;
	return 0;
}

/* Is what was made ahead the answer to this request? */
static bool
is_answer(struct listing *l, size_t size, off_t off, bool plus)
{
	const struct chunk *c = &l->c;
	bool is_good;

	if (!l->is_ready)
		return false;
	l->is_ready = false;
	is_good = c->off == off && c->size == size && c->plus == plus &&
	    c->is_stable && c->version == mailbox_version(l->ops->mailbox);
	l->is_moving = !is_good;
	return is_good;
}

static void
send_chunk(struct listing *l, fuse_req_t req)
{
	/* Before the reply: a FORGET may follow it at once. */
	for (size_t i = 0; i < l->c.told_n; i++)
		held_add(&l->ops->held, l->c.told[i]);
	fuse_reply_buf(req, l->c.buf, l->c.used);
}

/* Names that the kernel had to ask for although it was known to hold them: it
 * has dropped some, and the rest of this listing tells all. */
static void
note_misses(struct listing *l, bool at_start)
{
	unsigned misses = held_misses(&l->ops->held);

	if (at_start) {
		l->misses = misses;
		l->tell_all = false;
	} else if (misses - l->misses > MISSES_MAX) {
		l->tell_all = true;
	}
}

static void
make_ahead(struct listing *l)
{
	struct chunk *c = &l->c;

	note_misses(l, false);
	c->off = c->next;
	l->is_ready = fill(l, c) == 0 && c->is_stable;
}

static void
answer(struct listing *l, fuse_req_t req, size_t size, off_t off, bool plus)
{
	struct chunk *c = &l->c;
	bool is_row, is_kept = true;
	int r = 0;

	LOCK_SCOPE(&l->lock);
	/* Read on from where it stopped, by whoever reads through. */
	is_row = c->buf != NULL && off > 0 && (off == c->next ||
	    (l->is_ready && off == c->off));
	if (off == 0)
		l->is_moving = false;
	if (!is_answer(l, size, off, plus)) {
		note_misses(l, off == 0);
		if ((r = chunk_get(l, size, &is_kept)) == 0) {
			c->off = off;
			c->plus = plus;
			r = fill(l, c);
		}
	}
	if (r < 0)
		reply_err(req, r);
	else
		send_chunk(l, req);
	/* At the end nothing more is wanted, but for a rewinddir(3). */
	if (r < 0 || !is_kept || c->used == 0)
		chunk_drop(l);
	else if (is_row && c->is_full && !l->is_moving)
		make_ahead(l);
}

/* ---- requests ---- */

static void
listing_free(struct listing *l)
{
	{
		LOCK_SCOPE(&l->lock); /* what comes next may be in the making */
		chunk_drop(l);
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void
listing_link(struct listing *l)
{
	struct ops *o = l->ops;

	LOCK_SCOPE(&o->lock);
	l->next = o->listings;
	l->link = &o->listings;
	if (l->next != NULL)
		l->next->link = &l->next;
	o->listings = l;
}

static void
listing_unlink(struct listing *l)
{
	LOCK_SCOPE(&l->ops->lock);
	*l->link = l->next;
	if (l->next != NULL)
		l->next->link = l->link;
}

void
ops_close_listings(struct ops *o)
{
	struct listing *l;

	while ((l = o->listings) != NULL) {
		listing_unlink(l);
		listing_free(l);
	}
}

static struct listing *
listing_of(const struct fuse_file_info *fi)
{
	return (struct listing *)(uintptr_t)fi->fh;
}

void
ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	begin(req, OPS_READDIR);
	answer(listing_of(fi), req, size, off, false);
}

void
ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	begin(req, OPS_READDIR);
	answer(listing_of(fi), req, size, off, true);
}

/* Without the kernel's cache of directories: two listings at once over it can
 * miss names. */
void
ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct listing *l = calloc(1, sizeof(*l));

	begin(req, OPS_OTHER);
	if (l == NULL) {
		reply_err(req, -ENOMEM);
		return;
	}
	l->ops = ops_of(req);
	l->dir = (int64_t)ino;
	pthread_mutex_init(&l->lock, NULL);
	listing_link(l);
	fi->fh = (uintptr_t)l;
	if (fuse_reply_open(req, fi) == -ENOENT) { /* nobody will close it */
		listing_unlink(l);
		listing_free(l);
	}
}

void
ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct listing *l = listing_of(fi);

	begin(req, OPS_OTHER);
	listing_unlink(l);
	listing_free(l);
	fuse_reply_err(req, 0);
}
