/* hdrpack.h -- header fields as a short byte string, to be sealed.
 *
 * version 1 | date, zigzag varint | crlf size, varint | number of fields 1 |
 * each field: length, varint; bytes. Varints are base 128, low part first, and
 * only the shortest form is read, so that there is one string for one set of
 * fields. Pure; any thread. Both sides hold plaintext: wipe them. */
#ifndef SESFS_STORE_HDRPACK_H
#define SESFS_STORE_HDRPACK_H

#include "crypto/base.h"
#include "crypto/rfc822.h"

#define HDRPACK_VARINT_MAX 10 /* bytes */
/* Bytes of the longest string. */
#define HDRPACK_MAX                                                            \
	(1 + 2 * HDRPACK_VARINT_MAX + 1 +                                      \
	    RFC822_FIELDS * (2 + RFC822_VALUE_MAX - 1))

/* Write into out; max: at least HDRPACK_MAX. Returns the bytes written. */
size_t hdrpack_pack(const struct rfc822 *h, uint8_t *out, size_t max)
    MUST_CHECK;

/* Read what hdrpack_pack wrote. Returns 0; -EBADMSG, with *ret all zero, when
 * it is anything else: another version, cut, longer, or with values that are
 * too long or have a zero byte. */
int hdrpack_unpack(const uint8_t *in, size_t len, struct rfc822 *ret)
    MUST_CHECK;

#endif
