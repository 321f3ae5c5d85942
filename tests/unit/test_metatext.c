/* Metadata that S3 has encoded twice. */
#include <stdlib.h>

#include "check.h"
#include "crypto/base.h"
#include "crypto/metatext.h"

static const struct {
	const char *in, *want;
} cases[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "{\"a\":\"b\"}", "{\"a\":\"b\"}" },
	/* minio#21282: what became of an "o" with two dots */
	{ "=?UTF-8?B?w4PCtg==?=", "\u00f6" },
	{ "=?utf-8?q?=C3=83=C2=B6?=", "\u00f6" },
	{ "=?UTF-8?Q?=C3=83?= =?UTF-8?Q?=C2=B6?=", "\u00f6" },
	{ "=?UTF-8?Q?=C3=83?= \t =?UTF-8?Q?=C2=B6?=x", "\u00f6x" },
	/* cut within a character */
	{ "=?UTF-8?Q?=C3=83=C2?= =?UTF-8?Q?=B6?=", "\u00f6" },
	{ "=?UTF-8*en?Q?=C3=83=C2=B6?=", "\u00f6" },
	/* white space stays where only one side is a word */
	{ "a =?UTF-8?Q?b?= c =?UTF-8?Q?_d?=", "a b c  d" },
	{ "=?UTF-8?Q?a?=b =?UTF-8?Q?c?=", "ab c" },
	/* not encoded twice: beyond U+00FF, or no UTF-8 underneath */
	{ "=?UTF-8?Q?=E2=82=AC?=", "\u20ac" },
	{ "=?UTF-8?Q?=C5=81?=", "\u0141" }, /* not an A */
	{ "=?UTF-8?Q?=C3=B6?=", "\u00f6" },
	{ "=?UTF-8?Q?=C3=83=C2=B6=E2=82=AC?=", "\u00c3\u00b6\u20ac" },
	/* no words, so nothing is undone */
	{ "\u00c3\u00b6", "\u00c3\u00b6" },
	/* not words, or not ours */
	{ "=?UTF-8?Q?a", "=?UTF-8?Q?a" },
	{ "=?UTF-8?Q?a?", "=?UTF-8?Q?a?" },
	{ "=?UTF-8?X?a?=", "=?UTF-8?X?a?=" },
	{ "=?UTF-8?QQ?a?=", "=?UTF-8?QQ?a?=" },
	{ "=?UTF-8??a?=", "=?UTF-8??a?=" },
	{ "=??Q?a?=", "=??Q?a?=" },
	{ "=?ISO-8859-1?Q?=F6?=", "=?ISO-8859-1?Q?=F6?=" },
	{ "=?UTF-8?Q?" "?=", "" },
	/* no zero bytes */
	{ "a=?UTF-8?Q?=00?=", "a=?UTF-8?Q?=00?=" },
	{ "=?UTF-8?B?AAAA?=", "=?UTF-8?B?AAAA?=" },
	/* escapes that are none */
	{ "=?UTF-8?Q?=4?=", "=4" },
	{ "=?UTF-8?Q?=XY=c3=83=c2=b6?=", "=XY\u00f6" },
};

int
main(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		char *got;

		CHECK_EQ_AT(i, metatext_decode(cases[i].in, &got), 0);
		CHECK_STR_AT(i, got, cases[i].want);
		free(got);
	}
	return check_done();
}
