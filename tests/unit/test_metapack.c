#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "store/metapack.h"

static const struct pair ses[] = {
	{ "x-amz-key-v2", "QUJD" },
	{ "author", "not of the envelope" },
	{ "x-amz-iv", "" },
	{ "x-amz-matdesc", "{\"a\":\"b\"}" },
	{ " instruction", "{}" },
	{ "X-AMZ-upper", "names come in lower case" },
};
static const char packed_ses[] =
    "\1x-amz-key-v2\0QUJD\0x-amz-iv\0\0x-amz-matdesc\0{\"a\":\"b\"}\0"
    " instruction\0{}";

static void
test_round_trip(void)
{
	struct pair back[METAPACK_PAIRS_MAX];
	uint8_t packed[METAPACK_MAX];
	size_t len = metapack_pack(ses, NELEMS(ses), packed);

	CHECK_EQ(len, sizeof(packed_ses)); /* its zero is the last one */
	CHECK(memcmp(packed, packed_ses, len) == 0);
	CHECK_EQ(metapack_unpack(packed, len, back), 4);
	CHECK_STR(back[0].name, "x-amz-key-v2");
	CHECK_STR(back[0].value, "QUJD");
	CHECK_STR(back[1].value, "");
	CHECK_STR(back[3].name, " instruction");
	CHECK_STR(back[3].value, "{}");
	CHECK_EQ(metapack_pack(NULL, 0, packed), 1);
	CHECK_EQ(metapack_unpack(packed, 1, back), 0);
}

static void
test_limits(void)
{
	static struct pair many[METAPACK_PAIRS_MAX + 1];
	static char value[METAPACK_MAX];
	struct pair one = { "x-amz-a", value }, back[METAPACK_PAIRS_MAX];
	static uint8_t packed[METAPACK_MAX + 1];
	size_t len;

	for (size_t i = 0; i < NELEMS(many); i++)
		many[i] = (struct pair){ "x-amz-a", "" };
	len = metapack_pack(many, METAPACK_PAIRS_MAX, packed);
	CHECK_EQ(len, 1 + 9 * METAPACK_PAIRS_MAX);
	CHECK_EQ(metapack_unpack(packed, len, back), METAPACK_PAIRS_MAX);
	CHECK_EQ(metapack_pack(many, NELEMS(many), packed), 0);
	memcpy(packed + len, "x-amz-a\0", 9);
	CHECK_EQ(metapack_unpack(packed, len + 9, back), -EBADMSG);

	memset(value, 'v', METAPACK_MAX - 10);
	CHECK_EQ(metapack_pack(&one, 1, packed), METAPACK_MAX);
	CHECK_EQ(metapack_unpack(packed, METAPACK_MAX, back), 1);
	memcpy(packed + METAPACK_MAX - 1, "v", 2);
	CHECK_EQ(metapack_unpack(packed, METAPACK_MAX + 1, back), -EBADMSG);
	value[METAPACK_MAX - 10] = 'v';
	CHECK_EQ(metapack_pack(&one, 1, packed), 0);
}

static void
test_refused(void)
{
	static const struct {
		const char *in;
		size_t len;
		int want;
	} row[] = {
#define ROW(s, want) { s, sizeof(s) - 1, want }
		ROW("", -EBADMSG),
		ROW("\0", -EBADMSG),
		ROW("\2", -EBADMSG),
		ROW("\1", 0),
		ROW("\1x-amz-a\0b\0", 1),
		ROW("\1x-amz-a\0b", -EBADMSG),
		ROW("\1x-amz-a\0", -EBADMSG),
		ROW("\1x-amz-a", -EBADMSG),
		ROW("\1x-amz-a\0b\0c\0d\0", -EBADMSG),
		ROW("\1\0\0", -EBADMSG),
		ROW("\1 \0\0", 1),
	};
	struct pair back[METAPACK_PAIRS_MAX];

	for (size_t i = 0; i < NELEMS(row); i++) {
		/* Of exactly that size, so that a read beyond it is seen. */
		uint8_t *in = malloc(row[i].len + (row[i].len == 0));

		memcpy(in, row[i].in, row[i].len);
		CHECK_EQ_AT(i, metapack_unpack(in, row[i].len, back),
		    row[i].want);
		free(in);
	}
}

int
main(void)
{
	test_round_trip();
	test_limits();
	test_refused();
	return check_done();
}
