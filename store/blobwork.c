#include "store/blobwork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

static void
cannot_punch(struct blobsegs *s)
{
	{
		LOCK_SCOPE(s->lock);
		if (s->cannot_punch)
			return;
		blobspace_cannot_punch_locked(s);
	}
	log_info(0, "blobcache: no holes on this file system: whole segments "
	    "go at once");
}

static void
punch(struct blobsegs *s, struct blobseg_use *u, uint32_t first, uint32_t n)
{
	char name[BLOBSEG_NAME_LEN];

	if (blobseg_open(s, u) < 0 || fallocate(u->fd,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)first * s->block, (off_t)n * s->block) == 0)
		return;
	if (errno == EOPNOTSUPP || errno == ENOSYS) {
		cannot_punch(s);
		return;
	}
	blobseg_name(u->seg->seq, u->seg->is_big, name);
	log_warn(-errno, "blobcache: punch blobs/%s: %s", name,
	    strerror(errno));
}

static void
remove_file(struct blobsegs *s, const struct blobseg *seg)
{
	char name[BLOBSEG_NAME_LEN];

	blobseg_name(seg->seq, seg->is_big, name);
	if (unlinkat(s->dirfd, name, 0) < 0 && errno != ENOENT)
		log_warn(-errno, "blobcache: remove blobs/%s: %s", name,
		    strerror(errno));
}

static int
by_place(const void *a, const void *b)
{
	const struct blobwork_piece *x = a, *y = b;

	if (x->use.seg->seq != y->use.seg->seq)
		return x->use.seg->seq < y->use.seg->seq ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Neighbours become one, the others empty; so do pieces of what is unlinked
 * anyway, of which the order to unlink it is all that remains. */
static void
merge(struct blobwork *w, bool is_skipped[BLOBWORK_MAX])
{
	size_t k = 0;

	qsort(w->at, w->n, sizeof(w->at[0]), by_place);
	for (size_t i = 0; i < w->n; i++) {
		is_skipped[i] = w->at[i].n > 0 && w->at[i].use.seg->is_dead;
		if (is_skipped[i] || w->at[i].n == 0 || i == 0)
			k = i;
		else if (w->at[k].n > 0 && w->at[k].use.seg ==
		    w->at[i].use.seg &&
		    w->at[k].first + w->at[k].n == w->at[i].first) {
			w->at[k].n += w->at[i].n;
			is_skipped[i] = true;
		} else
			k = i;
	}
}

void
blobwork_run(struct blobsegs *s, struct blobwork *w)
{
	bool is_skipped[BLOBWORK_MAX];

	if (w->n == 0)
		return;
	{
		LOCK_SCOPE(s->lock);
		merge(w, is_skipped);
	}
	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].n == 0)
			remove_file(s, w->at[i].use.seg);
		else if (!is_skipped[i])
			punch(s, &w->at[i].use, w->at[i].first, w->at[i].n);
	for (size_t i = 0; i < w->n; i++) {
		{
			LOCK_SCOPE(s->lock);
			blobseg_end_locked(&w->at[i].use);
		}
		blobseg_finish(&w->at[i].use);
	}
	w->n = 0;
}

/* ---- trimming ---- */

/* The next run of blocks that no record touches, from block `from` on. */
static bool
next_free(struct blobsegs *s, const struct blobseg *seg, uint32_t from,
    uint32_t *ret_first, uint32_t *ret_n)
{
	uint32_t end;

	LOCK_SCOPE(s->lock);
	end = (uint32_t)(seg->end / s->block);
	while (from < end && seg->users[from] > 0)
		from++;
	*ret_first = from;
	while (from < end && seg->users[from] == 0)
		from++;
	*ret_n = from - *ret_first;
	return *ret_n > 0 && !seg->is_dead && !s->cannot_punch;
}

void
blobwork_trim(struct blobsegs *s, struct blobseg_use *u)
{
	uint32_t first = 0, n = 0;

	while (!u->seg->is_big &&
	    next_free(s, u->seg, first + n, &first, &n)) {
		off_t from = (off_t)first * s->block;
		off_t data = lseek(u->fd, from, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			return; /* a hole up to the end */
		if (data < 0 || data < from + (off_t)n * s->block)
			punch(s, u, first, n);
	}
}
