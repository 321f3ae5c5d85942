#include "fs/filter.h"

#include <locale.h>

#include "check.h"

#define DAY 1767225600 /* 2026-01-01 */

static struct rfc822 headers;

static struct filter_message
message(void)
{
	return (struct filter_message){
		.folder = "Sales",
		.key = "inbound/Sales/abc123",
		.flags = "FSa",
		.size = 1048576,
		.arrived_unix = DAY + 3600,
		.headers = &headers,
	};
}

/* One filter against the message above. */
static const struct {
	const char *filter;
	bool want;
} cases[] = {
	{ "folder=Sales", true },
	{ "folder=sales", false },
	{ "folder=INBOX", false },
	{ "folder!=INBOX", true },
	{ "from=alice", true },
	{ "from=ALICE@", true },
	{ "from=", true },
	{ "from!=bob", true },
	{ "from=bob", false },
	{ "to=bob", true },
	{ "subject=\xc3\xa4rger", true }, /* written with a capital */
	{ "subject=m\xc3\xbcller", false },
	{ "subject=a=b", true },
	{ "message-id=<1@x>", true },
	{ "message_id=<1@x>", true },
	{ "list-id=x", false },
	{ "spam=pass", true },
	{ "spam!=FAIL", true },
	{ "spam=PAS", false },
	{ "virus=FAIL", true },
	{ "key=ABC", true },
	{ "key=/Sales/", true },
	{ "flags=S", true },
	{ "flags=SF", true },
	{ "flags=ST", false },
	{ "flags!=T", true },
	{ "flags!=TS", false },
	{ "flags=a", true },
	{ "flags=N", false },
	{ "flags!=N", true },
	{ "flags=", true },
	{ "size=1M", true },
	{ "size>1M", false },
	{ "size>=1M", true },
	{ "size<1M", false },
	{ "size<=1048576", true },
	{ "size!=1M", false },
	{ "arrived=2026-01-01", true },
	{ "arrived>2026-01-01", false },
	{ "arrived>=2026-01-01", true },
	{ "arrived<=2026-01-01", true },
	{ "arrived<2026-01-01", false },
	{ "arrived>2025-12-31", true },
	{ "arrived=2026-01-01T01:00", true },
	{ "arrived>2026-01-01T01:00", false },
	/* the Date: field says the day before */
	{ "date=2025-12-31", true },
	{ "date>=2026-01-01", false },
};

static const char *const bad[] = { "", "folder", "=x", "frm=x", "size=x",
	"size>", "size=9223372036854775807", "date>tomorrow",
	"date=2026-02-30", "from>a", "folder<x", "flags>=S", "subject~x" };

static void
test_terms(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct filter_message m = message();
		char err[FILTER_ERR_MAX] = "";
		struct filter f;

		CHECK_EQ_AT(i, filter_parse(&cases[i].filter, 1, &f, err), 0);
		CHECK_STR_AT(i, err, "");
		CHECK_EQ_AT(i, filter_matches(&f, &m), cases[i].want);
	}
	for (size_t i = 0; i < NELEMS(bad); i++) {
		char err[FILTER_ERR_MAX] = "";
		struct filter f;

		CHECK_AT(i, filter_parse(&bad[i], 1, &f, err) < 0);
		CHECK_AT(i, err[0] != '\0');
	}
}

static void
test_all_must_hold(void)
{
	static const char *const both[] = { "folder=Sales", "size>2M" };
	struct filter_message m = message();
	char err[FILTER_ERR_MAX];
	struct filter f;

	CHECK_EQ(filter_parse(both, 2, &f, err), 0);
	CHECK(!filter_matches(&f, &m));
	CHECK(!filter_needs_headers(&f));
	m.size = 3 << 20;
	CHECK(filter_matches(&f, &m));
	CHECK_EQ(filter_parse(NULL, 0, &f, err), 0);
	CHECK(filter_matches(&f, &m));
}

/* Not knowing is neither yes nor no. */
static void
test_unknown(void)
{
	static const char *const terms[] = { "from=x", "from!=x", "spam=PASS",
		"spam!=PASS", "folder=A", "folder!=A" };
	struct filter_message m = { .key = "k", .flags = "",
		.arrived_unix = DAY };
	char err[FILTER_ERR_MAX];
	struct filter f;

	for (size_t i = 0; i < NELEMS(terms); i++) {
		CHECK_EQ_AT(i, filter_parse(&terms[i], 1, &f, err), 0);
		CHECK_AT(i, !filter_matches(&f, &m));
		CHECK_EQ_AT(i, filter_needs_headers(&f), i < 4);
	}
	CHECK_EQ(filter_date(&m), DAY);
}

static void
test_too_many(void)
{
	const char *terms[FILTER_TERMS_MAX + 1];
	char err[FILTER_ERR_MAX];
	struct filter f;

	for (size_t i = 0; i < NELEMS(terms); i++)
		terms[i] = "size>1";
	CHECK_EQ(filter_parse(terms, FILTER_TERMS_MAX, &f, err), 0);
	CHECK(filter_parse(terms, FILTER_TERMS_MAX + 1, &f, err) < 0);
}

int
main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	strcpy(headers.value[RFC822_FROM], "Alice <alice@example.com>");
	strcpy(headers.value[RFC822_TO], "bob@example.com");
	strcpy(headers.value[RFC822_SUBJECT], "\xc3\x84rger a=b");
	strcpy(headers.value[RFC822_MESSAGE_ID], "<1@x>");
	strcpy(headers.value[RFC822_SPAM], "PASS");
	strcpy(headers.value[RFC822_VIRUS], "FAIL");
	headers.date_unix = DAY - 3600;
	test_terms();
	test_all_must_hold();
	test_unknown();
	test_too_many();
	return check_done();
}
