/* permit.h -- who may do what: the identity policies of the callers, and the
 * actions that a setting denies to all.
 *
 * A principal without a policy may do everything. Threads: any. */
#ifndef CLOUD_PERMIT_H
#define CLOUD_PERMIT_H

#include "cloud.h"
#include "iam.h"

struct permits *permits_new(void) MUST_CHECK;
void permits_free(struct permits *p);

/* From now on `principal` ("user/test", "role/mail") has this policy and no
 * other. Returns 0; -EINVAL with the reason in `why`; -ENOSPC. */
int permits_set(struct permits *p, const char *principal, const char *text,
    size_t len, char why[IAM_WHY_MAX]) MUST_CHECK;

/* Nobody has a policy. */
void permits_reset(struct permits *p);

/* The ARN of who asks: of a role's session, or the user's. */
const char *permit_caller(const struct cloud *c, struct request *req);

/* Is there anything to ask about this operation? When not, everybody may, and
 * what permit_refuses() would want to know need not be gathered. */
bool permit_is_limited(const struct cloud *c, enum op op);

/* NULL when the caller may; else AWS's message, which names `shown` as the
 * resource (it is quoted by S3). Notes the denial in the log. */
const char *permit_refuses(struct cloud *c, struct request *req,
    const struct iam_ask *ask, const char *shown) MUST_CHECK;

#endif
