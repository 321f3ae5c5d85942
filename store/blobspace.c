#include "store/blobspace.h"

#include <errno.h>
#include <stdlib.h>

#define EXTENTS_IN_INODE 4
#define EXTENTS_A_BLOCK 256

static uint64_t
blocks(const struct blobsegs *s, uint64_t len)
{
	return (len + s->block - 1) / s->block;
}

/* Bytes that a segment so long takes, of which so many blocks are in use. Where
 * nothing can be punched out, all are. A file system keeps a few extents of a
 * file in its inode; for more it takes blocks (ext4: 4, then 340 a block), and
 * holes make them. */
static uint64_t
taken_by(const struct blobsegs *s, bool is_whole, uint64_t end, uint64_t live)
{
	uint64_t n = blocks(s, end), dead, extents;

	live = is_whole || s->cannot_punch ? n : live;
	dead = n - live;
	extents = live < dead ? live : dead;
	return (live + (n > EXTENTS_IN_INODE ? 1 : 0) +
	    extents / EXTENTS_A_BLOCK) * s->block;
}

static uint64_t
taken(const struct blobsegs *s, const struct blobseg *seg)
{
	return !seg->is_known ? 0 :
	    taken_by(s, seg->is_big, seg->end, seg->live);
}

static bool
is_for_big(const struct blobsegs *s, uint64_t len)
{
	return len > s->seg_len / 4 || len / BLOBREC_UNIT > BLOBLRU_UNITS_MAX;
}

static bool
has_room(const struct blobsegs *s, const struct blobseg *seg, uint64_t len)
{
	return seg != NULL && seg->end + len <= s->seg_len;
}

/* One half full will do: of each run a begun one is left over. */
static struct blobseg *
roomy(const struct blobsegs *s)
{
	for (uint32_t i = 0; i < s->slots; i++) {
		struct blobseg *seg = s->at[i];

		if (seg != NULL && seg->is_known && !seg->is_big &&
		    seg->end <= s->seg_len / 2)
			return seg;
	}
	return NULL;
}

static const struct blobseg *
target(const struct blobsegs *s, uint64_t len)
{
	return has_room(s, s->active, len) ? s->active : roomy(s);
}

uint64_t
blobspace_cost_alone(const struct blobsegs *s, uint64_t len)
{
	return taken_by(s, true, len, 0);
}

uint64_t
blobspace_cost_locked(const struct blobsegs *s, uint64_t len)
{
	const struct blobseg *seg = is_for_big(s, len) ? NULL : target(s, len);
	uint64_t more;

	if (seg == NULL)
		return blobspace_cost_alone(s, len);
	more = blocks(s, seg->end + len) - blocks(s, seg->end);
	return taken_by(s, false, seg->end + len, seg->live + more) -
	    taken(s, seg);
}

static int
new_seg(struct blobsegs *s, bool is_big, struct blobseg **ret)
{
	uint8_t *users = NULL;
	int r;

	if (s->next_seq >= BLOBSEG_SEQ_MAX)
		return -ENOSPC;
	if (!is_big && (users = calloc(blocks(s, s->seg_len), 1)) == NULL)
		return -ENOMEM;
	if ((r = blobseg_add_locked(s, s->next_seq, is_big, ret)) < 0) {
		free(users);
		return r;
	}
	(*ret)->users = users;
	(*ret)->is_made = false;
	(*ret)->is_known = true;
	return 0;
}

static int
reserve_big(struct blobsegs *s, uint64_t len, struct blobseg_use *ret,
    struct bloblru_place *ret_at)
{
	struct blobseg *seg;
	int r;

	if ((r = new_seg(s, true, &seg)) < 0)
		return r;
	seg->end = len;
	s->bytes += taken(s, seg);
	*ret_at = (struct bloblru_place){ .slot = seg->slot };
	blobseg_begin_locked(s, seg, ret);
	return 0;
}

int
blobspace_reserve_locked(struct blobsegs *s, uint64_t len,
    struct blobseg_use *ret, struct bloblru_place *ret_at)
{
	struct blobseg *seg = s->active;
	int r;

	*ret = (struct blobseg_use){ .fd = -1 };
	if (is_for_big(s, len))
		return reserve_big(s, len, ret, ret_at);
	if (!has_room(s, seg, len) && (seg = roomy(s)) == NULL &&
	    (r = new_seg(s, false, &seg)) < 0)
		return r;
	s->active = seg;
	*ret_at = (struct bloblru_place){ .slot = seg->slot,
		.unit = (uint32_t)(seg->end / BLOBREC_UNIT),
		.units = (uint32_t)(len / BLOBREC_UNIT) };
	s->bytes -= taken(s, seg);
	seg->end += len;
	s->bytes += taken(s, seg);
	blobspace_found_locked(s, seg, ret_at);
	blobseg_begin_locked(s, seg, ret);
	return 0;
}

static void
add_work(struct blobsegs *s, struct blobseg *seg, uint32_t first, uint32_t n,
    struct blobwork *w)
{
	blobseg_begin_locked(s, seg, &w->at[w->n].use);
	w->at[w->n].first = first;
	w->at[w->n++].n = n;
}

void
blobspace_kill_locked(struct blobsegs *s, struct blobseg *seg,
    struct blobwork *w)
{
	if (seg->is_dead)
		return;
	s->bytes -= taken(s, seg);
	blobseg_remove_locked(s, seg);
	add_work(s, seg, 0, 0, w);
}

/* The blocks that a record touches. */
static void
touched(const struct blobsegs *s, const struct bloblru_place *at,
    uint32_t *ret_first, uint32_t *ret_last)
{
	uint64_t from = (uint64_t)at->unit * BLOBREC_UNIT;
	uint64_t to = from + (uint64_t)at->units * BLOBREC_UNIT - 1;

	*ret_first = (uint32_t)(from / s->block);
	*ret_last = (uint32_t)(to / s->block);
}

void
blobspace_release_locked(struct blobsegs *s, struct blobseg *seg,
    const struct bloblru_place *at, struct blobwork *w)
{
	uint32_t first, last, from = 0, n = 0;
	uint64_t was;

	if (seg->is_dead)
		return;
	if (seg->is_big) {
		blobspace_kill_locked(s, seg, w);
		return;
	}
	was = taken(s, seg);
	touched(s, at, &first, &last);
	for (uint32_t b = first; b <= last; b++)
		if (--seg->users[b] == 0) {
			from = n++ == 0 ? b : from;
			seg->live--;
		}
	/* Nothing is ever written into a block that was given up. */
	if (n > 0 && seg->end / s->block < from + n)
		seg->end = ((uint64_t)from + n) * s->block;
	s->bytes = s->bytes - was + taken(s, seg);
	if (seg->live == 0 && !seg->is_filling)
		blobspace_kill_locked(s, seg, w);
	else if (n > 0 && !s->cannot_punch)
		add_work(s, seg, from, n, w);
}

void
blobspace_cannot_punch_locked(struct blobsegs *s)
{
	s->cannot_punch = true;
	s->bytes = 0;
	for (uint32_t i = 0; i < s->slots; i++)
		if (s->at[i] != NULL)
			s->bytes += taken(s, s->at[i]);
}

struct blobseg *
blobspace_crowded_locked(const struct blobsegs *s)
{
	struct blobseg *ret = NULL;

	if (s->shared <= s->max_shared)
		return NULL;
	for (uint32_t i = 0; i < s->slots; i++) {
		struct blobseg *seg = s->at[i];

		if (seg != NULL && seg->is_known && !seg->is_big &&
		    seg != s->active && (ret == NULL || seg->live < ret->live))
			ret = seg;
	}
	return ret;
}

/* ---- what was there before ---- */

int
blobspace_know_locked(struct blobsegs *s, struct blobseg *seg, uint64_t len)
{
	uint64_t room = blocks(s, len) * s->block;

	if (!seg->is_big) {
		len = room;
		room = room < s->seg_len ? s->seg_len : room;
		seg->users = calloc(room / s->block, 1);
		if (seg->users == NULL)
			return -ENOMEM;
	}
	seg->end = len;
	seg->is_known = seg->is_filling = true;
	s->bytes += taken(s, seg);
	return 0;
}

bool
blobspace_fits_locked(const struct blobsegs *s, const struct blobseg *seg,
    const struct bloblru_place *at)
{
	uint32_t first, last;

	if (seg->is_dead || !seg->is_known)
		return false;
	if (seg->is_big)
		return seg->live == 0 && at->unit == 0 && at->units == 0;
	if (at->units == 0 || ((uint64_t)at->unit + at->units) * BLOBREC_UNIT >
	    seg->end)
		return false;
	touched(s, at, &first, &last);
	for (uint32_t b = first; b <= last; b++)
		if (seg->users[b] >= s->block / BLOBREC_UNIT)
			return false;
	return true;
}

void
blobspace_found_locked(struct blobsegs *s, struct blobseg *seg,
    const struct bloblru_place *at)
{
	uint64_t was = taken(s, seg);
	uint32_t first, last;

	if (seg->is_big) {
		seg->live = 1;
		return;
	}
	touched(s, at, &first, &last);
	for (uint32_t b = first; b <= last; b++)
		seg->live += seg->users[b]++ == 0;
	s->bytes = s->bytes - was + taken(s, seg);
}
