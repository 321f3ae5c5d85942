#include "fs/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "crypto/utf8.h"

#define REPLACEMENT 0xfffd

/* One character. Returns its bytes; 1 with REPLACEMENT for a byte that is not
 * part of one. */
static size_t
decode(const char *text, uint32_t *ret)
{
	size_t n = utf8_get((const uint8_t *)text,
	    strnlen(text, UTF8_MAX), ret);

	if (n > 0)
		return n;
	*ret = *text == '\0' ? 0 : REPLACEMENT;
	return 1;
}

/* Columns of a character, -1 when a terminal must not see it. Marks that change
 * the direction of what follows would let a subject rewrite its line. */
static int
columns(uint32_t c)
{
	if (c == REPLACEMENT || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return -1;
	return wcwidth((wchar_t)c);
}

/* Columns of the whole text, at most `max` and a bit. */
static size_t
measure(const char *text, size_t max)
{
	size_t used = 0;
	uint32_t c;

	while (*text != '\0' && used <= max) {
		int w;

		text += decode(text, &c);
		w = columns(c);
		used += w < 0 ? 1 : (size_t)w;
	}
	return used;
}

size_t
text_print(FILE *f, const char *text, size_t width)
{
	bool is_cut = measure(text, width) > width && width > 0;
	size_t room = is_cut ? width - 1 : width, used = 0;
	uint32_t c;

	while (*text != '\0') {
		size_t n = decode(text, &c);
		int w = columns(c);

		if (used + (w < 0 ? 1 : (size_t)w) > room)
			break;
		if (w < 0)
			fputc('?', f);
		else
			fwrite(text, 1, n, f);
		used += w < 0 ? 1 : (size_t)w;
		text += n;
	}
	if (is_cut) {
		fputs("\u2026", f);
		used++;
	}
	return used;
}

json_t *
text_json(const char *text)
{
	json_t *j = json_string(text);
	char *copy, *out;
	uint32_t c;

	if (j != NULL)
		return j;
	if ((copy = out = malloc(strlen(text) * 3 + 1)) == NULL)
		return NULL;
	while (*text != '\0') {
		size_t n = decode(text, &c);

		if (c == REPLACEMENT)
			out = stpcpy(out, "\xef\xbf\xbd");
		else
			out = (char *)mempcpy(out, text, n);
		text += n;
	}
	*out = '\0';
	j = json_string(copy);
	free(copy);
	return j;
}

int
text_dump(FILE *f, const json_t *value, size_t flags)
{
	if (isatty(fileno(f)) == 1)
		flags |= JSON_ENSURE_ASCII;
	return json_dumpf(value, f, flags) < 0 || fputc('\n', f) == EOF ?
	    -EIO : 0;
}

static bool
starts_with(const char *text, const char *part)
{
	uint32_t a, b;

	while (*part != '\0') {
		if (*text == '\0')
			return false;
		text += decode(text, &a);
		part += decode(part, &b);
		if (a != b && towlower((wint_t)a) != towlower((wint_t)b))
			return false;
	}
	return true;
}

bool
text_contains(const char *text, const char *part)
{
	uint32_t c;

	for (; !starts_with(text, part); text += decode(text, &c))
		if (*text == '\0')
			return false;
	return true;
}

const char *
text_time(int64_t unix_s, char ret[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(ret, 32, "?");
	return ret;
}
