#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/sqs.h"
#include "store/sqs_policy.h"

/* No, yes, or cannot be told: the weakest of several decides. */
enum verdict { NO, UNSURE, YES };

static enum verdict
weaker(enum verdict a, enum verdict b)
{
	return a < b ? a : b;
}

/* IAM's wildcards. The last star seen is where a mismatch goes back to, so
 * that the time is at most the product of the lengths. */
static bool
is_like(const char *pattern, const char *s, bool any_case)
{
	const char *star = NULL, *back = NULL;

	while (*s != '\0') {
		bool same = any_case ? strncasecmp(pattern, s, 1) == 0 :
				       *pattern == *s;

		if (*pattern == '*') {
			star = pattern++;
			back = s;
		} else if (*pattern != '\0' && (*pattern == '?' || same)) {
			pattern++;
			s++;
		} else if (star != NULL) {
			pattern = star + 1;
			s = ++back;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

/* Is s like one of a string or a list of strings? */
static bool
is_among(const json_t *list, const char *s, bool any_case)
{
	size_t i;
	const json_t *v;

	if (json_is_string(list))
		return is_like(json_string_value(list), s, any_case);
	json_array_foreach(list, i, v)
		if (json_is_string(v) &&
		    is_like(json_string_value(v), s, any_case))
			return true;
	return false;
}

/* ---- a condition ---- */

static enum verdict
judge_key(const char *operator, const char *key, const json_t *values,
    const struct sqs_policy_want *w)
{
	char arn[300], partition[16] = "aws";

	if (strcmp(operator, "Bool") == 0 &&
	    strcasecmp(key, "aws:SecureTransport") == 0)
		return is_among(values, "true", true) ? YES : NO;
	if (strcmp(operator, "StringEquals") != 0 &&
	    strcmp(operator, "StringLike") != 0 &&
	    strcmp(operator, "ArnEquals") != 0 &&
	    strcmp(operator, "ArnLike") != 0)
		return UNSURE;
	if (strcasecmp(key, "aws:SourceAccount") == 0)
		return w->account == NULL ? UNSURE :
		    is_among(values, w->account, false) ? YES : NO;
	if (strcasecmp(key, "aws:SourceArn") != 0)
		return UNSURE;
	sscanf(w->queue_arn, "arn:%15[^:]", partition);
	snprintf(arn, sizeof(arn), "arn:%s:s3:::%s", partition, w->bucket);
	return is_among(values, arn, false) ? YES : NO;
}

/* All of them must hold. */
static enum verdict
judge_conditions(json_t *conditions, const struct sqs_policy_want *w)
{
	enum verdict ret = YES;
	const char *operator, *key;
	json_t *keys, *values;

	if (conditions != NULL && !json_is_object(conditions))
		return UNSURE;
	json_object_foreach(conditions, operator, keys) {
		if (!json_is_object(keys))
			return UNSURE;
		json_object_foreach(keys, key, values)
			ret = weaker(ret, judge_key(operator, key, values, w));
	}
	return ret;
}

/* ---- a statement ---- */

/* Whom it is about: "*", or the service S3. */
static enum verdict
judge_principal(const json_t *s)
{
	const json_t *p = json_object_get(s, "Principal");

	if (json_object_get(s, "NotPrincipal") != NULL)
		return UNSURE;
	if (json_is_string(p))
		return strcmp(json_string_value(p), "*") == 0 ? YES : NO;
	if (is_among(json_object_get(p, "Service"), "s3.amazonaws.com", false))
		return YES;
	/* {"AWS": "*"} is everybody too, but not a pattern of accounts. */
	return is_among(json_object_get(p, "AWS"), "*", false) ? YES : NO;
}

static enum verdict
judge_member(const json_t *s, const char *name, const char *not_name,
    const char *what, bool any_case)
{
	if (json_object_get(s, not_name) != NULL)
		return UNSURE;
	return is_among(json_object_get(s, name), what, any_case) ? YES : NO;
}

/* Does the statement speak of what S3 would do? */
static enum verdict
judge_statement(const json_t *s, const struct sqs_policy_want *w)
{
	enum verdict v = judge_principal(s);

	v = weaker(v, judge_member(s, "Action", "NotAction",
	    "sqs:SendMessage", true));
	v = weaker(v, judge_member(s, "Resource", "NotResource", w->queue_arn,
	    false));
	return weaker(v, judge_conditions(json_object_get(s, "Condition"), w));
}

/* A statement that forbids beats all that allow. */
static enum sqs_policy
judge(const json_t *statements, const struct sqs_policy_want *w)
{
	enum verdict allow = NO, deny = NO;
	size_t i;
	const json_t *s;

	json_array_foreach(statements, i, s) {
		const char *effect = json_string_value(json_object_get(s,
		    "Effect"));
		enum verdict v = judge_statement(s, w), *which;

		if (effect == NULL)
			continue;
		which = strcmp(effect, "Allow") == 0 ? &allow : &deny;
		if (v > *which)
			*which = v;
	}
	if (allow == NO || deny == YES)
		return SQS_POLICY_NO;
	return allow == YES && deny == NO ? SQS_POLICY_YES : SQS_POLICY_UNSURE;
}

enum sqs_policy
sqs_policy_read(const char *policy, const struct sqs_policy_want *w)
{
	json_t *o = policy != NULL ?
	    json_loads(policy, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *s = json_object_get(o, "Statement");
	json_t *one = json_is_object(s) ? json_pack("[O]", s) : NULL;
	enum sqs_policy ret = judge(one != NULL ? one : s, w);

	json_decref(one);
	json_decref(o);
	return ret;
}
