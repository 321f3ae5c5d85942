/* lock.h -- scoped mutexes, waits with a limit, and the order of all locks.
 *
 * LOCK_SCOPE(&m) holds m until the end of the block. A nested LOCK_SCOPE in
 * one function trips -Wshadow, which is wanted: two locks at once are rare and
 * deserve a look at this list. Taken in this order, top first:
 *
 *	listing.lock  ops.lock  prefetch.lock  sync.lock  lister.lock
 *	work.lock  source.lock  plain.lock  unwrap.lock  kmsask.lock  keyslots.lock
 *	sealq.lock
 *	mailbox.folder_lock  mailbox.inval_lock  orphans.lock  files.lock
 *	auditfile.lock
 *	index.write  index.readers  memo.lock  blobcache.lock  seal.lock  keyring.lock
 *	keypolicy.lock  s3.lock  aws.lock  signer.lock  creds.lock  http.lock
 *	pool.lock  log.lock
 *
 * None is held across network, disk-wait or KMS work, nor across a callback.
 * Exceptions, all on this machine and short: index.write is held across one
 * SQLite transaction, listing.lock across the reading of one reply's rows and
 * its write to the kernel, mailbox.folder_lock across a batch of them,
 * mailbox.inval_lock across a notification, files.lock across open(2). */
#ifndef SESFS_STORE_LOCK_H
#define SESFS_STORE_LOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* A condition whose timed waits go by the monotonic clock. */
static inline void
cond_init_monotonic(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

/* For such a wait: the time `ms` milliseconds (>= 0) from now. */
static inline struct timespec
cond_after_ms(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static inline void
lock_scope_end_(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}

static inline pthread_mutex_t *
lock_scope_begin_(pthread_mutex_t *m)
{
	pthread_mutex_lock(m);
	return m;
}

#define LOCK_SCOPE(m)                                                          \
	__attribute__((cleanup(lock_scope_end_), unused))                      \
	pthread_mutex_t *lock_scope_ = lock_scope_begin_(m)

#endif
