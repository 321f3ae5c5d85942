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

/* A bounded line of text being written: zero-terminated UTF-8 in the caller's
 * buffer, without control characters, cut between characters. */
struct utf8_line {
	char *buf;
	size_t size; /* bytes of buf, at least 1 */
	size_t len;  /* bytes written, without the zero */
	bool is_full; /* something did not fit: what follows is dropped too */
};

/* Start an empty line. */
void utf8_line_init(struct utf8_line *l, char *buf, size_t size);

/* Append a character: white space becomes a space, other controls vanish, a
 * surrogate or a number above U+10FFFF becomes U+FFFD. */
void utf8_line_put(struct utf8_line *l, uint32_t cp);

/* Drop spaces at the end. */
void utf8_line_trim(struct utf8_line *l);

/* Is all of it UTF-8? */
bool utf8_is_valid(const uint8_t *s, size_t len);

#endif
