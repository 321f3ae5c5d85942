#include "iam_condition.h"

#include "iam_match.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_TEXT, KIND_BOOL, KIND_NULL };

static const struct operator {
	const char *name;
	enum kind kind;
	unsigned how; /* IAM_WILD ... */
	bool is_negated;
} operators[] = {
	{ "StringEquals", KIND_TEXT, 0, false },
	{ "StringNotEquals", KIND_TEXT, 0, true },
	{ "StringEqualsIgnoreCase", KIND_TEXT, IAM_FOLD, false },
	{ "StringLike", KIND_TEXT, IAM_WILD, false },
	{ "StringNotLike", KIND_TEXT, IAM_WILD, true },
	/* The two mean the same, says the user guide. */
	{ "ArnEquals", KIND_TEXT, IAM_WILD | IAM_ARN, false },
	{ "ArnLike", KIND_TEXT, IAM_WILD | IAM_ARN, false },
	{ "ArnNotEquals", KIND_TEXT, IAM_WILD | IAM_ARN, true },
	{ "ArnNotLike", KIND_TEXT, IAM_WILD | IAM_ARN, true },
	{ "Bool", KIND_BOOL, IAM_FOLD, false },
	{ "Null", KIND_NULL, 0, false },
};

/* The condition keys that the services here give. */
static const struct {
	const char *name;
	bool is_begin; /* the rest is whatever comes after the colon */
	bool is_set;   /* of several values */
} keys[] = {
	{ "aws:PrincipalArn", false, false },
	{ "aws:SecureTransport", false, false },
	{ "kms:EncryptionContext:", true, false },
	{ "kms:EncryptionContextKeys", false, true },
	{ "kms:RequestAlias", false, false },
	{ "kms:ResourceAliases", false, true },
	{ "s3:ResourceAccount", false, false },
	{ "s3:prefix", false, false },
};

enum quantifier { ONE_VALUE, ANY_VALUE, ALL_VALUES };

/* "ForAnyValue:StringLikeIfExists", taken apart. */
struct test {
	const struct operator *op;
	enum quantifier of;
	bool is_if_exists;
};

static bool
parse_test(const char *name, struct test *ret)
{
	size_t len;

	*ret = (struct test){ .of = ONE_VALUE };
	if (strncmp(name, "ForAnyValue:", 12) == 0) {
		ret->of = ANY_VALUE;
		name += 12;
	} else if (strncmp(name, "ForAllValues:", 13) == 0) {
		ret->of = ALL_VALUES;
		name += 13;
	}
	len = strlen(name);
	if (len > 8 && strcmp(name + len - 8, "IfExists") == 0) {
		ret->is_if_exists = true;
		len -= 8;
	}
	for (size_t i = 0; i < NELEMS(operators); i++)
		if (strlen(operators[i].name) == len &&
		    strncmp(operators[i].name, name, len) == 0)
			ret->op = &operators[i];
	return ret->op != NULL &&
	    (ret->op->kind != KIND_NULL ||
		(ret->of == ONE_VALUE && !ret->is_if_exists));
}

/* Returns whether there is such a key; *ret_is_set: of several values. */
static bool
find_key(const char *name, bool *ret_is_set)
{
	for (size_t i = 0; i < NELEMS(keys); i++) {
		size_t len = strlen(keys[i].name);

		*ret_is_set = keys[i].is_set;
		if (keys[i].is_begin
			? strncasecmp(name, keys[i].name, len) == 0 &&
			    name[len] != '\0'
			: strcasecmp(name, keys[i].name) == 0)
			return true;
	}
	return false;
}

static bool
no(char why[IAM_WHY_MAX], const char *what, const char *name)
{
	snprintf(why, IAM_WHY_MAX, "%s: %.150s", what, name);
	return false;
}

static bool
check_value(const struct test *t, const json_t *v, char *why)
{
	const char *s = json_string_value(v);

	if (s == NULL)
		return no(why, "not a string", "value of a condition");
	if (t->op->kind != KIND_TEXT && strcmp(s, "true") != 0 &&
	    strcmp(s, "false") != 0)
		return no(why, "neither \"true\" nor \"false\"", s);
	if ((t->op->how & IAM_ARN) && strncmp(s, "arn:", 4) != 0)
		return no(why, "not an ARN", s);
	return iam_is_pattern(s) || no(why, "unknown policy variable", s);
}

static bool
check_key(const struct test *t, const char *key, const json_t *values,
    char *why)
{
	bool is_set;
	json_t *v;
	size_t i;

	if (!find_key(key, &is_set))
		return no(why, "unknown condition key", key);
	if (is_set != (t->of != ONE_VALUE) && t->op->kind != KIND_NULL)
		return no(why, is_set ? "needs ForAnyValue or ForAllValues"
				      : "has one value only", key);
	if (!json_is_array(values))
		return check_value(t, values, why);
	if (json_array_size(values) == 0)
		return no(why, "no value", key);
	json_array_foreach (values, i, v)
		if (!check_value(t, v, why))
			return false;
	return true;
}

bool
iam_condition_check(json_t *condition, char why[IAM_WHY_MAX])
{
	const char *name, *key;
	json_t *of, *values;
	struct test t;

	if (!json_is_object(condition))
		return no(why, "not an object", "Condition");
	json_object_foreach (condition, name, of) {
		if (!parse_test(name, &t))
			return no(why, "unknown condition operator", name);
		if (!json_is_object(of) || json_object_size(of) == 0)
			return no(why, "not an object of condition keys", name);
		json_object_foreach (of, key, values)
			if (!check_key(&t, key, values, why))
				return false;
	}
	return true;
}

/* Does the request's value match one of the policy's? */
static bool
is_among(const struct operator *op, const json_t *values, const char *have)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(values))
		return iam_matches(json_string_value(values), have, op->how);
	json_array_foreach (values, i, v)
		if (iam_matches(json_string_value(v), have, op->how))
			return true;
	return false;
}

static bool
holds_null(const json_t *values, bool is_there)
{
	const json_t *v = json_is_array(values) ? json_array_get(values, 0)
						: values;

	return is_there == (strcmp(json_string_value(v), "false") == 0);
}

static bool
holds(const struct test *t, const char *key, const json_t *values,
    const struct iam_ask *ask)
{
	size_t n = 0, good = 0;

	for (size_t i = 0; i < ask->context_len; i++) {
		if (strcasecmp(ask->context[i].name, key) != 0)
			continue;
		n++;
		good += is_among(t->op, values, ask->context[i].value) !=
		    t->op->is_negated;
	}
	if (t->op->kind == KIND_NULL)
		return holds_null(values, n > 0);
	if (n == 0)
		return t->is_if_exists || t->of == ALL_VALUES ||
		    (t->of == ONE_VALUE && t->op->is_negated);
	return t->of == ALL_VALUES ? good == n : good > 0;
}

bool
iam_condition_holds(json_t *condition, const struct iam_ask *ask)
{
	const char *name, *key;
	json_t *of, *values;
	struct test t;

	if (condition == NULL)
		return true;
	json_object_foreach (condition, name, of) {
		if (!parse_test(name, &t))
			return false;
		json_object_foreach (of, key, values)
			if (!holds(&t, key, values, ask))
				return false;
	}
	return true;
}
