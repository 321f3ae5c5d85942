/* blobrec.h -- one record of the blob cache: a body and what came with it.
 *
 * A head of 64 bytes (what it is, id, lengths, hashes), then the ETag and the
 * metadata as zero-terminated strings, then the body, then zeros up to a whole
 * unit. The head's hash covers where the record lies too, so that old bytes,
 * or bytes of a message that look like a head, are not taken for a record. A
 * second hash covers the text; the body's own bytes are authenticated by
 * whoever decrypts it, or, where nothing does, covered by that hash as well.
 * Written without fsync: a cache may lose. Threads: any. */
#ifndef SESFS_STORE_BLOBREC_H
#define SESFS_STORE_BLOBREC_H

#include "store/blobcache.h"

#define BLOBREC_UNIT 512 /* bytes; records begin and end at multiples */
#define BLOBREC_HEAD_LEN 64
#define BLOBREC_META_MAX 80 /* pairs */

/* Where a record lies: its segment's number, and its offset there. */
struct blobrec_place {
	uint32_t seq;
	uint64_t offset; /* bytes */
};

struct blobrec_head {
	int64_t id;
	uint64_t body_len, len; /* bytes; len is the whole record's, padded */
	uint32_t text_len;
	uint16_t meta_len, flags;
	uint8_t hash[16];
};

/* -EBADMSG when these BLOBREC_HEAD_LEN bytes are no head of that place. */
int blobrec_parse_head(const uint8_t *p, struct blobrec_place at,
    struct blobrec_head *ret) MUST_CHECK;

/* How long a record will be. -EINVAL when there are too many pairs or an ETag
 * that is not one. */
int blobrec_len(const struct blob *b, uint64_t *ret) MUST_CHECK;

/* Write a record in one go. -errno of write, -ENOMEM. */
int blobrec_write(int fd, struct blobrec_place at, int64_t id,
    const struct blob *b) MUST_CHECK;

/* Read a record of `len` bytes into one block (free: blob_clear). -EBADMSG
 * when it is not the whole record of that id with a body of up to body_max
 * bytes (when len alone shows it, nothing is allocated); -ENOMEM; -errno of
 * read. */
int blobrec_read(int fd, struct blobrec_place at, uint64_t len, int64_t id,
    uint64_t body_max, struct blob *ret) MUST_CHECK;

#endif
