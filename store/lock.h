/* lock.h -- scoped mutexes and the order of all locks.
 *
 * LOCK_SCOPE(&m) holds m until the end of the block. A nested LOCK_SCOPE in
 * one function trips -Wshadow, which is wanted: two locks at once are rare and
 * deserve a look at this list. Taken in this order, top first:
 *
 *	listing.lock  ops.lock  prefetch.lock  sync.lock  lister.lock
 *	work.lock  source.lock  plain.lock  unwrap.lock  kmsask.lock  keyslots.lock
 *	sealq.lock
 *	mailbox.folder_lock  mailbox.inval_lock  orphans.lock  files.lock
 *	index.write  index.readers  blobcache.lock  seal.lock  keyring.lock
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
