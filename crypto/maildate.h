/* maildate.h -- the Date: field of a message.
 *
 * RFC 5322 with its obsolete forms: two-digit years, named and military zones,
 * comments. No locale. Pure; any thread. */
#ifndef SESFS_CRYPTO_MAILDATE_H
#define SESFS_CRYPTO_MAILDATE_H

#include "crypto/base.h"

/* Parse an unfolded value. The weekday is not looked at; a zone that is
 * missing or unknown counts as UTC. Returns 0 and seconds since 1970;
 * -EBADMSG when it is no date. */
int maildate_parse(const char *text, size_t len, int64_t *ret) MUST_CHECK;

#endif
