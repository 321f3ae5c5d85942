#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/stamp.h"

/* Days from 1970-01-01 of a Gregorian date. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool
is_leap(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int
to_unix(unsigned y, unsigned mo, unsigned d, unsigned h, unsigned mi,
    unsigned s, int64_t *ret)
{
	static const unsigned char len[] = { 31, 28, 31, 30, 31, 30, 31, 31,
		30, 31, 30, 31 };

	if (mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 60 ||
	    d > len[mo - 1] + (mo == 2 && is_leap(y) ? 1U : 0U))
		return -EINVAL;
	*ret = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
	return 0;
}

/* Exactly `n` digits at *s; moves *s behind them. */
static bool
digits(const char **s, int n, unsigned *ret)
{
	*ret = 0;
	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*ret = *ret * 10 + (unsigned)(**s - '0');
	}
	return true;
}

static bool
skip(const char **s, const char *set)
{
	if (**s == '\0' || strchr(set, **s) == NULL)
		return false;
	(*s)++;
	return true;
}

/* "Z", "+hh:mm", "-hhmm" or "+hh", to the end of the string. */
static bool
zone(const char *s, int64_t *ret_s)
{
	unsigned h, m = 0;
	int sign = *s == '-' ? -1 : 1;

	*ret_s = 0;
	if (skip(&s, "Zz"))
		return *s == '\0';
	if (!skip(&s, "+-") || !digits(&s, 2, &h))
		return false;
	if (*s != '\0') {
		skip(&s, ":");
		if (!digits(&s, 2, &m))
			return false;
	}
	*ret_s = sign * (int64_t)(h * 3600 + m * 60);
	return *s == '\0' && h <= 23 && m <= 59;
}

int
stamp_parse_iso(const char *s, int64_t *ret_unix)
{
	unsigned y, mo, d, h, mi, sec;
	int64_t t, off;

	if (!digits(&s, 4, &y) || !skip(&s, "-") || !digits(&s, 2, &mo) ||
	    !skip(&s, "-") || !digits(&s, 2, &d) || !skip(&s, "Tt ") ||
	    !digits(&s, 2, &h) || !skip(&s, ":") || !digits(&s, 2, &mi) ||
	    !skip(&s, ":") || !digits(&s, 2, &sec))
		return -EINVAL;
	if (skip(&s, "."))
		while (*s >= '0' && *s <= '9')
			s++;
	if (!zone(s, &off) || to_unix(y, mo, d, h, mi, sec, &t) < 0)
		return -EINVAL;
	*ret_unix = t - off;
	return 0;
}

int
stamp_parse_http(const char *s, int64_t *ret_unix)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned y, d, h, mi, sec;
	char name[4] = "";
	const char *comma = strchr(s, ','), *at;

	if (comma == NULL || comma - s != 3)
		return -EINVAL;
	s = comma + 1;
	if (!skip(&s, " ") || !digits(&s, 2, &d) || !skip(&s, " ") ||
	    strnlen(s, 4) < 4)
		return -EINVAL;
	memcpy(name, s, 3);
	s += 3;
	at = strstr(months, name);
	if (at == NULL || (at - months) % 3 != 0)
		return -EINVAL;
	if (!skip(&s, " ") || !digits(&s, 4, &y) || !skip(&s, " ") ||
	    !digits(&s, 2, &h) || !skip(&s, ":") || !digits(&s, 2, &mi) ||
	    !skip(&s, ":") || !digits(&s, 2, &sec) ||
	    strcmp(s, " GMT") != 0)
		return -EINVAL;
	return to_unix(y, (unsigned)(at - months) / 3 + 1, d, h, mi, sec,
	    ret_unix);
}

int64_t
stamp_now_unix(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

int64_t
stamp_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
