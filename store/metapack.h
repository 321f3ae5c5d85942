/* metapack.h -- an object's envelope metadata as a short byte string.
 *
 * version 1 | each pair: name, zero, value, zero. Of the metadata only what can
 * belong to an envelope is kept: names that begin with "x-amz-", and what the
 * caller keeps under a name that begins with a space. It holds nothing secret
 * and is trusted by nobody. Pure; any thread. */
#ifndef SESFS_STORE_METAPACK_H
#define SESFS_STORE_METAPACK_H

#include "crypto/base.h"

#define METAPACK_MAX 4096	/* bytes of the longest string */
#define METAPACK_PAIRS_MAX 65

/* Write into out, METAPACK_MAX bytes. Returns the bytes written; 0 when it is
 * longer than that or has too many pairs. */
size_t metapack_pack(const struct pair *meta, size_t n, uint8_t *out)
    MUST_CHECK;

/* Read what metapack_pack wrote; the pairs point into `in`. Returns their
 * number, or -EBADMSG when it is anything else: another version, cut, longer,
 * or with names that are not kept. */
int metapack_unpack(const uint8_t *in, size_t len,
    struct pair ret[METAPACK_PAIRS_MAX]) MUST_CHECK;

#endif
