/* tmpdir.h -- a directory of its own for a test. */
#ifndef SESFS_TESTS_TMPDIR_H
#define SESFS_TESTS_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/* Make one below $TMPDIR or /tmp. Free: tmpdir_free(). */
static inline char *
tmpdir_make(void)
{
	const char *base = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/sesfs-test-XXXXXX", base ? base : "/tmp") < 0 ||
	    mkdtemp(dir) == NULL) {
		perror("mkdtemp");
		exit(1);
	}
	return dir;
}

static inline int
tmpdir_remove_(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	return remove(path);
}

/* Remove it and all that is in it. */
static inline void
tmpdir_free(char *dir)
{
	nftw(dir, tmpdir_remove_, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}

#endif
