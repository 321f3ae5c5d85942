#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/s3_arn.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* The parts as they stand in the text. */
struct parts {
	char partition[16], service[24], region[ENDPOINT_REGION_MAX],
	    account[16];
	const char *name; /* not terminated */
	size_t name_len;
};

bool
s3_arn_is(const char *bucket)
{
	return strncmp(bucket, "arn:", 4) == 0;
}

static bool
take_part(const char **s, char *ret, size_t size)
{
	size_t n = strcspn(*s, ":/");

	if ((*s)[n] != ':' || n >= size)
		return false;
	memcpy(ret, *s, n);
	ret[n] = '\0';
	*s += n + 1;
	return true;
}

/* Returns what is wrong, or NULL. */
static const char *
split(const char *s, struct parts *ret)
{
	static const char form[] = "an access point is written "
				   "arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME";
	static const char kind[] = "accesspoint";
	const size_t n = sizeof(kind) - 1;

	if (!s3_arn_is(s))
		return form;
	s += 4;
	if (!take_part(&s, ret->partition, sizeof(ret->partition)) ||
	    !take_part(&s, ret->service, sizeof(ret->service)) ||
	    !take_part(&s, ret->region, sizeof(ret->region)) ||
	    !take_part(&s, ret->account, sizeof(ret->account)))
		return form;
	if (strcmp(ret->service, "s3-object-lambda") == 0)
		return "S3 Object Lambda access points are not supported";
	if (strcmp(ret->service, "s3-outposts") == 0)
		return "S3 on Outposts is not supported";
	if (strcmp(ret->service, "s3") != 0)
		return "the ARN is not one of S3";
	if (strncmp(s, kind, n) != 0 || (s[n] != '/' && s[n] != ':'))
		return "of ARNs only access points' are taken; a bucket is "
		       "written by its name";
	ret->name = s + n + 1;
	ret->name_len = strcspn(ret->name, "/");
	return NULL;
}

static bool
is_name(const char *s, size_t len)
{
	return len >= 3 && len <= 50 && s[0] != '-' && s[len - 1] != '-' &&
	    strspn(s, LOWER DIGITS "-") >= len;
}

static const char *
fault_of(const struct parts *p)
{
	if (p->region[0] == '\0')
		return "Multi-Region Access Points are not supported; name one "
		       "of a region";
	if (!endpoint_is_region(p->region))
		return "the ARN's region is not a region name";
	if (strcmp(p->partition, endpoint_partition(p->region)) != 0)
		return "the ARN's region is not of its partition";
	if (strlen(p->account) != 12 || strspn(p->account, DIGITS) != 12)
		return "the ARN's account is not twelve digits";
	if (!is_name(p->name, p->name_len))
		return "the name of an access point has 3 to 50 lower-case "
		       "letters, digits and hyphens";
	return NULL;
}

int
s3_arn_parse(const char *text, struct s3_arn *ret, size_t *ret_len,
    const char **ret_why)
{
	struct parts p = { .name = NULL };
	int len;

	memset(ret, 0, sizeof(*ret));
	*ret_len = 0;
	if ((*ret_why = split(text, &p)) != NULL ||
	    (*ret_why = fault_of(&p)) != NULL)
		return -EINVAL;
	len = (int)p.name_len;
	snprintf(ret->text, sizeof(ret->text),
	    "arn:%s:s3:%s:%s:accesspoint/%.*s", p.partition, p.region,
	    p.account, len, p.name);
	snprintf(ret->region, sizeof(ret->region), "%s", p.region);
	snprintf(ret->label, sizeof(ret->label), "%.*s-%s", len, p.name,
	    p.account);
	*ret_len = (size_t)(p.name - text) + p.name_len;
	return 0;
}
