#include "fs/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lock.h"

#define OPEN_MAX_FILES 64 /* descriptors kept */

/* An open file. A slot in use is never closed; an idle one gives way to the
 * next inode that needs a descriptor. */
struct slot {
	int64_t ino;	/* 0: free */
	int fd;
	unsigned users;
	bool is_doomed; /* close as soon as idle: removed */
	uint64_t used;	/* tick of the last use */
};

struct files {
	int dir; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t idle; /* [lock] a slot has no user any more */
	struct slot slot[OPEN_MAX_FILES]; /* [lock] */
	uint64_t tick; /* [lock] */
};

static void
file_name(int64_t ino, char ret[24])
{
	snprintf(ret, 24, "%" PRId64, ino);
}

int
files_open(const char *state_dir, struct files **ret)
{
	CLEANUP(files_closep) struct files *f = NULL;
	char path[4096];

	*ret = NULL;
	if (snprintf(path, sizeof(path), "%s/files", state_dir) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->idle, NULL);
	f->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->dir < 0)
		return -errno;
	*ret = TAKE(f);
	return 0;
}

void
files_close(struct files *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < OPEN_MAX_FILES; i++)
		if (f->slot[i].ino != 0)
			close(f->slot[i].fd);
	if (f->dir >= 0)
		close(f->dir);
	pthread_cond_destroy(&f->idle);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The slot of ino, else the idle one longest unused (free ones first), else
 * NULL. [lock] */
static struct slot *
find_locked(struct files *f, int64_t ino)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < OPEN_MAX_FILES; i++) {
		struct slot *s = &f->slot[i];

		if (s->ino == ino && !s->is_doomed)
			return s;
		if (s->users == 0 && (best == NULL || s->used < best->used))
			best = s;
	}
	return best;
}

/* A descriptor of ino, in use until put_slot. */
static int
get_slot(struct files *f, int64_t ino, struct slot **ret)
{
	char name[24];
	struct slot *s;
	int fd;

	file_name(ino, name);
	LOCK_SCOPE(&f->lock);
	while ((s = find_locked(f, ino)) == NULL)
		pthread_cond_wait(&f->idle, &f->lock);
	if (s->ino != ino) {
		fd = openat(f->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (s->ino != 0)
			close(s->fd);
		*s = (struct slot){ .ino = ino, .fd = fd };
	}
	s->users++;
	s->used = ++f->tick;
	*ret = s;
	return 0;
}

static void
put_slot(struct files *f, struct slot *s)
{
	LOCK_SCOPE(&f->lock);
	if (--s->users > 0)
		return;
	if (s->is_doomed) {
		close(s->fd);
		memset(s, 0, sizeof(*s));
	}
	pthread_cond_signal(&f->idle);
}

static int
make(struct files *f, int64_t ino, int flags)
{
	char name[24];
	int fd;

	file_name(ino, name);
	fd = openat(f->dir, name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int
files_create(struct files *f, int64_t ino)
{
	/* An inode is never used twice: what lies there is a leftover. */
	return make(f, ino, O_TRUNC);
}

int
files_restore(struct files *f, int64_t ino)
{
	return make(f, ino, 0);
}

int
files_remove(struct files *f, int64_t ino)
{
	char name[24];

	file_name(ino, name);
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < OPEN_MAX_FILES; i++) {
		struct slot *s = &f->slot[i];

		if (s->ino != ino)
			continue;
		if (s->users > 0) {
			s->is_doomed = true;
		} else {
			close(s->fd);
			memset(s, 0, sizeof(*s));
		}
	}
	pthread_mutex_unlock(&f->lock);
	return unlinkat(f->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int64_t
to_ns(struct timespec ts)
{
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int
files_stat(struct files *f, int64_t ino, struct files_attr *ret)
{
	char name[24];
	struct stat st;

	file_name(ino, name);
	if (fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = (struct files_attr){
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.atime_ns = to_ns(st.st_atim),
		.mtime_ns = to_ns(st.st_mtim),
		.ctime_ns = to_ns(st.st_ctim),
	};
	return 0;
}

ssize_t
files_read(struct files *f, int64_t ino, void *buf, size_t len, off_t off)
{
	struct slot *s;
	ssize_t n;

	if ((n = get_slot(f, ino, &s)) < 0)
		return n;
	if ((n = pread(s->fd, buf, len, off)) < 0)
		n = -errno;
	put_slot(f, s);
	return n;
}

ssize_t
files_write(struct files *f, int64_t ino, const void *buf, size_t len,
    off_t off)
{
	const char *at = buf;
	struct slot *s;
	size_t left = len;
	ssize_t n;

	if ((n = get_slot(f, ino, &s)) < 0)
		return n;
	while (left > 0) {
		if ((n = pwrite(s->fd, at, left, off)) < 0) {
			n = -errno;
			break;
		}
		at += n;
		off += n;
		left -= (size_t)n;
	}
	put_slot(f, s);
	return left > 0 ? n : (ssize_t)len;
}

/* One system call on the descriptor of ino. */
#define WITH_FD(f, ino, call)                                                  \
	__extension__({                                                        \
		struct slot *slot_;                                            \
		int r_ = get_slot(f, ino, &slot_);                             \
		if (r_ == 0) {                                                 \
			int fd = slot_->fd;                                    \
			r_ = (call) < 0 ? -errno : 0;                          \
			put_slot(f, slot_);                                    \
		}                                                              \
		r_;                                                            \
	})

int
files_truncate(struct files *f, int64_t ino, off_t size)
{
	return WITH_FD(f, ino, ftruncate(fd, size));
}

int
files_allocate(struct files *f, int64_t ino, int mode, off_t off, off_t len)
{
	return WITH_FD(f, ino, fallocate(fd, mode, off, len));
}

int
files_sync(struct files *f, int64_t ino)
{
	int r = WITH_FD(f, ino, fsync(fd));

	/* Its name in files/ must be found again, too. */
	if (r == 0 && fsync(f->dir) < 0)
		r = -errno;
	return r;
}

int
files_utimens(struct files *f, int64_t ino, const struct timespec ts[2])
{
	return WITH_FD(f, ino, futimens(fd, ts));
}

int
files_sweep(struct files *f, bool (*is_known)(void *arg, int64_t ino),
    void *arg)
{
	int fd = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((e = readdir(d)) != NULL) {
		char *end;
		long long ino = strtoll(e->d_name, &end, 10);

		if (ino > 0 && *end == '\0' && !is_known(arg, ino))
			unlinkat(f->dir, e->d_name, 0);
	}
	closedir(d);
	return 0;
}
