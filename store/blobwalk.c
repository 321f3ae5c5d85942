#include "store/blobwalk.h"

#include <errno.h>
#include <unistd.h>

void
blobwalk_init(struct blobwalk *w, int fd, uint32_t seq, uint64_t len)
{
	*w = (struct blobwalk){ .fd = fd, .seq = seq, .len = len };
}

/* Go on to where there is data, and see how far it reaches. A file system that
 * knows nothing of holes has none. */
static bool
find_data(struct blobwalk *w)
{
	off_t from = lseek(w->fd, (off_t)w->at, SEEK_DATA), to;

	if (from < 0 && errno == ENXIO)
		return false;
	if (from < 0)
		from = (off_t)w->at;
	if ((to = lseek(w->fd, from, SEEK_HOLE)) <= from)
		to = (off_t)w->len;
	w->at = ((uint64_t)from + BLOBREC_UNIT - 1) / BLOBREC_UNIT *
	    BLOBREC_UNIT;
	w->data_end = (uint64_t)to < w->len ? (uint64_t)to : w->len;
	return w->at + BLOBREC_UNIT <= w->len;
}

/* The head's bytes at w->at. Blocks are aligned, so that none straddles. */
static int
read_head(struct blobwalk *w, const uint8_t **ret)
{
	uint64_t block = w->at / sizeof(w->buf) * sizeof(w->buf);
	ssize_t n;

	*ret = w->buf + (w->at - block);
	if (w->window_len == 0 || w->window_at != block) {
		do
			n = pread(w->fd, w->buf, sizeof(w->buf), (off_t)block);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		w->window_at = block;
		w->window_len = (size_t)n;
	}
	return w->at - block + BLOBREC_HEAD_LEN <= w->window_len;
}

int
blobwalk_next(struct blobwalk *w, struct blobrec_head *ret,
    uint64_t *ret_offset)
{
	const uint8_t *p;
	int r;

	while (w->at + BLOBREC_UNIT <= w->len) {
		struct blobrec_place here = { w->seq, w->at };

		if (w->at >= w->data_end) {
			if (!find_data(w))
				return 0;
			continue;
		}
		if ((r = read_head(w, &p)) <= 0)
			return r;
		if (blobrec_parse_head(p, here, ret) == 0 &&
		    ret->len <= w->data_end - w->at) {
			*ret_offset = w->at;
			w->at += ret->len;
			return 1;
		}
		w->at += BLOBREC_UNIT;
	}
	return 0;
}
