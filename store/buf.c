#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/bigmem.h"
#include "store/buf.h"

#define FIRST_CAP 512

int
buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;
	uint8_t *p;

	if (b->len > b->max || more > b->max - b->len)
		return -EMSGSIZE;
	need = b->len + more + 1;
	if (need <= b->cap)
		return 0;
	cap = b->cap < FIRST_CAP / 2 ? FIRST_CAP : b->cap * 2;
	if (cap < need)
		cap = need;
	/* Not realloc: it would leave the old bytes in the heap. */
	if ((p = malloc(cap)) == NULL)
		return -ENOMEM;
	bigmem_advise(p, cap);
	if (b->ptr != NULL) {
		memcpy(p, b->ptr, b->len);
		sodium_memzero(b->ptr, b->cap);
		free(b->ptr);
	}
	b->ptr = p;
	b->cap = cap;
	return 0;
}

int
buf_add(struct buf *b, const void *data, size_t len)
{
	int r;

	if ((r = buf_reserve(b, len)) < 0)
		return r;
	if (len > 0)
		memcpy(b->ptr + b->len, data, len);
	b->len += len;
	return 0;
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if ((r = buf_reserve(b, (size_t)n)) < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

const char *
buf_str(struct buf *b)
{
	if (buf_reserve(b, 0) < 0)
		return NULL;
	b->ptr[b->len] = '\0';
	return (const char *)b->ptr;
}

static int
add_fd(struct buf *b, int fd)
{
	size_t room;
	ssize_t n;
	int r;

	for (;;) {
		/* One byte above the limit tells "exactly full" from "more". */
		room = b->max - b->len < 4096 ? b->max - b->len : 4096;
		if (room == 0) {
			char probe;

			n = read(fd, &probe, 1);
			return n == 0 ? 0 : n < 0 ? -errno : -EMSGSIZE;
		}
		if ((r = buf_reserve(b, room)) < 0)
			return r;
		n = read(fd, b->ptr + b->len, room);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			b->len += (size_t)n;
	}
}

int
buf_add_file(struct buf *b, const char *path)
{
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return -errno;
	r = add_fd(b, fd);
	close(fd);
	return r;
}

void
buf_free(struct buf *b)
{
	if (b->ptr != NULL) {
		sodium_memzero(b->ptr, b->cap);
		free(b->ptr);
	}
	*b = (struct buf){ .max = b->max };
}
