#include "check.h"
#include "store/kms.h"

#define A "arn:aws:kms:us-east-1:123456789012:"
#define K A "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee"
#define M "key/mrk-1234abcd12ab34cd56ef1234567890ab"

static const struct {
	const char *want, *got;
	bool matches;
} t[] = {
	{ K, K, true },
	{ "0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", K, true },
	{ "alias/mail", K, true },
	{ A "alias/mail", K, true },
	{ A M, A M, true },
	/* One multi-region key, two regions. */
	{ "arn:aws:kms:eu-west-1:123456789012:" M, A M, true },
	{ "mrk-1234abcd12ab34cd56ef1234567890ab", A M, true },
	{ K, A "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffef", false },
	{ K, A "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee0", false },
	{ "arn:aws:kms:eu-west-1:123456789012:"
	  "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", K, false },
	{ "arn:aws:kms:us-east-1:999999999999:"
	  "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", K, false },
	{ "arn:aws-cn:kms:us-east-1:123456789012:"
	  "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", K, false },
	{ "arn:aws:kms:eu-west-1:999999999999:" M, A M, false },
	{ "arn:aws:kms:us-east-1:999999999999:alias/mail", K, false },
	{ "arn:aws:kms:eu-west-1:123456789012:alias/mail", K, false },
	{ "arn:aws:s3:us-east-1:123456789012:key/x",
	    "arn:aws:s3:us-east-1:123456789012:key/x", false },
	{ A "key/", A "key/", false },
	{ "alias/", K, false },
	{ "", K, false },
	{ "key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", K, false },
	/* An answer must be a key ARN, whatever was asked. */
	{ "alias/mail", A "alias/mail", false },
	{ "alias/mail", "0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", false },
	{ "x", "", false },
	{ K, "arn:aws:kms:us-east-1:123456789012", false },
};

int
main(void)
{
	for (size_t i = 0; i < NELEMS(t); i++)
		CHECK_AT(i, kms_arn_matches(t[i].want, t[i].got) ==
		    t[i].matches);
	return check_done();
}
