/* Base64 as strict as it gets: every text of four characters, and sizes. */
#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "crypto/b64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One character of a good text replaced by every other one. Also the 8-bit
 * ones, which libsodium 1.0.18 takes for a '/'. */
static void
test_alphabet(void)
{
	uint8_t out[8];

	for (int at = 0; at < 8; at++) {
		for (int c = 0; c < 256; c++) {
			char text[] = "AQIDBAUG";
			bool good = c != 0 && strchr(alphabet, c) != NULL;

			text[at] = (char)c;
			if (c == '=' && at == 7) /* BAU= is 3 characters */
				good = true;
			CHECK_AT(c, (b64_decode(text, 8, out, 8) >= 0) == good);
		}
	}
}

/* Whatever decodes is what encoding the result gives: one spelling each. */
static void
test_canonical(void)
{
	size_t good = 0;

	for (int a = 0; a < 64; a++) {
		for (int b = 0; b < 65; b++) {
			char text[] = { 'A', alphabet[a],
				b == 64 ? '=' : alphabet[b], '=', '\0' };
			char back[B64_LEN(3) + 1];
			uint8_t out[3];
			int64_t n = b64_decode(text, 4, out, 3);

			if (n < 0) {
				CHECK_EQ(n, -EBADMSG);
				continue;
			}
			good++;
			b64_encode(out, (size_t)n, back);
			CHECK_STR(back, text);
		}
	}
	CHECK_EQ(good, 64 * 16 + 4);
}

static void
test_sizes(void)
{
	uint8_t in[100], out[100];
	char text[B64_LEN(100) + 1];

	randombytes_buf(in, sizeof(in));
	for (size_t n = 0; n <= sizeof(in); n++) {
		b64_encode(in, n, text);
		CHECK_EQ_AT(n, strlen(text), B64_LEN(n));
		CHECK_EQ_AT(n, b64_decode(text, strlen(text), out, n), n);
		CHECK_AT(n, memcmp(in, out, n) == 0);
		if (n > 0)
			CHECK_EQ_AT(n, b64_decode(text, strlen(text), out,
				n - 1), -EMSGSIZE);
	}
}

int
main(void)
{
	CHECK(sodium_init() >= 0);
	test_alphabet();
	test_canonical();
	test_sizes();
	return check_done();
}
