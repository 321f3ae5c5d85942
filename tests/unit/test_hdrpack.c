#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "store/hdrpack.h"

static void
test_round_trip(void)
{
	static const struct {
		int64_t date_unix;
		uint64_t crlf_size;
		size_t len;  /* bytes of each value */
		size_t want; /* bytes of the string */
	} row[] = {
		{ 0, 0, 0, 4 + RFC822_FIELDS },
		{ -1, 127, 1, 4 + 2 * RFC822_FIELDS },
		{ 64, 128, 127, 6 + 128 * RFC822_FIELDS },
		{ 1700000000, 12345, 128, 9 + 130 * RFC822_FIELDS },
		{ INT64_MIN, UINT64_MAX, RFC822_VALUE_MAX - 1, HDRPACK_MAX },
		{ INT64_MAX, UINT64_MAX - 1, 20, 22 + 21 * RFC822_FIELDS },
	};
	static uint8_t packed[HDRPACK_MAX];

	for (size_t i = 0; i < NELEMS(row); i++) {
		struct rfc822 h = { .date_unix = row[i].date_unix,
			.crlf_size = row[i].crlf_size }, back;
		size_t len;

		for (int f = 0; f < RFC822_FIELDS; f++)
			memset(h.value[f], 'a' + f, row[i].len);
		len = hdrpack_pack(&h, packed, sizeof(packed));
		CHECK_EQ_AT(i, len, row[i].want);
		CHECK_EQ_AT(i, hdrpack_unpack(packed, len, &back), 0);
		CHECK_EQ_AT(i, back.date_unix, h.date_unix);
		CHECK_AT(i, back.crlf_size == h.crlf_size);
		for (int f = 0; f < RFC822_FIELDS; f++)
			CHECK_STR_AT(i, back.value[f], h.value[f]);
	}
}

/* A head, then the values; padded with empty ones to their number. */
static void
test_refused(void)
{
	static const struct {
		const char *head;
		size_t len;
		int values; /* empty ones that follow */
		int want;
	} row[] = {
#define ROW(s, n, want) { s, sizeof(s) - 1, RFC822_FIELDS + (n), want }
		ROW("\1\0\0\13", 0, 0),
		ROW("\1\2\5\13", 0, 0),
		ROW("\0\0\0\13", 0, -EBADMSG),		   /* version */
		ROW("\2\0\0\13", 0, -EBADMSG),
		ROW("\1\0\0\12", -1, -EBADMSG),		   /* fields */
		ROW("\1\0\0\14", 1, -EBADMSG),
		ROW("\1\0\0\13", -1, -EBADMSG),		   /* cut */
		ROW("\1\0\0\13", 1, -EBADMSG),		   /* longer */
		ROW("\1\200\0\0\13", 0, -EBADMSG),	   /* not shortest */
		ROW("\1\0\0\13\1a", -1, 0),
		ROW("\1\0\0\13\1\0", -1, -EBADMSG),	   /* zero in it */
		ROW("\1\0\0\13\377\7", -1, -EBADMSG),	   /* past the end */
		ROW("\1\0\0\13\200\10", -1, -EBADMSG),	   /* 1024 */
		ROW("\1\377\377\377\377\377\377\377\377\377\1\0\13", 0, 0),
		ROW("\1\377\377\377\377\377\377\377\377\377\2\0\13", 0,
		    -EBADMSG),				   /* 65 bits */
		ROW("\1\377\377\377\377\377\377\377\377\377\377\1\0\13", 0,
		    -EBADMSG),
#undef ROW
	};
	static const struct rfc822 zero;

	for (size_t i = 0; i < NELEMS(row); i++) {
		uint8_t in[64] = { 0 };
		struct rfc822 h;
		int r;

		memset(&h, 'x', sizeof(h));
		memcpy(in, row[i].head, row[i].len);
		r = hdrpack_unpack(in, row[i].len + (size_t)row[i].values, &h);
		CHECK_EQ_AT(i, r, row[i].want);
		if (r < 0)
			CHECK_AT(i, memcmp(&h, &zero, sizeof(h)) == 0);
	}
	CHECK_EQ(RFC822_FIELDS, 013); /* what the rows say */
}

/* Changed, cut and lengthened strings: refused, or read as what packs to
 * exactly them. Memory just as long as the string shows reads past its end. */
static void
test_mutated(void)
{
	struct rfc822 h = { .date_unix = 1700000000, .crlf_size = 70000 };
	static uint8_t good[HDRPACK_MAX], again[HDRPACK_MAX];
	unsigned rnd = 1;
	int wrong = 0, read = 0;
	size_t len;

	strcpy(h.value[RFC822_FROM], "someone@example.org");
	strcpy(h.value[RFC822_SUBJECT], "Gr\303\274\303\237e");
	memset(h.value[RFC822_REFERENCES], '<', 200);
	len = hdrpack_pack(&h, good, sizeof(good));
	for (int i = 0; i < 20000; i++) {
		struct rfc822 got;
		size_t n;
		uint8_t *in;

		rnd = rnd * 1103515245 + 12345;
		n = i % 3 == 0 ? (rnd >> 16) % (len + 2) : len;
		in = calloc(1, n + (n == 0));
		memcpy(in, good, n < len ? n : len);
		for (int k = 0; n > 0 && k <= i % 4; k++) {
			rnd = rnd * 1103515245 + 12345;
			in[(rnd >> 8) % (i % 2 ? n : n < 24 ? n : 24)] =
			    (uint8_t)(rnd >> 24);
		}
		if (hdrpack_unpack(in, n, &got) == 0) {
			read++;
			wrong += hdrpack_pack(&got, again, HDRPACK_MAX) != n ||
			    memcmp(again, in, n) != 0;
		}
		free(in);
	}
	CHECK_EQ(wrong, 0);
	CHECK(read > 100);
}

int
main(void)
{
	test_round_trip();
	test_refused();
	test_mutated();
	return check_done();
}
