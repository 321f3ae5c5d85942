/* iam.h -- AWS's identity policies, and what they decide.
 *
 * As the IAM user guide has it: an explicit Deny wins, then an Allow, else the
 * answer is no. Strict where AWS is silent: an action, operator, condition key
 * or policy variable that is not known here makes the whole policy invalid, so
 * that a test cannot pass for the reason that something was not understood.
 * Pure; a policy never changes once it is made. */
#ifndef CLOUD_IAM_H
#define CLOUD_IAM_H

#include "base.h"

#define IAM_WHY_MAX 256 /* bytes of a reason, with the zero */

struct iam_policy;

/* Read a policy document, JSON. Returns 0, or -EINVAL with the reason in
 * `why` and *ret NULL. Free: iam_policy_free(). */
int iam_policy_parse(const char *text, size_t len, struct iam_policy **ret,
    char why[IAM_WHY_MAX]) MUST_CHECK;
void iam_policy_free(struct iam_policy *p);

/* What is asked. */
struct iam_ask {
	const char *action; /* "s3:GetObject" */
	const char *resource; /* an ARN, or "*" when the action has none */
	const struct pair *context; /* condition keys that the request has; one
				     * of several values stands there as often */
	size_t context_len;
};

enum iam_verdict {
	IAM_NOT_ALLOWED, /* no statement says yes */
	IAM_ALLOWED,
	IAM_DENIED, /* a statement says no */
};

enum iam_verdict iam_policy_decide(const struct iam_policy *p,
    const struct iam_ask *ask);

#endif
