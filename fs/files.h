/* files.h -- the bytes of clients' own files, beside the index.
 *
 * STATE/files/<ino> holds what a client wrote to the node of that inode;
 * names, modes and owners are the index's. A bounded number of descriptors is
 * kept open. Errors: -errno of the system call. Threads: any. */
#ifndef SESFS_FS_FILES_H
#define SESFS_FS_FILES_H

#include <sys/types.h>
#include <time.h>

#include "crypto/base.h"

struct files;

struct files_attr {
	uint64_t size; /* bytes */
	uint64_t blocks; /* of 512 bytes */
	int64_t atime_ns, mtime_ns, ctime_ns;
};

int files_open(const char *state_dir, struct files **ret) MUST_CHECK;
void files_close(struct files *f);
DEFINE_FREEP(struct files, files_close)

int files_create(struct files *f, int64_t ino) MUST_CHECK;
/* The same without emptying what is there. */
int files_restore(struct files *f, int64_t ino) MUST_CHECK;
int files_remove(struct files *f, int64_t ino) MUST_CHECK; /* absent: 0 */
int files_stat(struct files *f, int64_t ino, struct files_attr *ret)
    MUST_CHECK;
ssize_t files_read(struct files *f, int64_t ino, void *buf, size_t len,
    off_t off) MUST_CHECK; /* bytes read, 0 at the end */
ssize_t files_write(struct files *f, int64_t ino, const void *buf, size_t len,
    off_t off) MUST_CHECK; /* bytes written: all of them */
int files_truncate(struct files *f, int64_t ino, off_t size) MUST_CHECK;
int files_allocate(struct files *f, int64_t ino, int mode, off_t off,
    off_t len) MUST_CHECK; /* fallocate(2) */
int files_sync(struct files *f, int64_t ino) MUST_CHECK;
/* NULL timespecs' nanoseconds may be UTIME_OMIT and UTIME_NOW. */
int files_utimens(struct files *f, int64_t ino, const struct timespec ts[2])
    MUST_CHECK;
/* Remove every file whose inode `is_known` denies: left by a death between
 * the removal of a name and of its bytes. */
int files_sweep(struct files *f, bool (*is_known)(void *arg, int64_t ino),
    void *arg) MUST_CHECK;

#endif
