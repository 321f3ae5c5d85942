#include "check.h"

#include <errno.h>

#include "store/keypolicy.h"

#define ACCOUNT "123456789012"
#define KEY_A "arn:aws:kms:us-east-1:" ACCOUNT ":key/aaaa"
#define KEY_B "arn:aws:kms:eu-west-1:" ACCOUNT ":key/bbbb"
#define FOREIGN "arn:aws:kms:us-east-1:999999999999:key/aaaa"

static int asked, answer;

static int
account(void *arg, char ret[16])
{
	asked++;
	strcpy(ret, ACCOUNT);
	return answer;
}

int
main(void)
{
	const char *keys[] = { KEY_A, KEY_B }, *try[4];
	const char *names[] = { KEY_A, "alias/c", "bbbb" };
	struct keypolicy *p;

	CHECK_EQ(keypolicy_new(keys, 2, account, NULL, &p), 0);
	CHECK_EQ(keypolicy_candidates(p, NULL, try, 4), 2);
	CHECK_STR(try[0], KEY_A);
	CHECK_EQ(keypolicy_candidates(p, KEY_B, try, 4), 2);
	CHECK_STR(try[0], KEY_B);
	CHECK_STR(try[1], KEY_A);
	/* a label that is no configured key is never asked */
	CHECK_EQ(keypolicy_candidates(p, FOREIGN, try, 4), 2);
	CHECK_STR(try[0], KEY_A);
	CHECK_EQ(keypolicy_candidates(p, NULL, try, 1), 1);
	CHECK_EQ(keypolicy_allows(p, KEY_B), 1);
	CHECK_EQ(keypolicy_allows(p, FOREIGN), 0);
	CHECK_EQ(asked, 0);
	keypolicy_free(p);

	/* a key named by its id, or by an alias that may be its */
	CHECK_EQ(keypolicy_new(names, 3, account, NULL, &p), 0);
	CHECK_EQ(keypolicy_candidates(p, KEY_B, try, 4), 3);
	CHECK_STR(try[0], "bbbb");
	CHECK_STR(try[1], "alias/c");
	CHECK_STR(try[2], KEY_A);
	/* an ARN that nobody vouches for is asked for by a name, not by itself;
	 * by none that is another key's */
	CHECK_EQ(keypolicy_names(p, KEY_B, try, 4), 2);
	CHECK_STR(try[0], "bbbb");
	CHECK_STR(try[1], "alias/c");
	CHECK_EQ(keypolicy_names(p, FOREIGN, try, 4), 1);
	CHECK_STR(try[0], "alias/c");
	CHECK_EQ(keypolicy_names(p, "nonsense", try, 4), 0);
	CHECK_EQ(keypolicy_names(p, KEY_B, try, 1), 1);
	keypolicy_free(p);

	CHECK_EQ(keypolicy_new(NULL, 0, account, NULL, &p), 0);
	CHECK_EQ(keypolicy_candidates(p, KEY_A, try, 4), 1);
	CHECK(try[0] == NULL);
	answer = -ETIMEDOUT;
	CHECK_EQ(keypolicy_allows(p, KEY_A), -ETIMEDOUT);
	answer = 0;
	CHECK_EQ(keypolicy_allows(p, KEY_A), 1);
	CHECK_EQ(keypolicy_allows(p, FOREIGN), 0);
	CHECK_EQ(keypolicy_allows(p, "arn:aws:kms:us-east-1"), 0);
	CHECK_EQ(keypolicy_allows(p, "arn:aws:kms:us-east-1:" ACCOUNT
	    ":alias/x"), 0);
	CHECK_EQ(keypolicy_names(p, KEY_A, try, 4), 1);
	CHECK_STR(try[0], KEY_A);
	CHECK_EQ(keypolicy_names(p, FOREIGN, try, 4), 0);
	CHECK_EQ(asked, 2);
	keypolicy_free(p);
	return check_done();
}
