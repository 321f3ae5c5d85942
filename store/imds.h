/* imds.h -- what an EC2 instance is told about itself.
 *
 * The instance metadata service, version 2 alone: a token first, which no
 * forwarded request can get. On a machine that is no instance nobody answers,
 * so that the first request has a second and a few attempts, as botocore's. */
#ifndef SESFS_STORE_IMDS_H
#define SESFS_STORE_IMDS_H

#include "store/creds.h"
#include "store/endpoint.h"

/* What creds_source() calls it. */
#define IMDS_SOURCE "instance metadata"

/* The credentials of its role. Returns 0; -ENOENT when it is switched off
 * (AWS_EC2_METADATA_DISABLED), nobody answers at the usual address, or the
 * instance has no role; errors of http.h when the address was configured; all
 * with why. */
int imds_credentials(const struct creds_setup *s, struct creds_value *ret,
    char why[CREDS_WHY_MAX]) MUST_CHECK;

/* Its region. Errors as above. */
int imds_region(const struct creds_setup *s, char ret[ENDPOINT_REGION_MAX],
    char why[CREDS_WHY_MAX]) MUST_CHECK;

/* Pure: is it a name of a role that may go into a URL? */
bool imds_is_role(struct slice name);

#endif
