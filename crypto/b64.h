/* b64.h -- base64 as RFC 4648 defines it and nothing more.
 *
 * Standard alphabet, padded, no line breaks or other white space, and the
 * unused bits of the last character zero, so that every byte string has
 * exactly one spelling. Pure; any thread. */
#ifndef SESFS_CRYPTO_B64_H
#define SESFS_CRYPTO_B64_H

#include "crypto/base.h"

/* Characters of `len` bytes encoded, without the zero at the end. */
#define B64_LEN(len) (((len) + 2) / 3 * 4)

/* Decode `text_len` characters. Returns the bytes written to `ret`; -EBADMSG
 * when the text is not base64; -EMSGSIZE when it is longer than `ret_size`
 * bytes. */
int64_t b64_decode(const char *text, size_t text_len, uint8_t *ret,
    size_t ret_size) MUST_CHECK;

/* Encode to a zero-terminated string: `ret` has B64_LEN(len) + 1 bytes. */
void b64_encode(const void *data, size_t len, char *ret);

#endif
