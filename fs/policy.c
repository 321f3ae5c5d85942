#include "fs/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/policy_priv.h"
#include "store/kms_arn.h"

#define SES "ses.amazonaws.com"
#define S3 "s3.amazonaws.com"

char *
policy_literal(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *at = ret;

	if (ret == NULL)
		return NULL;
	for (; *text != '\0'; text++) {
		bool is_special = *text == '*' || *text == '?' ||
		    (*text == '$' && text[1] == '{');

		at += sprintf(at, is_special ? "${%c}" : "%c", *text);
	}
	*at = '\0';
	return ret;
}

/* ---- the bucket, for who reads ---- */

static json_t *
bucket_arn(struct policy_maker *m)
{
	return policy_text(m, "arn:%s:s3:::%s", m->f->partition, m->f->bucket);
}

static json_t *
objects_arn(struct policy_maker *m)
{
	return policy_text(m, "arn:%s:s3:::%s/%s*", m->f->partition,
	    m->f->bucket, m->prefix);
}

/* The same two as a reader names them. */
static json_t *
read_bucket_arn(struct policy_maker *m)
{
	return m->f->access_point == NULL ? bucket_arn(m) :
	    policy_text(m, "%s", m->f->access_point);
}

static json_t *
read_objects_arn(struct policy_maker *m)
{
	return m->f->access_point == NULL ? objects_arn(m) :
	    policy_text(m, "%s/object/%s*", m->f->access_point, m->prefix);
}

/* No listing but of the prefix. A key that is not there counts as a prefix
 * itself, so that its absence can be told. */
static void
may_list(struct policy_maker *m)
{
	policy_put(m, "Action", policy_text(m, "s3:ListBucket"));
	policy_put(m, "Resource", read_bucket_arn(m));
	if (m->f->prefix[0] != '\0')
		policy_when(m, "StringLike", "s3:prefix",
		    policy_text(m, "%s*", m->prefix));
}

static void
may_get(struct policy_maker *m)
{
	policy_put(m, "Action", policy_text(m, "s3:GetObject"));
	policy_put(m, "Resource", read_objects_arn(m));
}

static void
of_owner(struct policy_maker *m)
{
	if (m->f->is_owner_pinned)
		policy_when(m, "StringEquals", "s3:ResourceAccount",
		    policy_text(m, "%s", m->f->owner));
}

/* ---- the documents ---- */

json_t *
policy_identity(const struct policy_facts *f)
{
	struct policy_keys all = { .which = KEYS_ALL };
	struct policy_keys seal = { .which = KEYS_NAMED, .key = &f->seal_key,
		.len = 1, .alias = f->seal_key };
	struct policy_maker m;

	policy_start(&m, f);
	policy_begin(&m, "ListMail", "Allow");
	may_list(&m);
	of_owner(&m);
	policy_begin(&m, "ReadMail", "Allow");
	may_get(&m);
	of_owner(&m);
	if (f->key_len == 0)
		policy_may_decrypt(&m, &all);
	policy_for_keys(&m, policy_may_decrypt);
	if (f->seal_key != NULL) {
		if (policy_is_alias(f->seal_key))
			seal.which = KEY_ALIAS;
		policy_may_seal(&m, &seal);
	}
	policy_for_keys(&m, policy_may_describe);
	if (f->queue_arn != NULL) {
		policy_begin(&m, "CheckQueue", "Allow");
		policy_put(&m, "Action",
		    policy_text(&m, "sqs:GetQueueAttributes"));
		policy_put(&m, "Resource", policy_text(&m, "%s", f->queue_arn));
	}
	return policy_finish(&m);
}

/* SES, on behalf of one account and its rules. */
static void
from_ses(struct policy_maker *m)
{
	const struct policy_facts *f = m->f;

	policy_when(m, "StringEquals", "aws:SourceAccount",
	    policy_text(m, "%s", f->ses_account));
	policy_when(m, "ArnLike", "aws:SourceArn", policy_text(m,
	    "arn:%s:ses:%s:%s:receipt-rule-set/%s:receipt-rule/%s",
	    f->partition, f->region, f->ses_account,
	    f->rule_set != NULL ? f->rule_set : "*",
	    f->rule != NULL ? f->rule : "*"));
}

/* Whoever IAM lets administer keys in the key's account, which is what keeps a
 * key from being out of everybody's reach; but not use it. */
static void
may_administer(struct policy_maker *m, const char *account)
{
	policy_begin(m, "AccountAdministersKey", "Allow");
	policy_principal_account(m, account);
	policy_put(m, "Action", policy_words(m, "kms:Create*", "kms:Describe*",
	    "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*",
	    "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*",
	    "kms:TagResource", "kms:UntagResource", "kms:RotateKeyOnDemand",
	    "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", NULL));
	policy_put(m, "Resource", policy_text(m, "*"));
}

static bool
is_mail_key(const struct policy_facts *f, const char *key)
{
	if (key == NULL)
		return true;
	for (size_t i = 0; i < f->key_len; i++)
		if (strcmp(f->key[i], key) == 0)
			return true;
	return false;
}

json_t *
policy_key(const struct policy_facts *f, const char *key)
{
	const struct policy_keys itself = { .which = KEY_ITSELF };
	struct kms_arn arn = { .account = "" };
	const char *account = f->account;
	struct policy_maker m;

	if (key != NULL && kms_arn_parse(key, &arn))
		account = arn.account;
	policy_start(&m, f);
	may_administer(&m, account);
	if (is_mail_key(f, key)) {
		policy_begin(&m, "SesEncryptsMail", "Allow");
		policy_principal(&m, "Service", policy_text(&m, SES));
		policy_put(&m, "Action",
		    policy_text(&m, "kms:GenerateDataKey*"));
		policy_put(&m, "Resource", policy_text(&m, "*"));
		from_ses(&m);
		policy_may_decrypt(&m, &itself);
	}
	if (key != NULL && f->seal_key != NULL && strcmp(key, f->seal_key) == 0)
		policy_may_seal(&m, &itself);
	if (strcmp(account, f->account) != 0)
		policy_may_describe(&m, &itself);
	return policy_finish(&m);
}

static json_t *
whole_bucket(struct policy_maker *m)
{
	return json_pack("[o, o]", bucket_arn(m), policy_text(m,
	    "arn:%s:s3:::%s/*", m->f->partition, m->f->bucket));
}

/* To the account's access points: their own policies decide. */
static void
may_delegate(struct policy_maker *m)
{
	policy_begin(m, "AccessPointsDecide", "Allow");
	policy_principal(m, "AWS", policy_text(m, "*"));
	policy_put(m, "Action", policy_words(m, "s3:ListBucket",
	    "s3:GetObject", NULL));
	policy_put(m, "Resource", whole_bucket(m));
	policy_when(m, "StringEquals", "s3:DataAccessPointAccount",
	    policy_text(m, "%s", m->f->owner));
}

json_t *
policy_bucket(const struct policy_facts *f)
{
	struct policy_maker m;

	policy_start(&m, f);
	policy_begin(&m, "SesStoresMail", "Allow");
	policy_principal(&m, "Service", policy_text(&m, SES));
	policy_put(&m, "Action", policy_text(&m, "s3:PutObject"));
	policy_put(&m, "Resource", objects_arn(&m));
	from_ses(&m);
	if (f->access_point != NULL) {
		may_delegate(&m);
	} else if (strcmp(f->owner, f->account) != 0) {
		policy_begin(&m, "OtherAccountListsMail", "Allow");
		policy_principal_account(&m, f->account);
		may_list(&m);
		policy_begin(&m, "OtherAccountReadsMail", "Allow");
		policy_principal_account(&m, f->account);
		may_get(&m);
	}
	policy_begin(&m, "NothingWithoutTls", "Deny");
	policy_put(&m, "Principal", policy_text(&m, "*"));
	policy_put(&m, "Action", policy_text(&m, "s3:*"));
	policy_put(&m, "Resource", whole_bucket(&m));
	policy_when(&m, "Bool", "aws:SecureTransport",
	    policy_text(&m, "false"));
	return policy_finish(&m);
}

json_t *
policy_queue(const struct policy_facts *f)
{
	struct policy_maker m;

	policy_start(&m, f);
	policy_begin(&m, "S3SendsEvents", "Allow");
	policy_principal(&m, "Service", policy_text(&m, S3));
	policy_put(&m, "Action", policy_text(&m, "sqs:SendMessage"));
	policy_put(&m, "Resource", policy_text(&m, "%s", f->queue_arn));
	policy_when(&m, "StringEquals", "aws:SourceAccount",
	    policy_text(&m, "%s", f->owner));
	policy_when(&m, "ArnEquals", "aws:SourceArn", bucket_arn(&m));
	return policy_finish(&m);
}
