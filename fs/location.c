#include "fs/location.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
ends(const char *s, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && strncmp(s + len - n, with, n) == 0;
}

/* S3's rules for the names of general purpose buckets. */
static const char *
bucket_fault(const char *b, size_t len)
{
	if (len < 3 || len > 63)
		return "a bucket name has 3 to 63 characters";
	for (size_t i = 0; i < len; i++)
		if (b[i] >= 'A' && b[i] <= 'Z')
			return "a bucket name has no capital letters";
	if (!is_label_char(b[0]) || !is_label_char(b[len - 1]))
		return "a bucket name begins and ends with a letter or digit";
	for (size_t i = 0; i < len; i++) {
		if (!is_label_char(b[i]) && b[i] != '.' && b[i] != '-')
			return "a bucket name has lower-case letters, digits, "
			       "dots and hyphens only";
		if (i > 0 && b[i] == '.' && b[i - 1] == '.')
			return "a bucket name has no two dots in a row";
	}
	if (strspn(b, "0123456789.") >= len)
		return "a bucket name does not look like an IP address";
	if (ends(b, len, "--x-s3") || ends(b, len, "--xa-s3"))
		return "directory buckets (S3 Express) are not supported";
	if (ends(b, len, "--op-s3"))
		return "S3 on Outposts is not supported";
	return NULL;
}

static int
fault(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* Sets prefix from what follows the slash after the bucket. */
static int
set_prefix(struct location *l, const char *text, const char **ret_why)
{
	size_t len = strlen(text);
	bool is_raw = len > 0 && text[len - 1] == '*';

	if (is_raw)
		len--;
	if (len + 1 > LOCATION_PREFIX_MAX)
		return fault(ret_why, "the prefix is longer than an S3 key");
	memcpy(l->prefix, text, len);
	if (len > 0 && !is_raw && l->prefix[len - 1] != '/')
		l->prefix[len++] = '/';
	l->prefix[len] = '\0';
	snprintf(l->url, sizeof(l->url), "s3://%s%s%s%s", l->bucket,
	    len > 0 ? "/" : "", l->prefix,
	    is_raw && len > 0 && l->prefix[len - 1] != '/' ? "*" : "");
	return 0;
}

/* Sets bucket and the length of what stood for it. */
static int
set_bucket(struct location *l, const char *text, size_t *ret_len,
    const char **ret_why)
{
	struct s3_arn arn;
	const char *why;
	size_t len = strcspn(text, "/");

	if (s3_arn_is(text)) {
		if (s3_arn_parse(text, &arn, ret_len, ret_why) < 0)
			return -EINVAL;
		snprintf(l->bucket, sizeof(l->bucket), "%s", arn.text);
		return 0;
	}
	if (memchr(text, '@', len) != NULL || memchr(text, ':', len) != NULL)
		return fault(ret_why, "credentials do not belong in a URL");
	if ((why = bucket_fault(text, len)) != NULL)
		return fault(ret_why, why);
	memcpy(l->bucket, text, len);
	*ret_len = len;
	return 0;
}

int
location_parse(const char *text, struct location *ret, const char **ret_why)
{
	const char *bucket;
	size_t len;

	memset(ret, 0, sizeof(*ret));
	*ret_why = "";
	if (strncmp(text, "s3://", 5) != 0)
		return fault(ret_why, "a source is written s3://BUCKET/PREFIX");
	bucket = text + 5;
	if (set_bucket(ret, bucket, &len, ret_why) < 0)
		return -EINVAL;
	return set_prefix(ret, bucket[len] == '/' ? bucket + len + 1 : "",
	    ret_why);
}
