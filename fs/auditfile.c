#include "fs/auditfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

#define PATIENCE_MS 3000 /* with whoever writes */

struct auditfile {
	char *path; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t turn; /* [lock] !is_busy */
	bool is_busy;	     /* [lock] someone writes, without the lock */
	bool is_stuck;	     /* [lock] he takes too long: nobody waits */
	bool is_stale;	     /* [lock] open it again first */
	dev_t avoided;	     /* [lock] 0: none */
	int fd;		     /* of who writes */
};

const char *
auditfile_error(int r)
{
	switch (-r) {
	case EAGAIN:
		return "it takes nothing now";
	case EINVAL:
		return "it is no regular file";
	case EXDEV:
		return "it lies in the mountpoint";
	default:
		return strerror(-r);
	}
}

/* ---- opening ---- */

/* Without waiting for the other end of a FIFO. Read is only what is before our
 * own lines. */
static int
open_file(const char *path, int flags, dev_t avoided)
{
	int fd = open(path, flags | O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY |
	    O_NONBLOCK, 0600), r = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno; /* a socket */
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_dev == avoided)
		r = -EXDEV;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int
auditfile_open(const char *path, struct auditfile **ret)
{
	CLEANUP(auditfile_closep) struct auditfile *f = calloc(1, sizeof(*f));

	*ret = NULL;
	if (f == NULL)
		return -ENOMEM;
	f->fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	cond_init_monotonic(&f->turn);
	if ((f->path = strdup(path)) == NULL)
		return -ENOMEM;
	if ((f->fd = open_file(path, O_CREAT, 0)) < 0)
		return f->fd;
	*ret = TAKE(f);
	return 0;
}

int
auditfile_probe(const char *path)
{
	int fd = open_file(path, 0, 0);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

void
auditfile_close(struct auditfile *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		close(f->fd);
	pthread_cond_destroy(&f->turn);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

void
auditfile_reopen(struct auditfile *f)
{
	LOCK_SCOPE(&f->lock);
	f->is_stale = true;
}

void
auditfile_avoid(struct auditfile *f, dev_t dev)
{
	LOCK_SCOPE(&f->lock);
	f->avoided = dev;
}

static void
open_again(struct auditfile *f, dev_t avoided)
{
	int fd = open_file(f->path, O_CREAT, avoided);

	if (fd < 0) {
		log_err(fd, "audit: open %s again: %s", f->path,
		    auditfile_error(fd));
		return;
	}
	close(f->fd);
	f->fd = fd;
}

/* ---- one at a time ---- */

/* 0, or 1 when the file must be opened again first; -EAGAIN. */
static int
take_turn(struct auditfile *f, dev_t *ret_avoided)
{
	const struct timespec until = cond_after_ms(PATIENCE_MS);
	bool was_stale;
	int r = 0;

	LOCK_SCOPE(&f->lock);
	while (f->is_busy && !f->is_stuck && r == 0)
		r = pthread_cond_timedwait(&f->turn, &f->lock, &until);
	if (f->is_busy) {
		f->is_stuck = true;
		return -EAGAIN;
	}
	f->is_busy = true;
	was_stale = f->is_stale;
	f->is_stale = false;
	*ret_avoided = f->avoided;
	return was_stale;
}

static void
end_turn(struct auditfile *f)
{
	LOCK_SCOPE(&f->lock);
	f->is_busy = f->is_stuck = false;
	pthread_cond_signal(&f->turn);
}

/* ---- a line ---- */

static int
append(int fd, const char *line, size_t len)
{
	ssize_t n = write(fd, line, len);

	if (n < 0)
		return -errno;
	return (size_t)n < len ? -ENOSPC : 0;
}

/* Do the `len` bytes appended last begin a line? Asked afterwards, when nobody
 * can come in between any more; 1, 0 or -errno. */
static int
begins_line(int fd, size_t len)
{
	off_t start = lseek(fd, 0, SEEK_CUR) - (off_t)len;
	char before = '\n';

	if (start > 0 && pread(fd, &before, 1, start - 1) < 0)
		return -errno;
	return before == '\n';
}

/* Behind half a line ours is lost, but ends it: the next stands by itself. */
static int
append_line(int fd, const char *line, size_t len)
{
	int r;

	do {
		if ((r = append(fd, line, len)) < 0)
			return r;
	} while ((r = begins_line(fd, len)) == 0);
	return r < 0 ? r : 0;
}

int
auditfile_append(struct auditfile *f, const char *line, size_t len)
{
	dev_t avoided;
	int r = take_turn(f, &avoided);

	if (r < 0)
		return r;
	if (r == 1)
		open_again(f, avoided);
	r = append_line(f->fd, line, len);
	end_turn(f);
	return r;
}
