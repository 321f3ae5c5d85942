/* sts.h -- who am I, and who may I become. */
#ifndef SESFS_STORE_STS_H
#define SESFS_STORE_STS_H

#include "store/aws.h"

struct sts_opts {
	struct aws *aws;
	const char *region;
	const char *endpoint_url; /* NULL: AWS's own */
	bool fips, dual_stack;
};

/* Where it is asked. Returns 0; -EINVAL, logged. */
int sts_endpoint(const struct sts_opts *o, struct endpoint *ret) MUST_CHECK;

struct sts_identity {
	char account[16];
	char arn[512];
};

/* GetCallerIdentity. Errors as in s3.h. */
int sts_get_caller_identity(const struct sts_opts *o,
    struct sts_identity *ret) MUST_CHECK;

/* A role to assume; what is NULL or 0 is not sent. */
struct sts_role {
	const char *arn, *session_name;
	const char *external_id, *mfa_serial, *mfa_code;
	const char *web_token; /* instead of a signature */
	unsigned duration_s;
};

/* AssumeRole, signed by o->aws. Returns 0; errors as in s3.h with the reason in
 * `why` (nothing is logged). */
int sts_assume_role(const struct sts_opts *o, const struct sts_role *role,
    struct creds_value *ret, char why[CREDS_WHY_MAX]) MUST_CHECK;

/* AssumeRoleWithWebIdentity, which nobody signs; o->aws may be NULL. Errors of
 * creds_http.h. */
int sts_assume_role_with_web_identity(const struct sts_opts *o,
    struct http *http, bool allow_http, const struct sts_role *role,
    struct creds_value *ret, char why[CREDS_WHY_MAX]) MUST_CHECK;

/* Pure: the credentials in the answer of the one or the other. Returns 0;
 * -EPROTO; then *ret is all zero. */
int sts_parse_credentials(struct slice xml, struct creds_value *ret)
    MUST_CHECK;

#endif
