/* wipe.h -- libcurl with an allocator that wipes what it frees.
 *
 * Its buffers see session tokens and the base64 of keys go by. (jansson, the
 * other library they pass through, gets the same from crypto_init(), and expat
 * from xmltext_parser().) */
#ifndef SESFS_STORE_WIPE_H
#define SESFS_STORE_WIPE_H

#include <stddef.h>

/* Start libcurl so. Once per process, further calls do nothing; http_new()
 * does it. */
void wipe_install(void);

/* free(3) and realloc(3) that leave nothing of the old bytes. */
void wipe_free(void *p);
void *wipe_realloc(void *p, size_t len);

#endif
