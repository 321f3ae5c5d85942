/* crypto.h -- which library does the arithmetic, and start-up.
 *
 * Two backends: libsodium, and OpenSSL's EVP (libcrypto). One choice per
 * process, made once by main before any thread starts. Everything else in
 * crypto/ goes through hash.h and aead.h and does not know which it is. */
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

/* Start the libraries and choose. Idempotent for the same choice. Returns 0;
 * -ENOTSUP when CRYPTO_SODIUM is asked for and the CPU has no AES
 * instructions; -EIO when a library does not start. */
int crypto_init(enum crypto_backend backend) MUST_CHECK;

#endif
