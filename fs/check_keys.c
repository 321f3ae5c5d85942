#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/check.h"

static void
check_key(struct check *k, const char *key)
{
	struct kms_key_info info;
	enum refusal why;
	int r = kms_describe_key(k->g.kms, key, &info, &why);

	if (r == -EACCES || (r == -ENOKEY && why == KMS_ACCESS))
		check_note(k, "key", CHECK_WARN,
		    "kms:DescribeKey (only this check asks for it)",
		    "%s may not be described", key);
	else if (r < 0)
		check_note(k, "key", CHECK_MISSING, NULL, "%s: %s", key,
		    r == -ENOKEY ? refusal_name(why) : graph_error(r));
	else if (!info.is_enabled)
		check_note(k, "key", CHECK_MISSING, "enable the key",
		    "%s is %s", info.arn, info.state);
	else if (strcmp(info.usage, "ENCRYPT_DECRYPT") != 0)
		check_note(k, "key", CHECK_MISSING, NULL, "%s is for %s",
		    info.arn, info.usage);
	else
		check_note(k, "key", CHECK_OK, NULL, "%s", info.arn);
}

static int
ask_account(void *arg, char ret[16])
{
	struct check *k = arg;
	const struct sts_opts o = graph_sts_opts(&k->g);
	struct sts_identity id;
	int r = sts_get_caller_identity(&o, &id);

	if (r == 0)
		memcpy(ret, id.account, sizeof(id.account));
	return r;
}

/* Try the keys of policy on a real data key, as reading would. */
static int
try_decrypt(struct check *k, struct keypolicy *keys, const struct envelope *e,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	const struct slice edk = { e->edk, e->edk_len };
	const char *key[64];
	uint8_t plain[KMS_PLAIN_MAX];
	size_t len, n = keypolicy_candidates(keys,
	    envelope_context_get(e, "kms_cmk_id"), key, NELEMS(key));
	int r = -ENOKEY;

	for (size_t i = 0; i < n && r == -ENOKEY; i++)
		r = kms_decrypt(k->g.kms, key[i], NULL, edk, e->context,
		    e->context_len, plain, &len, ret_arn, ret_why);
	sodium_memzero(plain, sizeof(plain));
	if (r < 0 || (r = keypolicy_allows(keys, ret_arn)) < 0)
		return r;
	return r == 1 ? 0 : -EPERM;
}

static void
check_decrypt(struct check *k, struct keypolicy *keys)
{
	const struct envelope_policy policy = { k->c->accept, k->c->account };
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	char arn[KMS_ARN_MAX] = "";
	enum refusal why;
	int r;

	if (envelope_parse(k->sample.meta, k->sample.meta_len,
		(struct slice){ NULL, 0 }, k->sample_key, k->sample.len,
		&policy, &e, &why) < 0) {
		check_note(k, "decrypt", CHECK_WARN, NULL,
		    "not tried: %s is refused (%s)", k->sample_key,
		    refusal_name(why));
		return;
	}
	if (e->edk == NULL) {
		check_note(k, "decrypt", CHECK_OK, NULL,
		    "not needed for %s (%s)", k->sample_key, e->format);
		return;
	}
	r = try_decrypt(k, keys, e, arn, &why);
	if (r == 0)
		check_note(k, "decrypt", CHECK_OK, NULL, "%s with %s",
		    e->format, arn);
	else if (r == -EPERM)
		check_note(k, "decrypt", CHECK_MISSING,
		    "--kms-key, if that key is to be trusted",
		    "%s belongs to none of the keys allowed", arn);
	else
		check_note(k, "decrypt", CHECK_MISSING,
		    "kms:Decrypt on the key, in IAM and in the key's policy",
		    "%s: %s", k->sample_key,
		    r == -ENOKEY ? refusal_name(why) : graph_error(r));
}

static void
check_seal(struct check *k)
{
	const struct pair context = { "sesfs:state", "check" };
	uint8_t key[KMS_DATA_KEY_LEN], blob[ENVELOPE_EDK_MAX];
	char arn[KMS_ARN_MAX];
	enum refusal why;
	size_t len;
	int r;

	if (k->c->seal_key == NULL) {
		check_note(k, "seal", CHECK_WARN, "--kms-key or --seal-key",
		    "no key: secrets stay in memory, a remount asks KMS for "
		    "every message again");
		return;
	}
	r = kms_generate_data_key(k->g.kms, k->c->seal_key, &context, 1, key,
	    blob, &len, arn, &why);
	sodium_memzero(key, sizeof(key));
	if (r == 0)
		check_note(k, "seal", CHECK_OK, NULL, "%s", arn);
	else
		check_note(k, "seal", CHECK_MISSING,
		    "kms:GenerateDataKey on the key; or --seal-key=none",
		    "%s: %s", k->c->seal_key,
		    r == -ENOKEY ? refusal_name(why) : graph_error(r));
}

void
check_keys(struct check *k)
{
	CLEANUP(keypolicy_freep) struct keypolicy *keys = NULL;
	int r = keypolicy_new((const char *const *)k->c->kms_key.item,
	    k->c->kms_key.n, ask_account, k, &keys);

	if (r < 0) {
		check_note(k, "key", CHECK_MISSING, NULL, "%s", graph_error(r));
		return;
	}
	for (size_t i = 0; i < k->c->kms_key.n; i++)
		check_key(k, k->c->kms_key.item[i]);
	if (k->c->kms_key.n == 0)
		check_note(k, "key", CHECK_OK, NULL,
		    "every key of your own account");
	if (k->has_sample)
		check_decrypt(k, keys);
	else
		check_note(k, "decrypt", CHECK_WARN, NULL,
		    "no mail there to try it with");
	check_seal(k);
}
