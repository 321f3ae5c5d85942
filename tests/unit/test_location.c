#include "fs/location.h"

#include "check.h"

#define LONG_PART                                                              \
	"0123456789012345678901234567890123456789012345678901234567890123456789" \
	"012345678901234567890123456789"
#define LONG_KEY                                                               \
	LONG_PART LONG_PART LONG_PART LONG_PART LONG_PART LONG_PART LONG_PART  \
	    LONG_PART LONG_PART LONG_PART

static const struct {
	const char *text, *bucket, *prefix, *url; /* bucket NULL: refused */
} cases[] = {
	{ "s3://bucket", "bucket", "", "s3://bucket" },
	{ "s3://bucket/", "bucket", "", "s3://bucket" },
	{ "s3://bucket/inbound", "bucket", "inbound/", "s3://bucket/inbound/" },
	{ "s3://bucket/inbound/", "bucket", "inbound/",
	    "s3://bucket/inbound/" },
	{ "s3://bucket/a/b c/+%&", "bucket", "a/b c/+%&/",
	    "s3://bucket/a/b c/+%&/" },
	{ "s3://bucket/emails*", "bucket", "emails", "s3://bucket/emails*" },
	{ "s3://bucket/emails/*", "bucket", "emails/", "s3://bucket/emails/" },
	{ "s3://bucket/*", "bucket", "", "s3://bucket" },
	{ "s3://bucket//x", "bucket", "/x/", "s3://bucket//x/" },
	{ "s3://my.bucket-1", "my.bucket-1", "", "s3://my.bucket-1" },
	{ "s3://abc/" LONG_KEY, "abc", LONG_KEY "/", "s3://abc/" LONG_KEY "/" },
	{ "s3://abc/" LONG_KEY "0123456789012345678901234", NULL, NULL, NULL },
	{ "s3://ab", NULL, NULL, NULL },
	{ "s3://0123456789012345678901234567890123456789012345678901234567890123",
	    NULL, NULL, NULL },
	{ "s3://Bucket", NULL, NULL, NULL },
	{ "s3://buc_ket", NULL, NULL, NULL },
	{ "s3://-bucket", NULL, NULL, NULL },
	{ "s3://bucket.", NULL, NULL, NULL },
	{ "s3://buc..ket", NULL, NULL, NULL },
	{ "s3://192.168.0.1", NULL, NULL, NULL },
	{ "s3://key:secret@bucket", NULL, NULL, NULL },
	{ "s3://key@bucket/x", NULL, NULL, NULL },
	{ "s3://", NULL, NULL, NULL },
	{ "s3:/bucket", NULL, NULL, NULL },
	{ "https://bucket", NULL, NULL, NULL },
	{ "", NULL, NULL, NULL },
};

int
main(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct location l;
		const char *why;
		int r = location_parse(cases[i].text, &l, &why);

		CHECK_EQ_AT(i, r == 0, cases[i].bucket != NULL);
		if (r < 0) {
			CHECK_AT(i, why[0] != '\0');
			continue;
		}
		CHECK_STR_AT(i, l.bucket, cases[i].bucket);
		CHECK_STR_AT(i, l.prefix, cases[i].prefix);
		CHECK_STR_AT(i, l.url, cases[i].url);
	}
	return check_done();
}
