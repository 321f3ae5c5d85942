/* blobtable.h -- the blob cache's table as a file, for a quick start.
 *
 * blobs/table: a head with the numbers of what follows, the segments and how
 * long each is, the blobs from the most to the least recently used (12 bytes
 * each), and a hash of it all. It is written when the cache is closed and
 * removed when it is opened, so that after a crash there is none. Nothing in it
 * is believed that the segments do not bear out. Threads: one at a time. */
#ifndef SESFS_STORE_BLOBTABLE_H
#define SESFS_STORE_BLOBTABLE_H

#include "store/bloblru.h"

#define BLOBTABLE_SEGS_MAX 65535

struct blobtable_seg {
	uint32_t seq;
	bool is_big;
	uint64_t len; /* bytes */
};

struct blobtable_item {
	int64_t id;
	struct bloblru_place at; /* slot: the number among the segments here */
};

/* Bytes of a file with that many. */
uint64_t blobtable_len(uint64_t segs, uint64_t items);

/* ---- writing ---- */

struct blobtable_out;

/* A new file. Then all the segments, then all the items, then the end, which
 * gives it its name, or (with items missing, or after an error) removes it.
 * -errno of what failed. */
int blobtable_create(int dirfd, uint32_t segs, uint64_t items,
    struct blobtable_out **ret) MUST_CHECK;
void blobtable_put_seg(struct blobtable_out *t, const struct blobtable_seg *s);
void blobtable_put_item(struct blobtable_out *t,
    const struct blobtable_item *i);
int blobtable_finish(struct blobtable_out *t) MUST_CHECK; /* frees it */

/* ---- reading ---- */

struct blobtable_in;

/* Take the file out of the directory: it is open, and gone. -ENOENT. */
int blobtable_take(int dirfd, int *ret_fd) MUST_CHECK;
/* Check all of it; takes fd over. -EBADMSG when it is not whole, or has more
 * items than there can be (and reading would take for ever); -errno. */
int blobtable_open(int fd, uint64_t max_items,
    struct blobtable_in **ret) MUST_CHECK;
void blobtable_close(struct blobtable_in *t);
DEFINE_FREEP(struct blobtable_in, blobtable_close)
uint32_t blobtable_segs(const struct blobtable_in *t);
/* The next one: segments first. False when there is none left. An item is of
 * some segment here; where it lies is to be checked. */
bool blobtable_get_seg(struct blobtable_in *t, struct blobtable_seg *ret);
bool blobtable_get_item(struct blobtable_in *t, struct blobtable_item *ret);

#endif
