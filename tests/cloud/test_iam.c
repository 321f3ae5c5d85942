/* What the emulator's policies decide, by table. */
#include "iam.h"
#include "iam_match.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>

#define S3 "arn:aws:s3:::"
#define KEY "arn:aws:kms:us-east-1:123456789012:key/11111111"

static const struct {
	const char *pattern, *text;
	unsigned how;
	bool want;
} matches[] = {
	{ "", "", 0, true },
	{ "", "a", IAM_WILD, false },
	{ "abc", "abc", 0, true },
	{ "abc", "abC", 0, false },
	{ "abc", "aBC", IAM_FOLD, true },
	{ "a*", "a*", 0, true },
	{ "a*", "ab", 0, false },
	{ "*", "", IAM_WILD, true },
	{ "a*", "a", IAM_WILD, true },
	{ "a*c", "abcbc", IAM_WILD, true },
	{ "a*c", "abcb", IAM_WILD, false },
	{ "a**b?", "axxbxbz", IAM_WILD, true },
	{ "?", "", IAM_WILD, false },
	{ "a?c", "abc", IAM_WILD, true },
	{ "*a*b*", "xxbxa", IAM_WILD, false },
	{ "a${*}", "a*", IAM_WILD, true },
	{ "a${*}", "ab", IAM_WILD, false },
	{ "a${?}*", "a?b", IAM_WILD, true },
	{ "a${$}{x}", "a${x}", 0, true },
	{ "arn:aws:s3:::a*", "arn:aws:s3:::ab:c/d", IAM_WILD, true },
	{ "arn:*", "arn:aws:s3:::ab", IAM_WILD, true },
	{ "arn:*", "arn:aws:s3:::ab", IAM_WILD | IAM_ARN, false },
	{ "arn:*:iam::*:role/a*", "arn:aws:iam::123456789012:role/ab",
	    IAM_WILD | IAM_ARN, true },
	{ "arn:*:iam::*:role/a*", "arn:aws:iam::1:2:role/ab",
	    IAM_WILD | IAM_ARN, false },
	{ "arn:aws:ses:r:1:*", "arn:aws:ses:r:1:set/a:rule/b",
	    IAM_WILD | IAM_ARN, true },
};

static const struct {
	const char *text;
	bool want;
} patterns[] = {
	{ "a*${*}${?}${$}", true },
	{ "$", true },
	{ "a${aws:username}", false },
	{ "${*", false },
	{ "${", false },
	{ "${}", false },
};

#define DOC(statements)                                                        \
	"{\"Version\": \"2012-10-17\", \"Statement\": [" statements "]}"
#define ALLOW(action, resource)                                                \
	"{\"Effect\": \"Allow\", \"Action\": " action ", \"Resource\": " resource \
	"}"
#define WHEN(condition)                                                        \
	"{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\", "     \
	"\"Condition\": {" condition "}}"

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "not JSON" },
	{ "[]", "not an object" },
	{ "{\"Version\": \"2012-10-17\"}", "Statement" },
	{ "{\"Statement\": []}", "Version" },
	{ "{\"Version\": \"2008-10-17\", \"Statement\": []}", "Version" },
	{ "{\"Version\": \"2012-10-17\", \"Version\": \"2012-10-17\", "
	  "\"Statement\": []}", "not JSON" },
	{ "{\"Version\": \"2012-10-17\", \"Statment\": []}", "Statment" },
	{ DOC("3"), "Statement 0: not an object" },
	{ DOC(ALLOW("\"s3:GetObject\"", "\"*\"") ", {}"), "Statement 1" },
	{ DOC("{\"Effect\": \"Allow\", \"Action\": \"*\"}"), "Resource" },
	{ DOC("{\"Effect\": \"Allow\", \"Resource\": \"*\"}"), "Action" },
	{ DOC("{\"Effect\": \"Allow\", \"Action\": \"*\", \"NotAction\": "
	      "\"*\", \"Resource\": \"*\"}"), "NotAction" },
	{ DOC("{\"Effect\": \"Maybe\", \"Action\": \"*\", \"Resource\": "
	      "\"*\"}"), "Effect" },
	{ DOC("{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": "
	      "\"*\", \"Resource\": \"*\"}"), "Principal" },
	{ DOC(ALLOW("[]", "\"*\"")), "Action" },
	{ DOC(ALLOW("[3]", "\"*\"")), "Action" },
	{ DOC(ALLOW("\"GetObject\"", "\"*\"")), "no service" },
	{ DOC(ALLOW("\"s3:GetObjekt\"", "\"*\"")), "s3:GetObjekt" },
	{ DOC(ALLOW("\"s3:*\"", "\"bucket\"")), "neither * nor an ARN" },
	{ DOC(ALLOW("\"s3:*\"", "\"" S3 "b/${aws:username}\"")), "variable" },
	{ DOC(WHEN("\"StringEqual\": {\"s3:prefix\": \"a\"}")), "operator" },
	{ DOC(WHEN("\"IfExists\": {\"s3:prefix\": \"a\"}")), "operator" },
	{ DOC(WHEN("\"NullIfExists\": {\"s3:prefix\": \"true\"}")),
	    "operator" },
	{ DOC(WHEN("\"StringEquals\": {\"s3:Prefx\": \"a\"}")), "s3:Prefx" },
	{ DOC(WHEN("\"StringEquals\": {\"kms:EncryptionContext:\": \"a\"}")),
	    "condition key" },
	{ DOC(WHEN("\"StringEquals\": {\"s3:prefix\": 3}")), "not a string" },
	{ DOC(WHEN("\"StringEquals\": {\"s3:prefix\": []}")), "no value" },
	{ DOC(WHEN("\"StringEquals\": \"s3:prefix\"")), "not an object" },
	{ DOC(WHEN("\"StringEquals\": {\"kms:ResourceAliases\": \"a\"}")),
	    "ForAnyValue" },
	{ DOC(WHEN("\"ForAnyValue:StringEquals\": {\"s3:prefix\": \"a\"}")),
	    "one value" },
	{ DOC(WHEN("\"Bool\": {\"aws:SecureTransport\": \"yes\"}")), "true" },
	{ DOC(WHEN("\"ArnLike\": {\"aws:PrincipalArn\": \"me\"}")), "ARN" },
	{ DOC(WHEN("\"StringLike\": {\"s3:prefix\": \"${s3:prefix}\"}")),
	    "variable" },
};

#define TWO_ALIASES                                                            \
	{ "kms:ResourceAliases", "alias/a" }, { "kms:ResourceAliases",         \
	    "alias/b" }
#define CONTEXT_MAX 4

static const struct {
	const char *statements, *action, *resource;
	enum iam_verdict want;
	struct pair context[CONTEXT_MAX];
} decisions[] = {
	{ "", "s3:GetObject", S3 "b/k", IAM_NOT_ALLOWED, { { 0 } } },
	{ ALLOW("\"s3:GetObject\"", "\"" S3 "b/*\""), "s3:GetObject",
	    S3 "b/in/k", IAM_ALLOWED, { { 0 } } },
	{ ALLOW("\"S3:getobject\"", "\"" S3 "b/*\""), "s3:GetObject",
	    S3 "b/in/k", IAM_ALLOWED, { { 0 } } },
	{ ALLOW("\"s3:GetObject\"", "\"" S3 "b/*\""), "s3:PutObject",
	    S3 "b/in/k", IAM_NOT_ALLOWED, { { 0 } } },
	{ ALLOW("\"s3:GetObject\"", "\"" S3 "b/*\""), "s3:GetObject",
	    S3 "B/in/k", IAM_NOT_ALLOWED, { { 0 } } },
	{ ALLOW("\"s3:Get*\"", "[\"" S3 "a\", \"" S3 "b/i?/*\"]"),
	    "s3:GetObject", S3 "b/in/k", IAM_ALLOWED, { { 0 } } },
	{ ALLOW("[\"s3:ListBucket\", \"kms:*\"]", "\"*\""), "kms:Decrypt", KEY,
	    IAM_ALLOWED, { { 0 } } },
	/* an explicit Deny wins, wherever it stands */
	{ ALLOW("\"*\"", "\"*\"") ", {\"Effect\": \"Deny\", \"Action\": "
	  "\"kms:Decrypt\", \"Resource\": \"*\"}", "kms:Decrypt", KEY,
	    IAM_DENIED, { { 0 } } },
	{ "{\"Effect\": \"Deny\", \"Action\": \"kms:Decrypt\", \"Resource\": "
	  "\"" KEY "\"}, " ALLOW("\"*\"", "\"*\""), "kms:Decrypt", KEY,
	    IAM_DENIED, { { 0 } } },
	{ "{\"Effect\": \"Deny\", \"Action\": \"kms:Decrypt\", \"Resource\": "
	  "\"" KEY "2\"}, " ALLOW("\"*\"", "\"*\""), "kms:Decrypt", KEY,
	    IAM_ALLOWED, { { 0 } } },
	{ "{\"Effect\": \"Allow\", \"NotAction\": [\"s3:*\", \"sts:*\"], "
	  "\"Resource\": \"*\"}", "kms:Decrypt", KEY, IAM_ALLOWED, { { 0 } } },
	{ "{\"Effect\": \"Allow\", \"NotAction\": [\"s3:*\", \"sts:*\"], "
	  "\"Resource\": \"*\"}", "s3:GetObject", S3 "b/k", IAM_NOT_ALLOWED,
	    { { 0 } } },
	/* every operator, and a key that is absent */
	{ WHEN("\"StringEquals\": {\"s3:prefix\": [\"a\", \"in/\"]}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { "s3:prefix", "in/" } } },
	{ WHEN("\"StringEquals\": {\"s3:prefix\": \"in/*\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "s3:prefix", "in/" } } },
	{ WHEN("\"StringEquals\": {\"S3:Prefix\": \"in/\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { "s3:prefix", "in/" } } },
	{ WHEN("\"StringEquals\": {\"s3:prefix\": \"in/\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED, { { 0 } } },
	{ WHEN("\"StringEqualsIfExists\": {\"s3:prefix\": \"in/\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { 0 } } },
	{ WHEN("\"StringEqualsIfExists\": {\"s3:prefix\": \"in/\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "s3:prefix", "out/" } } },
	{ WHEN("\"StringNotEquals\": {\"s3:prefix\": [\"a\", \"b\"]}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { "s3:prefix", "c" } } },
	{ WHEN("\"StringNotEquals\": {\"s3:prefix\": [\"a\", \"b\"]}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "s3:prefix", "b" } } },
	{ WHEN("\"StringNotEquals\": {\"s3:prefix\": \"a\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { 0 } } },
	{ WHEN("\"StringEqualsIgnoreCase\": {\"s3:prefix\": \"IN/\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { "s3:prefix", "in/" } } },
	{ WHEN("\"StringLike\": {\"s3:prefix\": \"in/*\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { "s3:prefix", "in/" } } },
	{ WHEN("\"StringLike\": {\"s3:prefix\": \"in/*\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "s3:prefix", "i" } } },
	{ WHEN("\"StringNotLike\": {\"s3:prefix\": \"in/*\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "s3:prefix", "in/x" } } },
	{ WHEN("\"ArnLike\": {\"aws:PrincipalArn\": "
	       "\"arn:aws:iam::*:user/t*\"}"), "s3:ListBucket", S3 "b",
	    IAM_ALLOWED, { { "aws:PrincipalArn",
		"arn:aws:iam::123456789012:user/test" } } },
	{ WHEN("\"ArnNotLike\": {\"aws:PrincipalArn\": "
	       "\"arn:aws:iam::*:user/t*\"}"), "s3:ListBucket", S3 "b",
	    IAM_NOT_ALLOWED, { { "aws:PrincipalArn",
		"arn:aws:iam::123456789012:user/test" } } },
	{ WHEN("\"Bool\": {\"aws:SecureTransport\": \"true\"}"),
	    "s3:ListBucket", S3 "b", IAM_NOT_ALLOWED,
	    { { "aws:SecureTransport", "false" } } },
	{ WHEN("\"BoolIfExists\": {\"aws:SecureTransport\": \"true\"}"),
	    "s3:ListBucket", S3 "b", IAM_ALLOWED, { { 0 } } },
	{ WHEN("\"Null\": {\"kms:EncryptionContext:a:b\": \"false\"}"),
	    "kms:Decrypt", KEY, IAM_ALLOWED,
	    { { "kms:EncryptionContext:a:b", "" } } },
	{ WHEN("\"Null\": {\"kms:EncryptionContext:a:b\": \"false\"}"),
	    "kms:Decrypt", KEY, IAM_NOT_ALLOWED,
	    { { "kms:EncryptionContext:a", "b" } } },
	{ WHEN("\"Null\": {\"kms:EncryptionContext:a\": \"true\"}"),
	    "kms:Decrypt", KEY, IAM_NOT_ALLOWED,
	    { { "kms:EncryptionContext:a", "b" } } },
	/* all operators of a block, all keys of an operator */
	{ WHEN("\"StringEquals\": {\"s3:prefix\": \"a\", "
	       "\"s3:ResourceAccount\": \"1\"}"), "s3:ListBucket", S3 "b",
	    IAM_NOT_ALLOWED, { { "s3:prefix", "a" },
		{ "s3:ResourceAccount", "2" } } },
	{ WHEN("\"StringEquals\": {\"s3:prefix\": \"a\"}, \"StringLike\": "
	       "{\"s3:ResourceAccount\": \"1*\"}"), "s3:ListBucket", S3 "b",
	    IAM_ALLOWED, { { "s3:prefix", "a" },
		{ "s3:ResourceAccount", "12" } } },
	/* sets */
	{ WHEN("\"ForAnyValue:StringEquals\": {\"kms:ResourceAliases\": "
	       "\"alias/b\"}"), "kms:Decrypt", KEY, IAM_ALLOWED,
	    { TWO_ALIASES } },
	{ WHEN("\"ForAnyValue:StringEquals\": {\"kms:ResourceAliases\": "
	       "\"alias/c\"}"), "kms:Decrypt", KEY, IAM_NOT_ALLOWED,
	    { TWO_ALIASES } },
	{ WHEN("\"ForAnyValue:StringLike\": {\"kms:ResourceAliases\": "
	       "\"alias/*\"}"), "kms:Decrypt", KEY, IAM_NOT_ALLOWED,
	    { { 0 } } },
	{ WHEN("\"ForAllValues:StringEquals\": {\"kms:ResourceAliases\": "
	       "\"alias/a\"}"), "kms:Decrypt", KEY, IAM_NOT_ALLOWED,
	    { TWO_ALIASES } },
	{ WHEN("\"ForAllValues:StringEquals\": {\"kms:ResourceAliases\": "
	       "[\"alias/a\", \"alias/b\"]}"), "kms:Decrypt", KEY,
	    IAM_ALLOWED, { TWO_ALIASES } },
	{ WHEN("\"ForAllValues:StringEquals\": {\"kms:ResourceAliases\": "
	       "\"alias/a\"}"), "kms:Decrypt", KEY, IAM_ALLOWED, { { 0 } } },
	/* the condition of a Deny */
	{ ALLOW("\"*\"", "\"*\"") ", {\"Effect\": \"Deny\", \"Action\": "
	  "\"s3:*\", \"Resource\": \"*\", \"Condition\": {\"StringNotEquals\": "
	  "{\"s3:ResourceAccount\": \"1\"}}}", "s3:GetObject", S3 "b/k",
	    IAM_DENIED, { { "s3:ResourceAccount", "2" } } },
};

static void
test_matches(void)
{
	for (size_t i = 0; i < NELEMS(matches); i++)
		CHECK_AT(i, iam_matches(matches[i].pattern, matches[i].text,
			matches[i].how) == matches[i].want);
	for (size_t i = 0; i < NELEMS(patterns); i++)
		CHECK_AT(i, iam_is_pattern(patterns[i].text) ==
		    patterns[i].want);
}

static void
test_bad(void)
{
	struct iam_policy *p;
	char why[IAM_WHY_MAX];

	for (size_t i = 0; i < NELEMS(bad); i++) {
		why[0] = '\0';
		CHECK_EQ_AT(i, iam_policy_parse(bad[i].text,
		    strlen(bad[i].text), &p, why), -EINVAL);
		CHECK_AT(i, p == NULL);
		CHECK_AT(i, strstr(why, bad[i].says) != NULL);
		iam_policy_free(p);
	}
}

static void
test_decisions(void)
{
	char why[IAM_WHY_MAX], *text;
	struct iam_policy *p;

	for (size_t i = 0; i < NELEMS(decisions); i++) {
		struct iam_ask ask = { decisions[i].action,
			decisions[i].resource, decisions[i].context, 0 };
		int len = asprintf(&text, DOC("%s"), decisions[i].statements);

		if (len < 0)
			abort();
		while (ask.context_len < CONTEXT_MAX &&
		    ask.context[ask.context_len].name != NULL)
			ask.context_len++;
		why[0] = '\0';
		CHECK_EQ_AT(i, iam_policy_parse(text, (size_t)len, &p, why), 0);
		CHECK_STR_AT(i, why, "");
		if (p != NULL)
			CHECK_EQ_AT(i, iam_policy_decide(p, &ask),
			    decisions[i].want);
		iam_policy_free(p);
		free(text);
	}
}

int
main(void)
{
	test_matches();
	test_bad();
	test_decisions();
	return check_done();
}
