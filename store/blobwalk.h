/* blobwalk.h -- the records of a segment file, found by their heads.
 *
 * From head to head; where there is none (a hole, or what was being written
 * when the machine stopped) from unit to unit until the next. Reads a block
 * at a time. Threads: one at a time. */
#ifndef SESFS_STORE_BLOBWALK_H
#define SESFS_STORE_BLOBWALK_H

#include "store/blobrec.h"

struct blobwalk {
	int fd;
	uint32_t seq;
	uint64_t len, at;   /* bytes of the file; where to look next */
	uint64_t data_end;  /* the hole after `at` */
	uint64_t window_at; /* what buf has */
	size_t window_len;
	uint8_t buf[4096];
};

void blobwalk_init(struct blobwalk *w, int fd, uint32_t seq, uint64_t len);

/* The next record that has no hole in it. Returns 1; 0 at the end; -errno of
 * read. */
int blobwalk_next(struct blobwalk *w, struct blobrec_head *ret,
    uint64_t *ret_offset) MUST_CHECK;

#endif
