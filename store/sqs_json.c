#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqs_json.h"

static int
append(const char *text, size_t len, void *arg)
{
	return buf_add(arg, text, len) < 0 ? -1 : 0;
}

int
sqs_json_request(const char *url, struct buf *ret)
{
	json_t *u = json_string(url), *o;
	int r;

	if (u == NULL)
		return -EINVAL;
	o = json_pack("{s:o, s:[s, s, s, s, s, s]}", "QueueUrl", u,
	    "AttributeNames", "QueueArn", "Policy", "VisibilityTimeout",
	    "ApproximateNumberOfMessages",
	    "ApproximateNumberOfMessagesNotVisible", "KmsMasterKeyId");
	r = o != NULL && json_dump_callback(o, append, ret, JSON_COMPACT) == 0 ?
	    0 : -ENOMEM;
	json_decref(o);
	return r;
}

/* Numbers are strings of digits here. */
static bool
take_number(const json_t *attributes, const char *name, int64_t *ret)
{
	const char *s = json_string_value(json_object_get(attributes, name));
	size_t n = s != NULL ? strspn(s, "0123456789") : 0;

	if (n == 0 || n > 18 || s[n] != '\0')
		return false;
	*ret = strtoll(s, NULL, 10);
	return true;
}

static bool
take_text(const json_t *attributes, const char *name, char ret[SQS_ARN_MAX])
{
	const json_t *v = json_object_get(attributes, name);

	if (!json_is_string(v) || json_string_length(v) >= SQS_ARN_MAX)
		return false;
	memcpy(ret, json_string_value(v), json_string_length(v) + 1);
	return true;
}

int
sqs_json_attributes(struct slice json, struct sqs_attributes *ret)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len,
	    JSON_REJECT_DUPLICATES, NULL);
	const json_t *a = json_object_get(o, "Attributes");
	const char *policy = json_string_value(json_object_get(a, "Policy"));
	int r = 0;

	*ret = (struct sqs_attributes){ .policy = NULL };
	if (!take_text(a, "QueueArn", ret->arn) ||
	    strncmp(ret->arn, "arn:", 4) != 0 ||
	    (json_object_get(a, "KmsMasterKeyId") != NULL &&
		!take_text(a, "KmsMasterKeyId", ret->kms_key)) ||
	    !take_number(a, "VisibilityTimeout", &ret->visibility_s) ||
	    !take_number(a, "ApproximateNumberOfMessages", &ret->waiting) ||
	    !take_number(a, "ApproximateNumberOfMessagesNotVisible",
		&ret->hidden))
		r = -EPROTO;
	else if (policy != NULL && policy[0] != '\0' &&
	    (ret->policy = strdup(policy)) == NULL)
		r = -ENOMEM;
	json_decref(o);
	if (r < 0)
		*ret = (struct sqs_attributes){ .policy = NULL };
	return r;
}

void
sqs_attributes_free(struct sqs_attributes *a)
{
	free(a->policy);
	*a = (struct sqs_attributes){ .policy = NULL };
}
