/* blobspace.h -- the space in the segments of the blob cache.
 *
 * Records only ever go to the end of a segment, so that space once given up is
 * never written again: it can be punched out at leisure and without a lock. Of
 * each block the records that touch it are counted; at none it is free, and a
 * segment without any is unlinked. Bookkeeping only: what is to be done on disk
 * is left in a struct blobwork. The caller holds blobcache.lock. */
#ifndef SESFS_STORE_BLOBSPACE_H
#define SESFS_STORE_BLOBSPACE_H

#include "store/bloblru.h"
#include "store/blobseg.h"

#define BLOBWORK_MAX 64

/* What is to be done on disk once the lock is free: blobwork_run(). */
struct blobwork_piece {
	struct blobseg_use use;
	uint32_t first, n; /* blocks to punch out; n 0: unlink */
};

struct blobwork {
	struct blobwork_piece at[BLOBWORK_MAX];
	size_t n;
};

/* What a record takes on disk when there is no other. No lock needed. */
uint64_t blobspace_cost_alone(const struct blobsegs *s, uint64_t len);
/* By how many bytes blobspace_reserve_locked() would raise s->bytes. */
uint64_t blobspace_cost_locked(const struct blobsegs *s, uint64_t len);
/* Room for a record of `len` bytes, in use (blobseg_begin_locked). -ENOSPC when
 * there are BLOBSEG_SLOTS already; -ENOMEM. */
int blobspace_reserve_locked(struct blobsegs *s, uint64_t len,
    struct blobseg_use *ret, struct bloblru_place *ret_at) MUST_CHECK;
/* The record's space is given up. Adds at most one piece of work. */
void blobspace_release_locked(struct blobsegs *s, struct blobseg *seg,
    const struct bloblru_place *at, struct blobwork *w);
/* All of a segment is given up. Adds one piece of work. */
void blobspace_kill_locked(struct blobsegs *s, struct blobseg *seg,
    struct blobwork *w);
/* Nothing can be punched out of this file system. */
void blobspace_cannot_punch_locked(struct blobsegs *s);

/* Are there so many nearly empty segments that one should go, and which? */
struct blobseg *blobspace_crowded_locked(const struct blobsegs *s);

/* ---- what was there before ---- */

/* It is `len` bytes long (a .seg at most BLOBSEG_MAX); it takes part from now
 * on, and stays, until is_filling is cleared. -ENOMEM. */
int blobspace_know_locked(struct blobsegs *s, struct blobseg *seg,
    uint64_t len) MUST_CHECK;
/* Could a record lie there, and beside all others that do? */
bool blobspace_fits_locked(const struct blobsegs *s, const struct blobseg *seg,
    const struct bloblru_place *at);
/* A record lies there. */
void blobspace_found_locked(struct blobsegs *s, struct blobseg *seg,
    const struct bloblru_place *at);

#endif
