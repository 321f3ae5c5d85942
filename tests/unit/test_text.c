#include "fs/text.h"

#include <locale.h>
#include <stdlib.h>

#include "check.h"

static const struct {
	const char *text;
	size_t width;
	const char *want;
	size_t used;
} prints[] = {
	{ "plain", SIZE_MAX, "plain", 5 },
	{ "plain", 5, "plain", 5 },
	{ "plain", 4, "pla\u2026", 4 },
	{ "plain", 1, "\u2026", 1 },
	{ "", 5, "", 0 },
	{ "a\x1b[31mb", SIZE_MAX, "a?[31mb", 7 },
	{ "a\nb\tc\rd\x7f", SIZE_MAX, "a?b?c?d?", 8 },
	{ "\xc2\x9b" "31m", SIZE_MAX, "?31m", 4 }, /* a C1 control */
	{ "\u65e5\u672c\u8a9e", 6, "\u65e5\u672c\u8a9e", 6 },
	{ "\u65e5\u672c\u8a9e", 5, "\u65e5\u672c\u2026", 5 },
	{ "\u65e5\u672c\u8a9e", 4, "\u65e5\u2026", 3 },
	{ "a\u0301b", 2, "a\u0301b", 2 },	 /* a combining mark */
	{ "a\u202e" "b", SIZE_MAX, "a?b", 3 }, /* turns the line around */
	{ "\xff\xfe", SIZE_MAX, "??", 2 },
	{ "\xc3", SIZE_MAX, "?", 1 },
	{ "\xc0\x80", SIZE_MAX, "??", 2 },
	{ "\xed\xa0\x80", SIZE_MAX, "???", 3 },
};

static void
test_print(void)
{
	for (size_t i = 0; i < NELEMS(prints); i++) {
		char *out = NULL;
		size_t len = 0, used;
		FILE *f = open_memstream(&out, &len);

		used = text_print(f, prints[i].text, prints[i].width);
		fclose(f);
		CHECK_STR_AT(i, out, prints[i].want);
		CHECK_EQ_AT(i, used, prints[i].used);
		free(out);
	}
}

static const struct {
	const char *text, *part;
	bool want;
} contains[] = {
	{ "Hello World", "world", true },
	{ "Hello", "", true },
	{ "", "", true },
	{ "", "x", false },
	{ "Stra\xc3\x9f" "e", "STRA", true },
	{ "\xc3\x84RGER", "\xc3\xa4rger", true },
	{ "aab", "ab", true },
	{ "abc", "abcd", false },
	{ "x\xff" "y", "Y", true },
};

static void
test_contains(void)
{
	for (size_t i = 0; i < NELEMS(contains); i++)
		CHECK_EQ_AT(i, text_contains(contains[i].text,
		    contains[i].part), contains[i].want);
}

static void
test_json(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a\nb", "a\nb" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "x\xff\xc3(", "x\xef\xbf\xbd\xef\xbf\xbd(" },
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		json_t *j = text_json(cases[i].text);

		CHECK_STR_AT(i, json_string_value(j), cases[i].want);
		json_decref(j);
	}
}

int
main(void)
{
	char buf[32];

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 77;
	test_print();
	test_contains();
	test_json();
	CHECK_STR(text_time(0, buf), "1970-01-01T00:00:00Z");
	CHECK_STR(text_time(INT64_MAX, buf), "?");
	return check_done();
}
