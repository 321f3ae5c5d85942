/* blobfile.h -- one file of the blob cache.
 *
 * The body from offset 0, then the ETag and the metadata as zero-terminated
 * strings, then a fixed footer: what the file is, the lengths of the parts,
 * the object's id, and a hash of all that is not body. The lengths add up to
 * the file's, so that a file cut short or torn is known; the body's own bytes
 * are authenticated by whoever decrypts it. Written without fsync: a cache may
 * lose. Threads: any. */
#ifndef SESFS_STORE_BLOBFILE_H
#define SESFS_STORE_BLOBFILE_H

#include "store/blobcache.h"

#define BLOBFILE_META_MAX 80 /* pairs */

/* Write a new file `name` below the directory dirfd, mode 0600. Returns 0 and
 * its length in *ret_len; -EINVAL when there are too many pairs or an ETag
 * that is not one; -EEXIST; -errno of open or write, and then no file is
 * left. */
int blobfile_write(int dirfd, const char *name, int64_t id,
    const struct blob *b, uint64_t *ret_len) MUST_CHECK;

/* Read a whole open file into one block (free: blob_clear). Returns 0 and its
 * length; -EBADMSG when it is not the whole file of that id; -ENOMEM; -errno
 * of read. */
int blobfile_read(int fd, int64_t id, struct blob *ret,
    uint64_t *ret_len) MUST_CHECK;

#endif
