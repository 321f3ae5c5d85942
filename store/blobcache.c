/* The cache is its files; the table in memory only says how much they take and
 * which go first. Files are opened, written, renamed and removed without the
 * lock, so that the table may be wrong for a moment about one blob that two
 * threads treat at once. It is put right by the next use: a file that is not
 * there is a miss and leaves the table, one that is there enters it. */
#include "store/blobcache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/blobfile.h"
#include "store/bloblru.h"
#include "store/lock.h"
#include "store/log.h"

#define TOUCH_S 3600	 /* a file's mtime shows its use this coarsely */
#define BLOCK 4096	 /* what a file takes on disk is a multiple */
#define EVICT_AT_ONCE 32
#define SHARDS 256
#define NAME_LEN 40

struct blobcache {
	int dirfd;	/* constant: blobs/ */
	uint64_t limit; /* constant */
	atomic_uint tmp_seq;
	atomic_bool is_stopping;
	pthread_t scanner; /* constant */
	pthread_mutex_t lock;
	struct bloblru lru; /* [lock] partial while scanning */
	uint64_t hits, misses, evictions, puts; /* [lock] */
};

static void
blob_name(int64_t id, char ret[NAME_LEN])
{
	snprintf(ret, NAME_LEN, "%02x/%lld", (unsigned)(id % SHARDS),
	    (long long)id);
}

static uint64_t
on_disk(uint64_t len)
{
	return (len + BLOCK - 1) / BLOCK * BLOCK;
}

static void
remove_file(struct blobcache *c, int64_t id)
{
	char name[NAME_LEN];

	blob_name(id, name);
	if (unlinkat(c->dirfd, name, 0) < 0 && errno != ENOENT)
		log_warn(-errno, "blobcache: remove blobs/%s: %s", name,
		    strerror(errno));
}

/* Some ids over the limit, out of the table already. */
static size_t
pick_victims(struct blobcache *c, int64_t ret[EVICT_AT_ONCE])
{
	size_t n = 0;

	LOCK_SCOPE(&c->lock);
	while (n < EVICT_AT_ONCE && c->lru.bytes > c->limit) {
		ret[n] = bloblru_oldest(&c->lru);
		bloblru_remove(&c->lru, ret[n++]);
		c->evictions++;
	}
	return n;
}

static void
evict(struct blobcache *c)
{
	int64_t id[EVICT_AT_ONCE];
	size_t n;

	while ((n = pick_victims(c, id)) > 0)
		for (size_t i = 0; i < n; i++)
			remove_file(c, id[i]);
}

/* ---- the scan ---- */

struct found {
	int64_t id;
	uint64_t bytes;
	int64_t used_unix;
};

struct scan {
	struct found *at;
	size_t n, room;
};

static int
scan_add(struct scan *s, struct found f)
{
	if (s->n == s->room) {
		size_t room = s->room > 0 ? 2 * s->room : 1024;
		struct found *p = reallocarray(s->at, room, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		s->at = p;
		s->room = room;
	}
	s->at[s->n++] = f;
	return 0;
}

/* A half-written file of a process that died: one of ours has our pid. */
static bool
is_leftover(const char *name)
{
	return strncmp(name, "tmp.", 4) == 0 &&
	    strtol(name + 4, NULL, 10) != getpid();
}

/* An id that blob_name() would put under that name, else 0. */
static int64_t
parse_name(unsigned shard, const char *name)
{
	char want[NAME_LEN], got[NAME_LEN];
	int64_t id;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	errno = 0;
	id = strtoll(name, NULL, 10);
	if (errno != 0 || snprintf(got, sizeof(got), "%02x/%s", shard, name) >=
	    NAME_LEN)
		return 0;
	blob_name(id, want);
	return strcmp(got, want) == 0 ? id : 0;
}

static int
scan_shard(struct blobcache *c, unsigned shard, struct scan *s)
{
	char name[3];
	struct dirent *e;
	int fd, r = 0;
	DIR *d;

	snprintf(name, sizeof(name), "%02x", shard & 0xff);
	fd = openat(c->dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(d)) != NULL &&
	    !atomic_load(&c->is_stopping)) {
		int64_t id = parse_name(shard, e->d_name);
		struct stat st;

		if (id != 0 && fstatat(fd, e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			r = scan_add(s, (struct found){ id,
			    on_disk((uint64_t)st.st_size), st.st_mtime });
		else if (is_leftover(e->d_name))
			unlinkat(fd, e->d_name, 0);
	}
	closedir(d);
	return r;
}

static int
newest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->used_unix != y->used_unix)
		return x->used_unix > y->used_unix ? -1 : 1;
	return x->id > y->id ? -1 : x->id < y->id;
}

/* What was found goes behind what has been used meanwhile. */
static void
scan_done(struct blobcache *c, const struct scan *s)
{
	int r = 0;

	LOCK_SCOPE(&c->lock);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = bloblru_found(&c->lru, s->at[i].id, s->at[i].bytes,
		    s->at[i].used_unix);
	bloblru_complete(&c->lru);
}

static void *
scan_main(void *arg)
{
	struct blobcache *c = arg;
	struct scan s = { 0 };
	int r = 0;

	for (unsigned i = 0; i < SHARDS && !atomic_load(&c->is_stopping); i++) {
		int e = scan_shard(c, i, &s);

		r = e < 0 ? e : r;
	}
	if (r < 0)
		log_warn(r, "blobcache: scan blobs: %s", strerror(-r));
	if (s.n > 0)
		qsort(s.at, s.n, sizeof(*s.at), newest_first);
	scan_done(c, &s);
	free(s.at);
	if (!atomic_load(&c->is_stopping))
		evict(c);
	return NULL;
}

static int
start_scan(struct blobcache *c)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&c->scanner, NULL, scan_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

/* ---- opening ---- */

/* A shard that is no directory but, say, a link to one would have our numbers
 * written and removed wherever it points. Nobody but us may change the state
 * directory once a daemon has its lock. */
static int
clear_planted(int dirfd)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		char name[3];
		struct stat st;

		snprintf(name, sizeof(name), "%02x", i & 0xff);
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    S_ISDIR(st.st_mode))
			continue;
		log_warn(0, "blobcache: blobs/%s is no directory: removed",
		    name);
		if (unlinkat(dirfd, name, 0) < 0)
			return -errno;
	}
	return 0;
}

static int
open_dir(const char *dir, int *ret)
{
	int r = 0, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret = -1;
	if (fd < 0)
		return -errno;
	if (mkdirat(fd, "blobs", 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0 && (*ret = openat(fd, "blobs", O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC)) < 0)
		r = -errno;
	close(fd);
	return r == 0 ? clear_planted(*ret) : r;
}

int
blobcache_open(const char *dir, uint64_t limit, struct blobcache **ret)
{
	struct blobcache *c;
	int r;

	*ret = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	c->limit = limit;
	pthread_mutex_init(&c->lock, NULL);
	if ((r = open_dir(dir, &c->dirfd)) == 0 &&
	    (r = bloblru_init(&c->lru)) == 0 && (r = start_scan(c)) == 0) {
		*ret = c;
		return 0;
	}
	bloblru_destroy(&c->lru);
	if (c->dirfd >= 0)
		close(c->dirfd);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return log_err(r, "blobcache: open %s/blobs: %s", dir, strerror(-r));
}

void
blobcache_close(struct blobcache *c)
{
	if (c == NULL)
		return;
	atomic_store(&c->is_stopping, true);
	pthread_join(c->scanner, NULL);
	bloblru_destroy(&c->lru);
	close(c->dirfd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- use ---- */

/* Write under a name of its own in the shard it will lie in: many writers at
 * once then wait for 256 directories' locks, not for one. The shard is made
 * when it is missing. */
static int
write_tmp(struct blobcache *c, const char *shard, const char *tmp, int64_t id,
    const struct blob *b, uint64_t *ret_len)
{
	int r = blobfile_write(c->dirfd, tmp, id, b, ret_len);

	if (r != -ENOENT)
		return r;
	if (mkdirat(c->dirfd, shard, 0700) < 0 && errno != EEXIST)
		return -errno;
	return blobfile_write(c->dirfd, tmp, id, b, ret_len);
}

static int
account(struct blobcache *c, int64_t id, uint64_t len)
{
	LOCK_SCOPE(&c->lock);
	c->puts++;
	return bloblru_add(&c->lru, id, on_disk(len), time(NULL));
}

int
blobcache_put(struct blobcache *c, int64_t id, const struct blob *b)
{
	char name[NAME_LEN], shard[3], tmp[NAME_LEN];
	uint64_t len;
	int r;

	if (id <= 0)
		return -EINVAL;
	if (on_disk(b->len + 1) > c->limit)
		return 0;
	blob_name(id, name);
	snprintf(shard, sizeof(shard), "%.2s", name);
	snprintf(tmp, sizeof(tmp), "%s/tmp.%ld.%u", shard, (long)getpid(),
	    atomic_fetch_add(&c->tmp_seq, 1));
	if ((r = write_tmp(c, shard, tmp, id, b, &len)) < 0)
		return r;
	if (renameat(c->dirfd, tmp, c->dirfd, name) < 0) {
		r = -errno;
		unlinkat(c->dirfd, tmp, 0);
		return r;
	}
	if ((r = account(c, id, len)) < 0)
		remove_file(c, id);
	evict(c);
	return r;
}

static int
miss(struct blobcache *c, int64_t id)
{
	LOCK_SCOPE(&c->lock);
	c->misses++;
	bloblru_remove(&c->lru, id);
	return -ENOENT;
}

/* Is it time to let the file's mtime say that it was used? */
static bool
hit(struct blobcache *c, int64_t id, uint64_t len)
{
	int64_t now = time(NULL), was = now - TOUCH_S;
	struct bloblru_item *i;

	LOCK_SCOPE(&c->lock);
	c->hits++;
	if ((i = bloblru_find(&c->lru, id)) != NULL)
		was = i->used_unix;
	if (bloblru_add(&c->lru, id, on_disk(len),
		now - was >= TOUCH_S ? now : was) < 0)
		return false;
	return now - was >= TOUCH_S;
}

int
blobcache_get(struct blobcache *c, int64_t id, struct blob *ret)
{
	const struct timespec now[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	char name[NAME_LEN];
	uint64_t len;
	int fd, r;

	*ret = (struct blob){ 0 };
	blob_name(id, name);
	fd = openat(c->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		log_warn(-errno, "blobcache: open blobs/%s: %s", name,
		    strerror(errno));
	if (fd < 0) /* what else stands there goes with the next put */
		return miss(c, id);
	if ((r = blobfile_read(fd, id, ret, &len)) == 0 && hit(c, id, len))
		(void)!futimens(fd, now);
	close(fd);
	if (r == 0 || r == -ENOMEM)
		return r;
	log_warn(r, "blobcache: read blobs/%s: %s", name,
	    r == -EBADMSG ? "not whole, removed" : strerror(-r));
	if (r == -EBADMSG)
		remove_file(c, id);
	return miss(c, id);
}

bool
blobcache_has(struct blobcache *c, int64_t id)
{
	char name[NAME_LEN];

	{
		LOCK_SCOPE(&c->lock);
		if (bloblru_find(&c->lru, id) != NULL)
			return true;
		if (!c->lru.is_partial)
			return false;
	}
	blob_name(id, name);
	return faccessat(c->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void
blobcache_drop(struct blobcache *c, int64_t id)
{
	{
		LOCK_SCOPE(&c->lock);
		bloblru_remove(&c->lru, id);
	}
	remove_file(c, id);
}

/* Every file of a shard, whether the table knows it or not. */
static int
empty_shard(struct blobcache *c, unsigned shard)
{
	struct scan s = { 0 };
	int r = scan_shard(c, shard, &s);

	for (size_t i = 0; i < s.n; i++)
		remove_file(c, s.at[i].id);
	free(s.at);
	return r;
}

int
blobcache_drop_all(struct blobcache *c)
{
	int r = 0;

	{
		LOCK_SCOPE(&c->lock);
		bloblru_clear(&c->lru);
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		int e = empty_shard(c, i);

		r = e < 0 ? e : r;
	}
	return r < 0 ? log_err(r, "blobcache: empty blobs: %s", strerror(-r)) :
		       0;
}

void
blobcache_get_stats(struct blobcache *c, struct blobcache_stats *ret)
{
	LOCK_SCOPE(&c->lock);
	*ret = (struct blobcache_stats){
		.bytes = c->lru.bytes,
		.limit = c->limit,
		.objects = c->lru.count,
		.hits = c->hits,
		.misses = c->misses,
		.evictions = c->evictions,
		.puts = c->puts,
		.is_scanning = c->lru.is_partial,
	};
}
