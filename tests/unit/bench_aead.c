/* AES-256-GCM by libsodium and by OpenSSL, at sizes of mail: time to open one
 * message, and how many times faster OpenSSL is. `meson test --benchmark`.
 *
 * With a number of bytes as its argument: how many bytes a second the library
 * that sesfs would take opens, for messages of that size. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "tests/bench/bench.h"

#define ROUNDS 5	   /* the best one counts */
#define ROUND_NS 20000000u /* 20 ms */

/* Nanoseconds to open `len` bytes; negative on failure. */
static double
measure(enum crypto_backend backend, size_t len, const uint8_t *plain,
    uint8_t *sealed, uint8_t *out)
{
	static const uint8_t key[32] = { 1 }, iv[12] = { 2 };
	const struct slice aad = { NULL, 0 };
	double best = -1;

	if (crypto_init(backend) < 0 ||
	    aes256gcm_seal(key, iv, aad, plain, len, sealed) < 0)
		return -1;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), spent = 0;
		size_t n = 0;

		for (; spent < ROUND_NS; spent = now_ns() - start, n++) {
			if (aes256gcm_open(key, iv, aad, sealed,
				len + AES_GCM_TAG_LEN, out) < 0)
				return -1;
		}
		if (best < 0 || (double)spent / (double)n < best)
			best = (double)spent / (double)n;
	}
	return best;
}

static int
print_table(void)
{
	static const size_t sizes[] = { 0, 1 << 10, 4 << 10, 12 << 10, 64 << 10,
		1 << 20 };
	size_t max = 1 << 20;
	uint8_t *plain = calloc(1, max), *out = malloc(max);
	uint8_t *sealed = malloc(max + AES_GCM_TAG_LEN);
	int r = 0;

	if (plain == NULL || out == NULL || sealed == NULL)
		return 1;
	if (crypto_init(CRYPTO_SODIUM) == -ENOTSUP) {
		puts("libsodium has no AES on this processor");
		r = 77;
	}
	printf("%8s %12s %12s %8s\n", "bytes", "sodium ns", "openssl ns",
	    "ratio");
	for (size_t i = 0; r == 0 && i < NELEMS(sizes); i++) {
		double s = measure(CRYPTO_SODIUM, sizes[i], plain, sealed, out);
		double o = measure(CRYPTO_OPENSSL, sizes[i], plain, sealed,
		    out);

		if (s < 0 || o < 0)
			r = 1;
		printf("%8zu %12.0f %12.0f %7.2fx\n", sizes[i], s, o, s / o);
	}
	free(plain);
	free(out);
	free(sealed);
	return r;
}

static int
print_one(const char *arg)
{
	size_t len = (size_t)strtoull(arg, NULL, 10);
	uint8_t *plain = len > 0 ? calloc(1, len) : NULL;
	uint8_t *out = malloc(len), *sealed = malloc(len + AES_GCM_TAG_LEN);
	double ns = -1;

	if (plain != NULL && out != NULL && sealed != NULL)
		ns = measure(CRYPTO_AUTO, len, plain, sealed, out);
	free(plain);
	free(out);
	free(sealed);
	if (ns <= 0)
		return 1;
	printf("%.0f\n", (double)len / ns * 1e9);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 2)
		return print_one(argv[1]);
	return print_table();
}
