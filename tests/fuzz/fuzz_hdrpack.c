/* A packed header: refused, or exactly what its fields pack to. */
#include <string.h>

#include "store/hdrpack.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t packed[HDRPACK_MAX];
	static struct rfc822 h;

	if (hdrpack_unpack(data, len, &h) < 0)
		return 0;
	for (size_t f = 0; f < RFC822_FIELDS; f++)
		MUST(memchr(h.value[f], '\0', RFC822_VALUE_MAX) != NULL);
	MUST(hdrpack_pack(&h, packed, sizeof(packed)) == len);
	MUST(memcmp(packed, data, len) == 0);
	return 0;
}
