/* KMS and STS of the local cloud. */
#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "net.h"

static const struct pair context[] = {
	{ "aws:ses:message-id", "m\xc3\xb6<1>\"&" },
	{ "kms_cmk_id", NET_KEY },
};

static struct {
	uint8_t key[KMS_DATA_KEY_LEN];
	uint8_t blob[ENVELOPE_EDK_MAX];
	size_t len;
} wrapped;

static uint8_t plain[KMS_PLAIN_MAX];
static char arn[KMS_ARN_MAX];

static int
decrypt(struct net *n, const char *key_id, const struct pair *ctx,
    size_t ctx_len, enum refusal *ret_why)
{
	size_t len;
	int r = kms_decrypt(n->kms, key_id, NULL,
	    (struct slice){ wrapped.blob, wrapped.len }, ctx, ctx_len, plain,
	    &len, arn, ret_why);

	if (r == 0) {
		CHECK_EQ(len, KMS_DATA_KEY_LEN);
		CHECK(memcmp(plain, wrapped.key, KMS_DATA_KEY_LEN) == 0);
		CHECK_STR(arn, NET_KEY);
	} else {
		CHECK_EQ(len, 0);
		CHECK(sodium_is_zero(plain, sizeof(plain)));
	}
	return r;
}

static void
test_generate(struct net *n)
{
	enum refusal why;

	CHECK_EQ(kms_generate_data_key(n->kms, "alias/aws/ses", context,
	    NELEMS(context), wrapped.key, wrapped.blob, &wrapped.len, arn,
	    &why), 0);
	CHECK_STR(arn, NET_KEY);
	CHECK(wrapped.len > 0);
	CHECK(!sodium_is_zero(wrapped.key, sizeof(wrapped.key)));
}

static void
test_decrypt(struct net *n)
{
	const struct pair other[] = { context[0],
		{ "kms_cmk_id", "another" } };
	const struct {
		const char *key_id;
		const struct pair *context;
		size_t context_len;
		int want;
		enum refusal why;
	} t[] = {
		{ NET_KEY, context, 2, 0, REFUSAL_NONE },
		{ NULL, context, 2, 0, REFUSAL_NONE },
		{ "alias/aws/ses", context, 2, 0, REFUSAL_NONE },
		{ "0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee", context, 2, 0,
		    REFUSAL_NONE },
		{ NET_KEY, context, 1, -ENOKEY, KMS_REJECTED },
		{ NET_KEY, other, 2, -ENOKEY, KMS_REJECTED },
		{ NET_KEY, NULL, 0, -ENOKEY, KMS_REJECTED },
		{ NET_KEY2, context, 2, -ENOKEY, KMS_WRONG_KEY },
		{ "alias/nonesuch", context, 2, -ENOKEY, KMS_ACCESS },
	};
	enum refusal why;

	for (size_t i = 0; i < NELEMS(t); i++) {
		net_reset(n);
		CHECK_EQ_AT(i, decrypt(n, t[i].key_id, t[i].context,
		    t[i].context_len, &why), t[i].want);
		CHECK_EQ_AT(i, why, t[i].why);
		CHECK_EQ_AT(i, net_count(n, "kms.decrypt"), 1);
	}
}

static void
test_refusals(struct net *n)
{
	enum refusal why;

	net_reset(n);
	net_post(n, "kms?key=" NET_KEY "&enabled=0", "");
	CHECK_EQ(decrypt(n, NET_KEY, context, 2, &why), -ENOKEY);
	CHECK_EQ(why, KMS_ACCESS);
	net_post(n, "kms?key=" NET_KEY "&enabled=1", "");
	net_post(n, "set", "deny=kms:Decrypt");
	CHECK_EQ(decrypt(n, NET_KEY, context, 2, &why), -ENOKEY);
	CHECK_EQ(why, KMS_ACCESS);
	CHECK_EQ(net_count(n, "kms.decrypt"), 2);
}

static void
test_throttled(struct net *n)
{
	enum refusal why;
	struct aws_stats st;

	net_reset(n);
	net_post(n, "set", "kms_throttle=100&fault_limit=3");
	CHECK_EQ(decrypt(n, NET_KEY, context, 2, &why), 0);
	CHECK_EQ(net_count(n, "kms.decrypt"), 4);
	aws_get_stats(n->aws, &st);
	CHECK_EQ(st.throttled[AWS_KMS_DECRYPT], 3);
	net_reset(n);
	net_post(n, "set", "kms_truncate=100&fault_limit=1");
	CHECK_EQ(decrypt(n, NET_KEY, context, 2, &why), 0);
	/* Not six attempts: the budget ends it. */
	net_reset(n);
	net_post(n, "set", "kms_throttle=100");
	CHECK_EQ(decrypt(n, NET_KEY, context, 2, &why), -EAGAIN);
	CHECK_EQ(why, REFUSAL_NONE);
	CHECK(net_count(n, "kms.decrypt") > 6);
}

static void
test_describe(struct net *n)
{
	struct kms_key_info info;
	enum refusal why;

	net_reset(n);
	CHECK_EQ(kms_describe_key(n->kms, "alias/aws/ses", &info, &why), 0);
	CHECK_STR(info.arn, NET_KEY);
	CHECK_STR(info.account, "123456789012");
	CHECK_STR(info.state, "Enabled");
	CHECK(info.is_enabled);
	CHECK_STR(info.usage, "ENCRYPT_DECRYPT");
	CHECK_STR(info.spec, "SYMMETRIC_DEFAULT");
	CHECK_EQ(kms_describe_key(n->kms, "alias/nonesuch", &info, &why),
	    -ENOKEY);
	CHECK_EQ(why, KMS_ACCESS);
}

static void
test_sts(struct net *n)
{
	struct sts_opts o = { .aws = n->aws, .region = "us-east-1",
		.endpoint_url = n->cloud.url };
	struct sts_identity id;

	CHECK_EQ(sts_get_caller_identity(&o, &id), 0);
	CHECK_STR(id.account, "123456789012");
	CHECK(strncmp(id.arn, "arn:aws:", 8) == 0);
}

int
main(void)
{
	struct net n;

	net_start(&n);
	test_generate(&n);
	test_decrypt(&n);
	test_refusals(&n);
	test_throttled(&n);
	test_describe(&n);
	test_sts(&n);
	net_stop(&n);
	return check_done();
}
