/* statedir.h -- the directory that a mailbox keeps on this machine.
 *
 * Mode 0700. Its file `lock` belongs to the one process that changes the
 * index: a daemon, or `sesfs sync`. */
#ifndef SESFS_FS_STATEDIR_H
#define SESFS_FS_STATEDIR_H

#include <sys/types.h>

#include "crypto/base.h"

/* Where the state of a source lies when --state-dir does not say: below
 * $XDG_STATE_HOME/sesfs (~/.local/state), named by a hash of the source and
 * its endpoint. get: getenv(3) but for tests. *ret: free(3). -ENOENT when
 * there is no home directory. */
int statedir_default(const char *url, const char *endpoint_url,
    char *(*get)(const char *), char **ret) MUST_CHECK;

/* Make it (and its parents) when it is not there, 0700. -EACCES when it is
 * not ours or others may enter it; errors of mkdir(2). All logged. */
int statedir_create(const char *dir) MUST_CHECK;

/* Take the lock, write our pid into it. *ret_fd holds it until closed (a child
 * of fork inherits it). -EWOULDBLOCK with *ret_pid (0 unknown) when another
 * process has it. */
int statedir_lock(const char *dir, int *ret_fd, pid_t *ret_pid) MUST_CHECK;

/* Has a process taken it? 1, with *ret_pid (0 unknown); 0; -errno of opening
 * the file. */
int statedir_is_locked(const char *dir, pid_t *ret_pid) MUST_CHECK;

/* Wait until nobody holds the lock, at most timeout_ms. -ETIMEDOUT. */
int statedir_wait_unlocked(const char *dir, int64_t timeout_ms) MUST_CHECK;

#endif
