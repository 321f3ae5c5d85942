/* aws.h -- one signed AWS request, with retries.
 *
 * What the services share: credentials, signing, the learnt clock offset, the
 * retry budget and the request counters. Services (s3, kms, sts) describe a
 * request and read the reply; they never see a signature. Threads: any. */
#ifndef SESFS_STORE_AWS_H
#define SESFS_STORE_AWS_H

#include "crypto/base.h"
#include "store/awserr.h"
#include "store/creds.h"
#include "store/endpoint.h"
#include "store/http.h"
#include "store/retry.h"

#define AWS_WHY_MAX 1024 /* bytes that do for aws_why() and aws_why_not() */

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
	const struct retry_policy *retry; /* NULL: retry_default */
};

int aws_new(const struct aws_opts *o, struct aws **ret) MUST_CHECK;
void aws_free(struct aws *a);
DEFINE_FREEP(struct aws, aws_free)
void aws_get_stats(struct aws *a, struct aws_stats *ret);

/* What a service asks for. */
struct aws_request {
	const char *method;
	const struct endpoint *endpoint;
	const char *service; /* signing name: "s3", "kms", "sts", "sqs" */
	const char *region;  /* to sign for */
	const char *path;    /* "/" and, for s3, the raw key: encoded here */
	const struct pair *query; /* not encoded */
	size_t query_len;
	const struct pair *header; /* further ones, all signed; a body needs a
				    * content-type */
	size_t header_len;
	struct slice body;
	enum aws_op op;	      /* what it counts as */
	uint64_t max_body;    /* longest good reply, bytes */
	int64_t deadline_ms;  /* of the call; 0: as aws_opts has it */
	bool may_fail_late;   /* an <Error> under status 200 is an error */
};

struct aws_reply {
	struct http_reply http;
	struct awserr error; /* of the last attempt, when the call failed; its
			      * request_id also when not */
};

/* Sign, send, and try again by the rules of retry.h until there is a 2xx
 * reply, a final refusal, or the deadline has passed. A clock that AWS calls
 * wrong is corrected (for all calls) and the request sent once more; so are
 * credentials that AWS calls expired or unknown, when there are others.
 * Redirects are errors, with the region in ret->error.
 *
 * Returns 0 with a 2xx reply; else an error as in s3.h, and -EPERM for plain
 * HTTP to another machine. The caller knows what was attempted and logs
 * aws_why(). Logged here are corrections, at info why an attempt failed that is
 * made again, and at debug every request with its id. ret is always to be
 * freed. */
int aws_call(struct aws *a, const struct aws_request *req,
    struct aws_reply *ret) MUST_CHECK;
void aws_reply_free(struct aws_reply *r); /* members, wiped */

/* Does the error of a call say that AWS could not be reached, or not in time,
 * rather than what AWS answered? */
bool aws_is_out_of_reach(int err);

/* "AccessDenied: User ... is not authorized (request 4442587FB7D0A2F9)", with
 * the host's id after a comma where there is one, or what went wrong on the
 * network. Writes to buf and returns it. */
const char *aws_why(const struct aws_reply *r, char *buf, size_t size);

/* The same of a call that needs the IAM action, with what to do: where policy
 * refuses it "...; the policy must allow s3:GetObject", else what awscause.h
 * has for the code, if anything. */
const char *aws_why_not(const struct aws_reply *r, const char *action,
    char *buf, size_t size);

/* How the calling thread's last aws_call() ended, for who shows it to a person:
 * of it all the services pass on is an errno. */
struct aws_outcome {
	bool is_set;	     /* a call was made since aws_outcome_clear() */
	struct awserr error; /* code "" after a success; status 0 when there was
			      * no reply; request_id whenever AWS gave one */
	char why[AWS_WHY_MAX]; /* aws_why() */
};
const struct aws_outcome *aws_outcome(void); /* of this thread; borrowed */
void aws_outcome_clear(void);

#endif
