/* sts.h -- who am I. */
#ifndef SESFS_STORE_STS_H
#define SESFS_STORE_STS_H

#include "store/aws.h"

struct sts_opts {
	struct aws *aws;
	const char *region;
	const char *endpoint_url; /* NULL: AWS's own */
	bool fips, dual_stack;
};

struct sts_identity {
	char account[16];
	char arn[512];
};

/* GetCallerIdentity. Errors as in s3.h. */
int sts_get_caller_identity(const struct sts_opts *o,
    struct sts_identity *ret) MUST_CHECK;

#endif
