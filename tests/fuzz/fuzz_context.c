/* The JSON of a KMS encryption context, as text without zeros. */
#include <errno.h>
#include <string.h>

#include "crypto/context.h"
#include "crypto/envelope.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct pair *pairs;
	size_t n;
	int r;

	MUST(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	r = context_parse(text, &pairs, &n);
	MUST(r == 0 || r == -EBADMSG);
	MUST(n <= ENVELOPE_CONTEXT_MAX && (pairs != NULL) == (n > 0));
	MUST(r == 0 || n == 0);
	for (size_t i = 0; i < n; i++)
		MUST(context_get(pairs, n, pairs[i].name) == pairs[i].value);
	context_free(pairs, n);
	free(text);
	return 0;
}
