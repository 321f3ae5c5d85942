/* wipe.h -- libcurl with an allocator that wipes what it frees.
 *
 * Its buffers see session tokens and the base64 of keys go by. (jansson, the
 * other library they pass through, gets the same from crypto_init().) */
#ifndef SESFS_STORE_WIPE_H
#define SESFS_STORE_WIPE_H

/* Start libcurl so. Once per process, further calls do nothing; http_new()
 * does it. */
void wipe_install(void);

#endif
