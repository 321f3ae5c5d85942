#include <errno.h>

#include "check.h"
#include "store/s3_list.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult " \
	     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define URL "<EncodingType>url</EncodingType>"
#define REST                                                                   \
	"<LastModified>2026-01-02T03:04:05.000Z</LastModified>"                \
	"<ETag>&quot;e-1&quot;</ETag><Size>7</Size>"
#define ITEM(key) "<Contents><Key>" key "</Key>" REST                          \
		  "<StorageClass>STANDARD</StorageClass></Contents>"
#define TAIL "</ListBucketResult>"

static struct slice
text(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static void
test_page(void)
{
	const struct s3_list_want want = { "", 10 };
	struct s3_page p;
	const char *why;

	/* The encoding may be told after the keys. */
	CHECK_EQ(s3_list_parse(text(HEAD "<IsTruncated>true</IsTruncated>"
	    "<NextContinuationToken>t+/=</NextContinuationToken>"
	    ITEM("a%2Bb+c%25") ITEM("b%C3%B6")
	    "<Contents><Key>c</Key>" REST "<Owner><ID>x</ID><Size>9</Size>"
	    "</Owner><StorageClass>GLACIER</StorageClass></Contents>" URL
	    "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>" TAIL),
	    &want, &p, &why), 0);
	CHECK_EQ(p.n, 3);
	CHECK_STR(p.item[0].key, "a+b c%");
	CHECK_STR(p.item[0].etag, "e-1");
	CHECK_EQ(p.item[0].size, 7);
	CHECK_EQ(p.item[0].last_modified_unix, 1767323045);
	CHECK(!p.item[0].is_archived);
	CHECK_STR(p.item[1].key, "b\xc3\xb6");
	CHECK(p.item[2].is_archived);
	CHECK(p.is_truncated);
	CHECK_STR(p.next_token, "t+/=");
	s3_page_free(&p);
	CHECK(p.item == NULL && p.n == 0);
	/* Keys as they are, when the service does not encode. */
	CHECK_EQ(s3_list_parse(text(HEAD ITEM("a+b%25") TAIL), &want, &p,
	    &why), 0);
	CHECK_STR(p.item[0].key, "a+b%25");
	CHECK(p.next_token == NULL);
	s3_page_free(&p);
}

static const struct {
	const char *xml;
	struct s3_list_want want;
	bool is_good;
} pages[] = {
	{ HEAD TAIL, { "", 10 }, true },
	{ HEAD ITEM("a") ITEM("b") TAIL, { "", 2 }, true },
	{ HEAD ITEM("a") ITEM("b") TAIL, { "", 1 }, false },
	{ HEAD ITEM("b") ITEM("a") TAIL, { "", 10 }, false },
	{ HEAD ITEM("a") ITEM("a") TAIL, { "", 10 }, false },
	{ HEAD ITEM("p/a") TAIL, { "p/", 10 }, true },
	{ HEAD ITEM("q/a") TAIL, { "p/", 10 }, false },
	{ HEAD URL ITEM("a%zz") TAIL, { "", 10 }, false },
	{ HEAD URL ITEM("a%00") TAIL, { "", 10 }, false },
	{ HEAD URL ITEM("a%4") TAIL, { "", 10 }, false },
	{ HEAD ITEM("") TAIL, { "", 10 }, false },
	{ HEAD "<IsTruncated>true</IsTruncated>" TAIL, { "", 10 },
	    false },
	{ HEAD "<Contents><Key>a</Key></Contents>" TAIL, { "", 10 },
	    false },
	{ HEAD "<Contents>" REST "</Contents>" TAIL, { "", 10 }, false },
	{ HEAD "<Contents><Key>a</Key><Key>b</Key>" REST "</Contents>" TAIL,
	    { "", 10 }, false },
	{ HEAD "<Contents><Key>a</Key><LastModified>now</LastModified>"
	  "<ETag>e</ETag><Size>1</Size></Contents>" TAIL, { "", 10 },
	    false },
	{ HEAD "<Contents><Key>a</Key><LastModified>2026-01-02T03:04:05Z"
	  "</LastModified><ETag>e</ETag><Size>-1</Size></Contents>" TAIL,
	    { "", 10 }, false },
	{ HEAD ITEM("a"), { "", 10 }, false },
	{ "<Error><Code>x</Code></Error>", { "", 10 }, false },
	{ "<!DOCTYPE x>" "<ListBucketResult/>", { "", 10 }, false },
	{ "", { "", 10 }, false },
};

static void
test_pages(void)
{
	for (size_t i = 0; i < NELEMS(pages); i++) {
		struct s3_page p;
		const char *why;
		int r = s3_list_parse(text(pages[i].xml), &pages[i].want, &p,
		    &why);

		CHECK_EQ_AT(i, r, pages[i].is_good ? 0 : -EPROTO);
		CHECK_AT(i, (why == NULL) == (r == 0));
		CHECK_AT(i, r == 0 || (p.item == NULL && p.arena_ == NULL));
		s3_page_free(&p);
	}
}

int
main(void)
{
	test_page();
	test_pages();
	return check_done();
}
