#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/sqs.h"

#define DIGITS "0123456789"
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-_"
#define ACCOUNT_LEN 12

/* The label at s, if it could be a region. */
static bool
take_region(const char *s, char ret[ENDPOINT_REGION_MAX])
{
	size_t n = strcspn(s, ".");

	if (n >= ENDPOINT_REGION_MAX)
		return false;
	memcpy(ret, s, n);
	ret[n] = '\0';
	return endpoint_is_region(ret);
}

static bool
is_own_host(const char *host, const char *region)
{
	struct endpoint e;
	const char *why;

	for (unsigned flags = 0;
	     flags <= (ENDPOINT_FIPS | ENDPOINT_DUAL_STACK); flags++)
		if (endpoint_aws("sqs", region, flags, &e, &why) == 0 &&
		    strcasecmp(e.host, host) == 0)
			return true;
	return false;
}

/* queue.amazonaws.com and REGION.queue.amazonaws.com, which old programs and
 * the SDKs of their time still print. */
static bool
is_old_host(const char *host, char ret[ENDPOINT_REGION_MAX])
{
	static const char old[] = "queue.amazonaws.com";
	const char *dot = strchr(host, '.');

	if (strcasecmp(host, old) == 0) {
		strcpy(ret, "us-east-1");
		return true;
	}
	return dot != NULL && strcasecmp(dot + 1, old) == 0 &&
	    take_region(host, ret);
}

/* Which region does a host name, and is it AWS's public one? */
static bool
read_host(const char *host, char ret[ENDPOINT_REGION_MAX])
{
	const char *dot = strchr(host, '.'), *vpc = strstr(host, ".vpce.");

	if (is_old_host(host, ret))
		return true;
	if (dot != NULL && take_region(dot + 1, ret) && is_own_host(host, ret))
		return true;
	ret[0] = '\0';
	/* vpce-0123.sqs.REGION.vpce.amazonaws.com */
	dot = strstr(host, ".sqs.");
	if (strncmp(host, "vpce-", 5) != 0 || dot == NULL || vpc == NULL ||
	    !take_region(dot + 5, ret) || dot + 5 + strlen(ret) != vpc)
		ret[0] = '\0';
	return false;
}

/* "/ACCOUNT/NAME" */
static const char *
read_path(const char *path, struct sqs_url *ret)
{
	const char *name = path + 1 + ACCOUNT_LEN + 1;
	size_t len = strlen(path);

	if (len < ACCOUNT_LEN + 3 || path[0] != '/' ||
	    strspn(path + 1, DIGITS) != ACCOUNT_LEN ||
	    path[1 + ACCOUNT_LEN] != '/')
		return "is not https://HOST/ACCOUNT/NAME";
	len = strlen(name);
	if (len > 5 && strcmp(name + len - 5, ".fifo") == 0)
		return "is a FIFO queue, to which S3 sends no events";
	if (len >= sizeof(ret->name) || strspn(name, NAME_CHARS) != len)
		return "has a name that is none of a queue";
	memcpy(ret->account, path + 1, ACCOUNT_LEN);
	memcpy(ret->name, name, len + 1);
	return NULL;
}

int
sqs_url_parse(const char *url, struct sqs_url *ret, const char **ret_why)
{
	*ret = (struct sqs_url){ .is_aws = false };
	if (endpoint_parse(url, &ret->endpoint, ret_why) < 0)
		return -EINVAL;
	if ((*ret_why = read_path(ret->endpoint.base, ret)) != NULL)
		return -EINVAL;
	ret->endpoint.base[0] = '\0';
	ret->is_aws = read_host(ret->endpoint.host, ret->region);
	if (ret->is_aws && !ret->endpoint.is_tls) {
		*ret_why = "is AWS's but not https://";
		return -EINVAL;
	}
	return 0;
}
