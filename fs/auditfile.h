/* auditfile.h -- a file that lines are appended to, by several at once.
 *
 * A line is whole and stands by itself. Nobody locks the file, so that nobody
 * can keep us from it: it is appended to by one write(2), which the kernel does
 * not mix with others. Half a line, which a full disk or a crash left, stays;
 * who finds it before his own line writes that again below. Nobody waits long
 * for another thread; what a file system takes for one write is its own.
 * Threads: any. */
#ifndef SESFS_FS_AUDITFILE_H
#define SESFS_FS_AUDITFILE_H

#include <sys/types.h>

#include "crypto/base.h"

struct auditfile;

/* Made with mode 0600. -errno of open(2); -EINVAL when it is no regular file;
 * -ENOMEM. `path` is copied. */
int auditfile_open(const char *path, struct auditfile **ret) MUST_CHECK;
void auditfile_close(struct auditfile *f);
DEFINE_FREEP(struct auditfile, auditfile_close)

/* Could it be opened? Makes and changes nothing: -ENOENT when there is none yet.
 * Errors of auditfile_open. */
int auditfile_probe(const char *path) MUST_CHECK;

/* This is the device of our own mount, where it must not come to lie: -EXDEV
 * then. */
void auditfile_avoid(struct auditfile *f, dev_t dev);

/* Have it opened by its name before the next line; waits for nothing. When that
 * fails then, which is logged, lines go where they went. */
void auditfile_reopen(struct auditfile *f);

/* Append a line, len bytes with its end. -EAGAIN when another thread's line
 * keeps the file for too long; -errno of write(2), then half a line may be
 * there. Logs only what auditfile_reopen asked for. */
int auditfile_append(struct auditfile *f, const char *line,
    size_t len) MUST_CHECK;

/* What these errors mean here. */
const char *auditfile_error(int r);

#endif
