/* stamp.h -- the two ways AWS writes a time, and the clocks.
 *
 * The parsers are pure. Times are seconds since 1970 in UTC. */
#ifndef SESFS_STORE_STAMP_H
#define SESFS_STORE_STAMP_H

#include "crypto/base.h"

/* "2026-02-03T04:05:06Z", also with a fraction (cut off), with a lower-case t
 * or z, and with an offset such as +01:00. Returns 0; -EINVAL. */
int stamp_parse_iso(const char *s, int64_t *ret_unix) MUST_CHECK;

/* "Tue, 03 Feb 2026 04:05:06 GMT" (RFC 9110 IMF-fixdate). Returns 0;
 * -EINVAL. */
int stamp_parse_http(const char *s, int64_t *ret_unix) MUST_CHECK;

int64_t stamp_now_unix(void); /* seconds, the wall clock */
int64_t stamp_now_ms(void);   /* milliseconds, monotonic */

#endif
