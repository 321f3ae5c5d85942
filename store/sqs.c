#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/log.h"
#include "store/sqs_json.h"

#define BODY_MAX (256 << 10) /* bytes; a policy has at most 8 KiB */
#define WHY_MAX 512

int
sqs_endpoint(const struct sqs_opts *o, struct endpoint *ret,
    char ret_region[ENDPOINT_REGION_MAX])
{
	unsigned flags = endpoint_flags(o->fips, o->dual_stack);
	const char *why;
	struct sqs_url url;

	if (sqs_url_parse(o->url, &url, &why) < 0)
		return log_err(-EINVAL, "sqs: the queue's URL %s", why);
	snprintf(ret_region, ENDPOINT_REGION_MAX, "%s", url.region[0] != '\0' ?
	    url.region : o->region);
	if (o->endpoint_url == NULL && !url.is_aws) {
		*ret = url.endpoint;
		return 0;
	}
	return endpoint_choose(o->endpoint_url, "sqs", ret_region, flags, ret);
}

static int
call(const struct sqs_opts *o, const char *target, struct slice body,
    struct aws_reply *ret)
{
	const struct pair header[] = {
		{ "content-type", "application/x-amz-json-1.0" },
		{ "x-amz-target", target },
	};
	char region[ENDPOINT_REGION_MAX];
	struct endpoint e;
	struct aws_request req = { .method = "POST", .endpoint = &e,
		.service = "sqs", .region = region, .path = "/",
		.header = header, .header_len = NELEMS(header), .body = body,
		.op = AWS_SQS, .max_body = BODY_MAX };
	int r;

	if ((r = sqs_endpoint(o, &e, region)) < 0)
		return r;
	r = aws_call(o->aws, &req, ret);
	if (r < 0 && (strcmp(ret->error.code, "QueueDoesNotExist") == 0 ||
	    strcmp(ret->error.code,
		"AWS.SimpleQueueService.NonExistentQueue") == 0))
		return -ENOENT;
	return r;
}

int
sqs_get_attributes(const struct sqs_opts *o, struct sqs_attributes *ret)
{
	struct aws_reply reply = { .http.status = 0 };
	struct buf body = BUF_INIT(BODY_MAX);
	char why[WHY_MAX];
	int r = sqs_json_request(o->url, &body);

	*ret = (struct sqs_attributes){ .policy = NULL };
	if (r == 0 && (r = call(o, "AmazonSQS.GetQueueAttributes",
	    (struct slice){ body.ptr, body.len }, &reply)) < 0 &&
	    r != -ECANCELED)
		log_err(r, "sqs: get attributes of %s: %s", o->url,
		    aws_why_not(&reply, "sqs:GetQueueAttributes", why,
			sizeof(why)));
	if (r == 0 && (r = sqs_json_attributes((struct slice){
	    reply.http.body.ptr, reply.http.body.len }, ret)) < 0)
		log_err(r, "sqs: get attributes of %s: malformed reply "
		    "(request %s)", o->url, reply.error.request_id);
	buf_free(&body);
	aws_reply_free(&reply);
	return r;
}
