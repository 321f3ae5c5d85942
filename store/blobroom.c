/* What goes when there is no room. */
#include <errno.h>

#include "store/blobcache_priv.h"
#include "store/blobtable.h"
#include "store/blobwork.h"
#include "store/lock.h"

#define PICKS_MAX 256	       /* blobs evicted while the lock is held */
#define SLACK_MAX (8U << 20) /* bytes evicted at once, so that holes are large */

uint64_t
blobroom_used_locked(const struct blobcache *c, unsigned more)
{
	uint64_t n = c->lru.count + more, block = c->segs.block, table;

	if (n == 0)
		return c->segs.bytes;
	table = blobtable_len(c->segs.count + more, n);
	return c->segs.bytes + (table + block - 1) / block * block;
}

void
blobroom_kill_locked(struct blobcache *c, struct blobseg *seg,
    struct blobwork *w)
{
	struct bloblru_place at;
	uint32_t i = 0;
	int64_t id;

	while (seg->is_known &&
	    (id = bloblru_next_of(&c->lru, seg->slot, &i)) != 0) {
		bloblru_remove(&c->lru, id, &at);
		c->evictions++;
	}
	blobspace_kill_locked(&c->segs, seg, w);
}

static bool
evict_oldest(struct blobcache *c, struct blobwork *w)
{
	struct bloblru_place at;
	int64_t id = bloblru_oldest(&c->lru, &at);

	if (id == 0)
		return false;
	if (c->segs.cannot_punch) {
		blobroom_kill_locked(c, c->segs.at[at.slot], w);
		return true;
	}
	bloblru_remove(&c->lru, id, &at);
	c->evictions++;
	blobspace_release_locked(&c->segs, c->segs.at[at.slot], &at, w);
	return true;
}

/* Some of what must go for `more` blobs of `need` bytes. Returns whether any
 * went. */
static bool
pick_victims(struct blobcache *c, unsigned more, uint64_t need,
    struct blobwork *w)
{
	uint64_t slack = c->limit / 256 / c->segs.block * c->segs.block;
	unsigned n = 0;

	if (blobroom_used_locked(c, more) + need <= c->limit)
		return false;
	slack = slack < SLACK_MAX ? slack : SLACK_MAX;
	while (n < PICKS_MAX && w->n < BLOBWORK_MAX &&
	    blobroom_used_locked(c, more) + need > c->limit - slack &&
	    evict_oldest(c, w))
		n++;
	return n > 0;
}

void
blobroom_evict(struct blobcache *c)
{
	struct blobwork w = { .n = 0 };
	bool is_more = true;

	while (is_more) {
		{
			LOCK_SCOPE(&c->lock);
			is_more = pick_victims(c, 0, 0, &w);
		}
		blobwork_run(&c->segs, &w);
	}
}

int
blobroom_reserve(struct blobcache *c, uint64_t len, struct blobseg_use *u,
    struct bloblru_place *at)
{
	struct blobwork w = { .n = 0 };
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		{
			LOCK_SCOPE(&c->lock);
			struct blobseg *seg = blobspace_crowded_locked(&c->segs);
			uint64_t need = blobspace_cost_locked(&c->segs, len);

			if (seg != NULL)
				blobroom_kill_locked(c, seg, &w);
			if (blobroom_used_locked(c, 1) + need <= c->limit)
				r = blobspace_reserve_locked(&c->segs, len, u,
				    at);
			else if (!pick_victims(c, 1, need, &w))
				return 0;
			if (r == 0)
				r = 1;
		}
		blobwork_run(&c->segs, &w);
	}
	return r;
}
