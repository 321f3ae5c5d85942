/* A term of `ls` in the first line, a message's text in the rest; and what
 * text.c makes of both. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "fs/filter.h"
#include "fs/text.h"
#include "tests/fuzz/fuzz.h"

static void
fuzz_text(const char *text)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	json_t *j = text_json(text);

	MUST(text_print(f, text, 20) <= 20);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
	MUST(j != NULL);
	json_decref(j);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rfc822 h;
	struct filter_message m = { .folder = "", .flags = "FS",
		.headers = &h };
	char text[512], err[FILTER_ERR_MAX] = "", *rest;
	const char *term = text;
	struct filter f;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	rest = strchrnul(text, '\n');
	if (*rest == '\n')
		*rest++ = '\0';
	m.key = rest;
	snprintf(h.value[RFC822_SUBJECT], RFC822_VALUE_MAX, "%s", rest);
	fuzz_text(rest);
	if (filter_parse(&term, 1, &f, err) == 0) {
		MUST(f.n == 1);
		MUST(f.term[0].from <= f.term[0].end);
		filter_matches(&f, &m);
	} else {
		MUST(err[0] != '\0');
	}
	return 0;
}
