/* value.h -- option values as people write them.
 *
 * Strict: the whole text must be the value, nothing is cut or wrapped. All
 * return 0; -EINVAL when the text is not such a value; -ERANGE when it is one
 * but does not fit. Pure. */
#ifndef SESFS_FS_VALUE_H
#define SESFS_FS_VALUE_H

#include "crypto/base.h"

/* Decimal digits only: no sign, blank or base prefix. */
int value_count(const char *text, uint64_t *ret) MUST_CHECK;

/* Octal digits, as of a umask. */
int value_octal(const char *text, uint64_t *ret) MUST_CHECK;

/* Bytes: a count, or one with K, M, G or T (powers of 1024; a trailing "B" or
 * "iB" and lower case are taken too). */
int value_size(const char *text, uint64_t *ret) MUST_CHECK;

/* Seconds: a count, or one with s, m, h or d. */
int value_seconds(const char *text, uint64_t *ret) MUST_CHECK;

/* yes/no, true/false, on/off, 1/0. */
int value_bool(const char *text, bool *ret) MUST_CHECK;

/* A day (2026-01-31), optionally with a time (T08:30 or T08:30:15, and a Z
 * that changes nothing: times are UTC). Seconds since the epoch of its
 * beginning in *ret, of the second after its end in *ret_end. */
int value_date(const char *text, int64_t *ret, int64_t *ret_end) MUST_CHECK;

/* The word of `words` (n of them) that `text` was most likely meant to be, or
 * NULL when none is near. */
const char *value_nearest(const char *text, const char *const *words,
    size_t n);

#endif
