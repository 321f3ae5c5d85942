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

/* Does it look like a region name ([a-z0-9-], 2 to 31 bytes, no hyphen at an
 * end)? What AWS sends back is believed only in this shape. */
bool endpoint_is_region(const char *region);

/* AWS's own endpoint of a service ("s3", "kms", "sts", "sqs") in a region, of
 * any partition. flags: ENDPOINT_FIPS, ENDPOINT_DUAL_STACK. Returns 0; -EINVAL
 * for a bad region name. */
int endpoint_aws(const char *service, const char *region, unsigned flags,
    struct endpoint *ret) MUST_CHECK;

/* An endpoint URL: http or https, a host, perhaps a port and a path. Returns
 * 0; -EINVAL when it is anything else, has a user or password, a query or a
 * fragment. *ret_why (never NULL) says which, for a message that does not
 * repeat the URL. */
int endpoint_parse(const char *url, struct endpoint *ret,
    const char **ret_why) MUST_CHECK;

/* The URL if given, else AWS's own. Logs what is wrong with a URL. */
int endpoint_choose(const char *url, const char *service, const char *region,
    unsigned flags, struct endpoint *ret) MUST_CHECK;

/* Is the host this very machine: localhost, *.localhost, 127/8 or [::1]? */
bool endpoint_is_loopback(const struct endpoint *e);

/* A bucket name as S3 allows it: 3 to 63 of [a-z0-9.-], and older names with
 * capitals and underscores up to 255. */
bool endpoint_is_bucket(const char *bucket);

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
