#include <errno.h>
#include <sodium.h>

#include "check.h"
#include "store/kms_json.h"

#define ARN "arn:aws:kms:us-east-1:123456789012:key/abc"

static struct slice
text(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static void
test_request(void)
{
	const struct pair ctx[] = { { "a", "1\"\xc3\xb6" }, { "b", "" } };
	const struct pair twice[] = { { "a", "1" }, { "a", "2" } };
	const struct pair bad[] = { { "a", "\xff" } };
	struct slice none = { NULL, 0 };
	struct buf b = BUF_INIT(4096);

	CHECK_EQ(kms_json_request(ARN, NULL, text("blob"), ctx, 2, &b), 0);
	CHECK_STR(buf_str(&b), "{\"CiphertextBlob\":\"YmxvYg==\",\"KeyId\":\""
	    ARN "\",\"EncryptionContext\":{\"a\":\"1\\\"\xc3\xb6\",\"b\":\"\"}}");
	buf_free(&b);
	CHECK_EQ(kms_json_request("alias/x", "AES_256", none, NULL, 0, &b),
	    0);
	CHECK_STR(buf_str(&b), "{\"KeyId\":\"alias/x\",\"KeySpec\":"
	    "\"AES_256\"}");
	buf_free(&b);
	CHECK_EQ(kms_json_request(NULL, NULL, none, twice, 2, &b), -EINVAL);
	buf_free(&b);
	CHECK_EQ(kms_json_request(NULL, NULL, none, bad, 1, &b), -EINVAL);
	buf_free(&b);
}

static const struct {
	const char *json;
	size_t plain_len, blob_len;
	bool is_good;
} answers[] = {
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"AAEC\","
	  "\"EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\",\"New\":1}", 3, 0,
	    true },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"AAEC\","
	  "\"CiphertextBlob\":\"AA==\"}", 3, 1, true },
	{ "{\"Plaintext\":\"AAEC\"}", 0, 0, false },
	{ "{\"KeyId\":\"abc\",\"Plaintext\":\"AAEC\"}", 0, 0, false },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"A\"}", 0, 0, false },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"\"}", 0, 0, false },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":7}", 0, 0, false },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"AAEC\","
	  "\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}", 0, 0, false },
	{ "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"AAEC\","
	  "\"Plaintext\":\"BBBB\"}", 0, 0, false },
	{ "[]", 0, 0, false },
	{ "", 0, 0, false },
};

static void
test_answers(void)
{
	static struct kms_json_answer a;

	for (size_t i = 0; i < NELEMS(answers); i++) {
		CHECK_EQ_AT(i, kms_json_answer(text(answers[i].json), &a),
		    answers[i].is_good ? 0 : -EPROTO);
		CHECK_EQ_AT(i, a.plain_len, answers[i].plain_len);
		CHECK_EQ_AT(i, a.blob_len, answers[i].blob_len);
		if (answers[i].is_good)
			CHECK_AT(i, memcmp(a.plain, "\0\1\2", 3) == 0);
		else
			CHECK_AT(i, sodium_is_zero((uint8_t *)&a, sizeof(a)));
	}
}

static void
test_key_info(void)
{
	struct kms_key_info k;

	CHECK_EQ(kms_json_key_info(text("{\"KeyMetadata\":{\"Arn\":\"" ARN
	    "\",\"AWSAccountId\":\"123456789012\",\"KeyState\":"
	    "\"PendingDeletion\",\"KeyUsage\":\"ENCRYPT_DECRYPT\","
	    "\"CustomerMasterKeySpec\":\"SYMMETRIC_DEFAULT\",\"Enabled\":"
	    "false,\"MultiRegion\":true}}"), &k), 0);
	CHECK_STR(k.state, "PendingDeletion");
	CHECK_STR(k.spec, "SYMMETRIC_DEFAULT");
	CHECK(!k.is_enabled && k.is_multi_region);
	CHECK_EQ(kms_json_key_info(text("{\"KeyMetadata\":{}}"), &k),
	    -EPROTO);
	CHECK_EQ(kms_json_key_info(text("{}"), &k), -EPROTO);
	CHECK_EQ(kms_json_key_info(text("x"), &k), -EPROTO);
	CHECK_STR(k.arn, "");
}

int
main(void)
{
	test_request();
	test_answers();
	test_key_info();
	return check_done();
}
