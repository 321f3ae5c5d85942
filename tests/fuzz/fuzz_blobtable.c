/* The blob cache's table: refused, or as many segments and items as it says.
 * The hash at its end is made right first, unless its first byte is odd. */
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/blobtable.h"
#include "tests/fuzz/fuzz.h"

#define FILE_MAX (64 * 1024)
#define HASH_LEN 32

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t file[FILE_MAX];
	struct blobtable_in *t;
	struct blobtable_item item;
	struct blobtable_seg seg;
	uint64_t segs = 0, items = 0;
	int fd;

	len = len < sizeof(file) ? len : sizeof(file);
	memcpy(file, data, len);
	if (len >= HASH_LEN && file[len - HASH_LEN] % 2 == 0)
		crypto_generichash(file + len - HASH_LEN, HASH_LEN, file,
		    len - HASH_LEN, NULL, 0);
	MUST((fd = memfd_create("fuzz", MFD_CLOEXEC)) >= 0);
	MUST(write(fd, file, len) == (ssize_t)len);
	if (blobtable_open(fd, 2000, &t) < 0)
		return 0;
	for (; blobtable_get_seg(t, &seg); segs++)
		MUST(segs < BLOBTABLE_SEGS_MAX);
	MUST(segs == blobtable_segs(t));
	for (; blobtable_get_item(t, &item); items++)
		MUST(item.id >= 0 && item.id <= BLOBLRU_ID_MAX &&
		    item.at.unit <= BLOBLRU_UNIT_MAX &&
		    item.at.units <= BLOBLRU_UNITS_MAX);
	MUST(items <= 2000 && blobtable_len(segs, items) == len);
	blobtable_close(t);
	return 0;
}
