#include "check.h"
#include "store/s3_arn.h"

#define W "arn:aws:s3:us-west-2:123456789012:accesspoint/"
#define FIFTY "a1234567890123456789012345678901234567890123456789"

static const struct {
	const char *text, *arn, *region, *label; /* arn NULL: refused */
	const char *rest; /* or what the reason says */
} cases[] = {
	{ W "mail", W "mail", "us-west-2", "mail-123456789012", "" },
	{ "arn:aws:s3:us-west-2:123456789012:accesspoint:mail", W "mail",
	    "us-west-2", "mail-123456789012", "" },
	{ W "mail/in/bound", W "mail", "us-west-2", "mail-123456789012",
	    "/in/bound" },
	{ W "mail/", W "mail", "us-west-2", "mail-123456789012", "/" },
	{ W FIFTY, W FIFTY, "us-west-2", FIFTY "-123456789012", "" },
	{ "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/m-1",
	    "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/m-1",
	    "cn-north-1", "m-1-123456789012", "" },
	{ "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/abc",
	    "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/abc",
	    "us-gov-west-1", "abc-123456789012", "" },
	{ "arn:aws-iso-b:s3:us-isob-east-1:123456789012:accesspoint/abc",
	    "arn:aws-iso-b:s3:us-isob-east-1:123456789012:accesspoint/abc",
	    "us-isob-east-1", "abc-123456789012", "" },
	{ "mail", .rest = "is written" },
	{ "arn:", .rest = "is written" },
	{ "arn:aws:s3:us-west-2", .rest = "is written" },
	{ "arn:aws:s3:us/west-2:123456789012:accesspoint/x",
	    .rest = "is written" },
	{ "arn:aws:s3:us-west-2us-west-2us-west-2us-west-2:123456789012:"
	  "accesspoint/x", .rest = "is written" },
	{ "arn:aws:s3:::bucket", .rest = "written by its name" },
	{ "arn:aws:s3:us-west-2:123456789012:accesspoint",
	    .rest = "written by its name" },
	{ "arn:aws:s3:us-west-2:123456789012:accesspoints/x",
	    .rest = "written by its name" },
	{ "arn:aws:kms:us-west-2:123456789012:key/x", .rest = "not one of S3" },
	{ "arn:aws:s3express:us-west-2:123456789012:accesspoint/x",
	    .rest = "not one of S3" },
	{ "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/x",
	    .rest = "Object Lambda" },
	{ "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint"
	  "/x", .rest = "Outposts" },
	{ "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
	    .rest = "Multi-Region" },
	{ "arn:aws:s3:US-WEST-2:123456789012:accesspoint/abc",
	    .rest = "not a region name" },
	{ "arn:aws:s3:cn-north-1:123456789012:accesspoint/abc",
	    .rest = "partition" },
	{ "arn:aws-cn:s3:us-west-2:123456789012:accesspoint/abc",
	    .rest = "partition" },
	{ "arn::s3:us-west-2:123456789012:accesspoint/abc",
	    .rest = "partition" },
	{ "arn:aws:s3:us-west-2::accesspoint/abc", .rest = "twelve digits" },
	{ "arn:aws:s3:us-west-2:12345678901x:accesspoint/abc",
	    .rest = "twelve digits" },
	{ "arn:aws:s3:us-west-2:1234567890123:accesspoint/abc",
	    .rest = "twelve digits" },
	{ W "", .rest = "3 to 50" },
	{ W "ab", .rest = "3 to 50" },
	{ W "-ab", .rest = "3 to 50" },
	{ W "ab-", .rest = "3 to 50" },
	{ W "Mail", .rest = "3 to 50" },
	{ W "ma.il", .rest = "3 to 50" },
	{ W "ma:il", .rest = "3 to 50" },
	{ W "ma@evil.example", .rest = "3 to 50" },
	{ W FIFTY "0", .rest = "3 to 50" },
};

int
main(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		const char *text = cases[i].text, *why;
		struct s3_arn arn;
		size_t len;
		int r = s3_arn_parse(text, &arn, &len, &why);

		CHECK_AT(i, (r == 0) == (cases[i].arn != NULL));
		CHECK_AT(i, (why == NULL) == (r == 0));
		if (r < 0) {
			CHECK_AT(i, strstr(why, cases[i].rest) != NULL);
			CHECK_STR_AT(i, arn.text, "");
			continue;
		}
		CHECK_AT(i, s3_arn_is(text));
		CHECK_STR_AT(i, arn.text, cases[i].arn);
		CHECK_STR_AT(i, arn.region, cases[i].region);
		CHECK_STR_AT(i, arn.label, cases[i].label);
		CHECK_STR_AT(i, text + len, cases[i].rest);
	}
	CHECK(!s3_arn_is("arn"));
	CHECK(!s3_arn_is("xarn:"));
	return check_done();
}
