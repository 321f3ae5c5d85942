#include "fs/sockline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/stamp.h"

#define CHUNK 4096

/* sun_path holds 107 bytes, a state directory may be longer: go through a
 * descriptor of it. */
static int
control_address(const char *dir, struct sockaddr_un *ret, int *ret_dirfd)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	snprintf(ret->sun_path, sizeof(ret->sun_path),
	    "/proc/self/fd/%d/control", fd);
	*ret_dirfd = fd;
	return 0;
}

int
sockline_listen(const char *dir)
{
	struct sockaddr_un sa;
	int dirfd, fd, r;

	if ((r = control_address(dir, &sa, &dirfd)) < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		close(dirfd);
		return r;
	}
	/* Left by a daemon that was killed; the lock says it is gone. */
	unlinkat(dirfd, "control", 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    fchmodat(dirfd, "control", 0600, 0) < 0 || listen(fd, 16) < 0)
		r = -errno;
	close(dirfd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int
sockline_connect(const char *dir)
{
	struct sockaddr_un sa;
	int dirfd, fd, r;

	if ((r = control_address(dir, &sa, &dirfd)) < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		r = -errno;
	close(dirfd);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	return fd;
}

/* Wait for events on fd. deadline_ms: monotonic, -1 none. */
static int
wait_for(int fd, short events, int stop_fd, int64_t deadline_ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = events },
		{ .fd = stop_fd, .events = POLLIN } };
	int64_t left = -1;
	int n;

	do {
		if (deadline_ms >= 0 && (left = deadline_ms - stamp_now_ms()) < 0)
			left = 0;
		n = poll(p, 2, (int)left);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (p[1].revents != 0)
		return -ECANCELED;
	return n == 0 ? -ETIMEDOUT : 0;
}

int
sockline_send(int fd, int stop_fd, const char *data, size_t len,
    int64_t timeout_ms)
{
	while (len > 0) {
		ssize_t n;
		int r = wait_for(fd, POLLOUT, stop_fd, stamp_now_ms() + timeout_ms);

		if (r < 0)
			return r;
		n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

void
sockline_free(struct sockline *l)
{
	free(l->buf);
	memset(l, 0, sizeof(*l));
}

/* Room for a chunk more, never beyond max and a little. */
static int
grow(struct sockline *l, size_t max)
{
	size_t cap = l->cap == 0 ? CHUNK : l->cap * 2;
	char *buf;

	if (l->cap - l->len > 1)
		return 0;
	if (l->len > max)
		return -EMSGSIZE;
	if (cap > max + 2)
		cap = max + 2;
	if ((buf = realloc(l->buf, cap)) == NULL)
		return -ENOMEM;
	l->buf = buf;
	l->cap = cap;
	return 0;
}

static int
read_some(int fd, int stop_fd, struct sockline *l, size_t max,
    int64_t deadline_ms)
{
	ssize_t n;
	int r;

	if ((r = grow(l, max)) < 0 ||
	    (r = wait_for(fd, POLLIN, stop_fd, deadline_ms)) < 0)
		return r;
	n = recv(fd, l->buf + l->len, l->cap - l->len - 1, MSG_DONTWAIT);
	if (n == 0)
		return -EPIPE;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n > 0)
		l->len += (size_t)n;
	return 0;
}

int
sockline_read(int fd, int stop_fd, struct sockline *l, size_t max,
    int64_t timeout_ms, char **ret, size_t *ret_len)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : stamp_now_ms() + timeout_ms;
	size_t seen = 0;
	char *end = NULL;
	int r;

	*ret = NULL;
	if (l->used > 0) {
		memmove(l->buf, l->buf + l->used, l->len - l->used);
		l->len -= l->used;
		l->used = 0;
	}
	for (;;) {
		if (l->len > seen)
			end = memchr(l->buf + seen, '\n', l->len - seen);
		if (end != NULL)
			break;
		seen = l->len;
		if ((r = read_some(fd, stop_fd, l, max, deadline_ms)) < 0)
			return r;
	}
	*ret_len = (size_t)(end - l->buf);
	if (*ret_len > max)
		return -EMSGSIZE;
	*end = '\0';
	*ret = l->buf;
	l->used = *ret_len + 1;
	return 0;
}
