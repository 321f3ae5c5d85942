/* SHA-256, HMAC and HKDF on both backends.
 *
 * SHA-256 from FIPS 180-4's examples, HMAC from RFC 4231, HKDF-SHA512 for the
 * inputs of RFC 5869 A.1 to A.3, which has no SHA-512 outputs; those here are
 * those of `openssl kdf HKDF` 3.0 and of Python's hmac module. */
#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"

static const char *
hex(const uint8_t *bytes, size_t len)
{
	static char text[512];

	return sodium_bin2hex(text, sizeof(text), bytes, len);
}

static size_t
unhex(const char *text, uint8_t *ret, size_t size)
{
	size_t n = 0;

	CHECK_EQ(sodium_hex2bin(ret, size, text, strlen(text), NULL, &n, NULL),
	    0);
	return n;
}

static void
test_sha256(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		      "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
			 "b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039"
		    "a33ce45964ff2167f6ecedd419db06c1" },
	};
	char got[SHA256_HEX_LEN + 1];

	for (size_t i = 0; i < NELEMS(cases); i++) {
		CHECK_EQ_AT(i, sha256_hex(cases[i].text,
			strlen(cases[i].text), got), 0);
		CHECK_STR_AT(i, got, cases[i].want);
	}
}

/* A million letters a, in pieces of odd sizes. */
static void
test_stream(void)
{
	CLEANUP(sha256_drop) struct sha256 s = { 0 };
	struct sha256 dropped;
	uint8_t piece[997], digest[SHA256_LEN];
	size_t left = 1000000;

	memset(piece, 'a', sizeof(piece));
	CHECK_EQ(sha256_start(&dropped), 0);
	CHECK_EQ(sha256_update(&dropped, piece, sizeof(piece)), 0);
	CHECK_EQ(sha256_start(&s), 0);
	for (size_t n = 1; left > 0; n = n * 3 % 997) {
		size_t take = n < left ? n : left;

		CHECK_EQ(sha256_update(&s, piece, take), 0);
		left -= take;
	}
	CHECK_EQ(sha256_finish(&s, digest), 0);
	CHECK_STR(hex(digest, sizeof(digest)),
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	sha256_drop(&dropped);
	sha256_drop(&dropped);
}

/* RFC 4231, cases 1, 2, 3 and 6. */
static void
test_hmac(void)
{
	uint8_t key[131], data[50], out[SHA512_LEN];

	memset(key, 0x0b, 20);
	CHECK_EQ(hmac_sha256(key, 20, "Hi There", 8, out), 0);
	CHECK_STR(hex(out, 32),
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	CHECK_EQ(hmac_sha512(key, 20, "Hi There", 8, out), 0);
	CHECK_STR(hex(out, 64),
	    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	    "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
	CHECK_EQ(hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28,
		     out), 0);
	CHECK_STR(hex(out, 32),
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	CHECK_EQ(hmac_sha256(key, 20, data, sizeof(data), out), 0);
	CHECK_STR(hex(out, 32),
	    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	CHECK_EQ(hmac_sha512(key, 131,
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54, out),
	    0);
	CHECK_STR(hex(out, 64),
	    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
	    "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
	/* An empty key and empty data. */
	CHECK_EQ(hmac_sha256("", 0, "", 0, out), 0);
	CHECK_STR(hex(out, 32),
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static const struct {
	const char *ikm, *salt, *info;
	const char *prk, *okm;
} hkdf[] = {
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	    "000102030405060708090a0b0c",
	    "f0f1f2f3f4f5f6f7f8f9",
	    "665799823737ded04a88e47e54a5890bb2c3d247c7a4254a8e61350723590a26"
	    "c36238127d8661b88cf80ef802d57e2f7cebcf1e00e083848be19929c61b4237",
	    "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c14815793"
	    "38da362cb8d9f925d7cb" },
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	    "404142434445464748494a4b4c4d4e4f",
	    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	    "35672542907d4e142c00e84499e74e1de08be86535f924e022804ad775dde27e"
	    "c86cd1e5b7d178c74489bdbeb30712beb82d4f97416c5a94ea81ebdf3e629e4a",
	    "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1"
	    "b695b48cbd1c8388441137b3ce28f16aa64ba33ba466b24df6cfcb021ecff235"
	    "f6a2056ce3af1de44d572097a8505d9e7a93" },
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	    "",
	    "",
	    "fd200c4987ac491313bd4a2a13287121247239e11c9ef82802044b66ef357e5b"
	    "194498d0682611382348572a7b1611de54764094286320578a863f36562b0df6",
	    "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90f"
	    "ff22d04836d0e2343bac" },
	{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b",
	    "",
	    "c8716177a0e1909c35bac318e5e5584d4154523527f5af940fe6b006e674e967"
	    "bd833422aaf96b216393a4c594dc90b37ec4552251615b5d12292468e68fda75",
	    "8237ac13058695a677f8283ea42245e1c900cf6fdff9a298d86ff582bfbb6bff"
	    "0574b7e418518d8429e8035e866dbfac88e6d240f179a54c1c34275b3ecd8ce5" },
	{ "aa",
	    "ff",
	    "00",
	    "4075d0a5843d2e500abd1bbe511c364e5d02bd9e50074a4b8bd8b71bdcb0838f"
	    "a20dd18904bd1f5fd4d41f2c771229a858844b8381972aa5c25edc8de642154b",
	    "5cb239dc47a2b4ae28537488c76b8d34c785c70d26ab00ef51956d6f00a65d33"
	    "f7d7e2bc7d23fafcb090de0bb95ed0e9d40d12ca5c404757c871eb9cb642c991"
	    "c8" },
};

static void
test_hkdf(void)
{
	for (size_t i = 0; i < NELEMS(hkdf); i++) {
		uint8_t ikm[80], salt[80], info[80], prk[SHA512_LEN], okm[200];
		size_t ikm_len = unhex(hkdf[i].ikm, ikm, sizeof(ikm));
		size_t salt_len = unhex(hkdf[i].salt, salt, sizeof(salt));
		size_t info_len = unhex(hkdf[i].info, info, sizeof(info));
		size_t okm_len = strlen(hkdf[i].okm) / 2;

		CHECK_EQ_AT(i, hkdf_sha512_extract(salt, salt_len, ikm,
			ikm_len, prk), 0);
		CHECK_STR_AT(i, hex(prk, sizeof(prk)), hkdf[i].prk);
		CHECK_EQ_AT(i, hkdf_sha512_expand(prk, info, info_len, okm,
			okm_len), 0);
		CHECK_STR_AT(i, hex(okm, okm_len), hkdf[i].okm);
	}
}

/* The longest expansion there is; its last block has the counter 255. */
static void
test_hkdf_longest(void)
{
	static uint8_t okm[HKDF_SHA512_MAX], part[64];
	uint8_t prk[SHA512_LEN] = { 1 };
	char digest[SHA256_HEX_LEN + 1];

	CHECK_EQ(hkdf_sha512_expand(prk, "x", 1, okm, sizeof(okm)), 0);
	CHECK_EQ(hkdf_sha512_expand(prk, "x", 1, part, 1), 0);
	CHECK_EQ(part[0], okm[0]);
	CHECK_EQ(sha256_hex(okm, sizeof(okm), digest), 0);
	CHECK_STR(digest,
	    "bcc9334637da8add70ab9775ba7d289743079d8762485b4bbf63ca921a27a217");
}

int
main(void)
{
	static const enum crypto_backend backends[] = { CRYPTO_AUTO,
		CRYPTO_OPENSSL };

	for (size_t i = 0; i < NELEMS(backends); i++) {
		CHECK_EQ(crypto_init(backends[i]), 0);
		test_sha256();
		test_stream();
		test_hmac();
		test_hkdf();
		test_hkdf_longest();
	}
	return check_done();
}
