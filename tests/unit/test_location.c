#include "fs/location.h"

#include "check.h"

#define AP "arn:aws:s3:us-west-2:123456789012:accesspoint/mail"
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
	{ "s3://mail-mvm1yxkzcm4cbgs3nzy1puzb1fhyhuse1b-s3alias/in",
	    "mail-mvm1yxkzcm4cbgs3nzy1puzb1fhyhuse1b-s3alias", "in/",
	    "s3://mail-mvm1yxkzcm4cbgs3nzy1puzb1fhyhuse1b-s3alias/in/" },
	{ "s3://" AP, AP, "", "s3://" AP },
	{ "s3://" AP "/", AP, "", "s3://" AP },
	{ "s3://" AP "/in/bound", AP, "in/bound/", "s3://" AP "/in/bound/" },
	{ "s3://" AP "/emails*", AP, "emails", "s3://" AP "/emails*" },
	/* the other way to write it is the same mailbox */
	{ "s3://arn:aws:s3:us-west-2:123456789012:accesspoint:mail/in", AP,
	    "in/", "s3://" AP "/in/" },
	{ "s3://" AP "/" LONG_KEY, AP, LONG_KEY "/", "s3://" AP "/" LONG_KEY
	    "/" },
	{ "s3://" AP "@evil.example", NULL, NULL, NULL },
	{ "s3://arn:aws:s3:::bucket/in", NULL, NULL, NULL },
	{ "s3://arn:secret@bucket", NULL, NULL, NULL },
	{ "s3://mail--use1-az4--x-s3", NULL, NULL, NULL },
	{ "s3://mail--use1-az4--xa-s3/in", NULL, NULL, NULL },
	{ "s3://mail-o01--op-s3/in", NULL, NULL, NULL },
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
