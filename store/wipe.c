#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/log.h"
#include "store/wipe.h"

void
wipe_free(void *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

/* Not realloc(3): it would leave the old bytes in the heap. */
void *
wipe_realloc(void *p, size_t len)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *q;

	if ((q = malloc(len)) == NULL)
		return NULL;
	if (p != NULL) {
		memcpy(q, p, old < len ? old : len);
		wipe_free(p);
	}
	return q;
}

static void
install(void)
{
	CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc,
	    wipe_free, wipe_realloc, strdup, calloc);

	if (code != CURLE_OK)
		log_err(0, "http: start libcurl: %s", curl_easy_strerror(code));
}

void
wipe_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
