#include "fs/value.h"

#include <errno.h>

#include "check.h"

struct number_case {
	const char *text;
	int want;
	uint64_t value;
};

static void
check_numbers(int (*parse)(const char *, uint64_t *),
    const struct number_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 0;

		CHECK_EQ_AT(i, parse(c[i].text, &v), c[i].want);
		if (c[i].want == 0)
			CHECK_EQ_AT(i, v, c[i].value);
	}
}

static void
test_numbers(void)
{
	static const struct number_case counts[] = {
		{ "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
	};
	static const struct number_case sizes[] = {
		{ "1", 0, 1 },
		{ "1K", 0, 1024 },
		{ "1k", 0, 1024 },
		{ "2KiB", 0, 2048 },
		{ "2MB", 0, 2 << 20 },
		{ "1G", 0, 1 << 30 },
		{ "1T", 0, 1ULL << 40 },
		{ "7B", 0, 7 },
		{ "16777216T", -ERANGE, 0 },
		{ "7iB", -EINVAL, 0 },
		{ "1X", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
	};
	static const struct number_case seconds[] = {
		{ "90", 0, 90 },
		{ "90s", 0, 90 },
		{ "2m", 0, 120 },
		{ "1h", 0, 3600 },
		{ "7d", 0, 604800 },
		{ "1w", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "213503982334602d", -ERANGE, 0 },
	};
	static const struct number_case octals[] = {
		{ "077", 0, 077 },
		{ "22", 0, 022 },
		{ "088", -EINVAL, 0 },
	};

	check_numbers(value_count, counts, NELEMS(counts));
	check_numbers(value_size, sizes, NELEMS(sizes));
	check_numbers(value_seconds, seconds, NELEMS(seconds));
	check_numbers(value_octal, octals, NELEMS(octals));
}

static void
test_bool(void)
{
	static const struct {
		const char *text;
		int want;
		bool value;
	} cases[] = {
		{ "yes", 0, true },
		{ "TRUE", 0, true },
		{ "on", 0, true },
		{ "1", 0, true },
		{ "no", 0, false },
		{ "off", 0, false },
		{ "0", 0, false },
		{ "", -EINVAL, false },
		{ "2", -EINVAL, false },
		{ "yess", -EINVAL, false },
	};
	bool v;

	for (size_t i = 0; i < NELEMS(cases); i++) {
		v = !cases[i].value;
		CHECK_EQ_AT(i, value_bool(cases[i].text, &v), cases[i].want);
		if (cases[i].want == 0)
			CHECK_EQ_AT(i, v, cases[i].value);
	}
}

static void
test_date(void)
{
	static const struct {
		const char *text;
		int want;
		int64_t from, len;
	} cases[] = {
		{ "1970-01-01", 0, 0, 86400 },
		{ "2026-01-01", 0, 1767225600, 86400 },
		{ "2024-02-29", 0, 1709164800, 86400 },
		{ "2026-01-01T08:30", 0, 1767256200, 60 },
		{ "2026-01-01T08:30Z", 0, 1767256200, 60 },
		{ "2026-01-01T08:30:15Z", 0, 1767256215, 1 },
		{ "2026-02-29", -ERANGE, 0, 0 },
		{ "2026-13-01", -ERANGE, 0, 0 },
		{ "2026-00-10", -ERANGE, 0, 0 },
		{ "2026-04-31", -ERANGE, 0, 0 },
		{ "1969-12-31", -ERANGE, 0, 0 },
		{ "2026-01-01T24:00", -ERANGE, 0, 0 },
		{ "2026-1-1", -EINVAL, 0, 0 },
		{ "2026-01-01Z", -EINVAL, 0, 0 },
		{ "2026-01-01 08:30", -EINVAL, 0, 0 },
		{ "yesterday", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		int64_t from = 0, end = 0;

		CHECK_EQ_AT(i, value_date(cases[i].text, &from, &end),
		    cases[i].want);
		if (cases[i].want != 0)
			continue;
		CHECK_EQ_AT(i, from, cases[i].from);
		CHECK_EQ_AT(i, end - from, cases[i].len);
	}
}

static void
test_nearest(void)
{
	static const char *const words[] = { "region", "profile", "jobs",
		"kms-key", "kms-rate", "junk" };
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "regoin", "region" },
		{ "job", "jobs" },
		{ "kmskey", "kms-key" },
		{ "kms-rats", "kms-rate" },
		{ "profil", "profile" },
		{ "completely-else", NULL },
		{ "xyz", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	for (size_t i = 0; i < NELEMS(cases); i++)
		CHECK_STR_AT(i, value_nearest(cases[i].text, words,
		    NELEMS(words)), cases[i].want);
}

int
main(void)
{
	test_numbers();
	test_bool();
	test_date();
	test_nearest();
	return check_done();
}
