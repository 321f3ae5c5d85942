/* run.h -- the output of a short-lived program.
 *
 * For programs that print a secret: what they print goes into a buffer that is
 * wiped, their standard error is ours, where whoever wrote them wanted it. */
#ifndef SESFS_STORE_RUN_H
#define SESFS_STORE_RUN_H

#include "store/buf.h"

/* Run argv[0], which holds a slash, without input. Its process group is killed
 * when it takes longer than timeout_ms or prints more than `out` takes.
 * Returns its exit status, 0 to 255; -ETIMEDOUT, -EMSGSIZE, -EIO (killed by a
 * signal), -ECANCELED after run_cancel(), or what starting it gave. */
int run_program(char *const argv[], int64_t timeout_ms, struct buf *out)
    MUST_CHECK;

/* This process ends: kill what runs within a tenth of a second, start no more.
 * Any thread. */
void run_cancel(void);

#endif
