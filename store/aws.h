/* aws.h -- one signed AWS request, with retries.
 *
 * What the services share: credentials, signing, the learnt clock offset, the
 * retry budget and the request counters. Services (s3, kms, sts) describe a
 * request and read the reply; they never see a signature. Threads: any. */
#ifndef SESFS_STORE_AWS_H
#define SESFS_STORE_AWS_H

#include "crypto/base.h"
#include "store/creds.h"
#include "store/http.h"

struct aws;

/* What is counted, for status and for the tests' "no request was made". */
enum aws_op {
	AWS_S3_LIST,
	AWS_S3_GET,
	AWS_S3_HEAD,
	AWS_S3_PUT,
	AWS_S3_DELETE,
	AWS_KMS_DECRYPT,
	AWS_KMS_GENERATE,
	AWS_KMS_DESCRIBE,
	AWS_STS,
	AWS_SQS,
	AWS_OPS
};
const char *aws_op_name(enum aws_op op); /* "s3.list", "kms.decrypt", ... */

struct aws_stats {
	uint64_t requests[AWS_OPS]; /* attempts sent */
	uint64_t retries[AWS_OPS];
	uint64_t throttled[AWS_OPS];
	uint64_t failed[AWS_OPS]; /* calls that failed for good */
	uint64_t bytes_in, bytes_out;
};

struct aws_opts {
	struct http *http;   /* outlive the aws */
	struct creds *creds; /* " */
	int64_t deadline_ms; /* of one call with its retries; 0 = 60,000 */
	bool allow_http;     /* plain HTTP elsewhere than to loopback */
};

int aws_new(const struct aws_opts *o, struct aws **ret) MUST_CHECK;
void aws_free(struct aws *a);
DEFINE_FREEP(struct aws, aws_free)
void aws_get_stats(struct aws *a, struct aws_stats *ret);

#endif
