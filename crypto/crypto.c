#include "crypto/crypto.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/backend.h"

/* The one choice of the process: written by crypto_init() before there are
 * threads, read only afterwards. */
static const struct hash_ops *hash_ops;
static const struct gcm_ops *gcm_ops;

/* jansson holds data keys (KMS answers) and credentials as strings. */
static void
free_wiped(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

int
crypto_init(enum crypto_backend backend)
{
	if (sodium_init() < 0 || openssl_start() < 0)
		return -EIO;
	if (backend == CRYPTO_SODIUM && !crypto_aead_aes256gcm_is_available())
		return -ENOTSUP;
	json_set_alloc_funcs(malloc, free_wiped);
	hash_ops = backend == CRYPTO_OPENSSL ? &openssl_hash_ops
					     : &sodium_hash_ops;
	gcm_ops = backend == CRYPTO_SODIUM ? &sodium_gcm_ops
					   : &openssl_gcm_ops;
	return 0;
}

const struct hash_ops *
crypto_hash_ops(void)
{
	assert(hash_ops != NULL);
	return hash_ops;
}

const struct gcm_ops *
crypto_gcm_ops(void)
{
	assert(gcm_ops != NULL);
	return gcm_ops;
}
