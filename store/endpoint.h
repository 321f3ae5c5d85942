/* endpoint.h -- where a service answers.
 *
 * Pure: names are made and URLs read, nothing is resolved. */
#ifndef SESFS_STORE_ENDPOINT_H
#define SESFS_STORE_ENDPOINT_H

#include "crypto/base.h"

#define ENDPOINT_HOST_MAX 256 /* bytes with the zero */
#define ENDPOINT_BASE_MAX 256 /* bytes with the zero */
#define ENDPOINT_REGION_MAX 32 /* bytes with the zero */

struct endpoint {
	bool is_tls;
	bool is_custom; /* came from a URL */
	uint16_t port;	/* 0: the scheme's own */
	char host[ENDPOINT_HOST_MAX]; /* an IPv6 address has its brackets */
	char base[ENDPOINT_BASE_MAX]; /* raw path before every request's, ""
				       * or "/x" */
};

enum {
	ENDPOINT_FIPS = 1,
	ENDPOINT_DUAL_STACK = 2,
};

static inline unsigned
endpoint_flags(bool fips, bool dual_stack)
{
	return (fips ? ENDPOINT_FIPS : 0U) |
	    (dual_stack ? ENDPOINT_DUAL_STACK : 0U);
}

/* Does it look like a region name ([a-z0-9-], 2 to 31 bytes, no hyphen at an
 * end)? What AWS sends back is believed only in this shape. */
bool endpoint_is_region(const char *region);

/* The name that ARNs give the partition of a region: "aws", "aws-cn", ... A
 * region that is not known to be elsewhere is in "aws". */
const char *endpoint_partition(const char *region);

/* AWS's own endpoint of a service ("s3", "s3-accesspoint", "kms", "sts",
 * "sqs", "portal.sso", "oidc") in a region, of any partition. flags: ENDPOINT_FIPS, which the last
 * two know nothing of, and ENDPOINT_DUAL_STACK. Returns 0; -EINVAL for what
 * names no region; -EOPNOTSUPP when AWS has no such endpoint there. *ret_why
 * (never NULL) says what is wrong with the region, for a message.
 *
 * AWS publishes the names by rule, not by list: a name that is made here may
 * have no address yet. endpoint_doubt() is for then. */
int endpoint_aws(const char *service, const char *region, unsigned flags,
    struct endpoint *ret, const char **ret_why) MUST_CHECK;

/* What to add to the message of a request that failed with err: a hint when
 * the host has no address and is of a kind that not every region has, else
 * "". */
const char *endpoint_doubt(int err, unsigned flags);

/* An endpoint URL: http or https, a host, perhaps a port and a path. Returns
 * 0; -EINVAL when it is anything else, has a user or password, a query or a
 * fragment. *ret_why (never NULL) says which, for a message that does not
 * repeat the URL. */
int endpoint_parse(const char *url, struct endpoint *ret,
    const char **ret_why) MUST_CHECK;

/* The region that a host of AWS's own tells, be it a public one or that of a
 * VPC endpoint. False, and "", for all others. */
bool endpoint_region(const struct endpoint *e, char ret[ENDPOINT_REGION_MAX]);

/* The URL if given, else AWS's own. Errors of endpoint_parse() and
 * endpoint_aws(), logged. */
int endpoint_choose(const char *url, const char *service, const char *region,
    unsigned flags, struct endpoint *ret) MUST_CHECK;

/* Is the host this very machine: localhost, *.localhost, 127/8 or [::1]? */
bool endpoint_is_loopback(const struct endpoint *e);

/* A bucket name as S3 allows it: 3 to 63 of [a-z0-9.-], and older names with
 * capitals and underscores up to 255. */
bool endpoint_is_bucket(const char *bucket);

/* Is the host an address, before which no name can stand? */
bool endpoint_is_address(const struct endpoint *e);

/* May the bucket stand in the host name: DNS labels only and, under TLS, no
 * dot, which the wildcard certificate would not cover? */
bool endpoint_can_virtual(const struct endpoint *e, const char *bucket);

/* Address a bucket: in the host name, or (path_style) in the base path.
 * Returns 0; -EINVAL for a bad bucket name, or one too long. */
int endpoint_bucket(const struct endpoint *e, const char *bucket,
    bool path_style, struct endpoint *ret) MUST_CHECK;

/* The Host header: with the port unless it is the scheme's. */
void endpoint_host_header(const struct endpoint *e,
    char ret[ENDPOINT_HOST_MAX + 8]);

#endif
