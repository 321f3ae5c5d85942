/* fields.h -- the metadata names of the S3 Encryption Client.
 *
 * Private to crypto/. Which of the known names an object's metadata or its
 * instruction file has, with their values; a name with an empty value counts
 * as absent (some clients write such), so that "present" always means "exists
 * and is not empty". */
#ifndef SESFS_CRYPTO_FIELDS_H
#define SESFS_CRYPTO_FIELDS_H

#include "crypto/base.h"

enum field {
	FIELD_KEY,	/* x-amz-key: V1's data key */
	FIELD_KEY_V2,	/* x-amz-key-v2 */
	FIELD_IV,	/* x-amz-iv */
	FIELD_MATDESC,	/* x-amz-matdesc */
	FIELD_WRAP_ALG, /* x-amz-wrap-alg */
	FIELD_CEK_ALG,	/* x-amz-cek-alg */
	FIELD_TAG_LEN,	/* x-amz-tag-len */
	FIELD_LEN,	/* x-amz-unencrypted-content-length */
	FIELD_MD5,	/* x-amz-unencrypted-content-md5 */
	FIELD_3,	/* x-amz-3: V3's data key */
	FIELD_C,	/* x-amz-c: suite */
	FIELD_D,	/* x-amz-d: commitment */
	FIELD_I,	/* x-amz-i: message id */
	FIELD_W,	/* x-amz-w: wrap */
	FIELD_T,	/* x-amz-t: encryption context */
	FIELD_M,	/* x-amz-m: material description */
	FIELDS
};

#define FIELD_BIT(f) (1U << (f))
/* Sets of fields. */
#define FIELDS_EDK                                                             \
	(FIELD_BIT(FIELD_KEY) | FIELD_BIT(FIELD_KEY_V2) | FIELD_BIT(FIELD_3))
#define FIELDS_V2_BESIDE /* what V2, and partly V1, has beside its key */      \
	(FIELD_BIT(FIELD_IV) | FIELD_BIT(FIELD_MATDESC) |                      \
	    FIELD_BIT(FIELD_WRAP_ALG) | FIELD_BIT(FIELD_CEK_ALG) |             \
	    FIELD_BIT(FIELD_TAG_LEN))
#define FIELDS_CDI                                                             \
	(FIELD_BIT(FIELD_C) | FIELD_BIT(FIELD_D) | FIELD_BIT(FIELD_I))
#define FIELDS_V3_BESIDE                                                       \
	(FIELDS_CDI | FIELD_BIT(FIELD_W) | FIELD_BIT(FIELD_T) |                \
	    FIELD_BIT(FIELD_M))
/* Hints that need not mean that this object's own headers are an envelope:
 * Ruby leaves the length on objects that have an instruction file. */
#define FIELDS_HINT (FIELD_BIT(FIELD_LEN) | FIELD_BIT(FIELD_MD5))

struct fields {
	const char *value[FIELDS]; /* someone else's; NULL when absent */
	unsigned present;	   /* FIELD_BITs of the values */
};

/* The field of an exact (lower-case) name of `len` bytes, or FIELDS. */
enum field fields_lookup(const char *name, size_t len);

/* Set a value; an empty one makes the field absent. */
void fields_set(struct fields *f, enum field which, const char *value);

/* Read metadata; names compare without regard to case, unknown ones are
 * ignored. Returns 0, or -EBADMSG when a known name occurs twice. */
int fields_read(const struct pair *meta, size_t meta_len,
    struct fields *ret) MUST_CHECK;

/* Fill what is absent in `f` from `more`. */
void fields_merge(struct fields *f, const struct fields *more);

#endif
