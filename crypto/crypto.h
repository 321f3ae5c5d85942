/* crypto.h -- which library does the arithmetic, and start-up.
 *
 * Two backends: libsodium, and OpenSSL's EVP (libcrypto). One choice per
 * process, made by main before any thread starts; until then nothing else in
 * crypto/ may be called. Everything else goes through hash.h and aead.h and
 * does not know which it is. */
#ifndef SESFS_CRYPTO_CRYPTO_H
#define SESFS_CRYPTO_CRYPTO_H

#include "crypto/base.h"

enum crypto_backend {
	CRYPTO_AUTO,   /* the faster for mail: OpenSSL for AES-GCM; libsodium
			* for the rest */
	CRYPTO_SODIUM, /* libsodium wherever it can (AES-CBC is OpenSSL's) */
	CRYPTO_OPENSSL, /* everything on mail and requests through EVP, so that
			 * a FIPS provider covers it */
};

/* Start the libraries and choose; also makes jansson wipe what it frees.
 * Idempotent for the same choice; another choice replaces the first, which
 * only tests and benchmarks have a use for (no other thread may be in
 * crypto/). Returns 0; -ENOTSUP when CRYPTO_SODIUM is asked for and the CPU
 * has no AES instructions; -EIO when a library does not start or lacks an
 * algorithm (a FIPS provider that is not installed, say). */
int crypto_init(enum crypto_backend backend) MUST_CHECK;

/* Is it OpenSSL's FIPS module that does what CRYPTO_OPENSSL gives to OpenSSL?
 * After crypto_init(). */
bool crypto_has_fips_module(void);

#endif
