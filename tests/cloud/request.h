/* request.h -- one HTTP request as it came over the wire, and its reply.
 *
 * The target is kept as sent: MHD's own decoding is not used, because what was
 * signed has to be rebuilt exactly. A request belongs to one thread at a time
 * (it may move between threads while it is delayed). */
#ifndef CLOUD_REQUEST_H
#define CLOUD_REQUEST_H

#include "buf.h"

enum service { SERVICE_NONE, SERVICE_ADMIN, SERVICE_S3, SERVICE_KMS,
	SERVICE_STS, SERVICE_SQS,
	SERVICE_ID, /* IMDS, container endpoint, SSO, OIDC: not signed */
	SERVICE_COUNT };

/* What was asked for, as counters, log and permissions name it. */
enum op {
	OP_UNKNOWN,
	OP_S3_BUCKETS, OP_S3_LIST, OP_S3_GET, OP_S3_HEAD, OP_S3_PUT,
	OP_S3_DELETE, OP_S3_COPY, OP_S3_BUCKET_HEAD, OP_S3_BUCKET_CREATE,
	OP_S3_BUCKET_DELETE, OP_S3_LOCATION,
	OP_KMS_DECRYPT, OP_KMS_ENCRYPT, OP_KMS_GENERATE, OP_KMS_DESCRIBE,
	OP_KMS_OTHER,
	OP_SQS_CREATE, OP_SQS_URL, OP_SQS_GET, OP_SQS_SET, OP_SQS_OTHER,
	OP_STS_IDENTITY, OP_STS_ASSUME, OP_STS_WEB, OP_STS_OTHER,
	OP_IMDS_TOKEN, OP_IMDS_ROLE, OP_IMDS_CREDS, OP_IMDS_REGION,
	OP_CONTAINER, OP_SSO_CREDS, OP_OIDC_TOKEN, OP_ID_OTHER,
	OP_COUNT
};

/* "s3.get" */
const char *op_name(enum op op);

/* The IAM action, "s3:GetObject"; NULL where none is asked for. */
const char *op_action(enum op op);

/* The operation that has the action; OP_UNKNOWN when none. */
enum op op_by_action(const char *action);

/* Reference-counted bytes, shared by an object and the replies that send it. */
struct bytes {
	int refs; /* atomic */
	size_t len;
	uint8_t *p;
};

/* Take over the contents of `b`, leaving it empty. */
struct bytes *bytes_new(struct buf *b) MUST_CHECK;
struct bytes *bytes_ref(struct bytes *b);
void bytes_unref(struct bytes *b);

struct reply {
	int status;
	struct pair *headers; /* in the request's arena */
	size_t nheaders, cap;
	struct buf body;
	struct bytes *shared; /* instead of `body`: its [from, from + len) */
	size_t from, len;
	bool bodyless; /* an answer to HEAD: `len` is announced, nothing sent */
};

struct request {
	struct arena arena;
	const char *method;
	const char *target; /* as sent */
	const char *path; /* decoded; NULL when it cannot be */
	struct pair *query; /* decoded */
	size_t nquery;
	struct pair *headers; /* names in lower case */
	size_t nheaders, headers_cap;
	struct buf body;
	bool too_large; /* the body was above REQUEST_BODY_MAX and dropped */
	uint64_t serial; /* x-amz-request-id */

	enum service service;
	enum op op;
	const char *region; /* of the credential scope */
	const char *caller; /* ARN of a role's session; NULL for the user */
	const char *bucket, *key; /* NULL when the path has none */
	const char *access_point; /* ARN by which it came, or NULL */

	const char *fault; /* for the log, as are the next two */
	const char *kms_key;
	const char *kms_context;

	struct reply reply;
};

#define REQUEST_BODY_MAX (256u << 20) /* bytes */

/* Make a request for `target`. Free: request_free(). */
struct request *request_new(const char *target) MUST_CHECK;
void request_free(struct request *req);

/* Record a header; both strings are copied, the name in lower case. */
void request_add_header(struct request *req, const char *name,
    const char *value);

/* Values by name (lower case for headers); NULL when absent. */
const char *request_header(const struct request *req, const char *name);
const char *request_query(const struct request *req, const char *name);

/* Add a header to the reply; copies. */
void reply_header(struct request *req, const char *name, const char *value);
void reply_header_fmt(struct request *req, const char *name, const char *fmt,
    ...) PRINTF(3, 4);

/* Forget what was prepared: the reply becomes something else. */
void reply_reset(struct request *req, int status);

#endif
