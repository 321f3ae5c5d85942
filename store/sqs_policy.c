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

static enum verdict
stronger(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

/* ---- a value ---- */

static bool
is_same(char a, char b, bool any_case)
{
	return any_case ? strncasecmp(&a, &b, 1) == 0 : a == b;
}

/* IAM's wildcards, in the first n bytes of either. The last star seen is where
 * a mismatch goes back to, so that the time is at most the product of the
 * lengths. */
static bool
is_like(const char *pattern, size_t pattern_n, const char *s, size_t n,
    bool any_case)
{
	const char *p = pattern, *p_end = pattern + pattern_n, *end = s + n;
	const char *star = NULL, *back = NULL;

	while (s < end) {
		if (p < p_end && *p == '*') {
			star = p++;
			back = s;
		} else if (p < p_end &&
		    (*p == '?' || is_same(*p, *s, any_case))) {
			p++;
			s++;
		} else if (star != NULL) {
			p = star + 1;
			s = ++back;
		} else {
			return false;
		}
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}

/* How a value of the policy is compared with what is asked for. */
typedef enum verdict match_fn(const char *value, const char *s);

static enum verdict
match_equal(const char *value, const char *s)
{
	return strcmp(value, s) == 0 ? YES : NO;
}

static enum verdict
match_like(const char *value, const char *s)
{
	return is_like(value, strlen(value), s, strlen(s), false) ? YES : NO;
}

static enum verdict
match_action(const char *value, const char *s)
{
	return is_like(value, strlen(value), s, strlen(s), true) ? YES : NO;
}

/* Each of the six parts by itself: no star reaches across a colon. The last has
 * whatever colons follow. */
static enum verdict
match_arn(const char *value, const char *s)
{
	for (int i = 0; i < 5; i++) {
		size_t value_n = strcspn(value, ":"), n = strcspn(s, ":");

		if (value[value_n] == '\0')
			return UNSURE; /* no ARN */
		if (!is_like(value, value_n, s, n, false))
			return NO;
		value += value_n + 1;
		s += n + (s[n] != '\0');
	}
	return match_like(value, s);
}

/* A star across colons is nowhere promised. */
static enum verdict
match_resource(const char *value, const char *s)
{
	if (match_like(value, s) == NO)
		return NO;
	return strcmp(value, "*") == 0 || match_arn(value, s) == YES ? YES :
								       UNSURE;
}

/* A principal is named whole. */
static enum verdict
match_principal(const char *value, const char *s)
{
	if (strcmp(value, s) == 0)
		return YES;
	return match_like(value, s) == YES ? UNSURE : NO;
}

static enum verdict
match_true(const char *value, const char *s)
{
	if (strcasecmp(value, s) == 0)
		return YES;
	return strcasecmp(value, "false") == 0 ? NO : UNSURE;
}

/* A number, or a variable that AWS has something in place of, cannot be told. */
static enum verdict
judge_value(const json_t *v, const char *s, match_fn *match)
{
	const char *text = json_is_true(v) ? "true" : json_is_false(v) ?
	    "false" : json_string_value(v);
	enum verdict ret = text != NULL ? match(text, s) : UNSURE;

	return ret == NO && strstr(text, "${") != NULL ? UNSURE : ret;
}

/* Is s among one value or a list of them? */
static enum verdict
judge_values(const json_t *values, const char *s, match_fn *match)
{
	enum verdict ret = NO;
	size_t i;
	const json_t *v;

	if (values != NULL && !json_is_array(values))
		return judge_value(values, s, match);
	json_array_foreach(values, i, v)
		ret = stronger(ret, judge_value(v, s, match));
	return ret;
}

/* ---- a condition ---- */

static const struct {
	const char *operator;
	match_fn *match;
	bool is_of_arns;
} operators[] = {
	{ "StringEquals", match_equal, false },
	{ "StringLike", match_like, false },
	/* The two are one. */
	{ "ArnEquals", match_arn, true },
	{ "ArnLike", match_arn, true },
};

static enum verdict
judge_key(const char *operator, const char *key, const json_t *values,
    const struct sqs_policy_want *w)
{
	char arn[300], partition[16] = "aws";
	bool is_arn = strcasecmp(key, "aws:SourceArn") == 0;
	const char *s = is_arn ? arn : w->account;

	if (strcmp(operator, "Bool") == 0 &&
	    strcasecmp(key, "aws:SecureTransport") == 0)
		return judge_values(values, "true", match_true);
	if (s == NULL || (!is_arn && strcasecmp(key, "aws:SourceAccount") != 0))
		return UNSURE;
	sscanf(w->queue_arn, "arn:%15[^:]", partition);
	snprintf(arn, sizeof(arn), "arn:%s:s3:::%s", partition, w->bucket);
	for (size_t i = 0; i < NELEMS(operators); i++)
		if (strcmp(operator, operators[i].operator) == 0 &&
		    (is_arn || !operators[i].is_of_arns))
			return judge_values(values, s, operators[i].match);
	return UNSURE;
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
	/* {"AWS": "*"} is everybody too, but not a pattern of accounts. */
	return stronger(judge_values(json_object_get(p, "Service"),
	    "s3.amazonaws.com", match_principal),
	    judge_values(json_object_get(p, "AWS"), "*", match_equal));
}

static enum verdict
judge_member(const json_t *s, const char *name, const char *not_name,
    const char *what, match_fn *match)
{
	if (json_object_get(s, not_name) != NULL)
		return UNSURE;
	return judge_values(json_object_get(s, name), what, match);
}

/* Does the statement speak of what S3 would do? */
static enum verdict
judge_statement(const json_t *s, const struct sqs_policy_want *w)
{
	enum verdict v = judge_principal(s);

	v = weaker(v, judge_member(s, "Action", "NotAction",
	    "sqs:SendMessage", match_action));
	v = weaker(v, judge_member(s, "Resource", "NotResource", w->queue_arn,
	    match_resource));
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
