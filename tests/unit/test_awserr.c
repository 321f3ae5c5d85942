#include <errno.h>

#include "check.h"
#include "store/aws.h"
#include "store/awserr.h"
#include "store/xmltext.h"

static const struct {
	int status;
	const char *code, *message;
	int err;
	enum retry_kind kind;
	enum awserr_cure cure;
} judged[] = {
	{ 404, "NoSuchKey", "", -ENOENT, RETRY_NEVER, AWSERR_NO_CURE },
	{ 404, "HTTP 404", "", -ENOENT, RETRY_NEVER, AWSERR_NO_CURE },
	{ 403, "AccessDenied", "", -EACCES, RETRY_NEVER, AWSERR_NO_CURE },
	{ 400, "AccessDeniedException", "", -EACCES, RETRY_NEVER,
	    AWSERR_NO_CURE },
	{ 412, "PreconditionFailed", "", -ESTALE, RETRY_NEVER,
	    AWSERR_NO_CURE },
	{ 301, "PermanentRedirect", "", -EIO, RETRY_NEVER, AWSERR_NO_CURE },
	{ 503, "SlowDown", "", -EAGAIN, RETRY_THROTTLE, AWSERR_NO_CURE },
	{ 400, "ThrottlingException", "", -EAGAIN, RETRY_THROTTLE,
	    AWSERR_NO_CURE },
	{ 400, "Throttling", "", -EAGAIN, RETRY_THROTTLE, AWSERR_NO_CURE },
	{ 429, "HTTP 429", "", -EAGAIN, RETRY_THROTTLE, AWSERR_NO_CURE },
	{ 500, "InternalError", "", -EAGAIN, RETRY_TRANSIENT,
	    AWSERR_NO_CURE },
	{ 503, "HTTP 503", "", -EAGAIN, RETRY_TRANSIENT, AWSERR_NO_CURE },
	{ 501, "NotImplemented", "", -EIO, RETRY_NEVER, AWSERR_NO_CURE },
	{ 400, "RequestTimeout", "", -EAGAIN, RETRY_TRANSIENT,
	    AWSERR_NO_CURE },
	{ 400, "IDPCommunicationError", "", -EAGAIN, RETRY_TRANSIENT,
	    AWSERR_NO_CURE },
	{ 403, "RequestTimeTooSkewed", "", -EACCES, RETRY_NEVER,
	    AWSERR_CLOCK },
	{ 400, "InvalidSignatureException", "Signature expired: 2026 is now "
	    "earlier", -EACCES, RETRY_NEVER, AWSERR_CLOCK },
	{ 403, "SignatureDoesNotMatch", "Signature not yet current: x",
	    -EACCES, RETRY_NEVER, AWSERR_CLOCK },
	{ 403, "SignatureDoesNotMatch", "The request signature we calculated",
	    -EACCES, RETRY_NEVER, AWSERR_NO_CURE },
	{ 400, "ExpiredToken", "", -EACCES, RETRY_NEVER, AWSERR_CREDS },
	{ 400, "ExpiredTokenException", "", -EACCES, RETRY_NEVER,
	    AWSERR_CREDS },
	{ 403, "InvalidAccessKeyId", "", -EACCES, RETRY_NEVER, AWSERR_CREDS },
};

static void
test_judge(void)
{
	for (size_t i = 0; i < NELEMS(judged); i++) {
		struct awserr e = { .status = judged[i].status };
		struct awserr_verdict v;

		snprintf(e.code, sizeof(e.code), "%s", judged[i].code);
		snprintf(e.message, sizeof(e.message), "%s",
		    judged[i].message);
		v = awserr_judge(&e);
		CHECK_EQ_AT(i, v.failure.err, judged[i].err);
		CHECK_EQ_AT(i, v.failure.kind, judged[i].kind);
		CHECK_EQ_AT(i, v.cure, judged[i].cure);
	}
}

static struct slice
text(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static const struct {
	const char *body;
	const char *code, *message, *region; /* code NULL: none */
} bodies[] = {
	{ "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>no "
	  "&amp; no</Message><RequestId>R</RequestId></Error>", "NoSuchKey",
	    "no & no", "" },
	{ "  \n<Error><Code>AuthorizationHeaderMalformed</Code>"
	  "<Region>eu-west-1</Region></Error>",
	    "AuthorizationHeaderMalformed", "", "eu-west-1" },
	{ "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
	  "<Error><Type>Sender</Type><Code>AccessDenied</Code></Error>"
	  "<RequestId>r</RequestId></ErrorResponse>", "AccessDenied", "", "" },
	{ "{\"__type\":\"com.amazonaws.kms#NotFoundException\","
	  "\"message\":\"m\"}", "NotFoundException", "m", "" },
	{ "{\"__type\":\"IncorrectKeyException\",\"Message\":\"M\"}",
	    "IncorrectKeyException", "M", "" },
	{ "{\"__type\":\"InvalidCiphertextException\"}",
	    "InvalidCiphertextException", "", "" },
	{ "<html><Code>x</Code></html>", NULL },
	{ "<Error><Code>half", NULL },
	{ "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code>"
	  "</Error>", NULL },
	{ "<Error></Error>", NULL },
	{ "{\"__type\":7}", NULL },
	{ "{", NULL },
	{ "", NULL },
	{ "   ", NULL },
};

static void
test_bodies(void)
{
	for (size_t i = 0; i < NELEMS(bodies); i++) {
		struct awserr e = { .status = 400 };
		bool has = awserr_parse_body(text(bodies[i].body), &e);

		CHECK_AT(i, has == (bodies[i].code != NULL));
		if (!has)
			continue;
		CHECK_STR_AT(i, e.code, bodies[i].code);
		CHECK_STR_AT(i, e.message, bodies[i].message);
		CHECK_STR_AT(i, e.region, bodies[i].region);
	}
	CHECK(awserr_is_error_xml(text("\n <Error><Code>InternalError</Code>"
	    "</Error>")));
	CHECK(!awserr_is_error_xml(text("<ListBucketResult><Error/>"
	    "</ListBucketResult>")));
}

#define DENIED(action)                                                         \
	"User: arn:aws:iam::123456789012:user/x is not authorized to perform: "\
	action " on resource: \"arn:aws:s3:::b\" because no identity-based "    \
	"policy allows the " action " action"

static const struct {
	const char *code, *message;
	const char *want; /* NULL: not a matter of policy */
} denied[] = {
	{ "AccessDenied", "Access Denied", "s3:GetObject" },
	{ "AccessDenied", DENIED("s3:GetObject"), "s3:GetObject" },
	{ "AccessDenied", DENIED("s3:ListBucket"), "s3:ListBucket" },
	{ "AccessDeniedException", DENIED("kms:Decrypt"), "kms:Decrypt" },
	{ "AccessDeniedException", "", "s3:GetObject" },
	{ "HTTP 403", "", "s3:GetObject" },
	{ "AccessDenied", DENIED("s3:getobject"), "s3:GetObject" },
	/* cut off, or not what it seems */
	{ "AccessDenied", "x is not authorized to perform: s3", "s3:GetObject" },
	{ "AccessDenied", "x is not authorized to perform: ", "s3:GetObject" },
	{ "AccessDenied", "not authorized to perform: \n:", "s3:GetObject" },
	{ "AccessDenied", "not authorized to perform: s3:"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "s3:GetObject" },
	{ "SignatureDoesNotMatch", "", NULL },
	{ "InvalidAccessKeyId", "", NULL },
	{ "HTTP 401", "", NULL },
	{ "DisabledException", "", NULL },
};

static void
test_denied(void)
{
	for (size_t i = 0; i < NELEMS(denied); i++) {
		struct awserr e = { .status = 403 };
		char action[AWSERR_ACTION_MAX] = "";

		snprintf(e.code, sizeof(e.code), "%s", denied[i].code);
		snprintf(e.message, sizeof(e.message), "%s",
		    denied[i].message);
		CHECK_AT(i, awserr_is_denied(&e, "s3:GetObject", action) ==
		    (denied[i].want != NULL));
		CHECK_STR_AT(i, action,
		    denied[i].want != NULL ? denied[i].want : "");
	}
}

static void
parse(int status, const struct pair *header, size_t n, const char *body,
    struct awserr *ret)
{
	struct http_reply r = { .status = status, .body = BUF_INIT(4096) };
	struct pair copy[8];

	memcpy(copy, header, n * sizeof(*header));
	r.header = copy;
	r.header_len = n;
	CHECK_EQ(buf_add_str(&r.body, body), 0);
	awserr_parse(&r, ret);
	buf_free(&r.body);
}

static void
test_headers(void)
{
	const struct pair h[] = {
		{ "x-amz-bucket-region", "eu-west-1" },
		{ "x-amz-request-id", "RID" },
		{ "x-amzn-errortype", "FooException:http://x/" },
	};
	const struct pair evil[] = {
		{ "x-amz-bucket-region", "evil.example.com/" },
		{ "x-amzn-requestid", "KID" },
	};
	struct awserr e;

	parse(301, h, 3, "", &e);
	CHECK_STR(e.region, "eu-west-1");
	CHECK_STR(e.request_id, "RID");
	CHECK_STR(e.code, "FooException");
	parse(400, evil, 2, "<Error><Code>X</Code><Region>a/b</Region>"
	    "</Error>", &e);
	CHECK_STR(e.region, "");
	CHECK_STR(e.request_id, "KID");
	CHECK_STR(e.code, "X");
	parse(403, evil, 2, "", &e);
	CHECK_STR(e.code, "HTTP 403");
	parse(200, h, 2, "", &e);
	CHECK_STR(e.code, "");
}

static const struct {
	const char *name, *value;
	int64_t want;
} after[] = {
	{ "x-amz-retry-after", "1500", 1500 },
	{ "retry-after", "3", 3000 },
	{ "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", -1 },
	{ "retry-after", "-1", -1 },
	{ "retry-after", "99999999999999999999", -1 },
	{ "x-amz-retry-after", "", -1 },
	{ "other", "1", -1 },
};

static void
test_retry_after(void)
{
	for (size_t i = 0; i < NELEMS(after); i++) {
		struct pair h = { after[i].name, after[i].value };
		struct http_reply r = { .header = &h, .header_len = 1 };

		CHECK_EQ_AT(i, awserr_retry_after_ms(&r), after[i].want);
	}
}

static void
test_xmltext(void)
{
	char a[4], b[8];
	const struct xmltext_want want[] = {
		{ "A", a, sizeof(a) }, { "B", b, sizeof(b) } };

	CHECK_EQ(xmltext_get(text("<R xmlns:x=\"u\"><A>toolong</A><x:B>b"
	    "</x:B><B>second</B></R>"), "R", want, 2), 0);
	CHECK_STR(a, "too");
	CHECK_STR(b, "b");
	CHECK_EQ(xmltext_get(text("<A>x</A>"), "R", want, 2), -EPROTO);
	CHECK_STR(a, "");
	CHECK_EQ(xmltext_get(text("<R><A>x</A></R><R/>"), "R", want, 2),
	    -EPROTO);
	CHECK_STR(a, "");
	CHECK_EQ(xmltext_get(text("<R><i><i><i><i><i><i><i><i><i><i><i><i><i>"
	    "<i><i><i><i>"), "R", want, 2), -EPROTO);
}

/* What came from AWS, and what kept us from it. */
static void
test_out_of_reach(void)
{
	static const int out[] = { -ETIMEDOUT, -ECONNRESET, -EHOSTUNREACH,
		-ENETUNREACH, -EAGAIN };
	static const int in[] = { 0, -EACCES, -ENOENT, -ENXIO, -EPROTO, -ENOKEY,
		-ECANCELED, -ENOMEM };

	for (size_t i = 0; i < NELEMS(out); i++)
		CHECK_AT(i, aws_is_out_of_reach(out[i]));
	for (size_t i = 0; i < NELEMS(in); i++)
		CHECK_AT(i, !aws_is_out_of_reach(in[i]));
}

int
main(void)
{
	test_judge();
	test_out_of_reach();
	test_bodies();
	test_denied();
	test_headers();
	test_retry_after();
	test_xmltext();
	return check_done();
}
