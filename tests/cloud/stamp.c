#include "stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct tm
utc(int64_t at_unix)
{
	time_t at = (time_t)at_unix;
	struct tm tm;

	gmtime_r(&at, &tm);
	return tm;
}

void
stamp_http(int64_t at_unix, char ret[STAMP_LEN])
{
	struct tm tm = utc(at_unix);

	strftime(ret, STAMP_LEN, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

void
stamp_iso(int64_t at_unix, char ret[STAMP_LEN])
{
	struct tm tm = utc(at_unix);

	strftime(ret, STAMP_LEN, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

void
stamp_amz(int64_t at_unix, char ret[STAMP_LEN])
{
	struct tm tm = utc(at_unix);

	strftime(ret, STAMP_LEN, "%Y%m%dT%H%M%SZ", &tm);
}

void
stamp_mail(int64_t at_unix, int offset_min, char ret[STAMP_LEN])
{
	struct tm tm = utc(at_unix + 60 * (int64_t)offset_min);
	unsigned mins = (unsigned)abs(offset_min);
	size_t len;

	len = strftime(ret, STAMP_LEN, "%a, %d %b %Y %H:%M:%S", &tm);
	snprintf(ret + len, STAMP_LEN - len, " %c%02u%02u",
	    offset_min < 0 ? '-' : '+', mins / 60 % 24, mins % 60);
}

static int
parse(const char *s, const char *fmt, int64_t *ret_unix)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, fmt, &tm);

	if (end == NULL || *end != '\0')
		return -EINVAL;
	*ret_unix = (int64_t)timegm(&tm);
	return 0;
}

int
stamp_parse_http(const char *s, int64_t *ret_unix)
{
	return parse(s, "%a, %d %b %Y %H:%M:%S GMT", ret_unix);
}

int
stamp_parse_amz(const char *s, int64_t *ret_unix)
{
	return strlen(s) == 16 ? parse(s, "%Y%m%dT%H%M%SZ", ret_unix) : -EINVAL;
}

int64_t
stamp_now(void)
{
	return (int64_t)time(NULL);
}

int64_t
stamp_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
