/* sockline.h -- lines over the control socket, with bounds and deadlines. */
#ifndef SESFS_FS_SOCKLINE_H
#define SESFS_FS_SOCKLINE_H

#include "crypto/base.h"

/* A Unix socket at DIR/control: listening (server) or connected. Any length of
 * dir. Returns the descriptor or -errno. */
int sockline_listen(const char *dir) MUST_CHECK;
int sockline_connect(const char *dir) MUST_CHECK;

/* Send all bytes; timeout_ms for each step forward. stop_fd (-1: none): give
 * up with -ECANCELED once it is readable. -EPIPE, -ETIMEDOUT. */
int sockline_send(int fd, int stop_fd, const char *data, size_t len,
    int64_t timeout_ms) MUST_CHECK;

/* Bytes read but not yet given out. A zeroed struct is empty. */
struct sockline {
	char *buf;
	size_t len, cap;
	size_t used; /* of the line given out last */
};
void sockline_free(struct sockline *l);

/* The next line, without its newline, zero-terminated; valid until the next
 * call. max: longest line, -EMSGSIZE. timeout_ms for the whole line, -1: none.
 * -EPIPE at the end, -ETIMEDOUT, -ECANCELED. */
int sockline_read(int fd, int stop_fd, struct sockline *l, size_t max,
    int64_t timeout_ms, char **ret, size_t *ret_len) MUST_CHECK;

#endif
