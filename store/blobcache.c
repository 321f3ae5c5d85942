/* The table says where each blob lies. Space is reserved under the lock and
 * written without it, and enters the table when it is complete; it leaves the
 * table under the lock and is punched out later. A read is looked up before and
 * after: what is still in its place then was whole while it was read. */
#include "store/blobcache.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/blobcache_priv.h"
#include "store/blobrec.h"
#include "store/blobtable.h"
#include "store/blobwork.h"
#include "store/lock.h"
#include "store/log.h"

/* ---- opening ---- */

static int
open_dir(const char *dir, int *ret)
{
	int r = 0, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret = -1;
	if (fd < 0)
		return -errno;
	if (mkdirat(fd, "blobs", 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0 && (*ret = openat(fd, "blobs", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int
start_scan(struct blobcache *c)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&c->scanner, NULL, blobscan_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static void
free_cache(struct blobcache *c)
{
	if (c->table_fd >= 0)
		close(c->table_fd);
	bloblru_destroy(&c->lru);
	blobseg_destroy(&c->segs);
	pthread_cond_destroy(&c->progress);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void
take_table(struct blobcache *c)
{
	int r = blobtable_take(c->segs.dirfd, &c->table_fd);

	if (r < 0 && r != -ENOENT)
		log_warn(r, "blobcache: open blobs/table: %s", strerror(-r));
}

int
blobcache_open(const char *dir, uint64_t limit, struct blobcache **ret)
{
	struct blobcache *c;
	int r, fd = -1;

	*ret = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	c->limit = limit;
	c->table_fd = -1;
	c->ready_by = cond_after_ms(BLOBCACHE_WAIT_S * 1000);
	pthread_mutex_init(&c->lock, NULL);
	cond_init_monotonic(&c->progress);
	r = open_dir(dir, &fd);
	blobseg_init(&c->segs, fd, limit, &c->lock);
	if (r == 0)
		take_table(c);
	if (r == 0 && (r = bloblru_init(&c->lru)) == 0 &&
	    (r = blobscan_list(c)) == 0 && (r = start_scan(c)) == 0) {
		*ret = c;
		return 0;
	}
	free_cache(c);
	return log_err(r, "blobcache: open %s/blobs: %s", dir, strerror(-r));
}

/* ---- closing ---- */

/* The segments, in the order of their slots; number[slot] is each one's. */
static int
write_segs(struct blobcache *c, struct blobtable_out *t, uint16_t *number)
{
	uint16_t n = 0;

	for (uint32_t i = 0; i < c->segs.slots; i++) {
		const struct blobseg *seg = c->segs.at[i];
		char name[BLOBSEG_NAME_LEN];
		struct stat st;

		if (seg == NULL)
			continue;
		blobseg_name(seg->seq, seg->is_big, name);
		if (fstatat(c->segs.dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		blobtable_put_seg(t, &(struct blobtable_seg){ seg->seq,
		    seg->is_big, (uint64_t)st.st_size });
		number[i] = n++;
	}
	return 0;
}

static int
write_table(struct blobcache *c)
{
	uint16_t *number = calloc(c->segs.slots + 1, sizeof(*number));
	struct blobtable_item item;
	struct blobtable_out *t;
	uint32_t i = 0;
	int r, e;

	if (number == NULL)
		return -ENOMEM;
	r = blobtable_create(c->segs.dirfd, c->segs.count, c->lru.count, &t);
	if (r == 0) {
		r = write_segs(c, t, number);
		while (r == 0 &&
		    (item.id = bloblru_next(&c->lru, &i, &item.at)) != 0) {
			item.at.slot = number[item.at.slot];
			blobtable_put_item(t, &item);
		}
		e = blobtable_finish(t);
		r = r < 0 ? r : e;
	}
	free(number);
	return r;
}

void
blobcache_close(struct blobcache *c)
{
	int r = 0;

	if (c == NULL)
		return;
	{
		LOCK_SCOPE(&c->lock);
		atomic_store(&c->is_stopping, true);
		pthread_cond_broadcast(&c->progress);
	}
	pthread_join(c->scanner, NULL);
	if (!c->lru.is_partial && c->lru.count > 0)
		r = write_table(c);
	if (r < 0)
		log_warn(r, "blobcache: write blobs/table: %s", strerror(-r));
	free_cache(c);
}

/* ---- put ---- */

/* A written record enters the table, one that failed gives its room up. What
 * was dropped with its segment before it was complete is no failure. */
static int
enter(struct blobcache *c, int64_t id, const struct bloblru_place *at,
    struct blobseg_use *u, int err)
{
	struct blobwork w = { .n = 0 };
	struct bloblru_place old;
	int r = err;

	{
		LOCK_SCOPE(&c->lock);
		r = u->seg->is_dead ? 0 : r;
		if (r == 0 && !u->seg->is_dead) {
			c->puts++;
			if (bloblru_remove(&c->lru, id, &old))
				blobspace_release_locked(&c->segs,
				    c->segs.at[old.slot], &old, &w);
			r = bloblru_add(&c->lru, id, at);
		}
		if (r < 0)
			blobspace_release_locked(&c->segs, u->seg, at, &w);
		blobseg_end_locked(u);
	}
	blobseg_finish(u);
	blobwork_run(&c->segs, &w);
	return r;
}

static struct blobrec_place
on_disk(const struct blobseg *seg, const struct bloblru_place *at)
{
	return (struct blobrec_place){ seg->seq,
		(uint64_t)at->unit * BLOBREC_UNIT };
}

/* Would it fit if there were nothing else? */
static bool
can_fit(const struct blobcache *c, uint64_t len)
{
	uint64_t table = c->segs.block; /* of one blob */

	return blobspace_cost_alone(&c->segs, len) + table <= c->limit;
}

int
blobcache_put(struct blobcache *c, int64_t id, const struct blob *b)
{
	struct bloblru_place at;
	struct blobseg_use u;
	uint64_t len;
	int r;

	if (id <= 0 || id > BLOBLRU_ID_MAX)
		return -EINVAL;
	if ((r = blobrec_len(b, &len)) < 0 || !can_fit(c, len) ||
	    (r = blobroom_reserve(c, len, &u, &at)) <= 0)
		return r;
	if ((r = blobseg_open(&c->segs, &u)) == 0)
		r = blobrec_write(u.fd, on_disk(u.seg, &at), id, b);
	return enter(c, id, &at, &u, r);
}

/* ---- get ---- */

/* Where it lies, in use. Waits a little for the table. */
static bool
look_up(struct blobcache *c, int64_t id, struct bloblru_place *at,
    uint64_t *ret_len, struct blobseg_use *u)
{
	struct blobseg *seg;
	bool is_there;

	LOCK_SCOPE(&c->lock);
	while (!(is_there = bloblru_use(&c->lru, id, at)) &&
	    c->lru.is_partial && !atomic_load(&c->is_stopping) &&
	    pthread_cond_timedwait(&c->progress, &c->lock, &c->ready_by) == 0)
		;
	if (!is_there) {
		c->misses++;
		return false;
	}
	seg = c->segs.at[at->slot];
	*ret_len = seg->is_big ? seg->end :
				 (uint64_t)at->units * BLOBREC_UNIT;
	blobseg_begin_locked(&c->segs, seg, u);
	return true;
}

static bool
is_still_there(const struct blobcache *c, int64_t id,
    const struct bloblru_place *at, const struct blobseg *seg)
{
	struct bloblru_place now;

	return bloblru_find(&c->lru, id, &now) && now.slot == at->slot &&
	    now.unit == at->unit && now.units == at->units &&
	    c->segs.at[at->slot] == seg;
}

static bool
is_lasting(int err)
{
	return err == -EBADMSG || err == -EIO || err == -ENOENT ||
	    err == -ELOOP;
}

/* After reading. What cannot be read leaves the table. Returns whether what was
 * read is to be believed. */
static bool
settle(struct blobcache *c, int64_t id, const struct bloblru_place *at,
    struct blobseg_use *u, int err)
{
	struct blobwork w = { .n = 0 };
	struct bloblru_place old;
	bool is_there;

	{
		LOCK_SCOPE(&c->lock);
		is_there = is_still_there(c, id, at, u->seg);
		if (is_there && is_lasting(err)) {
			bloblru_drop(&c->lru, id, &old);
			blobspace_release_locked(&c->segs, u->seg, at, &w);
		}
		if (err == 0 && is_there)
			c->hits++;
		else
			c->misses++;
		blobseg_end_locked(u);
	}
	blobseg_finish(u);
	blobwork_run(&c->segs, &w);
	return is_there;
}

int
blobcache_get(struct blobcache *c, int64_t id, uint64_t body_max,
    struct blob *ret)
{
	char name[BLOBSEG_NAME_LEN];
	struct bloblru_place at;
	struct blobseg_use u;
	bool is_there;
	uint64_t len;
	int r;

	*ret = (struct blob){ 0 };
	if (!look_up(c, id, &at, &len, &u))
		return -ENOENT;
	blobseg_name(u.seg->seq, u.seg->is_big, name);
	if ((r = blobseg_open(&c->segs, &u)) == 0)
		r = blobrec_read(u.fd, on_disk(u.seg, &at), len, id, body_max,
		    ret);
	is_there = settle(c, id, &at, &u, r);
	if (r == -ENOMEM || (r == 0 && is_there))
		return r;
	if (is_there) /* else it was evicted under our hands */
		log_warn(r, "blobcache: read blobs/%s at %llu: %s", name,
		    (unsigned long long)at.unit * BLOBREC_UNIT,
		    r == -EBADMSG ? "not whole, removed" : strerror(-r));
	blob_clear(ret);
	return -ENOENT;
}

/* ---- the rest ---- */

bool
blobcache_has(struct blobcache *c, int64_t id)
{
	struct bloblru_place at;

	LOCK_SCOPE(&c->lock);
	return bloblru_find(&c->lru, id, &at);
}

void
blobcache_drop(struct blobcache *c, int64_t id)
{
	struct blobwork w = { .n = 0 };
	struct bloblru_place at;

	{
		LOCK_SCOPE(&c->lock);
		if (bloblru_drop(&c->lru, id, &at))
			blobspace_release_locked(&c->segs, c->segs.at[at.slot],
			    &at, &w);
	}
	blobwork_run(&c->segs, &w);
}

/* All at once, so that nothing can enter what goes. */
static int
kill_all(struct blobcache *c, struct blobwork **ret, size_t *ret_n)
{
	LOCK_SCOPE(&c->lock);
	*ret_n = c->segs.count / BLOBWORK_MAX + 1;
	if ((*ret = calloc(*ret_n, sizeof(**ret))) == NULL)
		return -ENOMEM;
	bloblru_clear(&c->lru);
	for (uint32_t i = 0, n = 0; i < c->segs.slots; i++)
		if (c->segs.at[i] != NULL)
			blobspace_kill_locked(&c->segs, c->segs.at[i],
			    *ret + n++ / BLOBWORK_MAX);
	return 0;
}

int
blobcache_drop_all(struct blobcache *c)
{
	struct blobwork *w;
	size_t n;
	int r;

	if ((r = kill_all(c, &w, &n)) < 0)
		return log_err(r, "blobcache: empty blobs: %s", strerror(-r));
	for (size_t i = 0; i < n; i++)
		blobwork_run(&c->segs, &w[i]);
	free(w);
	return 0;
}

void
blobcache_get_stats(struct blobcache *c, struct blobcache_stats *ret)
{
	LOCK_SCOPE(&c->lock);
	*ret = (struct blobcache_stats){
		.bytes = blobroom_used_locked(c, 0),
		.limit = c->limit,
		.objects = c->lru.count,
		.hits = c->hits,
		.misses = c->misses,
		.evictions = c->evictions,
		.puts = c->puts,
		.is_scanning = c->lru.is_partial,
	};
}
