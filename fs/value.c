#include "fs/value.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Digits of `base` at the start of text; *rest points behind them. */
static int
digits(const char *text, unsigned base, const char **rest, uint64_t *ret)
{
	uint64_t v = 0;
	const char *p;

	for (p = text; *p >= '0' && *p < (char)('0' + base); p++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	}
	if (p == text)
		return -EINVAL;
	*rest = p;
	*ret = v;
	return 0;
}

int
value_count(const char *text, uint64_t *ret)
{
	const char *rest;
	int r = digits(text, 10, &rest, ret);

	if (r == 0 && *rest != '\0')
		return -EINVAL;
	return r;
}

int
value_octal(const char *text, uint64_t *ret)
{
	const char *rest;
	int r = digits(text, 8, &rest, ret);

	if (r == 0 && *rest != '\0')
		return -EINVAL;
	return r;
}

/* A count and one of the suffix letters, each worth its factor. */
static int
scaled(const char *text, const char *letters, const uint64_t *factor,
    const char **rest, uint64_t *ret)
{
	const char *at;
	uint64_t v;
	int r;

	if ((r = digits(text, 10, rest, &v)) < 0)
		return r;
	*ret = v;
	if (**rest == '\0' || (at = strchr(letters, **rest)) == NULL)
		return 0;
	(*rest)++;
	if (__builtin_mul_overflow(v, factor[at - letters], ret))
		return -ERANGE;
	return 0;
}

int
value_size(const char *text, uint64_t *ret)
{
	static const uint64_t factor[] = { 1ULL << 10, 1ULL << 20, 1ULL << 30,
		1ULL << 40, 1ULL << 10, 1ULL << 20, 1ULL << 30, 1ULL << 40 };
	const char *rest;
	int r;

	if ((r = scaled(text, "KMGTkmgt", factor, &rest, ret)) < 0)
		return r;
	if (*rest == '\0' || strcasecmp(rest, "B") == 0)
		return 0;
	if (strcasecmp(rest, "iB") == 0 &&
	    strchr("KMGTkmgt", rest[-1]) != NULL)
		return 0;
	return -EINVAL;
}

int
value_seconds(const char *text, uint64_t *ret)
{
	static const uint64_t factor[] = { 1, 60, 3600, 86400 };
	const char *rest;
	int r = scaled(text, "smhd", factor, &rest, ret);

	if (r == 0 && *rest != '\0')
		return -EINVAL;
	return r;
}

int
value_bool(const char *text, bool *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true",
		"off", "on", "0", "1" };

	for (size_t i = 0; i < NELEMS(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return -EINVAL;
}

/* Exactly n digits at *p, moving it on. */
static bool
fixed(const char **p, int n, int *ret)
{
	*ret = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*ret = *ret * 10 + (**p - '0');
	}
	return true;
}

static bool
fixed_after(const char **p, char sep, int *ret)
{
	if (**p != sep)
		return false;
	(*p)++;
	return fixed(p, 2, ret);
}

int
value_date(const char *text, int64_t *ret, int64_t *ret_end)
{
	struct tm tm = { 0 };
	int year, month, day, hour = 0, minute = 0, second = 0;
	int64_t len = 86400, t;
	const char *p = text;

	if (!fixed(&p, 4, &year) || !fixed_after(&p, '-', &month) ||
	    !fixed_after(&p, '-', &day))
		return -EINVAL;
	if (*p == 'T') {
		if (!fixed_after(&p, 'T', &hour) ||
		    !fixed_after(&p, ':', &minute))
			return -EINVAL;
		len = 60;
		if (*p == ':') {
			if (!fixed_after(&p, ':', &second))
				return -EINVAL;
			len = 1;
		}
		if (*p == 'Z')
			p++;
	}
	if (*p != '\0')
		return -EINVAL;
	if (year < 1970 || hour > 23 || minute > 59 || second > 59)
		return -ERANGE;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	t = timegm(&tm);
	/* timegm() turns 31 February into March: such a day is no date. */
	if (tm.tm_mon != month - 1 || tm.tm_mday != day)
		return -ERANGE;
	*ret = t + hour * 3600 + minute * 60 + second;
	*ret_end = *ret + len;
	return 0;
}

/* Edit distance (insert, delete, replace, swap of neighbours), at most
 * NEAREST_MAX letters of either. */
#define NEAREST_MAX 32

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned
distance(const char *a, const char *b)
{
	unsigned d[NEAREST_MAX + 1][NEAREST_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NEAREST_MAX || lb > NEAREST_MAX)
		return UINT32_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
			    d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[la][lb];
}

const char *
value_nearest(const char *text, const char *const *words, size_t n)
{
	unsigned best = 1 + (unsigned)strlen(text) / 3, d;
	const char *ret = NULL;

	for (size_t i = 0; i < n; i++) {
		if ((d = distance(text, words[i])) <= best) {
			if (d < best || ret == NULL)
				ret = words[i];
			best = d;
		}
	}
	return ret;
}
