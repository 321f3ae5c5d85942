/* mountinfo.h -- reads /proc/self/mountinfo (proc(5)). Pure. */
#ifndef SESFS_FS_MOUNTINFO_H
#define SESFS_FS_MOUNTINFO_H

#include "crypto/base.h"

struct mountinfo {
	unsigned id;
	unsigned major, minor;	/* st_dev of what is mounted */
	char mountpoint[4096];	/* unescaped */
	char type[64];		/* "fuse.sesfs" */
};

/* The topmost mount at exactly `path` in the text of mountinfo, `len` bytes.
 * Lines that do not parse are skipped. Returns 0 or -ENOENT. */
int mountinfo_find(const char *text, size_t len, const char *path,
    struct mountinfo *ret) MUST_CHECK;

/* Is anything of this device mounted anywhere? Moved and covered mounts are
 * found, too. */
bool mountinfo_has(const char *text, size_t len, unsigned major,
    unsigned minor);

/* The same from /proc: 1, 0, or errors of reading it. */
int mountinfo_read_has(unsigned major, unsigned minor) MUST_CHECK;

/* mountinfo_find() from /proc; other errors are of reading it. */
int mountinfo_read(const char *path, struct mountinfo *ret) MUST_CHECK;

#endif
