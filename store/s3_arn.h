/* s3_arn.h -- an S3 access point where a bucket's name may be. Pure. */
#ifndef SESFS_STORE_S3_ARN_H
#define SESFS_STORE_S3_ARN_H

#include "store/endpoint.h"

#define S3_ARN_MAX 160	/* bytes with the zero */
#define S3_ARN_LABEL_MAX 64 /* bytes with the zero */

struct s3_arn {
	char text[S3_ARN_MAX]; /* the one way to write it */
	char region[ENDPOINT_REGION_MAX];
	char label[S3_ARN_LABEL_MAX]; /* of the host: NAME-ACCOUNT */
};

/* Is it an ARN, be it a good one or not? */
bool s3_arn_is(const char *bucket);

/* arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME, or with a colon before the
 * name; it ends at the end of text or at the slash after the name, *ret_len
 * bytes on. Returns 0; -EINVAL for anything else, with *ret_why (never NULL)
 * saying in words what is wrong or not supported. */
int s3_arn_parse(const char *text, struct s3_arn *ret, size_t *ret_len,
    const char **ret_why) MUST_CHECK;

#endif
