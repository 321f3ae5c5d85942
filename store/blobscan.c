/* What was there before: the table of the last run, else the records
 * themselves, the newest segment first, so that the order of use is at least
 * that of writing. Either way what has been used meanwhile is newer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/blobcache_priv.h"
#include "store/blobold.h"
#include "store/blobwalk.h"
#include "store/blobwork.h"
#include "store/lock.h"
#include "store/log.h"

#define BATCH 1024 /* found while the lock is held */

/* ---- which files there are ---- */

static int
list_one(struct blobcache *c, const char *name)
{
	struct blobseg *seg;
	uint32_t seq;
	bool is_big;
	int r;

	if (blobold_is_shard(name)) {
		c->has_old = true;
		return 0;
	}
	if (!blobseg_parse_name(name, &seq, &is_big)) {
		if (name[0] != '.')
			log_warn(0, "blobcache: blobs/%s is not ours: left "
			    "alone", name);
		return 0;
	}
	if ((r = blobseg_add_locked(&c->segs, seq, is_big, &seg)) != -ENOSPC)
		return r;
	log_warn(0, "blobcache: blobs/%s: one too many, removed", name);
	unlinkat(c->segs.dirfd, name, 0);
	return 0;
}

int
blobscan_list(struct blobcache *c)
{
	int r = 0, fd = openat(c->segs.dirfd, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return -errno;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(d)) != NULL)
		r = list_one(c, e->d_name);
	closedir(d);
	return r;
}

int
blobscan_compare(const void *a, const void *b)
{
	const struct blobscan_seg *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq > y->seq ? -1 : 1;
	return y->is_big - x->is_big;
}

static int
begin(struct blobcache *c, struct blobscan *ret)
{
	LOCK_SCOPE(&c->lock);
	*ret = (struct blobscan){ .c = c };
	ret->at = calloc(c->segs.count + 1, sizeof(*ret->at));
	if (ret->at == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->segs.slots; i++) {
		const struct blobseg *seg = c->segs.at[i];

		if (seg != NULL && !seg->is_known)
			ret->at[ret->n++] = (struct blobscan_seg){ seg->seq,
				seg->slot, seg->is_big, 0 };
	}
	qsort(ret->at, ret->n, sizeof(*ret->at), blobscan_compare);
	return 0;
}

struct blobseg *
blobscan_find_locked(struct blobcache *c, const struct blobscan_seg *l)
{
	struct blobseg *seg = c->segs.at[l->slot];

	return seg != NULL && seg->seq == l->seq && seg->is_big == l->is_big ?
	    seg : NULL;
}

bool
blobscan_begin(struct blobcache *c, const struct blobscan_seg *l, struct blobseg_use *u)
{
	struct blobseg *seg;

	LOCK_SCOPE(&c->lock);
	if ((seg = blobscan_find_locked(c, l)) == NULL)
		return false;
	blobseg_begin_locked(&c->segs, seg, u);
	return true;
}

void
blobscan_end(struct blobcache *c, struct blobseg_use *u, bool is_bad)
{
	struct blobwork w = { .n = 0 };

	if (!is_bad && u->fd >= 0)
		blobwork_trim(&c->segs, u);
	{
		LOCK_SCOPE(&c->lock);
		u->seg->is_filling = false;
		if (is_bad || (u->seg->is_known && u->seg->live == 0))
			blobroom_kill_locked(c, u->seg, &w);
		blobseg_end_locked(u);
		pthread_cond_broadcast(&c->progress);
	}
	blobseg_finish(u);
	blobwork_run(&c->segs, &w);
}

int
blobscan_found_locked(struct blobcache *c, struct blobseg *seg, int64_t id,
    const struct bloblru_place *at)
{
	int r;

	if (id <= 0 || id > BLOBLRU_ID_MAX ||
	    !blobspace_fits_locked(&c->segs, seg, at))
		return 0;
	if ((r = bloblru_found(&c->lru, id, at)) == 1)
		blobspace_found_locked(&c->segs, seg, at);
	return r;
}

bool
blobscan_is_full(struct blobcache *c)
{
	LOCK_SCOPE(&c->lock);
	return blobroom_used_locked(c, 0) > c->limit;
}

/* ---- from the records ---- */

struct found {
	int64_t id;
	struct bloblru_place at;
};

struct founds {
	struct found *at;
	size_t n, room;
};

static int
collect(struct founds *f, int64_t id, uint32_t unit, uint32_t units)
{
	if (f->n == f->room) {
		size_t room = f->room > 0 ? 2 * f->room : 1024;
		struct found *p = reallocarray(f->at, room, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		f->at = p;
		f->room = room;
	}
	f->at[f->n++] = (struct found){ id, { 0, unit, units } };
	return 0;
}

/* Of a .big exactly one, as long as the file. */
static int
walk(struct blobcache *c, const struct blobseg_use *u, uint64_t len,
    struct founds *f)
{
	uint64_t offset, units;
	struct blobrec_head h;
	struct blobwalk w;
	int r = 0;

	blobwalk_init(&w, u->fd, u->seg->seq, len);
	while (!atomic_load(&c->is_stopping) &&
	    (r = blobwalk_next(&w, &h, &offset)) == 1) {
		units = h.len / BLOBREC_UNIT;
		if (u->seg->is_big)
			return offset == 0 && h.len == len ?
			    collect(f, h.id, 0, 0) : 0;
		if (units <= BLOBLRU_UNITS_MAX && (r = collect(f, h.id,
		    (uint32_t)(offset / BLOBREC_UNIT), (uint32_t)units)) < 0)
			return r;
	}
	return atomic_load(&c->is_stopping) ? -ECANCELED : r;
}

/* The last record first. */
static int
enter_founds(struct blobcache *c, struct blobseg *seg, struct founds *f)
{
	int r = 0;

	while (f->n > 0 && r >= 0) {
		LOCK_SCOPE(&c->lock);
		for (unsigned n = 0; n < BATCH && f->n > 0 && r >= 0; n++) {
			struct found *i = &f->at[--f->n];

			i->at.slot = seg->slot;
			r = blobscan_found_locked(c, seg, i->id, &i->at);
		}
	}
	return r < 0 ? r : 0;
}

/* -EBADMSG when it cannot be one of ours. */
static int
scan_file(struct blobcache *c, struct blobseg_use *u, struct founds *f)
{
	struct stat st;
	int r;

	if ((r = blobseg_open(&c->segs, u)) < 0)
		return -EBADMSG;
	if (fstat(u->fd, &st) < 0)
		return -errno;
	if (st.st_size == 0 || (!u->seg->is_big && st.st_size > BLOBSEG_MAX))
		return -EBADMSG;
	if ((r = walk(c, u, (uint64_t)st.st_size, f)) < 0)
		return r;
	if (f->n == 0)
		return -EBADMSG;
	{
		LOCK_SCOPE(&c->lock);
		if (u->seg->is_dead)
			return 0;
		if (!u->seg->is_known && (r = blobspace_know_locked(&c->segs,
		    u->seg, (uint64_t)st.st_size)) < 0)
			return r;
	}
	return enter_founds(c, u->seg, f);
}

static int
scan_segment(struct blobcache *c, const struct blobscan_seg *l, bool is_over)
{
	char name[BLOBSEG_NAME_LEN];
	struct blobseg_use u;
	struct founds f = { 0 };
	bool is_bad;
	int r;

	if (!blobscan_begin(c, l, &u))
		return 0;
	blobseg_name(l->seq, l->is_big, name);
	is_bad = is_over;
	r = is_over ? 0 : scan_file(c, &u, &f);
	free(f.at);
	if (r < 0 && r != -ECANCELED) {
		log_warn(r, "blobcache: blobs/%s: %s: removed", name,
		    r == -EBADMSG ? "no whole record" : strerror(-r));
		is_bad = true;
		r = 0;
	}
	blobscan_end(c, &u, is_bad);
	return r;
}

/* Once the limit is reached, all that is older has to go. */
static int
scan_all(struct blobscan *s)
{
	bool is_over = false;
	int r = 0;

	for (uint32_t i = 0; i < s->n && r == 0; i++) {
		r = scan_segment(s->c, &s->at[i], is_over);
		is_over = is_over || blobscan_is_full(s->c);
		blobroom_evict(s->c);
	}
	if (r == 0 && s->n > 0)
		log_info(0, "blobcache: no table of the last run: found the "
		    "records of %lu files", (unsigned long)s->n);
	return r;
}

/* ---- the thread ---- */

static void
done(struct blobcache *c)
{
	LOCK_SCOPE(&c->lock);
	bloblru_complete(&c->lru);
	pthread_cond_broadcast(&c->progress);
}

void *
blobscan_main(void *arg)
{
	struct blobcache *c = arg;
	struct blobscan s = { 0 };
	int r;

	if ((r = begin(c, &s)) == 0 && (r = blobload_table(&s)) == -EBADMSG)
		r = scan_all(&s);
	free(s.at);
	if (r == -ECANCELED)
		return NULL;
	if (r < 0)
		log_warn(r, "blobcache: scan blobs: %s", strerror(-r));
	done(c);
	blobroom_evict(c);
	if (c->has_old)
		blobold_remove(c->segs.dirfd, &c->is_stopping);
	return NULL;
}
