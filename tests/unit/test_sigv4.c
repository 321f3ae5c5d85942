/* Signatures that AWS published: the Signature Version 4 test suite and the
 * examples of the S3 manual. */
#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "crypto/crypto.h"
#include "crypto/sigv4.h"

#define EMPTY_HASH                                                             \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HELLO_HASH /* "Welcome to Amazon S3." */                               \
	"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define FORM_HASH /* "Param1=value1" */                                        \
	"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
#define TOKEN                                                                  \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW"  \
	"LWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGd"  \
	"QrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU"   \
	"9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz"   \
	"+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

#define MAX 4

struct example {
	const char *name;
	const char *method;
	const char *path;
	struct pair query[MAX];
	struct pair headers[MAX]; /* beside host */
	const char *payload_hash; /* NULL: of nothing */
	const char *token;
	const char *want_query; /* NULL: none */
	const char *want_signature;
};

/* aws-sig-v4-test-suite: 20150830T123600Z, us-east-1, "service". */
static const struct example suite[] = {
	{ "get-vanilla", "GET", "/", .want_signature =
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "post-vanilla", "POST", "/", .want_signature =
	    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "get-vanilla-query-order-key-case", "GET", "/",
	    .query = { { "Param2", "value2" }, { "Param1", "value1" } },
	    .want_query = "Param1=value1&Param2=value2", .want_signature =
	    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-query-order-value", "GET", "/",
	    .query = { { "Param1", "value2" }, { "Param1", "value1" } },
	    .want_query = "Param1=value1&Param1=value2", .want_signature =
	    "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
	{ "get-vanilla-query-unreserved", "GET", "/",
	    .query = { {
		"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz",
		"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz" } },
	    .want_query = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz="
		"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz", .want_signature =
	    "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
	{ "get-vanilla-utf8-query", "GET", "/",
	    .query = { { "\u1234", "bar" } }, .want_query = "%E1%88%B4=bar",
	    .want_signature =
	    "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
	{ "get-vanilla-empty-query-key", "GET", "/",
	    .query = { { "Param1", "value1" } }, .want_query = "Param1=value1",
	    .want_signature =
	    "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-unreserved", "GET",
	    "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz", .want_signature =
	    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ "get-utf8", "GET", "/\u1234", .want_signature =
	    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "get-space", "GET", "/example space/", .want_signature =
	    "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
	{ "get-relative", "GET", "/example/..", .want_signature =
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-relative-relative", "GET", "/example1/example2/../..",
	    .want_signature =
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash", "GET", "//", .want_signature =
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash-dot-slash", "GET", "/./", .want_signature =
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash-pointless-dot", "GET", "/./example", .want_signature =
	    "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5" },
	{ "get-slashes", "GET", "//example//", .want_signature =
	    "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
	{ "get-header-value-trim", "GET", "/",
	    .headers = { { "My-Header1", " value1" },
		{ "My-Header2", " \"a   b   c\"" } }, .want_signature =
	    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "post-header-key-sort", "POST", "/",
	    .headers = { { "My-Header1", "value1" } }, .want_signature =
	    "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
	{ "post-x-www-form-urlencoded", "POST", "/",
	    .headers = { { "Content-Type",
		"application/x-www-form-urlencoded" } },
	    .payload_hash = FORM_HASH, .want_signature =
	    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "post-x-www-form-urlencoded-parameters", "POST", "/",
	    .headers = { { "Content-Type",
		"application/x-www-form-urlencoded; charset=utf8" } },
	    .payload_hash = FORM_HASH, .want_signature =
	    "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe" },
	{ "post-sts-header-before", "POST", "/", .token = TOKEN,
	    .want_signature =
	    "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
	{ "post-sts-header-after", "POST", "/", .want_signature =
	    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
};

/* "Signature Calculations for the Authorization Header" of the S3 manual:
 * 20130524T000000Z, us-east-1. */
static const struct example s3[] = {
	{ "GET object", "GET", "/test.txt",
	    .headers = { { "range", "bytes=0-9" } }, .want_signature =
	    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ "PUT object", "PUT", "/test$file.text",
	    .headers = { { "date", "Fri, 24 May 2013 00:00:00 GMT" },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
	    .payload_hash = HELLO_HASH, .want_signature =
	    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
	{ "GET bucket lifecycle", "GET", "/", .query = { { "lifecycle", "" } },
	    .want_query = "lifecycle=", .want_signature =
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
	{ "list objects", "GET", "/",
	    .query = { { "prefix", "J" }, { "max-keys", "2" } },
	    .want_query = "max-keys=2&prefix=J", .want_signature =
	    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

static size_t
count(const struct pair *pairs)
{
	size_t n = 0;

	while (n < MAX && pairs[n].name != NULL)
		n++;
	return n;
}

static void
run(size_t row, const struct example *x, const char *service, const char *host,
    int64_t at_unix, const struct sigv4_creds *creds, struct sigv4_key *key)
{
	struct sigv4_creds c = *creds;
	struct pair headers[MAX + 1] = { { "Host", host } };
	struct sigv4_request req = {
		.method = x->method,
		.region = "us-east-1",
		.service = service,
		.path = { (const uint8_t *)x->path, strlen(x->path) },
		.query = x->query,
		.query_len = count(x->query),
		.headers = headers,
		.headers_len = count(x->headers) + 1,
		.payload_hash = x->payload_hash != NULL ? x->payload_hash
							 : EMPTY_HASH,
		.at_unix = at_unix,
	};
	char path[256], query[512];
	struct sigv4_signed out = { path, sizeof(path), query, sizeof(query) };
	int before = check_failures;
	const char *got;

	c.token = x->token;
	memcpy(headers + 1, x->headers, sizeof(x->headers));
	CHECK_EQ_AT(row, sigv4_sign(&req, &c, key, &out), 0);
	CHECK_STR_AT(row, query, x->want_query != NULL ? x->want_query : "");
	got = strstr(out.authorization, "Signature=");
	CHECK_STR_AT(row, got != NULL ? got + 10 : "", x->want_signature);
	if (check_failures > before)
		fprintf(stderr, "\tin %s\n", x->name);
}

static const struct sigv4_creds suite_creds = { "AKIDEXAMPLE",
	"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL };
static const struct sigv4_creds s3_creds = { "AKIAIOSFODNN7EXAMPLE",
	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL };

static void
test_published(void)
{
	struct sigv4_key key = { 0 }; /* shared, so that it must be renewed */

	for (size_t i = 0; i < NELEMS(suite); i++)
		run(i, &suite[i], "service", "example.amazonaws.com",
		    1440938160, &suite_creds, &key);
	for (size_t i = 0; i < NELEMS(s3); i++) {
		run(i, &s3[i], "s3", "examplebucket.s3.amazonaws.com",
		    1369353600, &s3_creds, &key);
		run(i, &suite[0], "service", "example.amazonaws.com",
		    1440938160, &suite_creds, &key);
	}
}

static struct sigv4_request
plain_request(const struct pair *headers, size_t n)
{
	return (struct sigv4_request){
		.method = "GET",
		.region = "us-east-1",
		.service = "s3",
		.path = { (const uint8_t *)"/", 1 },
		.headers = headers,
		.headers_len = n,
		.payload_hash = SIGV4_UNSIGNED_PAYLOAD,
		.at_unix = 1369353600,
	};
}

static void
test_authorization(void)
{
	static const struct pair host[] = { { "host", "b.example" } };
	static const char prefix[] =
	    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
	    "us-east-1/s3/aws4_request, SignedHeaders=host;"
	    "x-amz-content-sha256;x-amz-date;x-amz-security-token, "
	    "Signature=";
	struct sigv4_request req = plain_request(host, 1);
	struct sigv4_creds creds = s3_creds;
	struct sigv4_key key = { 0 };
	char path[8], query[8];
	struct sigv4_signed out = { path, sizeof(path), query, sizeof(query) };

	creds.token = "tok";
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), 0);
	CHECK_STR(out.date, "20130524T000000Z");
	CHECK(strncmp(out.authorization, prefix, strlen(prefix)) == 0);
	CHECK_EQ(strlen(strstr(out.authorization, "Signature=")), 10 + 64);
	CHECK_STR(key.day, "20130524");
}

/* A cached key is used only for what it was made for. */
static void
test_key_renewal(void)
{
	static const struct pair host[] = { { "host", "b.example" } };
	static const struct {
		const char *region, *service, *secret;
		int64_t at_unix;
	} rows[] = {
		{ "us-east-1", "s3", "a", 86399 },
		{ "us-east-1", "s3", "a", 86400 },
		{ "us-east-1", "s3", "b", 86400 },
		{ "us-east-2", "s3", "b", 86400 },
		{ "us-east-2", "kms", "b", 86400 },
		{ "us-east-2", "kms", "b", 172799 },
		{ "us-east-1", "s3", "a", 86399 },
	};
	struct sigv4_key cached = { 0 };

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct sigv4_request req = plain_request(host, 1);
		struct sigv4_creds creds = { "AKIA", rows[i].secret, NULL };
		struct sigv4_key fresh = { 0 };
		char path[8], query[8];
		struct sigv4_signed one = { path, 8, query, 8 }, two = one;

		req.region = rows[i].region;
		req.service = rows[i].service;
		req.at_unix = rows[i].at_unix;
		CHECK_EQ_AT(i, sigv4_sign(&req, &creds, &cached, &one), 0);
		CHECK_EQ_AT(i, sigv4_sign(&req, &creds, &fresh, &two), 0);
		CHECK_STR_AT(i, one.authorization, two.authorization);
	}
}

/* Every byte of an object key survives, encoded once. */
static void
test_paths(void)
{
	static const struct pair host[] = { { "host", "b.example" } };
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "/", "/" },
		{ "/a/b//c/./../d", "/a/b//c/./../d" },
		{ "/a b+c%20*(')!", "/a%20b%2Bc%2520%2A%28%27%29%21" },
		{ "/\x01\x7f\xff\xc3\xa4?#", "/%01%7F%FF%C3%A4%3F%23" },
		{ "/:@=&$,;", "/%3A%40%3D%26%24%2C%3B" },
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct sigv4_request req = plain_request(host, 1);
		struct sigv4_key key = { 0 };
		char path[64], query[1];
		struct sigv4_signed out = { path, sizeof(path), query, 1 };

		req.path.ptr = (const uint8_t *)cases[i].in;
		req.path.len = strlen(cases[i].in);
		CHECK_EQ_AT(i, sigv4_sign(&req, &s3_creds, &key, &out), 0);
		CHECK_STR_AT(i, path, cases[i].want);
		out.path_size = strlen(cases[i].want);
		CHECK_EQ_AT(i, sigv4_sign(&req, &s3_creds, &key, &out),
		    -EMSGSIZE);
		CHECK_STR_AT(i, out.authorization, "");
	}
}

/* Sorted as encoded: '%' before letters, though the byte comes after them;
 * and "a" before "a-" with "a="'s sign not part of the comparison. */
static void
test_query_order(void)
{
	static const struct pair host[] = { { "host", "b.example" } };
	static const struct pair query[] = { { "b", "" }, { "\xc3\xa4", "1" },
		{ "a-", "" }, { "a", "2" }, { "a", "/" }, { "A", "x y" },
		{ "a", "" } };
	struct sigv4_request req = plain_request(host, 1);
	struct sigv4_key key = { 0 };
	char path[8], text[64];
	struct sigv4_signed out = { path, sizeof(path), text, sizeof(text) };

	req.query = query;
	req.query_len = NELEMS(query);
	CHECK_EQ(sigv4_sign(&req, &s3_creds, &key, &out), 0);
	CHECK_STR(text, "%C3%A4=1&A=x%20y&a=&a=%2F&a=2&a-=&b=");
	for (size_t size = 0; size <= strlen("%C3%A4=1&A=x%20y&a=&a=%2F&a=2&"
					    "a-=&b="); size++) {
		out.query_size = size;
		CHECK_EQ_AT(size, sigv4_sign(&req, &s3_creds, &key, &out),
		    -EMSGSIZE);
	}
}

static void
test_limits(void)
{
	static const struct pair twice[] = { { "host", "a" }, { "Host", "b" } };
	struct pair many[SIGV4_HEADERS_MAX];
	struct sigv4_request req = plain_request(twice, 2);
	struct sigv4_key key = { 0 };
	char path[8], query[8], longs[600];
	struct sigv4_signed out = { path, sizeof(path), query, sizeof(query) };
	struct sigv4_creds creds = s3_creds;

	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EINVAL);
	req.headers_len = 1;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), 0);

	for (size_t i = 0; i < NELEMS(many); i++)
		many[i] = (struct pair){ "h", "v" };
	req.headers = many;
	req.headers_len = NELEMS(many);
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EMSGSIZE);
	req.headers = twice;
	req.headers_len = 1;

	req.at_unix = -1;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EINVAL);
	req.at_unix = 253402300800; /* the year 10000 */
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EINVAL);
	req.at_unix = 253402300799;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), 0);

	memset(longs, 'x', sizeof(longs) - 1);
	longs[sizeof(longs) - 1] = '\0';
	req.region = longs;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EMSGSIZE);
	req.region = "us-east-1";
	creds.secret_key = longs;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EMSGSIZE);
	CHECK(sodium_is_zero((const uint8_t *)&key, sizeof(key)));
	creds = s3_creds;
	creds.access_key = longs;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), 0);
	creds.access_key = "AKIA";
	req.query_len = SIGV4_QUERY_MAX + 1;
	req.query = many;
	CHECK_EQ(sigv4_sign(&req, &creds, &key, &out), -EMSGSIZE);
}

int
main(void)
{
	static const enum crypto_backend backends[] = { CRYPTO_AUTO,
		CRYPTO_OPENSSL };

	for (size_t i = 0; i < NELEMS(backends); i++) {
		CHECK_EQ(crypto_init(backends[i]), 0);
		test_published();
		test_authorization();
		test_key_renewal();
		test_paths();
		test_query_order();
		test_limits();
	}
	return check_done();
}
