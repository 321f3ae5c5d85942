#include <errno.h>

#include "check.h"
#include "store/stamp.h"

static const struct {
	const char *text;
	int64_t want; /* -1: refused */
} iso[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2015-08-30T12:36:00Z", 1440938160 },
	{ "2024-02-29T23:59:59.999Z", 1709251199 },
	{ "2026-01-02T03:04:05+01:30", 1767317645 },
	{ "2026-01-02T03:04:05-0130", 1767328445 },
	{ "2026-01-02t03:04:05z", 1767323045 },
	{ "2026-01-02 03:04:05Z", 1767323045 },
	{ "2016-12-31T23:59:60Z", 1483228800 },
	{ "2023-02-29T00:00:00Z", -1 },
	{ "2026-13-01T00:00:00Z", -1 },
	{ "2026-00-01T00:00:00Z", -1 },
	{ "2026-01-32T00:00:00Z", -1 },
	{ "2026-01-01T24:00:00Z", -1 },
	{ "2026-01-01T00:00:00", -1 },
	{ "2026-01-01T00:00:00Zx", -1 },
	{ "2026-01-01", -1 },
	{ "", -1 },
}, http[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Tue, 03 Feb 2026 04:05:06 GMT", 1770091506 },
	{ "Tue, 03 feb 2026 04:05:06 GMT", -1 },
	{ "Tue, 03 anF 2026 04:05:06 GMT", -1 },
	{ "Tue, 3 Feb 2026 04:05:06 GMT", -1 },
	{ "Tue, 03 Feb 2026 04:05:06 CET", -1 },
	{ "Tue, 03 Feb 2026", -1 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
	{ "Tue, 03 Fe", -1 },
	{ "", -1 },
};

int
main(void)
{
	int64_t t;

	for (size_t i = 0; i < NELEMS(iso); i++) {
		t = -1;
		CHECK_EQ_AT(i, stamp_parse_iso(iso[i].text, &t),
		    iso[i].want < 0 ? -EINVAL : 0);
		CHECK_EQ_AT(i, t, iso[i].want);
	}
	for (size_t i = 0; i < NELEMS(http); i++) {
		t = -1;
		CHECK_EQ_AT(i, stamp_parse_http(http[i].text, &t),
		    http[i].want < 0 ? -EINVAL : 0);
		CHECK_EQ_AT(i, t, http[i].want);
	}
	return check_done();
}
