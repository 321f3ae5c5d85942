/* A whole message. */
#include <string.h>

#include "crypto/rfc822.h"
#include "crypto/utf8.h"
#include "tests/fuzz/fuzz.h"

static void
check_value(const char *value)
{
	const char *end = memchr(value, '\0', RFC822_VALUE_MAX);
	size_t step;
	uint32_t cp;

	MUST(end != NULL);
	for (; value < end; value += step) {
		step = utf8_get((const uint8_t *)value, (size_t)(end - value),
		    &cp);
		MUST(step > 0 && cp >= 0x20 && (cp < 0x7f || cp >= 0xa0));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rfc822 out;

	rfc822_parse(data, len, &out);
	for (size_t f = 0; f < RFC822_FIELDS; f++)
		check_value(out.value[f]);
	MUST(out.crlf_size >= len && out.crlf_size <= 2 * len);
	return 0;
}
