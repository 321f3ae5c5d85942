#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/endpoint.h"
#include "store/log.h"

struct partition {
	const char *prefix; /* of the region names */
	const char *id;	    /* in ARNs */
	const char *suffix;
	const char *dual_suffix;
	bool lacks_s3_fips;
};

/* In order: the first whose prefix fits. */
static const struct partition partitions[] = {
	{ "cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn",
	    true },
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws" },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk",
	    "api.cloud-aws.adc-e.uk" },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov",
	    "api.aws.hci.ic.gov" },
	{ "eusc-", "aws-eusc", "amazonaws.eu",
	    "api.amazonwebservices.eu" },
	{ "", "aws", "amazonaws.com", "api.aws" },
};

bool
endpoint_is_region(const char *region)
{
	size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return region[n] == '\0' && n >= 2 && n < ENDPOINT_REGION_MAX &&
	    region[0] != '-' && region[n - 1] != '-';
}

static const struct partition *
partition_of(const char *region)
{
	const struct partition *p = partitions;

	while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
		p++;
	return p;
}

const char *
endpoint_partition(const char *region)
{
	return partition_of(region)->id;
}

/* In us-gov the plain names of these two are the FIPS ones, and there is no
 * other. */
static bool
is_fips_already(const char *service, const struct partition *p)
{
	return strcmp(p->prefix, "us-gov-") == 0 &&
	    (strcmp(service, "sts") == 0 || strcmp(service, "sqs") == 0);
}

/* IAM Identity Center has no FIPS endpoints, whatever is asked of others. */
static bool
is_without_fips(const char *service)
{
	return strcmp(service, "portal.sso") == 0 ||
	    strcmp(service, "oidc") == 0;
}

static const char *
region_fault(const char *region)
{
	if (!endpoint_is_region(region))
		return "not a region name";
	/* "aws-global", "aws-cn-global": SDKs know them, hosts do not. */
	if (strncmp(region, "aws-", 4) == 0)
		return "stands for all regions; name one, such as us-east-1";
	return NULL;
}

int
endpoint_aws(const char *service, const char *region, unsigned flags,
    struct endpoint *ret, const char **ret_why)
{
	const struct partition *p;
	const char *fips = "", *dual = "", *suffix;
	bool is_dual = flags & ENDPOINT_DUAL_STACK;
	bool is_s3 = strncmp(service, "s3", 2) == 0;

	*ret = (struct endpoint){ .is_tls = true };
	if ((*ret_why = region_fault(region)) != NULL)
		return -EINVAL;
	p = partition_of(region);
	if ((flags & ENDPOINT_FIPS) && is_s3 && p->lacks_s3_fips) {
		*ret_why = "AWS has no FIPS endpoint of S3 there; leave out "
			   "--fips";
		return -EOPNOTSUPP;
	}
	suffix = p->suffix;
	if ((flags & ENDPOINT_FIPS) && !is_without_fips(service) &&
	    (is_dual || !is_fips_already(service, p)))
		fips = "-fips";
	/* S3 had dual stack before the api.aws names and kept its own. */
	if (is_dual && is_s3)
		dual = ".dualstack";
	else if (is_dual)
		suffix = p->dual_suffix;
	snprintf(ret->host, sizeof(ret->host), "%s%s%s.%s.%s", service, fips,
	    dual, region, suffix);
	return 0;
}

const char *
endpoint_doubt(int err, unsigned flags)
{
	if (err != -EHOSTUNREACH || flags == 0)
		return "";
	if (flags == ENDPOINT_DUAL_STACK)
		return "; AWS may have no dual-stack endpoint in this region";
	return flags == ENDPOINT_FIPS ?
	    "; AWS may have no FIPS endpoint in this region" :
	    "; AWS may have no FIPS endpoint with IPv6 in this region";
}

static int
parse_port(const char *s, size_t len, uint16_t *ret)
{
	unsigned long v = 0;

	if (len < 1 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(s[i] - '0');
	}
	if (v < 1 || v > 65535)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* host, host:port, [v6] or [v6]:port */
static int
parse_authority(const char *s, size_t len, struct endpoint *ret)
{
	size_t host = len, ok;

	if (len > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', len);

		if (end == NULL)
			return -EINVAL;
		host = (size_t)(end - s) + 1;
		ok = strspn(s + 1, "0123456789abcdefABCDEF:.") + 2;
	} else {
		const char *colon = memchr(s, ':', len);

		if (colon != NULL)
			host = (size_t)(colon - s);
		ok = strspn(s, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
	}
	if (host == 0 || host >= sizeof(ret->host) || ok < host)
		return -EINVAL;
	memcpy(ret->host, s, host);
	if (host == len)
		return 0;
	if (s[host] != ':')
		return -EINVAL;
	return parse_port(s + host + 1, len - host - 1, &ret->port);
}

static int
parse_base(const char *s, struct endpoint *ret)
{
	size_t len = strlen(s);

	while (len > 0 && s[len - 1] == '/')
		len--;
	if (len >= sizeof(ret->base))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] == '%' || s[i] == 0x7f)
			return -EINVAL;
	memcpy(ret->base, s, len);
	return 0;
}

int
endpoint_parse(const char *url, struct endpoint *ret, const char **ret_why)
{
	const char *s = url;
	size_t len;

	*ret = (struct endpoint){ .is_custom = true };
	if (strncasecmp(url, "https://", 8) == 0) {
		ret->is_tls = true;
		s += 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		s += 7;
	} else {
		*ret_why = "is neither http:// nor https://";
		return -EINVAL;
	}
	len = strcspn(s, "/?#");
	if (memchr(s, '@', len) != NULL) {
		*ret_why = "has a user name or password in it";
		return -EINVAL;
	}
	if (s[len + strcspn(s + len, "?#")] != '\0') {
		*ret_why = "has a query or a fragment";
		return -EINVAL;
	}
	if (parse_authority(s, len, ret) < 0) {
		*ret_why = "has no proper host and port";
		return -EINVAL;
	}
	if (parse_base(s + len, ret) < 0) {
		*ret_why = "has a path that cannot be used";
		return -EINVAL;
	}
	*ret_why = NULL;
	return 0;
}

/* Does what follows the region in a host belong to its partition? */
static bool
is_suffix(const char *s, const struct partition *p)
{
	if (strncasecmp(s, "vpce.", 5) == 0)
		s += 5;
	return strcasecmp(s, p->suffix) == 0 ||
	    strcasecmp(s, p->dual_suffix) == 0;
}

/* As eu-west-1 or us-gov-east-1; not "s3-us-west-2", as hosts once had it. */
static bool
is_region_shaped(const char *s)
{
	size_t first = strspn(s, "abcdefghijklmnopqrstuvwxyz");
	const char *last = strrchr(s, '-');

	return endpoint_is_region(s) && first >= 2 && s[first] == '-' &&
	    last > s + first && strspn(last + 1, "0123456789") ==
	    strlen(last + 1);
}

bool
endpoint_region(const struct endpoint *e, char ret[ENDPOINT_REGION_MAX])
{
	const char *label = e->host, *dot;

	for (; (dot = strchr(label, '.')) != NULL; label = dot + 1) {
		size_t n = (size_t)(dot - label);

		if (n >= ENDPOINT_REGION_MAX)
			continue;
		memcpy(ret, label, n);
		ret[n] = '\0';
		if (is_region_shaped(ret) &&
		    is_suffix(dot + 1, partition_of(ret)))
			return true;
	}
	ret[0] = '\0';
	return false;
}

int
endpoint_choose(const char *url, const char *service, const char *region,
    unsigned flags, struct endpoint *ret)
{
	const char *why;
	int r;

	if (url != NULL && url[0] != '\0') {
		if (endpoint_parse(url, ret, &why) < 0)
			return log_err(-EINVAL, "%s: endpoint URL %s", service,
			    why);
		return 0;
	}
	if ((r = endpoint_aws(service, region, flags, ret, &why)) < 0)
		return log_err(r, "%s: region \"%s\": %s", service, region,
		    why);
	return 0;
}

bool
endpoint_is_loopback(const struct endpoint *e)
{
	const char *h = e->host, *dot;
	unsigned a[4];
	size_t n = strlen(h);
	char end;

	if (strcasecmp(h, "localhost") == 0 || strcmp(h, "[::1]") == 0)
		return true;
	dot = n > 10 ? h + n - 10 : "";
	if (strcasecmp(dot, ".localhost") == 0)
		return true;
	/* Digits and dots only: 127.0.0.1.example.com is elsewhere. */
	return sscanf(h, "%3u.%3u.%3u.%3u%c", &a[0], &a[1], &a[2], &a[3],
	    &end) == 4 && a[0] == 127 && a[1] < 256 && a[2] < 256 &&
	    a[3] < 256 && strspn(h, "0123456789.") == n;
}

bool
endpoint_is_bucket(const char *bucket)
{
	size_t n = strspn(bucket, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	return bucket[n] == '\0' && n >= 3 && n <= 255 &&
	    strcmp(bucket, "...") != 0;
}

static bool
is_dns_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-");

	if (s[n] != '\0' || n < 3 || n > 63 || strstr(s, "..") != NULL ||
	    strstr(s, ".-") != NULL || strstr(s, "-.") != NULL)
		return false;
	return s[0] != '.' && s[0] != '-' && s[n - 1] != '.' &&
	    s[n - 1] != '-';
}

bool
endpoint_is_address(const struct endpoint *e)
{
	return e->host[0] == '[' ||
	    e->host[strspn(e->host, "0123456789.")] == '\0';
}

bool
endpoint_can_virtual(const struct endpoint *e, const char *bucket)
{
	return is_dns_name(bucket) && !endpoint_is_address(e) &&
	    (!e->is_tls || strchr(bucket, '.') == NULL);
}

int
endpoint_bucket(const struct endpoint *e, const char *bucket, bool path_style,
    struct endpoint *ret)
{
	int n, max;

	*ret = *e;
	if (!endpoint_is_bucket(bucket))
		return -EINVAL;
	if (path_style) {
		max = sizeof(ret->base);
		n = snprintf(ret->base, sizeof(ret->base), "%s/%s", e->base,
		    bucket);
	} else {
		max = sizeof(ret->host);
		n = snprintf(ret->host, sizeof(ret->host), "%s.%s", bucket,
		    e->host);
	}
	return n < max ? 0 : -EINVAL;
}

void
endpoint_host_header(const struct endpoint *e,
    char ret[ENDPOINT_HOST_MAX + 8])
{
	if (e->port == 0 || e->port == (e->is_tls ? 443 : 80))
		snprintf(ret, ENDPOINT_HOST_MAX + 8, "%s", e->host);
	else
		snprintf(ret, ENDPOINT_HOST_MAX + 8, "%s:%u", e->host, e->port);
}
