/* policy_fill.h -- texts with blanks.
 *
 * Written so that they can be read in C: `'` stands for a double quote, @NAME@
 * for a value. Pure. */
#ifndef SESFS_FS_POLICY_FILL_H
#define SESFS_FS_POLICY_FILL_H

#include <stdio.h>

#include "crypto/base.h"

/* Write the lines (the last one NULL) to f with every blank filled in by
 * `value`, which writes what belongs there, `indent` being how far its line is
 * indented. Returns 0; the error of `value`; -EINVAL for an '@' that begins no
 * blank. */
typedef int policy_fill_fn(void *arg, FILE *f, const char *name,
    unsigned indent);
int policy_fill(FILE *f, const char *const *lines, policy_fill_fn *value,
    void *arg) MUST_CHECK;

/* Does a reference to something begin here: a `${` that is not IAM's way to
 * write `*`, `?` or `$`? */
bool policy_is_reference(const char *s);

#endif
