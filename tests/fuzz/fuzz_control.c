/* A line that a client of the control socket sends. */
#include "fs/control.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct control_request req;
	const char *why;

	if (control_parse((const char *)data, len, &req, &why) == 0) {
		MUST(len <= CONTROL_REQUEST_MAX);
		MUST(req.cmd <= CONTROL_LOG_LEVEL);
		MUST(req.level <= 3);
	} else {
		MUST(why[0] != '\0');
	}
	return 0;
}
