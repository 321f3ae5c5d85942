/* The cache from the table of the last run. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/blobcache_priv.h"
#include "store/blobtable.h"
#include "store/lock.h"
#include "store/log.h"

#define BATCH 1024 /* found while the lock is held */

/* Are the files those of the table? Notes their lengths; by_number[] says which
 * listed one each of the table's is. */
static bool
match_segs(struct blobscan *s, struct blobtable_in *t, struct blobscan_seg **by_number)
{
	struct blobtable_seg seg;
	uint32_t n = 0;

	while (blobtable_get_seg(t, &seg)) {
		struct blobscan_seg key = { .seq = seg.seq, .is_big = seg.is_big };
		char name[BLOBSEG_NAME_LEN];
		struct blobscan_seg *l;
		struct stat st;

		l = bsearch(&key, s->at, s->n, sizeof(key), blobscan_compare);
		if (l == NULL || l->len > 0)
			return false;
		blobseg_name(l->seq, l->is_big, name);
		if (fstatat(s->c->segs.dirfd, name, &st,
		    AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
		    (uint64_t)st.st_size != seg.len || seg.len == 0 ||
		    (!l->is_big && seg.len > BLOBSEG_MAX))
			return false;
		l->len = seg.len;
		by_number[n++] = l;
	}
	return n == s->n;
}

static int
know_all(struct blobscan *s)
{
	int r = 0;

	LOCK_SCOPE(&s->c->lock);
	for (uint32_t i = 0; r == 0 && i < s->n; i++) {
		struct blobseg *seg = blobscan_find_locked(s->c, &s->at[i]);

		if (seg != NULL)
			r = blobspace_know_locked(&s->c->segs, seg, s->at[i].len);
	}
	return r;
}

/* Some items. Returns 1 while there are more. */
static int
load_batch(struct blobscan *s, struct blobtable_in *t, struct blobscan_seg **by_number)
{
	struct blobtable_item i;
	struct blobseg *seg;
	int r = 0;

	LOCK_SCOPE(&s->c->lock);
	for (unsigned n = 0; n < BATCH && r >= 0; n++) {
		if (!blobtable_get_item(t, &i))
			return 0;
		if (i.at.slot >= s->n ||
		    (seg = blobscan_find_locked(s->c, by_number[i.at.slot])) == NULL)
			continue;
		i.at.slot = seg->slot;
		r = blobscan_found_locked(s->c, seg, i.id, &i.at);
	}
	pthread_cond_broadcast(&s->c->progress);
	return r < 0 ? r : 1;
}

/* What memory does not suffice for is not kept. */
static void
end_all(struct blobscan *s, bool is_bad)
{
	struct blobseg_use u;

	for (uint32_t i = 0; i < s->n; i++)
		if (blobscan_begin(s->c, &s->at[i], &u))
			blobscan_end(s->c, &u, is_bad ||
			    blobseg_open(&s->c->segs, &u) < 0);
}

static int
load(struct blobscan *s, struct blobtable_in *t)
{
	struct blobscan_seg **by_number;
	int r = -EBADMSG;

	by_number = calloc(s->n + 1, sizeof(*by_number));
	if (by_number == NULL)
		return -ENOMEM;
	if (blobtable_segs(t) == s->n && match_segs(s, t, by_number)) {
		if ((r = know_all(s)) == 0)
			r = 1;
		while (r == 1 && !blobscan_is_full(s->c))
			r = load_batch(s, t, by_number); /* the rest must go */
		end_all(s, r < 0);
	}
	free(by_number);
	return r < 0 ? r : 0;
}

/* No more than would fit into the files there are. */
static uint64_t
most_items(const struct blobscan *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		char name[BLOBSEG_NAME_LEN];
		struct stat st;

		blobseg_name(s->at[i].seq, s->at[i].is_big, name);
		if (fstatat(s->c->segs.dirfd, name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
			n += (uint64_t)st.st_blocks;
	}
	return n;
}

int
blobload_table(struct blobscan *s)
{
	CLEANUP(blobtable_closep) struct blobtable_in *t = NULL;
	int r, fd = s->c->table_fd;

	s->c->table_fd = -1;
	if (fd < 0)
		return -EBADMSG;
	if ((r = blobtable_open(fd, most_items(s), &t)) == 0)
		r = load(s, t);
	if (r < 0 && r != -ENOMEM)
		r = log_warn(-EBADMSG, "blobcache: read blobs/table: it does "
		    "not fit the segments; reading those");
	return r;
}
