/* /proc/self/mountinfo: other users choose the names in it. */
#include <stdlib.h>
#include <string.h>

#include "fs/mountinfo.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mountinfo info;

	if (mountinfo_find((const char *)data, len, "/mnt/a b", &info) == 0)
		MUST(strcmp(info.mountpoint, "/mnt/a b") == 0);
	return 0;
}
