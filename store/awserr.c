#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/awserr.h"
#include "store/endpoint.h"
#include "store/xmltext.h"

static const char *const throttles[] = { "Throttling", "ThrottlingException",
	"ThrottledException", "RequestThrottled", "RequestThrottledException",
	"TooManyRequestsException", "RequestLimitExceeded",
	"BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
	"PriorRequestNotComplete", "TransactionInProgressException",
	"ProvisionedThroughputExceededException", "EC2ThrottledException" };

static const char *const transients[] = { "RequestTimeout",
	"RequestTimeoutException", "InternalError", "InternalFailure",
	"InternalServerError", "ServiceUnavailable", "KMSInternalException",
	"DependencyTimeoutException", "KeyUnavailableException",
	"IDPCommunicationError" };

static const char *const clocks[] = { "RequestTimeTooSkewed", "RequestExpired",
	"RequestInTheFuture" };

/* The last four also mean a key that was replaced while we were mounted. */
static const char *const stale_creds[] = { "ExpiredToken",
	"ExpiredTokenException", "TokenRefreshRequired", "InvalidToken",
	"InvalidAccessKeyId", "InvalidClientTokenId",
	"UnrecognizedClientException" };

static const char *const refusals[] = { "AccessDenied",
	"AccessDeniedException", "SignatureDoesNotMatch",
	"InvalidSignatureException", "IncompleteSignature",
	"MissingAuthenticationToken", "OptInRequired",
	"NotAuthorizedException" };

static bool
is_in(const char *code, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(code, list[i]) == 0)
			return true;
	return false;
}
#define IS_IN(code, list) is_in(code, list, NELEMS(list))

/* KMS and STS have one code for a bad signature and for a clock that is off;
 * the text tells. */
static bool
is_clock(const struct awserr *e)
{
	return IS_IN(e->code, clocks) ||
	    ((strcmp(e->code, "InvalidSignatureException") == 0 ||
		 strcmp(e->code, "SignatureDoesNotMatch") == 0) &&
		(strstr(e->message, "Signature expired") != NULL ||
		    strstr(e->message, "Signature not yet current") != NULL));
}

static int
err_of_status(int status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 412:
		return -ESTALE;
	default:
		return -EIO;
	}
}

struct awserr_verdict
awserr_judge(const struct awserr *e)
{
	struct awserr_verdict v = {
		.failure = { RETRY_NEVER, err_of_status(e->status), -1 },
	};

	if (is_clock(e)) {
		v.failure.err = -EACCES;
		v.cure = AWSERR_CLOCK;
	} else if (IS_IN(e->code, stale_creds)) {
		v.failure.err = -EACCES;
		v.cure = AWSERR_CREDS;
	} else if (IS_IN(e->code, throttles) || e->status == 429) {
		v.failure.err = -EAGAIN;
		v.failure.kind = RETRY_THROTTLE;
	} else if (IS_IN(e->code, transients) || e->status == 500 ||
	    e->status == 502 || e->status == 503 || e->status == 504) {
		v.failure.err = -EAGAIN;
		v.failure.kind = RETRY_TRANSIENT;
	} else if (IS_IN(e->code, refusals)) {
		v.failure.err = -EACCES;
	}
	return v;
}

/* "com.amazonaws.kms#NotFoundException", "NotFoundException:http://..." */
static void
short_code(const char *s, char *ret, size_t size)
{
	const char *hash = strrchr(s, '#');
	size_t n;

	s = hash != NULL ? hash + 1 : s;
	n = strcspn(s, ":");
	snprintf(ret, size, "%.*s", (int)(n < size ? n : size - 1), s);
}

static bool
parse_json(struct slice body, struct awserr *ret)
{
	json_t *o = json_loadb((const char *)body.ptr, body.len, 0, NULL);
	const char *type = json_string_value(json_object_get(o, "__type"));
	const char *text = json_string_value(json_object_get(o, "message"));

	if (text == NULL)
		text = json_string_value(json_object_get(o, "Message"));
	if (type != NULL)
		short_code(type, ret->code, sizeof(ret->code));
	if (text != NULL)
		snprintf(ret->message, sizeof(ret->message), "%s", text);
	json_decref(o);
	return ret->code[0] != '\0';
}

static bool
parse_xml(struct slice body, struct awserr *ret)
{
	const struct xmltext_want want[] = {
		{ "Code", ret->code, sizeof(ret->code) },
		{ "Message", ret->message, sizeof(ret->message) },
		{ "Region", ret->region, sizeof(ret->region) },
		{ "RequestId", ret->request_id, sizeof(ret->request_id) },
		{ "HostId", ret->host_id, sizeof(ret->host_id) },
	};

	if (xmltext_get(body, "Error", want, NELEMS(want)) < 0 &&
	    xmltext_get(body, "ErrorResponse", want, NELEMS(want)) < 0)
		return false;
	return ret->code[0] != '\0';
}

bool
awserr_parse_body(struct slice body, struct awserr *ret)
{
	size_t i = 0;

	while (i < body.len && strchr(" \t\r\n", body.ptr[i]) != NULL &&
	    body.ptr[i] != '\0')
		i++;
	if (i == body.len)
		return false;
	return body.ptr[i] == '{' ? parse_json(body, ret) :
	    parse_xml((struct slice){ body.ptr + i, body.len - i }, ret);
}

bool
awserr_is_error_xml(struct slice b)
{
	char code[8];
	const struct xmltext_want want = { "Code", code, sizeof(code) };
	size_t i = 0;

	while (i < b.len && (b.ptr[i] == ' ' || b.ptr[i] == '\n' ||
	    b.ptr[i] == '\r' || b.ptr[i] == '\t'))
		i++;
	/* A listing is long, an error is not: no need to parse the former. */
	if (b.len - i > 16384)
		return false;
	return xmltext_get((struct slice){ b.ptr + i, b.len - i }, "Error",
	    &want, 1) == 0;
}

void
awserr_request_id(const struct http_reply *r, char ret[AWSERR_ID_MAX])
{
	const char *id = http_reply_header(r, "x-amz-request-id");

	if (id == NULL)
		id = http_reply_header(r, "x-amzn-requestid");
	snprintf(ret, AWSERR_ID_MAX, "%s", id != NULL ? id : "");
}

void
awserr_parse(const struct http_reply *r, struct awserr *ret)
{
	bool is_good = r->status >= 200 && r->status < 300;
	char id[AWSERR_ID_MAX];
	const char *v;

	*ret = (struct awserr){ .status = r->status };
	awserr_parse_body((struct slice){ r->body.ptr, r->body.len }, ret);
	if (!is_good && ret->code[0] == '\0' &&
	    (v = http_reply_header(r, "x-amzn-errortype")) != NULL)
		short_code(v, ret->code, sizeof(ret->code));
	if (!is_good && ret->code[0] == '\0')
		snprintf(ret->code, sizeof(ret->code), "HTTP %d", r->status);
	if ((v = http_reply_header(r, "x-amz-bucket-region")) != NULL)
		snprintf(ret->region, sizeof(ret->region), "%s",
		    endpoint_is_region(v) ? v : "");
	if (!endpoint_is_region(ret->region))
		ret->region[0] = '\0';
	awserr_request_id(r, id);
	if (id[0] != '\0')
		memcpy(ret->request_id, id, sizeof(id));
	if ((v = http_reply_header(r, "x-amz-id-2")) != NULL)
		snprintf(ret->host_id, sizeof(ret->host_id), "%s", v);
}

/* "User: ARN is not authorized to perform: s3:GetObject on resource: ..." */
static bool
named_action(const char *message, char ret[AWSERR_ACTION_MAX])
{
	const char *s = strstr(message, "not authorized to perform: ");
	size_t n;

	if (s == NULL)
		return false;
	s = strchr(s, ':') + 2;
	n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-");
	if (n == 0 || n >= AWSERR_ACTION_MAX || memchr(s, ':', n) == NULL)
		return false;
	memcpy(ret, s, n);
	ret[n] = '\0';
	return true;
}

bool
awserr_is_denied(const struct awserr *e, const char *asked,
    char ret[AWSERR_ACTION_MAX])
{
	/* The last is how a refused HEAD looks, which has no body. */
	if (strcmp(e->code, "AccessDenied") != 0 &&
	    strcmp(e->code, "AccessDeniedException") != 0 &&
	    strcmp(e->code, "HTTP 403") != 0)
		return false;
	/* SQS names its own in lower case. */
	if (!named_action(e->message, ret) || strcasecmp(ret, asked) == 0)
		snprintf(ret, AWSERR_ACTION_MAX, "%s", asked);
	return true;
}

static int64_t
parse_number(const char *s)
{
	char *end;
	long v;

	if (s == NULL || s[0] < '0' || s[0] > '9')
		return -1;
	errno = 0;
	v = strtol(s, &end, 10);
	return *end == '\0' && errno == 0 && v < 1000000000 ? v : -1;
}

int64_t
awserr_retry_after_ms(const struct http_reply *r)
{
	int64_t v = parse_number(http_reply_header(r, "x-amz-retry-after"));

	if (v >= 0)
		return v;
	v = parse_number(http_reply_header(r, "retry-after"));
	return v >= 0 ? v * 1000 : -1;
}
