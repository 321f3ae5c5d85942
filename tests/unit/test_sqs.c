#include <errno.h>
#include <stdio.h>

#include "check.h"
#include "store/sqs_json.h"
#include "store/sqs_policy.h"

#define PATH "/123456789012/mail"

static struct slice
text(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

/* ---- URLs ---- */

static const struct {
	const char *url, *region;
	bool is_aws;
} good[] = {
	{ "https://sqs.us-east-1.amazonaws.com" PATH, "us-east-1", true },
	{ "https://SQS.eu-west-1.amazonaws.com:443" PATH, "eu-west-1", true },
	{ "https://sqs-fips.us-west-2.amazonaws.com" PATH, "us-west-2", true },
	{ "https://sqs.eu-central-1.api.aws" PATH, "eu-central-1", true },
	{ "https://sqs.cn-north-1.amazonaws.com.cn" PATH, "cn-north-1", true },
	{ "https://queue.amazonaws.com" PATH, "us-east-1", true },
	{ "https://ap-south-1.queue.amazonaws.com" PATH, "ap-south-1", true },
	{ "https://vpce-01ab-cd.sqs.eu-west-3.vpce.amazonaws.com" PATH,
	    "eu-west-3", false },
	{ "http://127.0.0.1:9000" PATH, "", false },
	{ "http://localhost:4566/000000000000/mail", "", false },
	/* Other hosts that only look like AWS's. */
	{ "https://sqs.us-east-1.amazonaws.com.example.org" PATH, "", false },
	{ "https://sqs.cn-north-1.amazonaws.com" PATH, "", false },
	{ "https://sqs.us-east-1.example.org" PATH, "", false },
	{ "https://evil.sqs.us-east-1.amazonaws.com" PATH, "", false },
	{ "https://vpce-1.sqs.us-east-1.example.org" PATH, "", false },
};

static const struct {
	const char *url, *why;
} bad[] = {
	{ "", "is neither http:// nor https://" },
	{ "arn:aws:sqs:us-east-1:123456789012:mail",
	    "is neither http:// nor https://" },
	{ "https://u:p@sqs.us-east-1.amazonaws.com" PATH,
	    "has a user name or password in it" },
	{ "https://sqs.us-east-1.amazonaws.com" PATH "?x=1",
	    "has a query or a fragment" },
	{ "https://sqs.us-east-1.amazonaws.com",
	    "is not https://HOST/ACCOUNT/NAME" },
	{ "https://sqs.us-east-1.amazonaws.com/123456789012/",
	    "is not https://HOST/ACCOUNT/NAME" },
	{ "https://sqs.us-east-1.amazonaws.com/12345678901/mail",
	    "is not https://HOST/ACCOUNT/NAME" },
	{ "https://sqs.us-east-1.amazonaws.com/1234567890123/mail",
	    "is not https://HOST/ACCOUNT/NAME" },
	{ "https://sqs.us-east-1.amazonaws.com/x" PATH,
	    "is not https://HOST/ACCOUNT/NAME" },
	{ "https://sqs.us-east-1.amazonaws.com" PATH "/x",
	    "has a name that is none of a queue" },
	{ "https://sqs.us-east-1.amazonaws.com" PATH "!",
	    "has a name that is none of a queue" },
	{ "https://sqs.us-east-1.amazonaws.com" PATH ".fifo",
	    "is a FIFO queue, to which S3 sends no events" },
	{ "http://sqs.us-east-1.amazonaws.com" PATH,
	    "is AWS's but not https://" },
};

static void
test_urls(void)
{
	struct sqs_url u;
	const char *why;

	for (size_t i = 0; i < NELEMS(good); i++) {
		CHECK_EQ_AT(i, sqs_url_parse(good[i].url, &u, &why), 0);
		CHECK_STR_AT(i, u.region, good[i].region);
		CHECK_EQ_AT(i, u.is_aws, good[i].is_aws);
		CHECK_STR_AT(i, u.name, "mail");
		CHECK_STR_AT(i, u.endpoint.base, "");
	}
	CHECK_EQ(sqs_url_parse(good[0].url, &u, &why), 0);
	CHECK_STR(u.account, "123456789012");
	for (size_t i = 0; i < NELEMS(bad); i++) {
		CHECK_EQ_AT(i, sqs_url_parse(bad[i].url, &u, &why), -EINVAL);
		CHECK_STR_AT(i, why, bad[i].why);
	}
}

static const struct {
	const char *url, *endpoint_url;
	bool fips;
	const char *host, *region;
} asked[] = {
	{ "https://sqs.eu-west-1.amazonaws.com" PATH, NULL, false,
	    "sqs.eu-west-1.amazonaws.com", "eu-west-1" },
	{ "https://eu-west-1.queue.amazonaws.com" PATH, NULL, false,
	    "sqs.eu-west-1.amazonaws.com", "eu-west-1" },
	{ "https://sqs.us-west-2.amazonaws.com" PATH, NULL, true,
	    "sqs-fips.us-west-2.amazonaws.com", "us-west-2" },
	{ "https://vpce-1.sqs.eu-west-3.vpce.amazonaws.com" PATH, NULL, false,
	    "vpce-1.sqs.eu-west-3.vpce.amazonaws.com", "eu-west-3" },
	{ "http://127.0.0.1:9" PATH, NULL, false, "127.0.0.1", "us-east-2" },
	{ "https://sqs.eu-west-1.amazonaws.com" PATH, "http://localhost:1",
	    false, "localhost", "eu-west-1" },
};

static void
test_endpoints(void)
{
	for (size_t i = 0; i < NELEMS(asked); i++) {
		const struct sqs_opts o = { .url = asked[i].url,
			.region = "us-east-2", .fips = asked[i].fips,
			.endpoint_url = asked[i].endpoint_url };
		char region[ENDPOINT_REGION_MAX];
		struct endpoint e;

		CHECK_EQ_AT(i, sqs_endpoint(&o, &e, region), 0);
		CHECK_STR_AT(i, e.host, asked[i].host);
		CHECK_STR_AT(i, region, asked[i].region);
	}
}

/* ---- JSON ---- */

#define NUMBERS                                                                \
	"\"VisibilityTimeout\":\"30\",\"ApproximateNumberOfMessages\":\"7\","  \
	"\"ApproximateNumberOfMessagesNotVisible\":\"1\""
#define ARN "arn:aws:sqs:us-east-1:123456789012:mail"

static void
test_json(void)
{
	static const char *const malformed[] = { "", "[]", "{}",
		"{\"Attributes\":[]}", "{\"Attributes\":{" NUMBERS "}}",
		"{\"Attributes\":{\"QueueArn\":\"x\"," NUMBERS "}}",
		"{\"Attributes\":{\"QueueArn\":\"" ARN "\"}}",
		"{\"Attributes\":{\"QueueArn\":\"" ARN "\"," NUMBERS
		",\"KmsMasterKeyId\":7}}",
		"{\"Attributes\":{\"QueueArn\":\"" ARN "\"," NUMBERS
		",\"VisibilityTimeout\":\"-1\"}}" };
	struct buf b = BUF_INIT(4096);
	struct sqs_attributes a;

	CHECK_EQ(sqs_json_request("http://x" PATH, &b), 0);
	CHECK_STR(buf_str(&b), "{\"QueueUrl\":\"http://x" PATH "\","
	    "\"AttributeNames\":[\"QueueArn\",\"Policy\",\"VisibilityTimeout\","
	    "\"ApproximateNumberOfMessages\","
	    "\"ApproximateNumberOfMessagesNotVisible\",\"KmsMasterKeyId\"]}");
	buf_free(&b);
	CHECK_EQ(sqs_json_request("http://x/\xff", &b), -EINVAL);
	buf_free(&b);
	CHECK_EQ(sqs_json_attributes(text("{\"Attributes\":{\"QueueArn\":\""
	    ARN "\",\"Policy\":\"{}\",\"KmsMasterKeyId\":\"k\"," NUMBERS "}}"),
	    &a), 0);
	CHECK_STR(a.arn, ARN);
	CHECK_STR(a.policy, "{}");
	CHECK_EQ(a.visibility_s, 30);
	CHECK_EQ(a.waiting, 7);
	CHECK_EQ(a.hidden, 1);
	CHECK_STR(a.kms_key, "k");
	sqs_attributes_free(&a);
	for (size_t i = 0; i < NELEMS(malformed); i++) {
		CHECK_EQ_AT(i, sqs_json_attributes(text(malformed[i]), &a),
		    -EPROTO);
		CHECK_AT(i, a.policy == NULL && a.arn[0] == '\0');
	}
}

/* ---- policies ---- */

#define S3 "\"Principal\":{\"Service\":\"s3.amazonaws.com\"}"
#define SEND "\"Action\":\"sqs:SendMessage\",\"Resource\":\"" ARN "\""
#define ONE(text) "{\"Version\":\"2012-10-17\",\"Statement\":" text "}"
#define ALLOW "{\"Effect\":\"Allow\"," S3 "," SEND
#define IF(op, key, value)                                                     \
	",\"Condition\":{\"" op "\":{\"" key "\":" value "}}"

static const struct {
	const char *policy, *account;
	enum sqs_policy want;
} policies[] = {
	{ NULL, NULL, SQS_POLICY_NO },
	{ "", NULL, SQS_POLICY_NO },
	{ "{", NULL, SQS_POLICY_NO },
	{ "{}", NULL, SQS_POLICY_NO },
	{ ONE("7"), NULL, SQS_POLICY_NO },
	{ ONE("[7, {}]"), NULL, SQS_POLICY_NO },
	{ ONE(ALLOW "}"), NULL, SQS_POLICY_YES },
	{ ONE("[{\"Effect\":\"Deny\"}," ALLOW "}]"), NULL, SQS_POLICY_YES },
	/* what AWS's own pages show */
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn", "\"arn:aws:s3:*:*:b\"")
	    "}]"), NULL, SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("ArnEquals", "AWS:SourceArn",
	    "[\"arn:aws:s3:::a\",\"arn:aws:s3:::b\"]") "}]"), NULL,
	    SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn",
	    "\"arn:aws:s3:*:*:other\"") "}]"), NULL, SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceAccount",
	    "\"123456789012\"") "}]"), "123456789012", SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceAccount",
	    "\"999999999999\"") "}]"), "123456789012", SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceAccount",
	    "\"123456789012\"") "}]"), NULL, SQS_POLICY_UNSURE },
	/* without wildcards, and with them */
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceArn",
	    "\"arn:aws:s3:::b\"") "}]"), NULL, SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceArn",
	    "\"arn:aws:s3:::*\"") "}]"), NULL, SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceAccount",
	    "\"1234*\"") "}]"), "123456789012", SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("StringLike", "aws:SourceAccount",
	    "\"1234*\"") "}]"), "123456789012", SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("StringLike", "aws:SourceArn",
	    "[\"arn:aws:s3*\"]") "}]"), NULL, SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("StringLike", "aws:SourceAccount", "[]") "}]"),
	    "123456789012", SQS_POLICY_NO },
	/* part by part */
	{ ONE("[" ALLOW IF("ArnEquals", "aws:SourceArn",
	    "\"arn:a*:s?:*::*\"") "}]"), NULL, SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn", "\"arn:*:b:::b\"")
	    "}]"), NULL, SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn",
	    "\"arn:aws:s3:::b:c\"") "}]"), NULL, SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn", "\"*\"") "}]"), NULL,
	    SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn", "\"arn:aws:s3*\"")
	    "}]"), NULL, SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceAccount",
	    "\"123456789012\"") "}]"), "123456789012", SQS_POLICY_UNSURE },
	{ ONE("{\"Effect\":\"Allow\"," S3 ",\"Action\":\"sqs:*\","
	    "\"Resource\":\"arn:aws:sqs:*:mail\"}"), NULL,
	    SQS_POLICY_UNSURE },
	/* a boolean, written as one or as a string */
	{ ONE("[" ALLOW IF("Bool", "aws:SecureTransport", "true") "}]"), NULL,
	    SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("Bool", "aws:SecureTransport", "\"True\"") "}]"),
	    NULL, SQS_POLICY_YES },
	{ ONE("[" ALLOW IF("Bool", "aws:SecureTransport", "false") "}]"), NULL,
	    SQS_POLICY_NO },
	{ ONE("[" ALLOW IF("Bool", "aws:SecureTransport", "\"t*\"") "}]"),
	    NULL, SQS_POLICY_UNSURE },
	/* a principal is named whole */
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
	    "\"s3.*\"}," SEND "}"), NULL, SQS_POLICY_UNSURE },
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"?\"},"
	    SEND "}"), NULL, SQS_POLICY_NO },
	/* everybody */
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\","
	    "\"Resource\":\"*\"}"), NULL, SQS_POLICY_YES },
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},"
	    "\"Action\":[\"SQS:Send*\"],\"Resource\":\"arn:aws:sqs:*:"
	    "123456789012:ma?l\"}"), NULL, SQS_POLICY_YES },
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
	    "\"arn:aws:iam::123456789012:root\"}," SEND "}"), NULL,
	    SQS_POLICY_NO },
	/* something else is allowed */
	{ ONE("{\"Effect\":\"Allow\"," S3 ",\"Action\":\"sqs:ReceiveMessage\","
	    "\"Resource\":\"*\"}"), NULL, SQS_POLICY_NO },
	{ ONE("{\"Effect\":\"Allow\"," S3 ",\"Action\":\"sqs:*\","
	    "\"Resource\":\"" ARN "2\"}"), NULL, SQS_POLICY_NO },
	{ ONE("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
	    "\"sns.amazonaws.com\"}," SEND "}"), NULL, SQS_POLICY_NO },
	/* not understood */
	{ ONE("[" ALLOW IF("IpAddress", "aws:SourceIp", "\"10.0.0.0/8\"")
	    "}]"), NULL, SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW ",\"Condition\":7}]"), NULL, SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW ",\"Condition\":{\"ArnLike\":7}}]"), NULL,
	    SQS_POLICY_UNSURE },
	{ ONE("{\"Effect\":\"Allow\"," S3 ",\"NotAction\":\"sqs:Delete*\","
	    "\"Resource\":\"*\"}"), NULL, SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("StringEquals", "aws:SourceAccount",
	    "123456789012") "}]"), "123456789012", SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("ArnLike", "aws:SourceArn",
	    "\"arn:aws:s3:::${aws:PrincipalTag/b}\"") "}]"), NULL,
	    SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("stringequals", "aws:SourceAccount",
	    "\"123456789012\"") "}]"), "123456789012", SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW IF("ArnEqualsIfExists", "aws:SourceArn",
	    "\"arn:aws:s3:::b\"") "}]"), NULL, SQS_POLICY_UNSURE },
	{ ONE("{\"Effect\":\"Allow\"," S3 ",\"Action\":7,"
	    "\"Resource\":\"*\"}"), NULL, SQS_POLICY_UNSURE },
	/* forbidden beats allowed */
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\"}]"), NULL,
	    SQS_POLICY_NO },
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\""
	    IF("Bool", "aws:SecureTransport", "\"false\"") "}]"), NULL,
	    SQS_POLICY_YES },
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\""
	    IF("StringNotEquals", "aws:PrincipalOrgID", "\"o-1\"") "}]"),
	    NULL, SQS_POLICY_UNSURE },
	/* nor does what forbids end when it is not understood */
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\""
	    IF("StringEquals", "aws:SourceArn", "\"${x}\"") "}]"), NULL,
	    SQS_POLICY_UNSURE },
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\""
	    IF("Bool", "aws:SecureTransport", "true") "}]"), NULL,
	    SQS_POLICY_NO },
	{ ONE("[" ALLOW "},{\"Effect\":\"Deny\",\"Principal\":\"*\","
	    "\"Action\":\"sqs:*\",\"Resource\":\"*\""
	    IF("StringEquals", "aws:SourceArn", "\"arn:aws:s3:::*\"")
	    "}]"), NULL, SQS_POLICY_YES },
};

static void
test_policies(void)
{
	for (size_t i = 0; i < NELEMS(policies); i++) {
		const struct sqs_policy_want w = { ARN, "b",
			policies[i].account };

		CHECK_EQ_AT(i, sqs_policy_read(policies[i].policy, &w),
		    policies[i].want);
	}
}

int
main(void)
{
	test_urls();
	test_endpoints();
	test_json();
	test_policies();
	return check_done();
}
