#include <errno.h>
#include <string.h>

#include "store/endpoint.h"
#include "store/log.h"
#include "store/sts.h"
#include "store/xmltext.h"

static int
parse(const struct http_reply *h, struct sts_identity *ret)
{
	const struct xmltext_want want[] = {
		{ "Account", ret->account, sizeof(ret->account) },
		{ "Arn", ret->arn, sizeof(ret->arn) },
	};
	int r = xmltext_get((struct slice){ h->body.ptr, h->body.len },
	    "GetCallerIdentityResponse", want, NELEMS(want));

	if (r == 0 && (strlen(ret->account) != 12 ||
	    strspn(ret->account, "0123456789") != 12 || ret->arn[0] == '\0'))
		r = -EPROTO;
	return r;
}

int
sts_get_caller_identity(const struct sts_opts *o, struct sts_identity *ret)
{
	static const char body[] = "Action=GetCallerIdentity&"
				   "Version=2011-06-15";
	static const struct pair header[] = {
		{ "content-type", "application/x-www-form-urlencoded" },
	};
	struct endpoint e;
	struct aws_request req = { .method = "POST", .endpoint = &e,
		.service = "sts", .region = o->region, .path = "/",
		.header = header, .header_len = NELEMS(header),
		.body = { (const uint8_t *)body, sizeof(body) - 1 },
		.op = AWS_STS, .max_body = 65536 };
	struct aws_reply reply = { .http.status = 0 };
	char why[512];
	int r;

	*ret = (struct sts_identity){ .account = "" };
	if ((r = endpoint_choose(o->endpoint_url, "sts", o->region,
	    (o->fips ? ENDPOINT_FIPS : 0U) |
	    (o->dual_stack ? ENDPOINT_DUAL_STACK : 0U), &e)) < 0)
		return r;
	r = aws_call(o->aws, &req, &reply);
	if (r < 0)
		log_err(r, "sts: get caller identity: %s",
		    aws_why(&reply, why, sizeof(why)));
	else if ((r = parse(&reply.http, ret)) < 0)
		log_err(r, "sts: get caller identity: malformed reply");
	aws_reply_free(&reply);
	return r;
}
