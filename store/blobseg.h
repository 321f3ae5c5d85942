/* blobseg.h -- the segment files of the blob cache, and their descriptors.
 *
 * blobs/<number>.seg holds many records one after the other; <number>.big one
 * alone that is too long for that. What space they take is blobspace.h's. Of
 * descriptors BLOBSEG_FDS at most are kept open, the last used ones.
 *
 * Threads: functions named _locked, and all members but the constant ones, are
 * the holder's of blobcache.lock. The others are called without it, take it for
 * a moment, and do the system calls. */
#ifndef SESFS_STORE_BLOBSEG_H
#define SESFS_STORE_BLOBSEG_H

#include <pthread.h>

#include "store/bloblru.h"
#include "store/blobrec.h"

#define BLOBSEG_MAX (64U << 20) /* bytes of a .seg */
#define BLOBSEG_SLOTS 65535
#define BLOBSEG_SEQ_MAX 0xfffffff0U
#define BLOBSEG_FDS 64 /* kept open */
#define BLOBSEG_NAME_LEN 16

struct blobseg {
	uint32_t seq;	/* constant: its number */
	uint16_t slot;	/* constant */
	bool is_big;	/* constant */
	bool is_made;	/* the file is there */
	bool is_known;	/* what it holds is: it takes part in the counts */
	bool is_filling; /* its records are being found: it stays */
	bool is_dead;	/* unlinked, or about to be: nothing may enter */
	int fd;		/* kept open, or -1 */
	uint32_t refs;
	uint32_t live;	/* blocks that records touch */
	uint64_t end;	/* bytes: where the next record goes */
	uint64_t tick;	/* last use of fd */
	uint8_t *users; /* of a .seg: how many records touch each block */
};

struct blobsegs {
	int dirfd;	    /* constant: blobs/ */
	uint32_t block;	    /* constant: bytes, a power of two */
	uint64_t seg_len;   /* constant: bytes of a .seg before the next */
	uint32_t max_shared; /* constant: more .seg than this are too many */
	pthread_mutex_t *lock; /* constant: blobcache.lock */
	bool cannot_punch; /* then a segment counts whole until it goes */
	struct blobseg **at; /* by slot; NULL: free */
	uint32_t slots, count, shared; /* room; of all; of .seg */
	uint32_t next_seq;
	struct blobseg *active; /* records go here; or NULL */
	struct blobseg *open[BLOBSEG_FDS];
	uint64_t tick;
	uint64_t bytes; /* what known segments take on disk */
};

/* Takes the directory's descriptor over. limit: bytes of all of them. */
void blobseg_init(struct blobsegs *s, int dirfd, uint64_t limit,
    pthread_mutex_t *lock);
void blobseg_destroy(struct blobsegs *s); /* nobody uses it any more */

/* "0000002a.seg", and back: false when it is no such name, or one so high that
 * it would leave no numbers for those to come. */
void blobseg_name(uint32_t seq, bool is_big, char ret[BLOBSEG_NAME_LEN]);
bool blobseg_parse_name(const char *name, uint32_t *ret_seq, bool *ret_big);

/* ---- use of one ---- */

struct blobseg_use {
	struct blobseg *seg;
	int fd;
	bool is_own;	/* fd is this use's alone */
	bool is_doomed; /* the last use of a dead segment */
};

/* From blobseg_begin_locked() to blobseg_end_locked() the segment stays, dead or
 * not; blobseg_finish() goes after that, without the lock. blobseg_open(), which
 * need not succeed, gives it a descriptor: -ESTALE when it is dead and has none,
 * -EBADMSG when it is no regular file, -errno. */
void blobseg_begin_locked(struct blobsegs *s, struct blobseg *seg,
    struct blobseg_use *ret);
int blobseg_open(struct blobsegs *s, struct blobseg_use *u) MUST_CHECK;
void blobseg_end_locked(struct blobseg_use *u);
void blobseg_finish(struct blobseg_use *u);

/* ---- the set of them ---- */

/* One more, whose file is there. -ENOSPC when there are BLOBSEG_SLOTS already;
 * -ENOMEM. */
int blobseg_add_locked(struct blobsegs *s, uint32_t seq, bool is_big,
    struct blobseg **ret) MUST_CHECK;
/* It is no longer one of them, and goes with its last use. */
void blobseg_remove_locked(struct blobsegs *s, struct blobseg *seg);

#endif
