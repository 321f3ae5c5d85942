/* The ciphers: published answers, both backends against each other, and
 * nothing left in the output when a byte is wrong. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/aead.h"
#include "crypto/crypto.h"

static size_t
unhex(const char *text, uint8_t *ret, size_t size)
{
	size_t n = 0;

	CHECK_EQ(sodium_hex2bin(ret, size, text, strlen(text), NULL, &n, NULL),
	    0);
	return n;
}

/* "The Galois/Counter Mode of Operation", McGrew and Viega: test cases 13 to
 * 16, those with a 256-bit key and a 96-bit IV. */
#define KEY_15 "feffe9928665731c6d6a8f9467308308"                              \
	"feffe9928665731c6d6a8f9467308308"
#define IV_15 "cafebabefacedbaddecaf888"
#define PLAIN_15                                                               \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"     \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SEALED_15                                                              \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"     \
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
static const struct {
	const char *key, *iv, *aad, *plain, *sealed;
} gcm[] = {
	{ "00000000000000000000000000000000"
	  "00000000000000000000000000000000",
	    "000000000000000000000000", "", "",
	    "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "00000000000000000000000000000000"
	  "00000000000000000000000000000000",
	    "000000000000000000000000", "", "00000000000000000000000000000000",
	    "cea7403d4d606b6e074ec5d3baf39d18"
	    "d0d1c8a799996bf0265b98b5d48ab919" },
	{ KEY_15, IV_15, "", PLAIN_15 "1aafd255",
	    SEALED_15 "898015ad" "b094dac5d93471bdec1a502270e3cc6c" },
	{ KEY_15, IV_15, "feedfacedeadbeeffeedfacedeadbeefabaddad2", PLAIN_15,
	    SEALED_15 "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void
test_gcm_known(void)
{
	for (size_t i = 0; i < NELEMS(gcm); i++) {
		uint8_t key[32], iv[12], aad[32], plain[80], sealed[96];
		uint8_t out[96];
		struct slice a = { aad, 0 };
		size_t n;

		unhex(gcm[i].key, key, sizeof(key));
		unhex(gcm[i].iv, iv, sizeof(iv));
		a.len = unhex(gcm[i].aad, aad, sizeof(aad));
		n = unhex(gcm[i].plain, plain, sizeof(plain));
		CHECK_EQ_AT(i, unhex(gcm[i].sealed, sealed, sizeof(sealed)),
		    n + 16);
		CHECK_EQ_AT(i, aes256gcm_seal(key, iv, a, plain, n, out), 0);
		CHECK_AT(i, memcmp(out, sealed, n + 16) == 0);
		CHECK_EQ_AT(i, aes256gcm_open(key, iv, a, sealed, n + 16, out),
		    0);
		CHECK_AT(i, memcmp(out, plain, n) == 0);
	}
}

/* Every single bit flip, and every cut, of a short message. */
static void
test_gcm_tampered(void)
{
	static const struct slice aad = { (const uint8_t *)"\x00\x73", 2 };
	uint8_t key[32] = { 7 }, iv[12] = { 9 }, plain[37], sealed[53];
	uint8_t out[53];

	randombytes_buf(plain, sizeof(plain));
	CHECK_EQ(aes256gcm_seal(key, iv, aad, plain, 37, sealed), 0);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 0x55, sizeof(out));
		CHECK_EQ_AT(bit, aes256gcm_open(key, iv, aad, sealed, 53, out),
		    -EBADMSG);
		CHECK_AT(bit, sodium_is_zero(out, 37));
		CHECK_EQ_AT(bit, out[37], 0x55);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof(sealed); n++)
		CHECK_EQ_AT(n, aes256gcm_open(key, iv, aad, sealed, n, out),
		    -EBADMSG);
	CHECK_EQ(aes256gcm_open(key, iv, (struct slice){ NULL, 0 }, sealed, 53,
		     out), -EBADMSG);
	iv[11] ^= 1;
	CHECK_EQ(aes256gcm_open(key, iv, aad, sealed, 53, out), -EBADMSG);
	iv[11] ^= 1;
	key[31] ^= 1;
	CHECK_EQ(aes256gcm_open(key, iv, aad, sealed, 53, out), -EBADMSG);
}

/* What one backend seals the other opens, at sizes around blocks. */
static void
test_gcm_cross(void)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 31, 32, 127, 128, 129,
		4095, 4096, 4097, 65537 };
	uint8_t key[32], iv[12], aad[20];
	struct slice a = { aad, sizeof(aad) };

	randombytes_buf(key, sizeof(key));
	randombytes_buf(iv, sizeof(iv));
	randombytes_buf(aad, sizeof(aad));
	for (size_t i = 0; i < NELEMS(sizes); i++) {
		size_t n = sizes[i];
		uint8_t *plain = malloc(n + 1), *out = malloc(n + 1);
		uint8_t *one = malloc(n + 16), *two = malloc(n + 16);

		randombytes_buf(plain, n);
		CHECK_EQ(crypto_init(CRYPTO_SODIUM), 0);
		CHECK_EQ_AT(i, aes256gcm_seal(key, iv, a, plain, n, one), 0);
		CHECK_EQ(crypto_init(CRYPTO_OPENSSL), 0);
		CHECK_EQ_AT(i, aes256gcm_seal(key, iv, a, plain, n, two), 0);
		CHECK_AT(i, memcmp(one, two, n + 16) == 0);
		CHECK_EQ_AT(i, aes256gcm_open(key, iv, a, one, n + 16, out), 0);
		CHECK_AT(i, memcmp(out, plain, n) == 0);
		CHECK_EQ(crypto_init(CRYPTO_SODIUM), 0);
		memset(out, 0, n);
		CHECK_EQ_AT(i, aes256gcm_open(key, iv, a, two, n + 16, out), 0);
		CHECK_AT(i, memcmp(out, plain, n) == 0);
		free(plain);
		free(out);
		free(one);
		free(two);
	}
}

/* NIST SP 800-38A F.2.6: four blocks of CBC-AES256, without padding. To give a
 * last block any content, xor it through the block before it. */
static void
test_cbc(void)
{
	static const char plain_hex[] =
	    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
	    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
	static const char sealed_hex[] =
	    "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	    "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b";
	uint8_t key[32], iv[16], plain[64], sealed[64], out[64], body[64];
	size_t n;

	unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	    key, sizeof(key));
	unhex("000102030405060708090a0b0c0d0e0f", iv, sizeof(iv));
	unhex(plain_hex, plain, sizeof(plain));
	unhex(sealed_hex, sealed, sizeof(sealed));

	for (unsigned pad = 0; pad < 256; pad++) {
		for (unsigned wrong = 0; wrong <= 16; wrong++) {
			bool good = pad >= 1 && pad <= 16 &&
			    (wrong == 0 || wrong > pad);

			if (wrong == 1)
				continue;
			/* The last block: all `pad`, but for the wrong'th byte
			 * from the end. The first from the end would only be
			 * another `pad`. */
			memcpy(body, sealed, sizeof(body));
			for (size_t i = 0; i < 16; i++)
				body[32 + i] ^= plain[48 + i] ^ (uint8_t)pad;
			if (wrong > 0)
				body[48 - wrong] ^= 0x80;
			memset(out, 0x55, sizeof(out));
			if (aes256cbc_open(key, iv, body, 64, out, &n) == 0) {
				CHECK_AT(pad, good);
				CHECK_EQ_AT(pad, n, 64 - pad);
				CHECK_AT(pad, memcmp(out, plain, 32) == 0);
				CHECK_AT(pad, sodium_is_zero(out + n, 64 - n));
			} else {
				CHECK_AT(pad, !good);
				CHECK_EQ_AT(pad, n, 0);
				CHECK_AT(pad, sodium_is_zero(out, 64));
			}
		}
	}
	for (size_t len = 0; len < 64; len++) {
		if (len % 16 == 0 && len > 0)
			continue;
		CHECK_EQ_AT(len, aes256cbc_open(key, iv, sealed, len, out, &n),
		    -EBADMSG);
	}
}

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static void
test_xchacha(void)
{
	static const char text[] =
	    "Ladies and Gentlemen of the class of '99: If I could offer you "
	    "only one tip for the future, sunscreen would be it.";
	uint8_t key[32], nonce[24], aad[12], out[130], back[130], tag[16];
	struct slice a = { aad, sizeof(aad) };
	size_t len = strlen(text);

	for (size_t i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (size_t i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	unhex("50515253c0c1c2c3c4c5c6c7", aad, sizeof(aad));
	unhex("c0875924c1c7987947deafd8780acf49", tag, sizeof(tag));
	CHECK_EQ(xchacha_seal(key, nonce, a, (const uint8_t *)text, len, out),
	    0);
	CHECK(memcmp(out + len, tag, sizeof(tag)) == 0);
	CHECK_EQ(xchacha_open(key, nonce, a, out, len + 16, back), 0);
	CHECK(memcmp(back, text, len) == 0);
	for (size_t i = 0; i < len + 16; i++) {
		out[i] ^= 0x10;
		memset(back, 0x55, sizeof(back));
		CHECK_EQ_AT(i, xchacha_open(key, nonce, a, out, len + 16, back),
		    -EBADMSG);
		CHECK_AT(i, sodium_is_zero(back, len));
		out[i] ^= 0x10;
	}
	for (size_t n = 0; n < 16; n++)
		CHECK_EQ_AT(n, xchacha_open(key, nonce, a, out, n, back),
		    -EBADMSG);
}

int
main(void)
{
	static const enum crypto_backend backends[] = { CRYPTO_SODIUM,
		CRYPTO_AUTO, CRYPTO_OPENSSL };
	bool both = true;

	for (size_t i = 0; i < NELEMS(backends); i++) {
		int r = crypto_init(backends[i]);

		if (r == -ENOTSUP && backends[i] == CRYPTO_SODIUM) {
			both = false; /* no AES instructions here */
			continue;
		}
		CHECK_EQ(r, 0);
		test_gcm_known();
		test_gcm_tampered();
		test_cbc();
		test_xchacha();
	}
	if (both)
		test_gcm_cross();
	return check_done();
}
