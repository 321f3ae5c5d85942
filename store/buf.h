/* buf.h -- bytes that grow up to a limit, wiped when they go.
 *
 * For reply bodies, request bodies and files: any of them may hold a secret,
 * so that growing never leaves a copy behind and freeing wipes. One owner at a
 * time; no locks. */
#ifndef SESFS_STORE_BUF_H
#define SESFS_STORE_BUF_H

#include "crypto/base.h"

struct buf {
	uint8_t *ptr; /* NULL while nothing was added */
	size_t len;   /* bytes */
	size_t cap;   /* bytes allocated */
	size_t max;   /* bytes, the hard limit of len */
};

/* An empty buffer that never holds more than `max` bytes. */
#define BUF_INIT(limit) { .max = (limit) }

/* Have room for `more` bytes beyond len, and one for a terminating zero that
 * buf_str() writes. Returns 0; -EMSGSIZE above the limit; -ENOMEM. */
int buf_reserve(struct buf *b, size_t more) MUST_CHECK;

/* Append. Errors as buf_reserve(). */
int buf_add(struct buf *b, const void *data, size_t len) MUST_CHECK;
int buf_add_str(struct buf *b, const char *s) MUST_CHECK;
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* The content as a zero-terminated string (the zero is not counted in len);
 * NULL when memory ran out. Valid until the next change. */
const char *buf_str(struct buf *b) MUST_CHECK;

/* Append the whole file. Returns 0; -errno of open(2) or read(2); -EMSGSIZE
 * above the limit; -EISDIR and the like as they are. */
int buf_add_file(struct buf *b, const char *path) MUST_CHECK;

/* Wipe and free; the buffer is empty and usable afterwards. */
void buf_free(struct buf *b);

#endif
