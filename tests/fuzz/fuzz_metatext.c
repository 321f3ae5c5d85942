/* A metadata value that S3 has encoded, as text without zeros. */
#include <string.h>

#include "crypto/base.h"
#include "crypto/metatext.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *out;

	MUST(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	MUST(metatext_decode(text, &out) == 0);
	MUST(strlen(out) <= strlen(text));
	MUST(strstr(text, "=?") != NULL || strcmp(out, text) == 0);
	free(out);
	free(text);
	return 0;
}
