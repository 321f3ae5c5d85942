#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/check.h"
#include "store/kms_arn.h"

/* Could KMS be asked for this key (NULL: for any)? If not, says so. */
static bool
may_ask(struct check *k, const char *name, const char *key)
{
	char region[ENDPOINT_REGION_MAX];
	struct endpoint e;

	if (!k->has_creds) {
		check_skip(k, name, "there are no credentials");
		return false;
	}
	if (kms_endpoint(k->g.kms, key, &e, region) == 0 &&
	    check_reach(k, "KMS", &e, CHECK_MISSING))
		return true;
	check_skip(k, name, "KMS in %s cannot be reached", region);
	return false;
}

/* ---- what to do ---- */

/* "aws kms VERB" for a key that is named by its ARN. */
static const char *
command(const char *verb, const char *key, char ret[CHECK_FIX_MAX])
{
	struct kms_arn arn;
	bool is_arn = kms_arn_parse(key, &arn);

	snprintf(ret, CHECK_FIX_MAX, "aws kms %s --key-id %s%s%s", verb, key,
	    is_arn ? " --region " : "", is_arn ? arn.region : "");
	return ret;
}

/* What depends on more than AWS's answer; NULL when nothing does. */
static const char *
advice(const struct check *k, const char *key, int err,
    char ret[CHECK_FIX_MAX])
{
	const char *code = aws_outcome()->error.code;
	const char *label = k->envelope == NULL ? NULL :
	    envelope_context_get(k->envelope, "kms_cmk_id");

	if (err == -EAGAIN)
		return "try again; if it stays so, the account asks KMS for "
		    "more than its quota (Service Quotas, AWS KMS): raise it, "
		    "or lower --kms-rate of what runs";
	if (strcmp(code, "NotFoundException") == 0 &&
	    strncmp(key, "arn:", 4) == 0)
		return "mend the ARN: there is no such key, or it is deleted";
	if (strcmp(code, "DisabledException") == 0 &&
	    strncmp(key, "arn:", 4) == 0)
		return command("enable-key", key, ret);
	if (strcmp(code, "IncorrectKeyException") == 0 && label != NULL) {
		snprintf(ret, CHECK_FIX_MAX, "--kms-key with the key that SES "
		    "uses; the message says (and anybody may have written "
		    "that) %s", label);
		return ret;
	}
	return NULL;
}

/* ---- each key ---- */

static void
judge_key(struct check *k, const char *key, const struct kms_key_info *i)
{
	char fix[CHECK_FIX_MAX];

	if (!i->is_enabled)
		check_note(k, &(struct check_finding){ "key", CHECK_MISSING,
		    "key-disabled", NULL,
		    command(strcmp(i->state, "PendingDeletion") == 0 ?
		    "cancel-key-deletion" : "enable-key", i->arn, fix) },
		    "%s is %s", i->arn, i->state);
	else if (strcmp(i->usage, "ENCRYPT_DECRYPT") != 0 ||
	    strcmp(i->spec, "SYMMETRIC_DEFAULT") != 0)
		check_note(k, &(struct check_finding){ "key", CHECK_MISSING,
		    "key-usage", NULL, "a symmetric key for ENCRYPT_DECRYPT" },
		    "%s is a key %s for %s", i->arn, i->spec, i->usage);
	else if (strcmp(key, i->arn) == 0)
		check_ok(k, "key", "%s, enabled", i->arn);
	else
		check_ok(k, "key", "%s is %s, enabled", key, i->arn);
}

static void
check_key(struct check *k, const char *key)
{
	struct check_call call = { "key", CHECK_MISSING, "kms:DescribeKey",
		"the key (only this check asks for it)", NULL };
	char region[ENDPOINT_REGION_MAX], fix[CHECK_FIX_MAX];
	struct kms_key_info info;
	struct endpoint e;
	enum refusal why;
	int r;

	if (!may_ask(k, "key", key))
		return;
	r = kms_describe_key(k->g.kms, key, &info, &why);
	if (r == 0) {
		judge_key(k, key, &info);
		return;
	}
	if (strcmp(check_cause(r, &aws_outcome()->error).cause, "denied") == 0)
		call.result = CHECK_WARN;
	call.fix = advice(k, key, r, fix);
	if (kms_endpoint(k->g.kms, key, &e, region) < 0)
		region[0] = '\0';
	check_failed(k, &call, r, "%s in %s", key, region);
}

static void
check_each_key(struct check *k)
{
	for (size_t i = 0; i < k->c->kms_key.n; i++)
		check_key(k, k->c->kms_key.item[i]);
	if (k->c->kms_key.n > 0)
		return;
	if (!k->has_creds)
		check_skip(k, "key", "there are no credentials");
	else if (k->account[0] != '\0')
		check_ok(k, "key", "every key of account %s", k->account);
	else
		check_note(k, &(struct check_finding){ "key", CHECK_MISSING,
		    "no-account", NULL, "--kms-key, or what identity lacks" },
		    "every key of your account, but which that is STS did not "
		    "say");
}

/* ---- one real decryption ---- */

static int
ask_account(void *arg, char ret[16])
{
	struct check *k = arg;

	if (k->account[0] == '\0')
		return -EACCES;
	memcpy(ret, k->account, sizeof(k->account));
	return 0;
}

/* Unwrap the data key with the keys of policy, as reading would. */
static int
unwrap(struct check *k, struct keypolicy *keys, uint8_t ret[KMS_PLAIN_MAX],
    size_t *ret_len, char ret_arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	const struct envelope *e = k->envelope;
	const struct slice edk = { e->edk, e->edk_len };
	const char *key[64];
	size_t n = keypolicy_candidates(keys,
	    envelope_context_get(e, "kms_cmk_id"), key, NELEMS(key));
	int r = -ENOKEY;

	for (size_t i = 0; i < n && r == -ENOKEY; i++)
		r = kms_decrypt(k->g.kms, key[i], NULL, edk, e->context,
		    e->context_len, ret, ret_len, ret_arn, ret_why);
	if (r < 0 || (r = keypolicy_allows(keys, ret_arn)) < 0)
		return r;
	return r == 1 ? 0 : -EPERM;
}

/* 0 when the body is what its tag says; -EBADMSG with *ret_why. */
static int
open_body(struct check *k, const uint8_t *dek, size_t dek_len, size_t *ret_len,
    enum refusal *ret_why)
{
	const struct s3_object *o = &k->sample;
	size_t room = content_plain_len(k->envelope->suite, o->len);
	uint8_t *text = sodium_malloc(room > 0 ? room : 1);
	struct content_key key;
	int r = text != NULL ? 0 : -ENOMEM;

	if (r == 0)
		r = content_key_derive(k->envelope, dek, dek_len, &key,
		    ret_why);
	if (r == 0)
		r = content_open(&key, o->body, o->len, text, ret_len,
		    ret_why);
	sodium_memzero(&key, sizeof(key));
	sodium_free(text); /* wipes */
	return r;
}

static void
try_decrypt(struct check *k, struct keypolicy *keys)
{
	struct check_call call = { "decrypt", CHECK_MISSING,
		"kms:Decrypt", "the key, in IAM and in the key's policy",
		NULL };
	const char *key = k->c->kms_key.n > 0 ? k->c->kms_key.item[0] : "";
	char arn[KMS_ARN_MAX] = "", fix[CHECK_FIX_MAX];
	uint8_t dek[KMS_PLAIN_MAX];
	enum refusal why = REFUSAL_NONE;
	size_t dek_len = 0, len = 0;
	int r = unwrap(k, keys, dek, &dek_len, arn, &why);

	call.fix = advice(k, key, r, fix);
	if (r == -EPERM)
		check_note(k, &(struct check_finding){ "decrypt",
		    CHECK_MISSING, "key-not-trusted", NULL, "--kms-key, if "
		    "that key is to be trusted" }, "%s is under %s, which is "
		    "none of the keys allowed", k->sample_key, arn);
	else if (r < 0)
		check_failed(k, &call, r, "%s", k->sample_key);
	else if ((r = open_body(k, dek, dek_len, &len, &why)) == 0)
		check_ok(k, "decrypt", "%s: %zu bytes, %s with %s",
		    k->sample_key, len, k->envelope->format, arn);
	else
		check_note(k, &(struct check_finding){ "decrypt", CHECK_WARN,
		    r == -EBADMSG ? refusal_name(why) : "failed", NULL,
		    "see REFUSALS in sesfs(7)" }, "%s: %s", k->sample_key,
		    r == -EBADMSG ? refusal_name(why) : graph_error(r));
	sodium_memzero(dek, sizeof(dek));
}

static void
check_decrypt(struct check *k)
{
	CLEANUP(keypolicy_freep) struct keypolicy *keys = NULL;
	int r;

	if (k->sample.body == NULL) {
		check_skip(k, "decrypt", "there is no message to try it with");
		return;
	}
	if (k->envelope == NULL) /* refused, which has been said */
		return;
	if (k->envelope->edk == NULL) {
		check_ok(k, "decrypt", "not needed for %s (%s)",
		    k->sample_key, k->envelope->format);
		return;
	}
	if (k->c->kms_key.n == 0 && k->account[0] == '\0') {
		check_skip(k, "decrypt", "which keys are your own is not "
		    "known");
		return;
	}
	r = keypolicy_new((const char *const *)k->c->kms_key.item,
	    k->c->kms_key.n, ask_account, k, &keys);
	if (r < 0)
		check_skip(k, "decrypt", "%s", graph_error(r));
	else if (may_ask(k, "decrypt", k->c->kms_key.n > 0 ?
	    k->c->kms_key.item[0] : NULL))
		try_decrypt(k, keys);
}

/* ---- the key for secrets at rest ---- */

static void
try_seal(struct check *k, const char *key)
{
	const struct pair context = { "sesfs:state", "check" };
	struct check_call call = { "seal", CHECK_MISSING,
		"kms:GenerateDataKey", "the key, or give --seal-key=none",
		NULL };
	uint8_t made[KMS_DATA_KEY_LEN], back[KMS_PLAIN_MAX];
	uint8_t blob[ENVELOPE_EDK_MAX];
	char arn[KMS_ARN_MAX], back_arn[KMS_ARN_MAX], fix[CHECK_FIX_MAX];
	enum refusal why;
	size_t len, back_len = 0;
	int r = kms_generate_data_key(k->g.kms, key, &context, 1, made, blob,
	    &len, arn, &why);

	if (r == 0) {
		call.action = "kms:Decrypt";
		r = kms_decrypt(k->g.kms, key, NULL, (struct slice){ blob,
		    len }, &context, 1, back, &back_len, back_arn, &why);
	}
	call.fix = advice(k, key, r, fix);
	if (r < 0)
		check_failed(k, &call, r, "%s", key);
	else if (back_len != sizeof(made) ||
	    sodium_memcmp(made, back, sizeof(made)) != 0)
		check_note(k, &(struct check_finding){ "seal", CHECK_MISSING,
		    "malformed", NULL, "is that endpoint really KMS?" },
		    "%s: another key came back than was made", arn);
	else
		check_ok(k, "seal", "%s makes a key and opens it again", arn);
	sodium_memzero(made, sizeof(made));
	sodium_memzero(back, sizeof(back));
}

static void
check_seal(struct check *k)
{
	const char *key = k->c->seal_key;

	if (key == NULL && config_level(k->c, "seal-key") > LEVEL_DEFAULT)
		check_ok(k, "seal", "none, as was asked for: secrets stay in "
		    "memory, a remount asks KMS for every message again");
	else if (key == NULL)
		check_note(k, &(struct check_finding){ "seal", CHECK_WARN,
		    "no-seal-key", NULL, "--kms-key or --seal-key" },
		    "no key: secrets stay in memory, a remount asks KMS for "
		    "every message again");
	else if (may_ask(k, "seal", key))
		try_seal(k, key);
}

void
check_keys(struct check *k)
{
	check_each_key(k);
	check_decrypt(k);
	check_seal(k);
}
