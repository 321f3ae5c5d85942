#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "store/bigmem.h"

#define MIB ((size_t)1 << 20)

/* Was asked for huge pages at this address? */
static bool
is_advised(const uint8_t *p)
{
	unsigned long at = (unsigned long)p, from, to;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool is_here = false, ret = false;
	char line[4096];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_here = from <= at && at < to;
		else if (is_here && strncmp(line, "VmFlags:", 8) == 0)
			ret = strstr(line, " hg ") != NULL;
	}
	if (f != NULL)
		fclose(f);
	return ret;
}

int
main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), len = 16 * MIB;
	uint8_t *p;

	if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) < 0)
		return 77;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	bigmem_advise(NULL, len);
	bigmem_advise(p, MIB); /* too short to be worth it */
	CHECK(!is_advised(p));
	/* Only pages that are wholly within. */
	bigmem_advise(p + page + 1, 8 * MIB);
	CHECK(!is_advised(p + page));
	CHECK(is_advised(p + 2 * page));
	CHECK(is_advised(p + page + 8 * MIB - 1));
	CHECK(!is_advised(p + page + 8 * MIB));
	munmap(p, len);
	return check_done();
}
