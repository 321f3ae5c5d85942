/* The body of an error reply, XML or JSON. */
#include <string.h>

#include "store/awserr.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice body = { data, len };
	struct awserr e = { .status = 400 };
	bool has = awserr_parse_body(body, &e);
	struct awserr_verdict v = awserr_judge(&e);
	char action[AWSERR_ACTION_MAX];

	MUST(has == (e.code[0] != '\0'));
	MUST(memchr(e.code, '\0', sizeof(e.code)) != NULL);
	MUST(memchr(e.message, '\0', sizeof(e.message)) != NULL);
	MUST(memchr(e.region, '\0', sizeof(e.region)) != NULL);
	MUST(memchr(e.request_id, '\0', sizeof(e.request_id)) != NULL);
	MUST(v.failure.err < 0);
	(void)awserr_is_error_xml(body);
	if (awserr_is_denied(&e, "s3:GetObject", action))
		MUST(memchr(action, '\0', sizeof(action)) != NULL &&
		    strchr(action, ':') != NULL);
	return 0;
}
