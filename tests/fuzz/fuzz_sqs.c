/* A queue's URL, its attributes and its policy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqs_json.h"
#include "store/sqs_policy.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct sqs_policy_want w = {
		"arn:aws:sqs:us-east-1:123456789012:mail", "mail",
		"123456789012" };
	char *text = strndup((const char *)data, len);
	struct sqs_attributes a;
	struct sqs_url u;
	const char *why;
	int r;

	MUST(text != NULL);
	r = sqs_url_parse(text, &u, &why);
	MUST(r == (why == NULL ? 0 : -EINVAL));
	MUST(r < 0 || (strlen(u.account) == 12 && u.name[0] != '\0'));
	MUST(r < 0 || !u.is_aws || u.region[0] != '\0');

	r = sqs_json_attributes((struct slice){ data, len }, &a);
	MUST(r == 0 || (r == -EPROTO && a.policy == NULL));
	if (r == 0) {
		MUST(a.waiting >= 0 && a.hidden >= 0 && a.visibility_s >= 0);
		(void)sqs_policy_read(a.policy, &w);
		sqs_attributes_free(&a);
	}
	MUST(sqs_policy_read(text, &w) <= SQS_POLICY_UNSURE);
	free(text);
	return 0;
}
