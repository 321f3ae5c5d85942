#include "fs/policy_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *
policy_text(struct policy_maker *m, const char *fmt, ...)
{
	json_t *ret = NULL;
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) >= 0) {
		ret = json_string(s);
		free(s);
	}
	va_end(ap);
	m->is_failed |= ret == NULL;
	return ret;
}

json_t *
policy_words(struct policy_maker *m, ...)
{
	json_t *ret = json_array();
	const char *word;
	va_list ap;

	va_start(ap, m);
	while ((word = va_arg(ap, const char *)) != NULL)
		m->is_failed |= json_array_append_new(ret,
		    json_string(word)) < 0;
	va_end(ap);
	return ret;
}

void
policy_put(struct policy_maker *m, const char *name, json_t *value)
{
	m->is_failed |= json_object_set_new(m->last, name, value) < 0;
}

void
policy_begin(struct policy_maker *m, const char *sid, const char *effect)
{
	m->last = json_object();
	m->is_failed |= json_array_append_new(m->list, m->last) < 0;
	policy_put(m, "Sid", policy_text(m, "%s", sid));
	policy_put(m, "Effect", policy_text(m, "%s", effect));
}

void
policy_when(struct policy_maker *m, const char *operator, const char *key,
    json_t *value)
{
	json_t *all = json_object_get(m->last, "Condition"), *of;

	if (all == NULL) {
		policy_put(m, "Condition", json_object());
		all = json_object_get(m->last, "Condition");
	}
	if ((of = json_object_get(all, operator)) == NULL) {
		m->is_failed |= json_object_set_new(all, operator,
		    json_object()) < 0;
		of = json_object_get(all, operator);
	}
	m->is_failed |= json_object_set_new(of, key, value) < 0;
}

void
policy_when_present(struct policy_maker *m, const char *key)
{
	policy_when(m, "Null", key, policy_text(m, "false"));
}

void
policy_principal(struct policy_maker *m, const char *kind, json_t *who)
{
	policy_put(m, "Principal", json_object());
	m->is_failed |= json_object_set_new(json_object_get(m->last,
	    "Principal"), kind, who) < 0;
}

void
policy_principal_account(struct policy_maker *m, const char *account)
{
	policy_principal(m, "AWS", policy_text(m, "arn:%s:iam::%s:root",
	    m->f->partition, account));
}

void
policy_start(struct policy_maker *m, const struct policy_facts *f)
{
	*m = (struct policy_maker){ .f = f, .list = json_array(),
		.prefix = policy_literal(f->prefix) };
	m->is_failed = m->list == NULL || m->prefix == NULL;
}

json_t *
policy_finish(struct policy_maker *m)
{
	json_t *doc = json_pack("{s:s, s:O}", "Version", POLICY_VERSION,
	    "Statement", m->list);

	json_decref(m->list);
	free(m->prefix);
	if (!m->is_failed)
		return doc;
	json_decref(doc);
	return NULL;
}
