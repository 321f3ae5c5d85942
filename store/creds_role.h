/* creds_role.h -- what all who assume a role have in common. */
#ifndef SESFS_STORE_CREDS_ROLE_H
#define SESFS_STORE_CREDS_ROLE_H

#include "store/creds.h"

#define CREDS_ROLE_NAME_MAX 64 /* bytes with the zero */

/* STS's region when nothing names one: it answers for every account. */
#define CREDS_ROLE_REGION "us-east-1"

/* A name for a session that was given none. */
void creds_role_session_name(char ret[CREDS_ROLE_NAME_MAX]);

/* duration_seconds of a profile, 0 when it has none. Returns 0; -EINVAL with
 * the reason in `why` when STS would never take it. */
int creds_role_duration(const struct awsconf *conf, const char *profile,
    unsigned *ret, char why[CREDS_WHY_MAX]) MUST_CHECK;

#endif
