/* metatext.h -- user metadata that is not ASCII, as S3 returns it.
 *
 * S3 reads the octets of a metadata header as ISO-8859-1 and gives them back
 * as RFC 2047 words of that text in UTF-8: text that was UTF-8 comes back
 * encoded twice. Pure; any thread. */
#ifndef SESFS_CRYPTO_METATEXT_H
#define SESFS_CRYPTO_METATEXT_H

#include "crypto/base.h"

/* Undo it: decode the words of charset UTF-8 (dropping the white space
 * between neighbours), and if every character is then below U+0100 and the
 * bytes they stand for are UTF-8, take those bytes. Text without such words,
 * and text that would come to hold a zero byte, is returned as it is.
 *
 * Returns 0 with a zero-terminated *ret for free(), or -ENOMEM. */
int metatext_decode(const char *text, char **ret) MUST_CHECK;

#endif
