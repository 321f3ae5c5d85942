/* Packed metadata: refused, or exactly what its pairs pack to. */
#include <string.h>

#include "store/metapack.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct pair pair[METAPACK_PAIRS_MAX];
	static uint8_t packed[METAPACK_MAX];
	int n = metapack_unpack(data, len, pair);

	if (n < 0)
		return 0;
	MUST(n <= METAPACK_PAIRS_MAX);
	MUST(metapack_pack(pair, (size_t)n, packed) == len);
	MUST(memcmp(packed, data, len) == 0);
	return 0;
}
