/* The verifier against the examples that AWS publishes for S3 ("Signature
 * Calculations for the Authorization Header", "... Query Parameters", "...
 * Chunked Upload"), and against the same requests with something wrong. */
#include "auth.h"
#include "check.h"
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

#define ACCESS "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define CRED ACCESS "/20130524/us-east-1/s3/aws4_request"
#define HOST "examplebucket.s3.amazonaws.com"
#define EMPTY "x-amz-content-sha256: " SIGV4_EMPTY_SHA256 "\n"
#define DATE "X-Amz-Date: 20130524T000000Z\n"
#define BASIC "Host: " HOST "\n" EMPTY DATE
#define BASIC_NAMES "host;x-amz-content-sha256;x-amz-date"
#define AUTH(names, signature)                                                 \
	"Authorization: AWS4-HMAC-SHA256 Credential=" CRED                     \
	", SignedHeaders=" names ", Signature=" signature "\n"
#define GET_SIG                                                                \
	"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define PUT_SIG                                                                \
	"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
#define PUT_NAMES                                                              \
	"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"
#define PUT_HEADERS                                                            \
	"Host: " HOST "\nDate: Fri, 24 May 2013 00:00:00 GMT\n" DATE           \
	"x-amz-storage-class: REDUCED_REDUNDANCY\n"                            \
	"x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99" \
	"e42034a8b803f8b072\n"
#define LIFECYCLE_SIG                                                          \
	"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
#define LIST_SIG                                                               \
	"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
#define PRESIGNED(expires, signature)                                          \
	"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="         \
	ACCESS "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"                   \
	"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=" expires                  \
	"&X-Amz-SignedHeaders=host&X-Amz-Signature=" signature
#define PRE_SIG                                                                \
	"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

static const struct {
	const char *name, *method, *target, *headers, *body;
	int64_t late; /* seconds our clock is after 20130524T000000Z */
	enum auth_verdict want;
} cases[] = {
	{ "get", "GET", "/test.txt", BASIC "Range: bytes=0-9\n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_OK },
	{ "put", "PUT", "/test$file.text", PUT_HEADERS AUTH(PUT_NAMES, PUT_SIG),
	    "Welcome to Amazon S3.", 0, AUTH_OK },
	{ "put, path escaped", "PUT", "/test%24file.text",
	    PUT_HEADERS AUTH(PUT_NAMES, PUT_SIG), "Welcome to Amazon S3.", 0,
	    AUTH_OK },
	{ "lifecycle", "GET", "/?lifecycle",
	    BASIC AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 0, AUTH_OK },
	{ "list", "GET", "/?max-keys=2&prefix=J",
	    BASIC AUTH(BASIC_NAMES, LIST_SIG), "", 0, AUTH_OK },
	{ "list, other order", "GET", "/?prefix=J&max-keys=2",
	    BASIC AUTH(BASIC_NAMES, LIST_SIG), "", 0, AUTH_OK },
	{ "presigned", "GET", PRESIGNED("86400", PRE_SIG), "Host: " HOST "\n",
	    "", 86399, AUTH_OK },

	{ "presigned, late", "GET", PRESIGNED("86400", PRE_SIG),
	    "Host: " HOST "\n", "", 86401, AUTH_URL_EXPIRED },
	{ "presigned, life changed", "GET", PRESIGNED("86401", PRE_SIG),
	    "Host: " HOST "\n", "", 0, AUTH_BAD_SIGNATURE },
	{ "presigned, other host", "GET", PRESIGNED("86400", PRE_SIG),
	    "Host: other.s3.amazonaws.com\n", "", 0, AUTH_BAD_SIGNATURE },
	{ "15 minutes late", "GET", "/?lifecycle",
	    BASIC AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 900, AUTH_OK },
	{ "a second more", "GET", "/?lifecycle",
	    BASIC AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 901, AUTH_SKEWED },
	{ "too early", "GET", "/?lifecycle",
	    BASIC AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", -901, AUTH_SKEWED },
	{ "other query", "GET", "/?max-keys=3&prefix=J",
	    BASIC AUTH(BASIC_NAMES, LIST_SIG), "", 0, AUTH_BAD_SIGNATURE },
	{ "more query", "GET", "/?max-keys=2&prefix=J&x",
	    BASIC AUTH(BASIC_NAMES, LIST_SIG), "", 0, AUTH_BAD_SIGNATURE },
	{ "other path", "GET", "/text.txt", BASIC "Range: bytes=0-9\n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "other method", "HEAD", "/test.txt", BASIC "Range: bytes=0-9\n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "other header", "GET", "/test.txt", BASIC "Range: bytes=0-8\n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "header gone", "GET", "/test.txt", BASIC
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "header twice", "GET", "/test.txt", BASIC
	    "Range: bytes=0-9\nRange: bytes=0-9\n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "names out of order", "GET", "/test.txt", BASIC "Range: bytes=0-9\n"
	    AUTH("range;host;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_BAD_SIGNATURE },
	{ "blanks in a header do not count", "GET", "/test.txt",
	    BASIC "Range:   bytes=0-9  \n"
	    AUTH("host;range;x-amz-content-sha256;x-amz-date", GET_SIG), "", 0,
	    AUTH_OK },
	{ "x-amz header not signed", "GET", "/?lifecycle",
	    BASIC "x-amz-request-payer: requester\n"
	    AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 0, AUTH_UNSIGNED_HEADERS },
	{ "host not signed", "GET", "/?lifecycle",
	    BASIC AUTH("x-amz-content-sha256;x-amz-date", LIFECYCLE_SIG), "", 0,
	    AUTH_UNSIGNED_HEADERS },
	{ "other body", "PUT", "/test$file.text",
	    PUT_HEADERS AUTH(PUT_NAMES, PUT_SIG), "Welcome to Amazon S4.", 0,
	    AUTH_PAYLOAD_MISMATCH },
	{ "no payload hash", "GET", "/?lifecycle", "Host: " HOST "\n" DATE
	    AUTH("host;x-amz-date", LIFECYCLE_SIG), "", 0,
	    AUTH_NO_PAYLOAD_HASH },
	{ "not signed", "GET", "/test.txt", BASIC, "", 0, AUTH_ANONYMOUS },
	{ "other scheme", "GET", "/test.txt",
	    BASIC "Authorization: Basic dGVzdDp0ZXN0\n", "", 0,
	    AUTH_MALFORMED },
	{ "signature cut", "GET", "/?lifecycle",
	    BASIC AUTH(BASIC_NAMES, "fea454ca"), "", 0, AUTH_MALFORMED },
	{ "date of another day", "GET", "/?lifecycle",
	    "Host: " HOST "\n" EMPTY "X-Amz-Date: 20130525T000000Z\n"
	    AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 0, AUTH_MALFORMED },
	{ "unknown key", "GET", "/?lifecycle", BASIC
	    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAOTHER/20130524/"
	    "us-east-1/s3/aws4_request,SignedHeaders=" BASIC_NAMES
	    ",Signature=" LIFECYCLE_SIG "\n", "", 0, AUTH_UNKNOWN_KEY },
	{ "other region", "GET", "/?lifecycle", BASIC
	    "Authorization: AWS4-HMAC-SHA256 Credential=" ACCESS "/20130524/"
	    "us-west-1/s3/aws4_request,SignedHeaders=" BASIC_NAMES
	    ",Signature=" LIFECYCLE_SIG "\n", "", 0, AUTH_BAD_SIGNATURE },
	{ "token nobody gave", "GET", "/?lifecycle",
	    BASIC "x-amz-security-token: t\n"
	    AUTH(BASIC_NAMES, LIFECYCLE_SIG), "", 0, AUTH_BAD_TOKEN },
};

static struct request *
make(const char *method, const char *target, const char *headers,
    const char *body, size_t len)
{
	struct request *req = request_new(target);
	char *copy = arena_fmt(&req->arena, "%s", headers), *line, *colon;

	req->method = method;
	while ((line = strsep(&copy, "\n")) != NULL && *line != '\0') {
		colon = strchr(line, ':');
		*colon = '\0';
		request_add_header(req, line, colon + 1 + (colon[1] == ' '));
	}
	buf_add(&req->body, body, len);
	return req;
}

static int64_t
example_time(void)
{
	int64_t at = 0;

	CHECK_EQ(stamp_parse_amz("20130524T000000Z", &at), 0);
	CHECK_EQ(at, 1369353600);
	return at;
}

static void
test_examples(void)
{
	struct auth *auth = auth_new(ACCESS, SECRET, NULL);
	int64_t now = example_time();
	struct auth_result result;
	struct request *req;

	for (size_t i = 0; i < NELEMS(cases); i++) {
		req = make(cases[i].method, cases[i].target, cases[i].headers,
		    cases[i].body, strlen(cases[i].body));
		auth_scope(req);
		auth_check(auth, req, now + cases[i].late, &result);
		CHECK_EQ_AT(i, result.verdict, cases[i].want);
		if (result.verdict != cases[i].want)
			fprintf(stderr, "\t%s\n", cases[i].name);
		request_free(req);
	}
	auth_free(auth);
}

/* Secret, token and expiry are looked at each time anew. */
static void
test_credentials(void)
{
	static const struct {
		const char *secret, *token, *sent;
		bool expired;
		enum auth_verdict want;
	} rows[] = {
		{ "wrong", "", "", false, AUTH_BAD_SIGNATURE },
		{ SECRET, "", "", false, AUTH_OK },
		{ SECRET, "tok", "", false, AUTH_UNKNOWN_KEY },
		{ SECRET, "tok", "x-amz-security-token: kot\n", false,
		    AUTH_BAD_TOKEN },
		{ SECRET, "tok", "x-amz-security-token: tok\n", false,
		    AUTH_UNSIGNED_HEADERS }, /* known, but not signed here */
		{ SECRET, "tok", "x-amz-security-token: tok\n", true,
		    AUTH_TOKEN_EXPIRED },
		{ SECRET, "", "", false, AUTH_OK },
	};
	struct auth *auth = auth_new(ACCESS, SECRET, NULL);
	struct auth_result result;
	struct arena a = { 0 };
	struct request *req;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		auth_set(auth, NULL, rows[i].secret, rows[i].token);
		auth_set_expired(auth, rows[i].expired);
		req = make("GET", "/?lifecycle", arena_fmt(&a, "%s%s%s", BASIC,
		    rows[i].sent, AUTH(BASIC_NAMES, LIFECYCLE_SIG)), "", 0);
		auth_check(auth, req, example_time(), &result);
		CHECK_EQ_AT(i, result.verdict, rows[i].want);
		request_free(req);
	}
	arena_free(&a);
	auth_free(auth);
}

#define CHUNK_HEADERS                                                          \
	"Host: s3.amazonaws.com\n" DATE                                        \
	"x-amz-storage-class: REDUCED_REDUNDANCY\n"                            \
	"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n"           \
	"Content-Encoding: aws-chunked\nx-amz-decoded-content-length: 66560\n" \
	"Content-Length: 66824\n"                                              \
	AUTH("content-encoding;content-length;host;x-amz-content-sha256;"      \
	    "x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",     \
	    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")

/* The chunked upload; `at` is the byte to change, or -1. */
static enum auth_verdict
upload(struct auth *auth, long at, struct buf *ret_body)
{
	static const char *const heads[] = {
		"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e"
		"0e2307b0ade35a65485a288648\r\n",
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb8"
		"1b612b7d234b86a503ef5497\r\n",
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724f"
		"ed81ceb9323e279d449df9\r\n" };
	static const size_t lens[] = { 65536, 1024, 0 };
	struct auth_result result;
	struct request *req;
	struct buf b = { 0 };

	for (size_t i = 0; i < NELEMS(heads); i++) {
		buf_str(&b, heads[i]);
		for (size_t j = 0; j < lens[i]; j++)
			buf_char(&b, 'a');
		buf_str(&b, "\r\n");
	}
	CHECK_EQ(b.len, 66824);
	if (at >= 0)
		b.p[at] ^= 1;
	req = make("PUT", "/examplebucket/chunkObject.txt", CHUNK_HEADERS, b.p,
	    b.len);
	auth_check(auth, req, example_time(), &result);
	*ret_body = req->body;
	req->body = (struct buf){ 0 };
	request_free(req);
	buf_free(&b);
	return result.verdict;
}

static void
test_chunked(void)
{
	static const long places[] = { 0, 30, 100, 65620, 65700, 66700, 66823 };
	struct auth *auth = auth_new(ACCESS, SECRET, NULL);
	struct buf body;

	CHECK_EQ(upload(auth, -1, &body), AUTH_OK);
	CHECK_EQ(body.len, 66560);
	CHECK(body.p != NULL && strspn(body.p, "a") == 66560);
	buf_free(&body);
	/* The last two bytes end the body; nothing signs them. */
	for (size_t i = 0; i + 1 < NELEMS(places); i++) {
		CHECK_EQ_AT(i, upload(auth, places[i], &body),
		    AUTH_BAD_SIGNATURE);
		buf_free(&body);
	}
	auth_free(auth);
}

/* What sigv4_sign() makes, the examples' verifier takes. */
static void
test_sign(void)
{
	const struct pair headers[] = { { "host", HOST },
		{ "x-amz-content-sha256", SIGV4_EMPTY_SHA256 },
		{ "x-amz-date", "20130524T000000Z" } };
	const struct pair query[] = { { "prefix", "J" }, { "max-keys", "2" } };
	struct sigv4_message m = { "GET", "/", query, 2, headers, 3,
		SIGV4_EMPTY_SHA256 };
	struct sigv4_scope scope = { "20130524", "us-east-1", "s3" };
	uint8_t key[SIGV4_KEY_LEN];
	struct buf b = { 0 };

	sigv4_key(SECRET, &scope, key);
	sigv4_sign(&m, ACCESS, key, &scope, "20130524T000000Z", &b);
	CHECK_STR(b.p, "AWS4-HMAC-SHA256 Credential=" CRED ",SignedHeaders="
	    BASIC_NAMES ",Signature=" LIST_SIG);
	buf_free(&b);
}

int
main(void)
{
	test_examples();
	test_credentials();
	test_chunked();
	test_sign();
	return check_done();
}
