#include "iam.h"

#include "iam_condition.h"
#include "iam_match.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct iam_policy {
	json_t *statements; /* array; each has been checked */
};

/* Every action a policy may speak of, wildcards or not: what the services here
 * ask for and some that they do not have. */
static const char *const actions[] = { "kms:CreateAlias", "kms:CreateKey",
	"kms:Decrypt", "kms:DescribeKey", "kms:DisableKey", "kms:EnableKey",
	"kms:Encrypt", "kms:GenerateDataKey",
	"kms:GenerateDataKeyWithoutPlaintext", "kms:ListKeys",
	"s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteObject",
	"s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion",
	"s3:ListAllMyBuckets", "s3:ListBucket", "s3:PutObject",
	"sqs:ChangeMessageVisibility", "sqs:CreateQueue", "sqs:DeleteMessage",
	"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage",
	"sqs:SendMessage", "sqs:SetQueueAttributes", "sts:AssumeRole",
	"sts:AssumeRoleWithWebIdentity", "sts:GetCallerIdentity" };

static bool PRINTF(2, 3)
no(char why[IAM_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, IAM_WHY_MAX, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- strings and lists of them ---- */

static size_t
count(const json_t *one_or_many)
{
	return json_is_array(one_or_many) ? json_array_size(one_or_many) : 1;
}

static const char *
item(const json_t *one_or_many, size_t i)
{
	return json_string_value(json_is_array(one_or_many)
		? json_array_get(one_or_many, i)
		: one_or_many);
}

static bool
is_any(const json_t *patterns, const char *text, unsigned how)
{
	for (size_t i = 0; i < count(patterns); i++)
		if (iam_matches(item(patterns, i), text, how))
			return true;
	return false;
}

/* ---- reading ---- */

static bool
check_action(const char *pattern, char *why)
{
	if (strcmp(pattern, "*") == 0)
		return true;
	if (strchr(pattern, ':') == NULL)
		return no(why, "Action %.100s: no service before a colon",
		    pattern);
	for (size_t i = 0; i < NELEMS(actions); i++)
		if (iam_matches(pattern, actions[i], IAM_WILD | IAM_FOLD))
			return true;
	return no(why, "Action %.100s: there is none such", pattern);
}

static bool
check_resource(const char *pattern, char *why)
{
	if (strcmp(pattern, "*") != 0 && strncmp(pattern, "arn:", 4) != 0)
		return no(why, "Resource %.100s: neither * nor an ARN",
		    pattern);
	return iam_is_pattern(pattern) ||
	    no(why, "Resource %.100s: unknown policy variable", pattern);
}

static bool
check_list(const char *name, const json_t *list,
    bool (*check)(const char *pattern, char *why), char *why)
{
	if (list == NULL || count(list) == 0)
		return no(why, "%s: needed", name);
	for (size_t i = 0; i < count(list); i++) {
		if (item(list, i) == NULL)
			return no(why, "%s: not a string", name);
		if (!check(item(list, i), why))
			return false;
	}
	return true;
}

static bool
check_members(json_t *o, const char *const *names, size_t n, char *why)
{
	const char *name;
	json_t *v;

	if (!json_is_object(o))
		return no(why, "not an object");
	json_object_foreach (o, name, v) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= strcmp(name, names[i]) == 0;
		if (!found)
			return no(why, "%.100s: no member that is known here",
			    name);
	}
	return true;
}

static bool
check_statement(json_t *s, char *why)
{
	static const char *const names[] = { "Sid", "Effect", "Action",
		"NotAction", "Resource", "Condition" };
	const char *effect = json_string_value(json_object_get(s, "Effect"));
	const json_t *action = json_object_get(s, "Action");
	const json_t *other = json_object_get(s, "NotAction");
	json_t *condition = json_object_get(s, "Condition");

	if (!check_members(s, names, NELEMS(names), why))
		return false;
	if (effect == NULL || (strcmp(effect, "Allow") != 0 &&
				  strcmp(effect, "Deny") != 0))
		return no(why, "Effect: neither Allow nor Deny");
	if ((action == NULL) == (other == NULL))
		return no(why, "one of Action and NotAction is needed");
	return check_list("Action", action != NULL ? action : other,
		   check_action, why) &&
	    check_list("Resource", json_object_get(s, "Resource"),
		check_resource, why) &&
	    (condition == NULL || iam_condition_check(condition, why));
}

static bool
check_document(json_t *doc, char *why)
{
	static const char *const names[] = { "Version", "Id", "Statement" };
	const char *version = json_string_value(json_object_get(doc,
	    "Version"));
	json_t *list = json_object_get(doc, "Statement"), *s;
	char reason[IAM_WHY_MAX];
	size_t i;

	if (!check_members(doc, names, NELEMS(names), why))
		return false;
	if (version == NULL || strcmp(version, "2012-10-17") != 0)
		return no(why, "Version: only 2012-10-17");
	if (!json_is_array(list))
		return no(why, "Statement: not an array");
	json_array_foreach (list, i, s)
		if (!check_statement(s, reason))
			return no(why, "Statement %zu: %.200s", i, reason);
	return true;
}

int
iam_policy_parse(const char *text, size_t len, struct iam_policy **ret,
    char why[IAM_WHY_MAX])
{
	json_error_t e;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	struct iam_policy *p;

	*ret = NULL;
	if (doc == NULL) {
		no(why, "not JSON: line %d: %.100s", e.line, e.text);
		return -EINVAL;
	}
	if (!check_document(doc, why)) {
		json_decref(doc);
		return -EINVAL;
	}
	p = xcalloc(1, sizeof *p);
	p->statements = json_incref(json_object_get(doc, "Statement"));
	json_decref(doc);
	*ret = p;
	return 0;
}

void
iam_policy_free(struct iam_policy *p)
{
	if (p == NULL)
		return;
	json_decref(p->statements);
	free(p);
}

/* ---- deciding ---- */

static bool
applies(const json_t *s, const struct iam_ask *ask)
{
	const json_t *action = json_object_get(s, "Action");
	const json_t *other = json_object_get(s, "NotAction");
	bool is_named = is_any(action != NULL ? action : other, ask->action,
	    IAM_WILD | IAM_FOLD);

	return is_named == (action != NULL) &&
	    is_any(json_object_get(s, "Resource"), ask->resource, IAM_WILD) &&
	    iam_condition_holds(json_object_get(s, "Condition"), ask);
}

enum iam_verdict
iam_policy_decide(const struct iam_policy *p, const struct iam_ask *ask)
{
	enum iam_verdict v = IAM_NOT_ALLOWED;
	const json_t *s;
	size_t i;

	json_array_foreach (p->statements, i, s) {
		if (!applies(s, ask))
			continue;
		if (strcmp(json_string_value(json_object_get(s, "Effect")),
			"Deny") == 0)
			return IAM_DENIED;
		v = IAM_ALLOWED;
	}
	return v;
}
