#include "store/bigmem.h"

#include <sys/mman.h>
#include <unistd.h>

/* Below it is not worth the system call, nor dividing what the kernel knows of
 * our address space. */
#define BIG_MIN ((size_t)4 << 20)

void
bigmem_advise(void *ptr, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)ptr, to = from + len;

	if (ptr == NULL || len < BIG_MIN)
		return;
	/* Whole pages of ours only. */
	from = (from + page - 1) & ~(page - 1);
	to &= ~(page - 1);
	(void)madvise((uint8_t *)ptr + (from - (uintptr_t)ptr), to - from,
	    MADV_HUGEPAGE);
}
