/* A source, and an endpoint's URL. */
#include <string.h>

#include "fs/location.h"
#include "store/endpoint.h"
#include "tests/fuzz/fuzz.h"

/* What is accepted has one form, which means the same. */
static void
fuzz_source(const char *text)
{
	struct location l, again;
	const char *why;

	if (location_parse(text, &l, &why) < 0) {
		MUST(why != NULL && why[0] != '\0');
		return;
	}
	MUST(location_parse(l.url, &again, &why) == 0);
	MUST(strcmp(l.url, again.url) == 0);
	MUST(strcmp(l.bucket, again.bucket) == 0);
	MUST(strcmp(l.prefix, again.prefix) == 0);
	MUST(strchr(l.bucket, '@') == NULL);
}

static void
fuzz_url(const char *text)
{
	char host[ENDPOINT_HOST_MAX + 8];
	struct endpoint e;
	const char *why;

	if (endpoint_parse(text, &e, &why) < 0) {
		MUST(why != NULL);
		return;
	}
	MUST(strpbrk(e.host, "@/?# \r\n") == NULL);
	endpoint_host_header(&e, host);
	MUST(!endpoint_is_loopback(&e) || !endpoint_is_address(&e) ||
	    e.host[0] == '[' || strncmp(e.host, "127.", 4) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[2048];

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	fuzz_source(text);
	fuzz_url(text);
	return 0;
}
