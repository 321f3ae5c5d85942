/* utf8.h -- strict UTF-8, one character at a time.
 *
 * As RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Pure; any thread. */
#ifndef SESFS_CRYPTO_UTF8_H
#define SESFS_CRYPTO_UTF8_H

#include "crypto/base.h"

#define UTF8_MAX 4 /* bytes of the longest character */

/* Read the character at `s`. Returns its bytes (1 to 4) and the code point;
 * 0 when `len` is 0 or what stands there is not UTF-8. */
size_t utf8_get(const uint8_t *s, size_t len, uint32_t *ret) MUST_CHECK;

/* Write a code point that is not a surrogate and at most U+10FFFF. Returns
 * the bytes written. */
size_t utf8_put(uint32_t cp, uint8_t ret[UTF8_MAX]);

/* Is all of it UTF-8? */
bool utf8_is_valid(const uint8_t *s, size_t len);

#endif
