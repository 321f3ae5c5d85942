/* trap.c -- ends a program that computes with libsodium what it was told to
 * leave to OpenSSL: preloaded, its functions come before libsodium's own. */
#include <stdio.h>
#include <stdlib.h>

static void
trapped(const char *name)
{
	fprintf(stderr, "trapped: %s\n", name);
	abort();
}

/* Never returns, so that arguments and result need not be known. */
#define TRAP(name)                                                             \
	void name(void);                                                       \
	void name(void)                                                        \
	{                                                                      \
		trapped(#name);                                                \
	}

TRAP(crypto_aead_aes256gcm_beforenm)
TRAP(crypto_aead_aes256gcm_decrypt)
TRAP(crypto_aead_aes256gcm_decrypt_afternm)
TRAP(crypto_aead_aes256gcm_decrypt_detached)
TRAP(crypto_aead_aes256gcm_decrypt_detached_afternm)
TRAP(crypto_aead_aes256gcm_encrypt)
TRAP(crypto_aead_aes256gcm_encrypt_afternm)
TRAP(crypto_aead_aes256gcm_encrypt_detached)
TRAP(crypto_aead_aes256gcm_encrypt_detached_afternm)
TRAP(crypto_auth_hmacsha256)
TRAP(crypto_auth_hmacsha256_final)
TRAP(crypto_auth_hmacsha256_init)
TRAP(crypto_auth_hmacsha256_update)
TRAP(crypto_auth_hmacsha256_verify)
TRAP(crypto_auth_hmacsha512)
TRAP(crypto_auth_hmacsha512256)
TRAP(crypto_auth_hmacsha512256_final)
TRAP(crypto_auth_hmacsha512256_init)
TRAP(crypto_auth_hmacsha512256_update)
TRAP(crypto_auth_hmacsha512256_verify)
TRAP(crypto_auth_hmacsha512_final)
TRAP(crypto_auth_hmacsha512_init)
TRAP(crypto_auth_hmacsha512_update)
TRAP(crypto_auth_hmacsha512_verify)
TRAP(crypto_hash)
TRAP(crypto_hash_sha256)
TRAP(crypto_hash_sha256_final)
TRAP(crypto_hash_sha256_init)
TRAP(crypto_hash_sha256_update)
TRAP(crypto_hash_sha512)
TRAP(crypto_hash_sha512_final)
TRAP(crypto_hash_sha512_init)
TRAP(crypto_hash_sha512_update)
TRAP(crypto_kdf_hkdf_sha512_expand)
TRAP(crypto_kdf_hkdf_sha512_extract)
