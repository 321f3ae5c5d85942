/* Statements about KMS keys. */
#include "fs/policy_priv.h"

#include <stdio.h>
#include <string.h>

#include "crypto/envelope.h"
#include "store/kms_arn.h"

#define CONTEXT "kms:EncryptionContext:"

bool
policy_is_alias(const char *key)
{
	return strncmp(key, "alias/", 6) == 0 ||
	    (strncmp(key, "arn:", 4) == 0 && strstr(key, ":alias/") != NULL);
}

static json_t *
key_arn(struct policy_maker *m, const char *key)
{
	if (strncmp(key, "arn:", 4) == 0 || strncmp(key, "${", 2) == 0)
		return policy_text(m, "%s", key);
	return policy_text(m, "arn:%s:kms:%s:%s:key/%s", m->f->partition,
	    m->f->region, m->f->account, key);
}

static json_t *
keys_of_account(struct policy_maker *m)
{
	return policy_text(m, "arn:%s:kms:%s:%s:key/*", m->f->partition,
	    m->f->region, m->f->account);
}

/* IAM knows keys by their own ARN alone; an alias is a condition. */
static void
of_alias(struct policy_maker *m, const char *alias)
{
	struct kms_arn arn;

	if (kms_arn_parse(alias, &arn))
		policy_put(m, "Resource", policy_text(m,
		    "arn:%s:kms:%s:%s:key/*", arn.partition, arn.region,
		    arn.account));
	else
		policy_put(m, "Resource", keys_of_account(m));
	policy_when(m, "ForAnyValue:StringEquals", "kms:ResourceAliases",
	    policy_text(m, "%s", strstr(alias, "alias/")));
}

static void
of_keys(struct policy_maker *m, const struct policy_keys *k)
{
	json_t *list;

	switch (k->which) {
	case KEYS_NAMED:
		list = json_array();
		for (size_t i = 0; i < k->len; i++)
			if (!policy_is_alias(k->key[i]))
				m->is_failed |= json_array_append_new(list,
				    key_arn(m, k->key[i])) < 0;
		policy_put(m, "Resource", list);
		break;
	case KEY_ALIAS:
		of_alias(m, k->alias);
		break;
	case KEYS_ALL:
		policy_put(m, "Resource", keys_of_account(m));
		break;
	case KEY_ITSELF:
		policy_put(m, "Resource", policy_text(m, "*"));
		break;
	}
}

static void
begin_keys(struct policy_maker *m, const char *sid,
    const struct policy_keys *k)
{
	char unique[64];

	snprintf(unique, sizeof(unique), k->n > 0 ? "%s%u" : "%s", sid,
	    k->n + 1);
	policy_begin(m, unique, "Allow");
	if (k->which == KEY_ITSELF)
		policy_principal_account(m, m->f->account);
}

/* What SES wrote. */
static void
may_decrypt_ses(struct policy_maker *m, const struct policy_keys *k)
{
	begin_keys(m, "DecryptMailOfSes", k);
	policy_put(m, "Action", policy_text(m, "kms:Decrypt"));
	of_keys(m, k);
	policy_when(m, "StringEquals", CONTEXT "aws:ses:source-account",
	    policy_text(m, "%s", m->f->ses_account));
	if (m->f->rule != NULL)
		policy_when(m, "StringEquals", CONTEXT "aws:ses:rule-name",
		    policy_text(m, "%s", m->f->rule));
	else
		policy_when_present(m, CONTEXT "aws:ses:rule-name");
	policy_when_present(m, CONTEXT "aws:ses:message-id");
}

/* The same wrap by the older encryption clients. SES writes neither CBC nor
 * instruction files: who takes those has mail of such clients. */
static void
may_decrypt_old(struct policy_maker *m, const struct policy_keys *k)
{
	begin_keys(m, "DecryptMailOfOldClients", k);
	policy_put(m, "Action", policy_text(m, "kms:Decrypt"));
	of_keys(m, k);
	policy_when_present(m, CONTEXT "kms_cmk_id");
}

/* kms+context: its context names the content algorithm. */
static void
may_decrypt_context(struct policy_maker *m, const struct policy_keys *k)
{
	json_t *algorithms = json_array();

	if (m->f->accept & ACCEPT_KMSCTX_GCM)
		m->is_failed |= json_array_append_new(algorithms,
		    policy_text(m, "AES/GCM/NoPadding")) < 0;
	if (m->f->accept & ACCEPT_COMMIT)
		m->is_failed |= json_array_append_new(algorithms,
		    policy_text(m, "115")) < 0;
	begin_keys(m, "DecryptMailOfNewClients", k);
	policy_put(m, "Action", policy_text(m, "kms:Decrypt"));
	of_keys(m, k);
	policy_when(m, "StringEquals", CONTEXT "aws:x-amz-cek-alg", algorithms);
	if (m->f->is_ses_pinned)
		policy_when(m, "StringEqualsIfExists",
		    CONTEXT "aws:ses:source-account",
		    policy_text(m, "%s", m->f->ses_account));
}

void
policy_may_decrypt(struct policy_maker *m, const struct policy_keys *k)
{
	unsigned accept = m->f->accept;

	if (accept & ACCEPT_KMS_GCM)
		may_decrypt_ses(m, k);
	if ((accept & (ACCEPT_CBC | ACCEPT_INSTRUCTION)) &&
	    !m->f->is_ses_pinned)
		may_decrypt_old(m, k);
	if (accept & (ACCEPT_KMSCTX_GCM | ACCEPT_COMMIT))
		may_decrypt_context(m, k);
}

void
policy_may_seal(struct policy_maker *m, const struct policy_keys *k)
{
	begin_keys(m, "SealState", k);
	policy_put(m, "Action", policy_words(m, "kms:GenerateDataKey",
	    "kms:Decrypt", NULL));
	of_keys(m, k);
	policy_when_present(m, CONTEXT "sesfs:state");
	policy_when(m, "ForAllValues:StringEquals", "kms:EncryptionContextKeys",
	    policy_words(m, "sesfs:state", NULL));
}

void
policy_may_describe(struct policy_maker *m, const struct policy_keys *k)
{
	begin_keys(m, "DescribeKeysInCheck", k);
	policy_put(m, "Action", policy_text(m, "kms:DescribeKey"));
	of_keys(m, k);
}

void
policy_for_keys(struct policy_maker *m,
    void (*say)(struct policy_maker *, const struct policy_keys *))
{
	const struct policy_facts *f = m->f;
	struct policy_keys k = { KEYS_NAMED, f->key, f->key_len, NULL, 0 };
	size_t aliases = 0;

	for (size_t i = 0; i < f->key_len; i++)
		aliases += policy_is_alias(f->key[i]);
	if (aliases < f->key_len) {
		say(m, &k);
		k.n++;
	}
	k.which = KEY_ALIAS;
	for (size_t i = 0; i < f->key_len; i++) {
		if (!policy_is_alias(k.alias = f->key[i]))
			continue;
		say(m, &k);
		k.n++;
	}
}
