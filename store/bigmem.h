/* bigmem.h -- blocks of memory that are as large as large messages.
 *
 * A message of 40 MB is 10,000 pages, and each costs a page fault when it is
 * first touched and a walk when it goes: several times what decrypting it
 * costs. The kernel gives 2 MiB at once to whom asks for it. Pure, but for
 * that request. Threads: any. */
#ifndef SESFS_STORE_BIGMEM_H
#define SESFS_STORE_BIGMEM_H

#include "crypto/base.h"

/* `len` bytes at ptr, freshly allocated by malloc(3) or mmap(2), are about to
 * be filled: ask for huge pages under them, when they are several. A kernel
 * that has none to give, and a short block, change nothing. NULL is fine. */
void bigmem_advise(void *ptr, size_t len);

#endif
