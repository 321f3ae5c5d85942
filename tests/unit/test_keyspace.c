#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crypto/utf8.h"
#include "store/keyspace.h"

static const char *const ids[] = {
	"0a9b8c7d6e5f4g3h2i1jklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba98765432",
	"5k5k5k5k1m2n3b4v5c6x7z8l9k0j", "qwertyuiopasdfghjklzxcvbnm0123456789",
};

static void
learn(struct keyspace *ks)
{
	keyspace_init(ks);
	for (size_t i = 0; i < NELEMS(ids); i++)
		keyspace_learn(ks, ids[i], 0);
}

/* Numbers are in the order of keys, learnt from or not. */
static void
test_order(void)
{
	static const char *const key[] = { "", "\x01", " ", "0", "00", "0a",
		"1", "A", "a", "a/", "az", "b", "zz", "~", "\xc3\xb6",
		"\xe6\x97\xa5", "\xf0\x9f\x98\x80", "\xff" };
	struct keyspace ks;

	for (int learnt = 0; learnt <= 1; learnt++) {
		keyspace_init(&ks);
		if (learnt)
			learn(&ks);
		for (size_t i = 0; i < NELEMS(key); i++) {
			double at = keyspace_at(&ks, key[i], 0);

			CHECK_AT(i, at >= 0 && at < 1);
			if (i > 0)
				CHECK_AT(i, at >=
				    keyspace_at(&ks, key[i - 1], 0));
		}
		CHECK(keyspace_at(&ks, "prefix/a", 7) ==
		    keyspace_at(&ks, "a", 0));
	}
}

static const struct {
	const char *name, *lo, *hi;
	size_t frame;
	int want; /* result */
	double at_least, at_most; /* where the middle is between both */
} cases[] = {
	{ "all", "inbound/", NULL, 8, 0, 0.45, 0.55 },
	{ "rest", "inbound/1a", NULL, 8, 0, 0.45, 0.55 },
	{ "half", "inbound/1a", "inbound/h", 8, 0, 0.45, 0.55 },
	{ "narrow", "inbound/1abcdef", "inbound/1abcdeg", 8, 0, 0.4, 0.6 },
	{ "frame", "inbound/1abc0", "inbound/1abcz", 12, 0, 0.45, 0.55 },
	{ "not learnt", "inbound/A", "inbound/Z", 8, 0, 0, 1 },
	{ "one character", "\xe6\x97\xa5/a", "\xe6\x97\xa6/a", 0, 0, 0, 1 },
	{ "within a character", "a\xe6\x97\xa5", "a\xe6\x97\xa9", 3, 0, 0, 1 },
	{ "above all letters", "inbound/z", "inbound/\xc3\xb6", 8, 0, 0, 1 },
	{ "surrogates", "\xed\x9f\xbf", "\xee\x80\x80", 0, -ENOENT, 0, 1 },
	{ "beyond all", "\xf4\x8f\xbf\xbf", NULL, 0, -ENOENT, 0, 1 },
	{ "equal", "a", "a", 0, -ENOENT, 0, 1 },
	{ "wrong order", "b", "a", 0, -ENOENT, 0, 1 },
};

static void
test_middle(void)
{
	struct keyspace ks;
	char m[1025];

	learn(&ks);
	for (size_t i = 0; i < NELEMS(cases); i++) {
		const char *lo = cases[i].lo, *hi = cases[i].hi;
		size_t f = cases[i].frame;
		double from, to, at;
		int r = keyspace_middle(&ks, lo, hi, f, m);

		CHECK_EQ_AT(i, r, cases[i].want);
		if (r < 0)
			continue;
		CHECK_AT(i, strcmp(lo, m) < 0);
		CHECK_AT(i, hi == NULL || strcmp(m, hi) < 0);
		CHECK_AT(i, utf8_is_valid((const uint8_t *)m, strlen(m)));
		while (f > 0 && ((unsigned char)lo[f] & 0xc0) == 0x80)
			f--;
		CHECK_AT(i, strncmp(m, lo, f) == 0);
		CHECK_AT(i, strlen(m) <= f + 19);
		from = keyspace_at(&ks, lo, f);
		to = hi != NULL ? keyspace_at(&ks, hi, f) : 1;
		at = (keyspace_at(&ks, m, f) - from) / (to - from);
		CHECK_AT(i, at >= cases[i].at_least);
		CHECK_AT(i, at <= cases[i].at_most);
	}
}

/* A key of full length leaves no room for a longer one. */
static void
test_long(void)
{
	char lo[1025], m[1025];
	struct keyspace ks;

	learn(&ks);
	memset(lo, 'a', 1024);
	lo[1024] = '\0';
	CHECK_EQ(keyspace_middle(&ks, lo, NULL, 1024, m), -ENOENT);
	CHECK_EQ(keyspace_middle(&ks, lo, NULL, 1010, m), -ENOENT);
	CHECK_EQ(keyspace_middle(&ks, lo, NULL, 1000, m), 0);
	CHECK(strlen(m) <= 1024);
	CHECK(strcmp(lo, m) < 0);
}

/* Halving again and again comes to an end, in order, wherever it begins. */
static void
test_halving(void)
{
	struct keyspace ks;
	char hi[1025] = "inbound/z", m[1025];
	int n = 0;

	learn(&ks);
	while (n < 1000 && keyspace_middle(&ks, "inbound/0", hi, 8, m) == 0) {
		CHECK_AT(n, strcmp(m, hi) < 0);
		strcpy(hi, m);
		n++;
	}
	CHECK(n > 20);
	CHECK(n < 1000);
}

int
main(void)
{
	CHECK_EQ(keyspace_common("", "a"), 0);
	CHECK_EQ(keyspace_common("abc", "abd"), 2);
	CHECK_EQ(keyspace_common("abc", "abc"), 3);
	CHECK_EQ(keyspace_common("abc", "ab"), 2);
	test_order();
	test_middle();
	test_long();
	test_halving();
	return check_done();
}
