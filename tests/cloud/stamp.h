/* stamp.h -- points in time as AWS and HTTP write them. Always UTC. */
#ifndef CLOUD_STAMP_H
#define CLOUD_STAMP_H

#include "base.h"

#define STAMP_LEN 40 /* enough for each form and its NUL */

/* "Tue, 24 May 2026 00:00:00 GMT" */
void stamp_http(int64_t at_unix, char ret[STAMP_LEN]);

/* "2026-05-24T00:00:00.000Z" */
void stamp_iso(int64_t at_unix, char ret[STAMP_LEN]);

/* "20260524T000000Z" */
void stamp_amz(int64_t at_unix, char ret[STAMP_LEN]);

/* "Tue, 24 May 2026 00:00:00 +0200", as mail has it. */
void stamp_mail(int64_t at_unix, int offset_min, char ret[STAMP_LEN]);

/* Parse the first, or the third, form. Returns 0 or -EINVAL. */
int stamp_parse_http(const char *s, int64_t *ret_unix) MUST_CHECK;
int stamp_parse_amz(const char *s, int64_t *ret_unix) MUST_CHECK;

/* Seconds since 1970. */
int64_t stamp_now(void);

/* Milliseconds of a clock that never jumps. */
int64_t stamp_mono_ms(void);

#endif
