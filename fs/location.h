/* location.h -- s3://BUCKET[/PREFIX], the name of a mailbox.
 *
 * BUCKET is a bucket's name, or the ARN of an access point to one.
 * PREFIX is literal bytes. `s3://b/inbound` and `s3://b/inbound/` both mean
 * the keys under `inbound/`; `s3://b/emails*` means every key that begins with
 * `emails`, for receipt rules whose prefix was typed without a slash. Pure. */
#ifndef SESFS_FS_LOCATION_H
#define SESFS_FS_LOCATION_H

#include "crypto/base.h"
#include "store/s3_arn.h"

#define LOCATION_PREFIX_MAX 1024 /* bytes, S3's limit of a key */
#define LOCATION_URL_MAX (5 + S3_ARN_MAX + 1 + LOCATION_PREFIX_MAX + 2)

struct location {
	char bucket[S3_ARN_MAX]; /* a name of at most 63 bytes, or an ARN */
	char prefix[LOCATION_PREFIX_MAX + 1]; /* of all keys; "" for all */
	char url[LOCATION_URL_MAX]; /* the one way to write it */
};

/* Returns 0; -EINVAL with *ret_why saying in words what is wrong. */
int location_parse(const char *text, struct location *ret,
    const char **ret_why) MUST_CHECK;

#endif
