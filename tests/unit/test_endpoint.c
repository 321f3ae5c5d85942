#include <errno.h>

#include "check.h"
#include "store/endpoint.h"
#include "store/s3_arn.h"

#define F ENDPOINT_FIPS
#define D ENDPOINT_DUAL_STACK

static const struct {
	const char *service, *region;
	unsigned flags;
	const char *host;
	int want;
} aws[] = {
	{ "s3", "us-east-1", 0, "s3.us-east-1.amazonaws.com" },
	{ "s3", "eu-central-1", D, "s3.dualstack.eu-central-1.amazonaws.com" },
	{ "s3", "us-west-2", F, "s3-fips.us-west-2.amazonaws.com" },
	{ "s3", "us-west-2", F | D,
	    "s3-fips.dualstack.us-west-2.amazonaws.com" },
	{ "s3", "cn-north-1", 0, "s3.cn-north-1.amazonaws.com.cn" },
	{ "s3", "cn-north-1", D, "s3.dualstack.cn-north-1.amazonaws.com.cn" },
	{ "s3", "us-gov-west-1", F, "s3-fips.us-gov-west-1.amazonaws.com" },
	{ "s3", "us-iso-east-1", 0, "s3.us-iso-east-1.c2s.ic.gov" },
	{ "s3", "us-isob-east-1", 0, "s3.us-isob-east-1.sc2s.sgov.gov" },
	{ "s3", "eu-isoe-west-1", 0, "s3.eu-isoe-west-1.cloud.adc-e.uk" },
	{ "s3", "us-isof-south-1", 0, "s3.us-isof-south-1.csp.hci.ic.gov" },
	{ "s3", "eusc-de-east-1", 0, "s3.eusc-de-east-1.amazonaws.eu" },
	{ "kms", "eu-west-1", 0, "kms.eu-west-1.amazonaws.com" },
	{ "kms", "eu-west-1", F, "kms-fips.eu-west-1.amazonaws.com" },
	{ "kms", "eu-west-1", D, "kms.eu-west-1.api.aws" },
	{ "kms", "us-east-2", F | D, "kms-fips.us-east-2.api.aws" },
	{ "kms", "us-gov-west-1", F, "kms-fips.us-gov-west-1.amazonaws.com" },
	{ "kms", "cn-north-1", D,
	    "kms.cn-north-1.api.amazonwebservices.com.cn" },
	{ "sts", "us-east-1", 0, "sts.us-east-1.amazonaws.com" },
	{ "sts", "us-east-1", F, "sts-fips.us-east-1.amazonaws.com" },
	{ "sts", "us-gov-west-1", F, "sts.us-gov-west-1.amazonaws.com" },
	{ "sqs", "us-gov-east-1", F, "sqs.us-gov-east-1.amazonaws.com" },
	{ "sqs", "us-east-1", D, "sqs.us-east-1.api.aws" },
	{ "portal.sso", "us-east-1", 0, "portal.sso.us-east-1.amazonaws.com" },
	{ "portal.sso", "us-east-1", F, "portal.sso.us-east-1.amazonaws.com" },
	{ "oidc", "us-gov-west-1", F | D, "oidc.us-gov-west-1.api.aws" },
	{ "kms", "moon-base-1", 0, "kms.moon-base-1.amazonaws.com" },
	{ "s3", "cn-north-1", F, NULL, -EOPNOTSUPP },
	{ "s3", "cn-northwest-1", F | D, NULL, -EOPNOTSUPP },
	{ "kms", "cn-north-1", F, "kms-fips.cn-north-1.amazonaws.com.cn" },
	{ "s3", "aws-global", 0, NULL, -EINVAL },
	{ "sts", "aws-cn-global", 0, NULL, -EINVAL },
	{ "kms", "evil.example/", 0, NULL, -EINVAL },
	{ "kms", "", 0, NULL, -EINVAL },
	{ "kms", "-x", 0, NULL, -EINVAL },
	{ "kms", "US-EAST-1", 0, NULL, -EINVAL },
	{ "kms", "us-east-1us-east-1us-east-1us-ea", 0, NULL, -EINVAL },
};

static void
test_aws(void)
{
	struct endpoint e;
	const char *why;

	for (size_t i = 0; i < NELEMS(aws); i++) {
		int r = endpoint_aws(aws[i].service, aws[i].region,
		    aws[i].flags, &e, &why);

		CHECK_EQ_AT(i, r, aws[i].want);
		CHECK_AT(i, (why == NULL) == (r == 0));
		if (r == 0)
			CHECK_STR_AT(i, e.host, aws[i].host);
		CHECK_AT(i, e.is_tls && !e.is_custom && e.port == 0);
	}
}

static const struct {
	const char *url, *header, *base; /* header NULL: refused */
	bool is_tls, is_loopback;
} urls[] = {
	{ "https://s3.example.com", "s3.example.com", "", true, false },
	{ "HTTPS://s3.example.com:8443/", "s3.example.com:8443", "", true,
	    false },
	{ "https://h:443/a/b//", "h", "/a/b", true, false },
	{ "http://localhost:9000", "localhost:9000", "", false, true },
	{ "http://b.localhost", "b.localhost", "", false, true },
	{ "http://127.0.0.1:80/", "127.0.0.1", "", false, true },
	{ "http://127.255.3.4", "127.255.3.4", "", false, true },
	{ "http://[::1]:9000/x", "[::1]:9000", "/x", false, true },
	{ "http://[::2]", "[::2]", "", false, false },
	{ "http://127.example.com", "127.example.com", "", false, false },
	{ "http://127.0.0.1.example.com", "127.0.0.1.example.com", "", false,
	    false },
	{ "http://127.0.0.256", "127.0.0.256", "", false, false },
	{ "http://localhost.example.com", "localhost.example.com", "", false,
	    false },
	{ "http://notlocalhost", "notlocalhost", "", false, false },
	{ "http://169.254.169.254", "169.254.169.254", "", false, false },
	{ "ftp://h", NULL },
	{ "h:80", NULL },
	{ "", NULL },
	{ "https://", NULL },
	{ "https:///x", NULL },
	{ "https://user@h", NULL },
	{ "https://user:pass@h", NULL },
	{ "https://h?x=1", NULL },
	{ "https://h/#frag", NULL },
	{ "https://:80", NULL },
	{ "https://h:http", NULL },
	{ "https://h h", NULL },
	{ "https://h\\x", NULL },
	{ "https://h:0", NULL },
	{ "https://h:65536", NULL },
	{ "https://h:", NULL },
	{ "https://h:9x", NULL },
	{ "https://[::1", NULL },
	{ "https://[::1]x", NULL },
	{ "https://h\r\nx", NULL },
	{ "https://h/a b", NULL },
	{ "https://h/%41", NULL },
};

static void
test_urls(void)
{
	char header[ENDPOINT_HOST_MAX + 8];
	struct endpoint e;
	const char *why;

	for (size_t i = 0; i < NELEMS(urls); i++) {
		int r = endpoint_parse(urls[i].url, &e, &why);

		CHECK_EQ_AT(i, r, urls[i].header != NULL ? 0 : -EINVAL);
		CHECK_AT(i, (why == NULL) == (r == 0));
		if (r < 0)
			continue;
		endpoint_host_header(&e, header);
		CHECK_STR_AT(i, header, urls[i].header);
		CHECK_STR_AT(i, e.base, urls[i].base);
		CHECK_AT(i, e.is_tls == urls[i].is_tls);
		CHECK_AT(i, endpoint_is_loopback(&e) == urls[i].is_loopback);
	}
}

static const struct {
	const char *bucket;
	bool is_bucket, can_tls, can_plain;
} buckets[] = {
	{ "mail", true, true, true },
	{ "my-mail-2026", true, true, true },
	{ "mail.example.com", true, false, true },
	{ "Old_Style", true, false, false },
	{ "192.168.1.1", true, false, true },
	{ "a..b", true, false, false },
	{ "-ab", true, false, false },
	{ "ab-", true, false, false },
	{ "ab", false, false, false },
	{ "a/b", false, false, false },
	{ "...", false, false, false },
	{ "a b", false, false, false },
};

static void
test_buckets(void)
{
	struct endpoint tls, plain, got;
	const char *why;

	CHECK_EQ(endpoint_aws("s3", "us-east-1", 0, &tls, &why), 0);
	CHECK_EQ(endpoint_parse("http://localhost:9/x", &plain, &why), 0);
	for (size_t i = 0; i < NELEMS(buckets); i++) {
		const char *b = buckets[i].bucket;

		CHECK_AT(i, endpoint_is_bucket(b) == buckets[i].is_bucket);
		CHECK_AT(i, endpoint_can_virtual(&tls, b) ==
		    buckets[i].can_tls);
		CHECK_AT(i, endpoint_can_virtual(&plain, b) ==
		    buckets[i].can_plain);
	}
	CHECK_EQ(endpoint_bucket(&tls, "mail", false, &got), 0);
	CHECK_STR(got.host, "mail.s3.us-east-1.amazonaws.com");
	CHECK_STR(got.base, "");
	CHECK_EQ(endpoint_bucket(&plain, "mail", true, &got), 0);
	CHECK_STR(got.host, "localhost");
	CHECK_STR(got.base, "/x/mail");
	CHECK_EQ(endpoint_bucket(&tls, "a/b", true, &got), -EINVAL);
}

static void
test_doubt(void)
{
	CHECK_STR(endpoint_doubt(-EHOSTUNREACH, 0), "");
	CHECK_STR(endpoint_doubt(-ETIMEDOUT, F), "");
	CHECK(strstr(endpoint_doubt(-EHOSTUNREACH, F), "no FIPS endpoint in"));
	CHECK(strstr(endpoint_doubt(-EHOSTUNREACH, D), "no dual-stack"));
	CHECK(strstr(endpoint_doubt(-EHOSTUNREACH, F | D), "FIPS endpoint with"
	    " IPv6"));
}

static void
test_addresses(void)
{
	static const struct {
		const char *url;
		bool want;
	} t[] = {
		{ "http://127.0.0.1:9000", true },
		{ "https://[fd00::1]", true },
		{ "http://localhost:9000", false },
		{ "https://10.example", false },
	};
	struct endpoint e;
	const char *why;

	for (size_t i = 0; i < NELEMS(t); i++) {
		CHECK_EQ_AT(i, endpoint_parse(t[i].url, &e, &why), 0);
		CHECK_AT(i, endpoint_is_address(&e) == t[i].want);
	}
}

static void
test_regions_of_hosts(void)
{
	static const struct {
		const char *host, *want; /* "": it tells none */
	} t[] = {
		{ "s3.eu-west-1.amazonaws.com", "eu-west-1" },
		{ "S3.eu-west-1.AmazonAWS.com", "eu-west-1" },
		{ "mail.s3-fips.dualstack.us-west-2.amazonaws.com",
		    "us-west-2" },
		{ "kms.us-gov-east-1.api.aws", "us-gov-east-1" },
		{ "s3.cn-north-1.amazonaws.com.cn", "cn-north-1" },
		{ "s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1" },
		{ "bucket.vpce-0a1b-2c3d.s3.us-east-2.vpce.amazonaws.com",
		    "us-east-2" },
		{ "s3.amazonaws.com", "" },
		{ "s3-us-west-2.amazonaws.com", "" },
		{ "s3.cn-north-1.amazonaws.com", "" },
		{ "s3.eu-west-1.amazonaws.com.evil.example", "" },
		{ "s3.eu-west-1.example.com", "" },
		{ "eu-west-1", "" },
		{ "s3.eu-west.amazonaws.com", "" },
		{ "s3.eu-1.amazonaws.com", "" },
		{ "127.0.0.1", "" },
		{ "[::1]", "" },
		{ "us-east-1us-east-1us-east-1us-east-1.amazonaws.com", "" },
	};
	char region[ENDPOINT_REGION_MAX];
	struct endpoint e = { .is_tls = true };

	for (size_t i = 0; i < NELEMS(t); i++) {
		strcpy(e.host, t[i].host);
		CHECK_AT(i, endpoint_region(&e, region) ==
		    (t[i].want[0] != '\0'));
		CHECK_STR_AT(i, region, t[i].want);
	}
}

/* Where a request for a bucket, or an access point, or ("-") neither goes;
 * region is what is signed for. */
static int
find(const char *service, char region[64], unsigned flags, const char *bucket,
    struct endpoint *ret, const char **ret_why)
{
	struct s3_arn arn;
	struct endpoint e;
	size_t len;
	int r;

	if (s3_arn_is(bucket)) {
		if ((r = s3_arn_parse(bucket, &arn, &len, ret_why)) < 0)
			return r;
		service = "s3-accesspoint";
		strcpy(region, arn.region);
		bucket = arn.label;
	}
	if ((r = endpoint_aws(service, region, flags, &e, ret_why)) < 0)
		return r;
	*ret = e;
	return strcmp(bucket, "-") == 0 ? 0 :
	    endpoint_bucket(&e, bucket, false, ret);
}

/* For endpoint.py: a question a line, "SERVICE REGION FLAGS BUCKET". The
 * answer is the host and the region to sign for, or "!" and why there is
 * none. */
static int
answer(void)
{
	char service[32], region[64], bucket[256];
	struct endpoint e;
	const char *why;
	unsigned flags;

	while (scanf("%31s %63s %u %255s", service, region, &flags,
	    bucket) == 4) {
		if (find(service, region, flags, bucket, &e, &why) < 0)
			printf("! %s\n", why);
		else
			printf("%s %s\n", e.host, region);
	}
	return !feof(stdin);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--ask") == 0)
		return answer();
	test_doubt();
	test_aws();
	test_urls();
	test_buckets();
	test_addresses();
	test_regions_of_hosts();
	return check_done();
}
