/* charset.h -- the character sets of mail, to UTF-8.
 *
 * UTF-8, US-ASCII, ISO-8859-1 and windows-1252 are done here; the others that
 * mail is written in by iconv(3). Names that are not in the list of charset.c
 * never reach iconv: it loads a module per charset, some of which nobody uses
 * but to attack. Any thread. */
#ifndef SESFS_CRYPTO_CHARSET_H
#define SESFS_CRYPTO_CHARSET_H

#include "crypto/utf8.h"

/* Append bytes of charset `name` (any case). What is invalid becomes U+FFFD,
 * one for each byte; an unknown charset is taken as charset_put_raw() does. */
void charset_put(struct slice name, const uint8_t *bytes, size_t len,
    struct utf8_line *out);

/* Append bytes of which nobody said what they are: UTF-8 if all of them are
 * that, otherwise ISO-8859-1. */
void charset_put_raw(const uint8_t *bytes, size_t len, struct utf8_line *out);

#endif
