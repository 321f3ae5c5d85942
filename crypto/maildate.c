#include "crypto/maildate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define TOKENS_MAX 8
#define TOKEN_LEN 16 /* bytes, with the zero */

struct tokens {
	char text[TOKENS_MAX][TOKEN_LEN];
	size_t n;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* Bytes of the comment at `s`, nested ones and all. */
static size_t
skip_comment(const char *s, size_t len)
{
	size_t depth = 0, i;

	for (i = 0; i < len; i++) {
		if (s[i] == '\\')
			i++;
		else if (s[i] == '(')
			depth++;
		else if (s[i] == ')' && --depth == 0)
			return i + 1;
	}
	return len;
}

/* Cut at white space, commas and comments. A token too long to be part of a
 * date, or one too many, ends the list. */
static void
tokenize(const char *s, size_t len, struct tokens *ret)
{
	size_t i = 0;

	ret->n = 0;
	while (i < len && ret->n < TOKENS_MAX) {
		size_t start = i;

		if (is_space(s[i])) {
			i++;
			continue;
		}
		if (s[i] == '(') {
			i += skip_comment(s + i, len - i);
			continue;
		}
		while (i < len && !is_space(s[i]) && s[i] != '(')
			i++;
		if (i - start >= TOKEN_LEN)
			return;
		memcpy(ret->text[ret->n], s + start, i - start);
		ret->text[ret->n++][i - start] = '\0';
	}
}

/* A decimal number of `min` to `max` digits at *s, moved past it; or -1. */
static int
number(const char **s, size_t min, size_t max)
{
	size_t digits = strspn(*s, "0123456789");
	int n = 0;

	if (digits < min || digits > max)
		return -1;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (*s)[i] - '0';
	*s += digits;
	return n;
}

static int
parse_number(const char *s, size_t min, size_t max)
{
	int n = number(&s, min, max);

	return *s == '\0' ? n : -1;
}

/* 1 to 12, or -1. Only the first three letters, as some spell it out. */
static int
parse_month(const char *s)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int i = 0; i < 12; i++) {
		if (strncasecmp(s, names + 3 * i, 3) == 0)
			return i + 1;
	}
	return -1;
}

/* RFC 5322 4.3. */
static int
parse_year(const char *s)
{
	int year = parse_number(s, 2, 4);

	if (year < 0 || strlen(s) == 4)
		return year;
	return year + (year < 50 ? 2000 : 1900);
}

/* Seconds since midnight, or -1. */
static int
parse_time(const char *s)
{
	int h, m, sec = 0;

	if ((h = number(&s, 1, 2)) < 0 || h > 23 || *s++ != ':' ||
	    (m = number(&s, 1, 2)) < 0 || m > 59)
		return -1;
	if (*s == ':') {
		s++;
		if ((sec = number(&s, 1, 2)) < 0 || sec > 60)
			return -1;
	}
	return *s == '\0' ? (h * 60 + m) * 60 + sec : -1;
}

/* Seconds east of UTC. Military zones were defined with the wrong sign in
 * RFC 822, so they say nothing (RFC 5322 4.3). */
static int
parse_zone(const char *s)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 },
		{ "CDT", -5 }, { "MST", -7 }, { "MDT", -6 }, { "PST", -8 },
		{ "PDT", -7 } };
	int n;

	if (*s == '+' || *s == '-') {
		if ((n = parse_number(s + 1, 4, 4)) < 0 || n % 100 > 59)
			return 0;
		n = (n / 100 * 60 + n % 100) * 60;
		return *s == '-' ? -n : n;
	}
	for (size_t i = 0; i < NELEMS(zones); i++) {
		if (strcasecmp(s, zones[i].name) == 0)
			return zones[i].hours * 3600;
	}
	return 0;
}

static int
days_in_month(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, in the Gregorian calendar, for years from 0 on. */
static int64_t
days_from_civil(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day -
	    1;

	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

int
maildate_parse(const char *text, size_t len, int64_t *ret)
{
	struct tokens t;
	size_t i = 0;
	int day, month, year, secs;

	*ret = 0;
	tokenize(text, len, &t);
	if (t.n > 0 && (t.text[0][0] < '0' || t.text[0][0] > '9'))
		i++; /* the weekday */
	if (t.n < i + 4)
		return -EBADMSG;
	day = parse_number(t.text[i], 1, 2);
	month = parse_month(t.text[i + 1]);
	year = parse_year(t.text[i + 2]);
	secs = parse_time(t.text[i + 3]);
	if (month < 0 || year < 1 || secs < 0 || day < 1 ||
	    day > days_in_month(year, month))
		return -EBADMSG;
	*ret = days_from_civil(year, month, day) * 86400 + secs;
	if (t.n > i + 4)
		*ret -= parse_zone(t.text[i + 4]);
	return 0;
}
