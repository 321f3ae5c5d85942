/* cmd_policy.c -- prints the least that AWS must allow for a mount. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cmd.h"
#include "fs/graph.h"
#include "fs/policy.h"
#include "fs/text.h"
#include "store/endpoint.h"
#include "store/kms_arn.h"
#include "store/sqs.h"

#define NO_ACCOUNT "ACCOUNT_ID" /* to be replaced by who reads it */
#define NO_REGION "REGION"
#define NO_BUCKET "BUCKET"
#define IAM_POLICY_MAX 6144 /* characters of a managed policy */
#define ALIAS_MAX (sizeof("alias/sesfs/") + S3_ARN_MAX)
#define RULE_MAX 130 /* bytes of SET/RULE with the zero */

struct facts {
	struct policy_facts f;
	char account[16], region[64];
	char key_account[16]; /* of the first key that names one; or "" */
	char rule[RULE_MAX];
	char queue[SQS_ARN_MAX];
};

/* ---- who and where ---- */

/* What STS says; false when it cannot be asked, after one line of the log. The
 * region is known without it, or not at all. */
static bool
ask(const struct config *c, struct facts *ret)
{
	struct creds_value v;
	struct sts_identity id;
	struct sts_opts o;
	struct graph g;
	int r;

	if (graph_open(c, GRAPH_STS, &g) < 0)
		return false;
	snprintf(ret->region, sizeof(ret->region), "%s", g.region);
	o = graph_sts_opts(&g);
	if (g.region[0] == '\0')
		o.region = "us-east-1"; /* it answers for all */
	if ((r = creds_get(g.creds, &v)) == 0)
		r = sts_get_caller_identity(&o, &id);
	if (r == 0)
		snprintf(ret->account, sizeof(ret->account), "%s", id.account);
	creds_value_wipe(&v);
	graph_close(&g);
	return r == 0;
}

static void
set_key_account(const struct config *c, struct facts *ret)
{
	struct kms_arn arn;

	for (size_t i = 0; i < c->kms_key.n; i++) {
		if (!kms_arn_parse(c->kms_key.item[i], &arn))
			continue;
		snprintf(ret->key_account, sizeof(ret->key_account), "%s",
		    arn.account);
		return;
	}
}

/* The account that the options are most likely to mean. */
static const char *
guess_account(const struct config *c, const struct facts *f)
{
	if (c->account != NULL)
		return c->account;
	if (f->key_account[0] != '\0')
		return f->key_account;
	return c->expected_bucket_owner;
}

static void
settle(const struct config *c, struct facts *ret)
{
	const char *guess;

	set_key_account(c, ret);
	if (!ask(c, ret)) {
		guess = guess_account(c, ret);
		snprintf(ret->account, sizeof(ret->account), "%s",
		    guess != NULL ? guess : NO_ACCOUNT);
		cmd_fail(0, "policy: it is not known whose account mounts; %s "
		    "stands for it", ret->account);
	}
	if (ret->region[0] == '\0') {
		snprintf(ret->region, sizeof(ret->region), NO_REGION);
		cmd_fail(0, "policy: the region is not known (--region); "
		    NO_REGION " stands for it");
	}
}

/* ---- whose bucket, and whose SES ---- */

/* A bucket whose owner is not given is taken for that of the keys' account. */
static void
guess_owner(const struct config *c, struct facts *ret)
{
	if (c->expected_bucket_owner != NULL || ret->key_account[0] == '\0' ||
	    strcmp(ret->key_account, ret->account) == 0)
		return;
	ret->f.owner = ret->key_account;
	cmd_fail(0, "policy: it is not known who owns the bucket; %s, who owns "
	    "the key, stands for it (--expected-bucket-owner)", ret->f.owner);
}

/* The account of a key that is not the bucket's owner's; NULL when there is
 * none. Keys that name no account are those of who mounts. */
static const char *
odd_key_account(const struct facts *f, struct kms_arn *arn)
{
	if (f->f.key_len == 0 && strcmp(f->account, f->f.owner) != 0)
		return f->account;
	for (size_t i = 0; i < f->f.key_len; i++) {
		const char *account = kms_arn_parse(f->f.key[i], arn) ?
		    arn->account : f->account;

		if (strcmp(account, f->f.owner) != 0)
			return account;
	}
	return NULL;
}

/* Without --account SES receives for whose keys and bucket are, not for who
 * mounts. */
static void
guess_ses_account(const struct config *c, struct facts *ret)
{
	struct kms_arn arn;
	const char *odd;

	if (c->account != NULL)
		return;
	ret->f.ses_account = ret->f.owner;
	if ((odd = odd_key_account(ret, &arn)) == NULL)
		return;
	if (ret->key_account[0] != '\0')
		ret->f.ses_account = ret->key_account;
	cmd_fail(0, "policy: it is not known for whom SES receives: a key is "
	    "of %s, the bucket of %s; %s stands for it (--account)", odd,
	    ret->f.owner, ret->f.ses_account);
}

/* ---- the facts ---- */

static void
set_rule(const struct config *c, const char *otherwise, struct facts *ret)
{
	const char *rule = c->rule != NULL ? c->rule : otherwise;
	char *slash;

	if (rule == NULL)
		return;
	snprintf(ret->rule, sizeof(ret->rule), "%s", rule);
	slash = strchr(ret->rule, '/');
	*slash = '\0';
	ret->f.rule_set = ret->rule;
	ret->f.rule = slash + 1;
}

/* The ARN of --queue, which config has found to be the URL of one. */
static void
set_queue(const struct config *c, struct facts *ret)
{
	struct sqs_url url;
	const char *why, *region;

	if (c->queue == NULL || sqs_url_parse(c->queue, &url, &why) < 0)
		return;
	region = url.region[0] != '\0' ? url.region : ret->region;
	snprintf(ret->queue, sizeof(ret->queue), "arn:%s:sqs:%s:%s:%s",
	    endpoint_partition(region), region, url.account, url.name);
	ret->f.queue_arn = ret->queue;
}

/* What is read by an access point has a bucket behind it, whose name its ARN
 * does not tell. */
static void
set_access_point(const struct config *c, struct facts *ret)
{
	if (strncmp(c->location.bucket, "arn:", 4) != 0)
		return;
	ret->f.access_point = c->location.bucket;
	ret->f.bucket = NO_BUCKET;
	cmd_fail(0, "policy: an access point does not tell its bucket; "
	    NO_BUCKET " stands for it");
}

static void
set_facts(const struct config *c, struct facts *ret)
{
	const char *owner = c->expected_bucket_owner;

	ret->f = (struct policy_facts){
		.partition = endpoint_partition(ret->region),
		.region = ret->region,
		.account = ret->account,
		.ses_account = c->account != NULL ? c->account : ret->account,
		.is_ses_pinned = c->account != NULL,
		.owner = owner != NULL ? owner : ret->account,
		.is_owner_pinned = owner != NULL,
		.bucket = c->location.bucket,
		.prefix = c->location.prefix,
		.key = (const char *const *)c->kms_key.item,
		.key_len = c->kms_key.n,
		.seal_key = c->seal_key,
		.accept = c->accept,
	};
}

/* ---- the documents ---- */

/* AWS manages its own keys, and their policies. */
static bool
is_of_aws(const char *key)
{
	const char *alias = strstr(key, "alias/");

	if (alias == NULL || strncmp(alias, "alias/aws/", 10) != 0)
		return false;
	cmd_fail(0, "policy: %s is AWS's own key, whose policy cannot be "
	    "changed", key);
	return true;
}

static void
add_key(const struct facts *f, const char *key, json_t *keys, bool *ok)
{
	if (!is_of_aws(key))
		*ok &= json_object_set_new(keys, key, policy_key(&f->f,
		    key)) == 0;
}

static json_t *
key_policies(const struct facts *f, bool *ok)
{
	const char *seal = f->f.seal_key;
	json_t *keys = json_object();
	bool is_seal_there = false;

	if (f->f.key_len == 0)
		*ok &= json_object_set_new(keys, "account",
		    policy_key(&f->f, NULL)) == 0;
	for (size_t i = 0; i < f->f.key_len; i++) {
		add_key(f, f->f.key[i], keys, ok);
		is_seal_there |= seal != NULL &&
		    strcmp(f->f.key[i], seal) == 0;
	}
	if (seal != NULL && !is_seal_there)
		add_key(f, seal, keys, ok);
	return keys;
}

/* IAM counts the characters of a policy that are not blanks. */
static void
weigh(const json_t *policy)
{
	size_t len = json_dumpb(policy, NULL, 0, JSON_COMPACT);

	if (len > IAM_POLICY_MAX)
		cmd_fail(0, "policy: the identity policy has %zu characters, "
		    "but IAM takes %d: name keys by ARN, or fewer of them",
		    len, IAM_POLICY_MAX);
}

static int
print_documents(const struct config *c)
{
	struct facts f = { .account = "" };
	json_t *doc = json_object(), *keys;
	bool ok = true;
	int status = 0;

	settle(c, &f);
	set_facts(c, &f);
	guess_owner(c, &f);
	guess_ses_account(c, &f);
	set_rule(c, NULL, &f);
	set_queue(c, &f);
	set_access_point(c, &f);
	ok &= json_object_set_new(doc, "iam", policy_identity(&f.f)) == 0;
	keys = key_policies(&f, &ok);
	ok &= json_object_set_new(doc, "kms", keys) == 0;
	ok &= json_object_set_new(doc, "bucket", policy_bucket(&f.f)) == 0;
	if (f.f.queue_arn != NULL)
		ok &= json_object_set_new(doc, "queue",
		    policy_queue(&f.f)) == 0;
	weigh(json_object_get(doc, "iam"));
	if (!ok)
		status = cmd_fail(1, "policy: out of memory");
	else
		text_dump(stdout, doc, JSON_INDENT(2));
	json_decref(doc);
	return cmd_printed(status);
}

/* ---- the set-ups ---- */

/* A set-up makes the first key, so that this can only be a name for it. */
static const char *
new_alias(const struct config *c, char buf[ALIAS_MAX])
{
	if (c->kms_key.n > 0)
		return c->kms_key.item[0];
	snprintf(buf, ALIAS_MAX, "alias/sesfs/%s", c->location.bucket);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '.')
			*p = '_';
	return buf;
}

/* What a set-up makes, or takes from where it is applied, cannot be given. What
 * is set for all sources alike does not speak of this one. */
static int
refuse_given(const struct config *c, const char *language)
{
	static const struct {
		const char *option, *why;
	} options[] = {
		{ "queue", "makes the queue" },
		{ "region", "is for the region that it is applied in" },
		{ "account", "is for the account that it is applied in" },
		{ "expected-bucket-owner",
		    "makes the bucket in the account that it is applied in" },
	};

	for (size_t i = 0; i < NELEMS(options); i++)
		if (config_level(c, options[i].option) >= LEVEL_SECTION)
			return cmd_fail(EXIT_USE, "--%s %s: leave --%s away",
			    language, options[i].why, options[i].option);
	return 0;
}

static int
print_setup(const struct config *c)
{
	struct facts f = { .account = "" };
	struct policy_setup s = { .f = &f.f };
	const char *language = c->terraform ? "terraform" : "cloudformation";
	char buf[ALIAS_MAX];
	int r;

	if (refuse_given(c, language) != 0)
		return EXIT_USE;
	if (strncmp(c->location.bucket, "arn:", 4) == 0)
		return cmd_fail(EXIT_USE, "--%s makes a bucket: name it, "
		    "rather than an access point", language);
	if (c->kms_key.n > POLICY_KEYS_MAX)
		return cmd_fail(EXIT_USE, "--%s: more than %d keys", language,
		    POLICY_KEYS_MAX);
	s.alias = new_alias(c, buf);
	if (strncmp(s.alias, "alias/", 6) != 0 ||
	    strncmp(s.alias, "alias/aws/", 10) == 0)
		return cmd_fail(EXIT_USE, "--%s makes a new key: name it "
		    "--kms-key=alias/NAME, not %s", language, s.alias);
	set_facts(c, &f);
	set_rule(c, "sesfs/mail", &f);
	if (c->kms_key.n == 0 && config_level(c, "seal-key") == LEVEL_NONE)
		f.f.seal_key = s.alias;
	r = c->terraform ? policy_terraform(&s, stdout) :
			   policy_cloudformation(&s, stdout);
	return cmd_printed(r < 0 ? cmd_fail(1, "policy: %s", strerror(-r)) :
	    0);
}

static bool
is_utf8(const char *text)
{
	json_t *s = json_string(text);
	bool ret = s != NULL;

	json_decref(s);
	return ret;
}

int
cmd_policy(const struct config *c)
{
	if (c->terraform && c->cloudformation)
		return cmd_fail(EXIT_USE, "--terraform and --cloudformation "
		    "exclude each other");
	if (!is_utf8(c->location.prefix))
		return cmd_fail(1, "policy: the prefix is not UTF-8, so that "
		    "no policy can name it");
	return c->terraform || c->cloudformation ? print_setup(c) :
						   print_documents(c);
}
