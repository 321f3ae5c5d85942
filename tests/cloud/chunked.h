/* chunked.h -- the aws-chunked content coding of streaming uploads. */
#ifndef CLOUD_CHUNKED_H
#define CLOUD_CHUNKED_H

#include "sigv4.h"

/* What the signatures of the chunks are chained to. */
struct chunk_seal {
	const uint8_t *key; /* SIGV4_KEY_LEN bytes */
	const char *amz_date;
	const struct sigv4_scope *scope;
	const char *seed; /* signature of the request */
};

/* Append what `in` carries to `ret`. With `seal`, each chunk's signature is
 * verified. Trailers (checksums) are skipped. Returns 0; -EPROTO when
 * malformed; -EKEYREJECTED when a signature is wrong. */
int chunked_decode(const struct buf *in, const struct chunk_seal *seal,
    struct buf *ret) MUST_CHECK;

#endif
