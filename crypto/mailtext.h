/* mailtext.h -- the text of a header field, as one line of UTF-8.
 *
 * Any thread. */
#ifndef SESFS_CRYPTO_MAILTEXT_H
#define SESFS_CRYPTO_MAILTEXT_H

#include "crypto/utf8.h"

#define MAILTEXT_RAW_MAX 8192 /* bytes of a value that are looked at */

/* Append an unfolded value of at most MAILTEXT_RAW_MAX bytes, its RFC 2047
 * words decoded wherever they stand and the white space between two of them
 * dropped. Neighbouring words of one charset are decoded as one, for mailers
 * that cut within a character. What is not in words may be 8-bit: see
 * charset_put_raw(). */
void mailtext_put(const uint8_t *raw, size_t len, struct utf8_line *out);

#endif
