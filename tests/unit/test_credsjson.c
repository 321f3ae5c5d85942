/* Credentials as the services write them, and as they should not. */
#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "store/creds_json.h"
#include "store/imds.h"
#include "store/sts.h"

#define IMDS "{\"Code\":\"Success\",\"AccessKeyId\":\"A\","                    \
	     "\"SecretAccessKey\":\"s\",\"Token\":\"t\","
#define PORTAL "{\"accessKeyId\":\"A\",\"secretAccessKey\":\"s\","             \
	       "\"sessionToken\":\"t\","

static const struct {
	enum creds_json form;
	const char *json;
	int64_t expires;  /* -1: malformed */
	const char *why;
} cases[] = {
	{ CREDS_JSON_METADATA, IMDS "\"Expiration\":\"2030-01-01T00:00:00Z\"}",
	    1893456000, "" },
	{ CREDS_JSON_METADATA, IMDS "\"Expiration\":null}", 0, "" },
	{ CREDS_JSON_METADATA, IMDS "\"Expiration\":1}", -1,
	    "the time of expiry is not one" },
	{ CREDS_JSON_METADATA, "{\"Code\":\"AssumeRoleUnauthorizedAccess\","
	    "\"Message\":\"no\"}", -1, "AssumeRoleUnauthorizedAccess: no" },
	{ CREDS_JSON_METADATA, "{\"Code\":\"Failed\",\"Message\":7}", -1,
	    "Failed: " },
	/* With a NUL in it, it would be another. */
	{ CREDS_JSON_METADATA, "{\"AccessKeyId\":\"A\\u0000B\","
	    "\"SecretAccessKey\":\"s\"}", -1,
	    "not a JSON object with credentials" },
	{ CREDS_JSON_METADATA, "{\"AccessKeyId\":\"\","
	    "\"SecretAccessKey\":\"s\"}", -1,
	    "no proper access key and secret key" },
	{ CREDS_JSON_METADATA, "", -1, "not a JSON object with credentials" },
	{ CREDS_JSON_PORTAL, "{\"roleCredentials\":" PORTAL
	    "\"expiration\":1893456000999}}", 1893456000, "" },
	{ CREDS_JSON_PORTAL, "{\"roleCredentials\":" PORTAL
	    "\"expiration\":\"2030\"}}", -1, "the time of expiry is not one" },
	{ CREDS_JSON_PORTAL, "{\"roleCredentials\":" PORTAL "\"x\":0}}", -1,
	    "the time of expiry is not one" },
	{ CREDS_JSON_PORTAL, PORTAL "\"expiration\":1893456000000}", -1,
	    "not a JSON object with credentials" },
	{ CREDS_JSON_PROCESS, IMDS "\"Version\":1}", 0, "" },
	{ CREDS_JSON_PROCESS, IMDS "\"Version\":\"1\"}", -1,
	    "Version is not 1" },
};

static struct slice
slice_of(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static void
test_json(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		char why[CREDS_WHY_MAX] = "";
		struct creds_value v;
		bool is_good = cases[i].expires >= 0;

		CHECK_EQ_AT(i, creds_json_parse(cases[i].form,
		    slice_of(cases[i].json), &v, why), is_good ? 0 : -EPROTO);
		CHECK_STR_AT(i, why, cases[i].why);
		CHECK_STR_AT(i, v.key_id, is_good ? "A" : "");
		CHECK_STR_AT(i, v.secret, is_good ? "s" : "");
		CHECK_STR_AT(i, v.token,
		    is_good && cases[i].form != CREDS_JSON_PROCESS ? "t" : "");
		CHECK_EQ_AT(i, v.expires_unix,
		    is_good ? cases[i].expires : 0);
	}
}

static const struct {
	const char *json, *want;
} errors[] = {
	{ "{\"__type\":\"X\",\"message\":\"m\"}", "X: m" },
	{ "{\"error\":\"invalid_grant\",\"error_description\":\"d\"}",
	    "invalid_grant: d" },
	{ "{\"code\":\"C\"}", "C" },
	{ "{\"Message\":\"M\"}", "M" },
	{ "{\"code\":7}", "" },
	{ "[]", "" },
	{ "", "" },
};

static void
test_errors(void)
{
	char text[64];

	for (size_t i = 0; i < NELEMS(errors); i++) {
		creds_json_error(slice_of(errors[i].json), text,
		    sizeof(text));
		CHECK_STR_AT(i, text, errors[i].want);
	}
}

#define STS(op, key, token, at)                                                \
	"<" op "Response><" op "Result><Credentials><AccessKeyId>" key         \
	"</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>"     \
	token "</SessionToken><Expiration>" at "</Expiration></Credentials>"   \
	"</" op "Result></" op "Response>"
#define AT "2030-01-01T00:00:00Z"

static const struct {
	const char *xml;
	bool is_good;
} sts[] = {
	{ STS("AssumeRole", "A", "t", AT), true },
	{ STS("AssumeRoleWithWebIdentity", "A", "t", AT), true },
	{ STS("GetSessionToken", "A", "t", AT), false },
	{ STS("AssumeRole", "", "t", AT), false },
	{ STS("AssumeRole", "A", "", AT), false },
	{ STS("AssumeRole", "A", "t", ""), false },
	{ STS("AssumeRole", "A", "t", "soon"), false },
	{ "<!DOCTYPE x>" STS("AssumeRole", "A", "t", AT), false },
	{ "<AssumeRoleResponse>", false },
	{ "", false },
};

static void
test_sts(void)
{
	static char xml[CREDS_TOKEN_MAX + 1000], token[CREDS_TOKEN_MAX + 1];
	struct creds_value v;

	for (size_t i = 0; i < NELEMS(sts); i++) {
		CHECK_EQ_AT(i, sts_parse_credentials(slice_of(sts[i].xml), &v),
		    sts[i].is_good ? 0 : -EPROTO);
		CHECK_STR_AT(i, v.key_id, sts[i].is_good ? "A" : "");
		CHECK_STR_AT(i, v.token, sts[i].is_good ? "t" : "");
		CHECK_EQ_AT(i, v.expires_unix,
		    sts[i].is_good ? 1893456000 : 0);
	}
	/* A token that would be cut is none. */
	for (size_t n = CREDS_TOKEN_MAX - 2; n <= CREDS_TOKEN_MAX; n++) {
		memset(token, 'T', n);
		token[n] = '\0';
		snprintf(xml, sizeof(xml), STS("AssumeRole", "A", "%s", AT),
		    token);
		CHECK_EQ_AT(n, sts_parse_credentials(slice_of(xml), &v),
		    n < CREDS_TOKEN_MAX - 1 ? 0 : -EPROTO);
	}
}

static void
test_role_names(void)
{
	CHECK(imds_is_role(slice_of("my-role_1+=,.@x")));
	CHECK(!imds_is_role(slice_of("")));
	CHECK(!imds_is_role(slice_of("a/b")));
	CHECK(!imds_is_role(slice_of("a b")));
	CHECK(!imds_is_role(slice_of("a?b")));
	CHECK(!imds_is_role((struct slice){ (const uint8_t *)"a\0b", 3 }));
	CHECK(!imds_is_role(slice_of("0123456789012345678901234567890123456789"
	    "0123456789012345678901234")));
}

int
main(void)
{
	CHECK(sodium_init() >= 0);
	test_json();
	test_errors();
	test_sts();
	test_role_names();
	return check_done();
}
