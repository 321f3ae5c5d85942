#include "store/blobseg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

#define SEG_MIN (64U << 10)
#define BLOCK_MIN 4096U
#define BLOCK_MAX 65536U /* 128 records touch it at most: users[] is 8 bits */

/* ---- all of them ---- */

static uint32_t
block_size(int dirfd)
{
	uint32_t n = BLOCK_MIN;
	struct stat st;

	if (fstat(dirfd, &st) == 0)
		while (n < st.st_blksize && n < BLOCK_MAX)
			n *= 2;
	return n;
}

void
blobseg_init(struct blobsegs *s, int dirfd, uint64_t limit,
    pthread_mutex_t *lock)
{
	uint64_t len = limit / 16;

	*s = (struct blobsegs){ .dirfd = dirfd, .block = block_size(dirfd),
		.lock = lock, .next_seq = 1 };
	len = len < SEG_MIN ? SEG_MIN : len > BLOBSEG_MAX ? BLOBSEG_MAX : len;
	s->seg_len = len / s->block * s->block;
	s->max_shared = (uint32_t)(limit / s->seg_len > BLOBSEG_SLOTS / 8 ?
		BLOBSEG_SLOTS / 2 : 4 * (limit / s->seg_len) + 64);
}

static void
free_seg(struct blobseg *seg)
{
	if (seg->fd >= 0)
		close(seg->fd);
	free(seg->users);
	free(seg);
}

void
blobseg_destroy(struct blobsegs *s)
{
	for (uint32_t i = 0; i < s->slots; i++)
		if (s->at[i] != NULL)
			free_seg(s->at[i]);
	free(s->at);
	if (s->dirfd >= 0)
		close(s->dirfd);
	*s = (struct blobsegs){ .dirfd = -1 };
}

void
blobseg_name(uint32_t seq, bool is_big, char ret[BLOBSEG_NAME_LEN])
{
	snprintf(ret, BLOBSEG_NAME_LEN, "%08x.%s", seq, is_big ? "big" : "seg");
}

bool
blobseg_parse_name(const char *name, uint32_t *ret_seq, bool *ret_big)
{
	char want[BLOBSEG_NAME_LEN];

	if (strlen(name) != 12)
		return false;
	*ret_seq = (uint32_t)strtoul(name, NULL, 16);
	*ret_big = strcmp(name + 9, "big") == 0;
	blobseg_name(*ret_seq, *ret_big, want);
	return strcmp(name, want) == 0 && *ret_seq > 0 && *ret_seq <= BLOBSEG_SEQ_MAX / 2;
}

/* ---- one, and its descriptor ---- */

static int
free_slot(struct blobsegs *s, uint32_t *ret)
{
	uint32_t i = 0, room = s->slots > 0 ? 2 * s->slots : 64;
	struct blobseg **p;

	while (i < s->slots && s->at[i] != NULL)
		i++;
	*ret = i;
	if (i < s->slots)
		return 0;
	if (i >= BLOBSEG_SLOTS)
		return -ENOSPC;
	room = room > BLOBSEG_SLOTS ? BLOBSEG_SLOTS : room;
	if ((p = reallocarray(s->at, room, sizeof(struct blobseg *))) == NULL)
		return -ENOMEM;
	memset(p + s->slots, 0, (room - s->slots) * sizeof(struct blobseg *));
	s->at = p;
	s->slots = room;
	return 0;
}

int
blobseg_add_locked(struct blobsegs *s, uint32_t seq, bool is_big,
    struct blobseg **ret)
{
	struct blobseg *seg;
	uint32_t slot;
	int r;

	*ret = NULL;
	if ((r = free_slot(s, &slot)) < 0)
		return r;
	if ((seg = calloc(1, sizeof(*seg))) == NULL)
		return -ENOMEM;
	*seg = (struct blobseg){ .seq = seq, .slot = (uint16_t)slot,
		.is_big = is_big, .is_made = true, .fd = -1 };
	s->at[slot] = *ret = seg;
	s->count++;
	s->shared += !is_big;
	if (seq >= s->next_seq)
		s->next_seq = seq + 1;
	return 0;
}

void
blobseg_remove_locked(struct blobsegs *s, struct blobseg *seg)
{
	s->count--;
	s->shared -= !seg->is_big;
	s->at[seg->slot] = NULL;
	if (s->active == seg)
		s->active = NULL;
	for (size_t i = 0; i < BLOBSEG_FDS; i++)
		if (s->open[i] == seg)
			s->open[i] = NULL;
	seg->is_dead = true;
}

void
blobseg_begin_locked(struct blobsegs *s, struct blobseg *seg,
    struct blobseg_use *ret)
{
	seg->refs++;
	seg->tick = ++s->tick;
	*ret = (struct blobseg_use){ .seg = seg, .fd = seg->fd };
}

/* Keep a descriptor, maybe in the place of one that nobody uses now: that one
 * is to be closed. */
static void
keep_fd(struct blobsegs *s, struct blobseg_use *u, int *ret_old)
{
	size_t best = BLOBSEG_FDS;

	*ret_old = -1;
	u->seg->is_made = true;
	u->is_own = true;
	if (u->seg->fd >= 0 || u->seg->is_dead)
		return;
	for (size_t i = 0; i < BLOBSEG_FDS; i++) {
		struct blobseg *o = s->open[i];

		if (o == NULL || (o->refs == 0 && (best == BLOBSEG_FDS ||
		    o->tick < s->open[best]->tick)))
			best = i;
		if (o == NULL)
			break;
	}
	if (best == BLOBSEG_FDS)
		return;
	if (s->open[best] != NULL) {
		*ret_old = s->open[best]->fd;
		s->open[best]->fd = -1;
	}
	s->open[best] = u->seg;
	u->seg->fd = u->fd;
	u->is_own = false;
}

/* Somebody else may have opened it meanwhile: 1 then. -ESTALE when it is dead. */
static int
look_again(struct blobsegs *s, struct blobseg_use *u, bool *ret_made)
{
	LOCK_SCOPE(s->lock);
	u->fd = u->seg->fd;
	*ret_made = u->seg->is_made;
	if (u->fd >= 0)
		return 1;
	return u->seg->is_dead ? -ESTALE : 0;
}

static int
open_file(struct blobsegs *s, struct blobseg_use *u, int flags)
{
	char name[BLOBSEG_NAME_LEN];
	struct stat st;
	bool is_made;
	int r, e;

	blobseg_name(u->seg->seq, u->seg->is_big, name);
	if ((u->fd = openat(s->dirfd, name, flags, 0600)) < 0) {
		r = -errno;
		if ((e = look_again(s, u, &is_made)) != 0)
			return e; /* unlinked just now, or opened */
		return log_warn(r, "blobcache: open blobs/%s: %s", name,
		    strerror(-r));
	}
	u->is_own = true;
	if (fstat(u->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return log_warn(-EBADMSG, "blobcache: open blobs/%s: no "
		    "regular file", name);
	return 0;
}

int
blobseg_open(struct blobsegs *s, struct blobseg_use *u)
{
	int old, r, flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	char name[BLOBSEG_NAME_LEN];
	bool is_made, is_late;

	if (u->fd >= 0)
		return 0;
	if ((r = look_again(s, u, &is_made)) != 0)
		return r < 0 ? r : 0;
	flags |= is_made ? 0 : O_CREAT;
	if ((r = open_file(s, u, flags)) != 0)
		return r < 0 ? r : 0;
	{
		LOCK_SCOPE(s->lock);
		keep_fd(s, u, &old);
		is_late = u->seg->is_dead && !is_made;
	}
	if (old >= 0)
		close(old);
	blobseg_name(u->seg->seq, u->seg->is_big, name);
	if (is_late) /* unlinked before it was made */
		unlinkat(s->dirfd, name, 0);
	return 0;
}

void
blobseg_end_locked(struct blobseg_use *u)
{
	u->is_doomed = --u->seg->refs == 0 && u->seg->is_dead;
}

void
blobseg_finish(struct blobseg_use *u)
{
	if (u->is_own)
		close(u->fd);
	if (u->is_doomed)
		free_seg(u->seg);
	*u = (struct blobseg_use){ .fd = -1 };
}
