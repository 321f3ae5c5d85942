/* wipe.h -- allocators for libraries through which secrets pass.
 *
 * libcurl's buffers see session tokens and unwrapped keys go by, jansson's hold
 * the base64 of keys; both take an allocator. */
#ifndef SESFS_STORE_WIPE_H
#define SESFS_STORE_WIPE_H

/* Start libcurl and let it and jansson wipe what they free. Once per process,
 * further calls do nothing; http_new() does it, so that main makes the http
 * before other threads use jansson. */
void wipe_install(void);

#endif
