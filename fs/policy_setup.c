#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fs/policy_priv.h"

void
policy_see(const struct policy_setup *s, const struct policy_words *w,
    struct policy_view *ret)
{
	const struct policy_facts *f = s->f;
	size_t n = 0;

	ret->f = *f;
	ret->alias = s->alias;
	ret->f.partition = w->partition;
	ret->f.region = w->region;
	ret->f.account = ret->f.owner = ret->f.ses_account = w->account;
	ret->f.queue_arn = w->queue_arn;
	ret->key[n++] = w->key_arn;
	assert(f->key_len <= POLICY_KEYS_MAX);
	for (size_t i = 1; i < f->key_len; i++)
		ret->key[n++] = f->key[i];
	ret->f.key = ret->key;
	ret->f.key_len = n;
	if (f->seal_key != NULL && strcmp(f->seal_key, s->alias) == 0)
		ret->f.seal_key = w->key_arn;
	/* Names of queues have no dots. */
	snprintf(ret->name, sizeof(ret->name), "sesfs-%s", f->bucket);
	for (char *p = ret->name; *p != '\0'; p++)
		if (*p == '.')
			*p = '-';
	snprintf(ret->dead_name, sizeof(ret->dead_name), "%s-dead", ret->name);
}

const char *
policy_word(const struct policy_view *v, const char *blank)
{
	const struct {
		const char *blank, *word;
	} words[] = {
		{ "ALIAS", v->alias },
		{ "BUCKET", v->f.bucket },
		{ "PREFIX", v->f.prefix },
		{ "RULE_SET", v->f.rule_set },
		{ "RULE", v->f.rule },
		{ "NAME", v->name },
		{ "DEAD_NAME", v->dead_name },
	};

	for (size_t i = 0; i < NELEMS(words); i++)
		if (strcmp(words[i].blank, blank) == 0)
			return words[i].word;
	return NULL;
}

json_t *
policy_document(const struct policy_view *v, const char *blank)
{
	if (strcmp(blank, "KEY_POLICY") == 0)
		return policy_key(&v->f, v->key[0]);
	if (strcmp(blank, "BUCKET_POLICY") == 0)
		return policy_bucket(&v->f);
	if (strcmp(blank, "QUEUE_POLICY") == 0)
		return policy_queue(&v->f);
	if (strcmp(blank, "READER_POLICY") == 0)
		return policy_identity(&v->f);
	return NULL;
}
