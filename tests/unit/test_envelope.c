/* Envelopes with one thing wrong, beyond those of tests/vectors: a row is a
 * good envelope, what is changed in it, and the reason it must be refused. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/b64.h"
#include "crypto/crypto.h"
#include "crypto/envelope.h"

#define ID "g0974f2pgfa8vcqeuatg4q2b4i9bf980a0n44f81"
#define KEY "inbound/" ID
#define EDK "AQICAHg="
#define IV12 "S86rPBK2OdDcSLxA"
#define IV16 "gfpt0ZTsyStAprUvAAAAAg=="
#define B28 "vtBKjgLzLNhuKBRh56z0KKvi9XqD/LgzWCCL7w=="
#define B27 "vtBKjgLzLNhuKBRh56z0KKvi9XqD/LgzWCCL"
#define B29 "vtBKjgLzLNhuKBRh56z0KKvi9XqD/LgzWCCL7+8="
#define GCM "AES/GCM/NoPadding"
#define CBC "AES/CBC/PKCS5Padding"
#define SES_MATDESC                                                            \
	"{\"aws:ses:message-id\":\"" ID "\",\"aws:ses:rule-name\":\"r\","      \
	"\"aws:ses:source-account\":\"123456789012\","                         \
	"\"kms_cmk_id\":\"arn:aws:kms:us-east-1:123456789012:key/k\"}"
#define CTX_MATDESC "{\"aws:x-amz-cek-alg\":\"" GCM "\",\"p\":\"s\"}"
#define CTX_V3 "{\"aws:x-amz-cek-alg\":\"115\"}"

#define ALL                                                                    \
	(ACCEPT_DEFAULT | ACCEPT_CBC | ACCEPT_INSTRUCTION | ACCEPT_PLAIN)
#define MAX 12

static const struct pair ses[] = { { "x-amz-key-v2", EDK },
	{ "x-amz-iv", IV12 }, { "x-amz-cek-alg", GCM },
	{ "x-amz-wrap-alg", "kms" }, { "x-amz-tag-len", "128" },
	{ "x-amz-matdesc", SES_MATDESC },
	{ "x-amz-unencrypted-content-length", "100" }, { NULL, NULL } };
static const struct pair ctx[] = { { "x-amz-key-v2", EDK },
	{ "x-amz-iv", IV12 }, { "x-amz-cek-alg", GCM },
	{ "x-amz-wrap-alg", "kms+context" }, { "x-amz-tag-len", "128" },
	{ "x-amz-matdesc", CTX_MATDESC }, { NULL, NULL } };
static const struct pair cbc[] = { { "x-amz-key-v2", EDK },
	{ "x-amz-iv", IV16 }, { "x-amz-cek-alg", CBC },
	{ "x-amz-wrap-alg", "kms" },
	{ "x-amz-matdesc", "{\"kms_cmk_id\":\"k\"}" }, { NULL, NULL } };
static const struct pair v3[] = { { "x-amz-3", EDK }, { "x-amz-c", "115" },
	{ "x-amz-d", B28 }, { "x-amz-i", B28 }, { "x-amz-w", "12" },
	{ "x-amz-t", CTX_V3 }, { NULL, NULL } };
static const struct pair v1[] = { { "x-amz-key", EDK }, { "x-amz-iv", IV16 },
	{ "x-amz-matdesc", "{}" }, { NULL, NULL } };
static const struct pair v3i[] = { { "x-amz-c", "115" }, { "x-amz-d", B28 },
	{ "x-amz-i", B28 }, { NULL, NULL } };
static const struct pair none[] = { { NULL, NULL } };

#define V3_FILE                                                                \
	"{\"x-amz-3\":\"" EDK "\",\"x-amz-w\":\"12\","                         \
	"\"x-amz-t\":\"{\\\"aws:x-amz-cek-alg\\\":\\\"115\\\"}\""
#define V2_FILE                                                                \
	"{\"x-amz-key-v2\":\"" EDK "\",\"x-amz-iv\":\"" IV12 "\","             \
	"\"x-amz-cek-alg\":\"" GCM "\",\"x-amz-wrap-alg\":\"kms\","            \
	"\"x-amz-matdesc\":\"{\\\"kms_cmk_id\\\":\\\"k\\\"}\""

static const struct {
	const struct pair *base;
	/* Replaced when the name is in the base (value NULL: removed), else
	 * added. */
	struct pair change[6];
	enum refusal want;
	unsigned accept;  /* 0: ALL */
	uint64_t body_len; /* 0: 100 + tag */
	const char *file;
} cases[] = {
	/* the bases are good */
	{ ses, { { 0 } }, REFUSAL_NONE, ACCEPT_DEFAULT },
	{ ctx, { { 0 } }, REFUSAL_NONE, ACCEPT_DEFAULT },
	{ v3, { { 0 } }, REFUSAL_NONE, ACCEPT_DEFAULT },
	{ cbc, { { 0 } }, REFUSAL_NONE, ALL, 112 },
	{ none, { { 0 } }, REFUSAL_NONE },

	/* 1: which format */
	{ none, { { 0 } }, NOT_ENCRYPTED, ACCEPT_DEFAULT },
	{ none, { { "subject", "x" }, { "x-amz-key-v3", EDK } },
	    NOT_ENCRYPTED, ACCEPT_DEFAULT },
	{ none, { { "x-amz-unencrypted-content-length", "9" } },
	    NO_INSTRUCTION_FILE },
	{ none, { { "x-amz-unencrypted-content-md5", "9" } },
	    NO_INSTRUCTION_FILE },
	{ none, { { "x-amz-unencrypted-content-length", "" } }, REFUSAL_NONE },
	{ none, { { "x-amz-iv", IV12 } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-cek-alg", GCM } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-d", B28 } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-w", "12" } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-tag-len", "128" } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-matdesc", "{}" } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-key", EDK } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-key", EDK }, { "cipher-algorithm", "aes" } },
	    INCOMPLETE_METADATA },
	{ none, { { "x-amz-key-v2", EDK } }, INCOMPLETE_METADATA },
	{ none, { { "x-amz-3", EDK } }, INCOMPLETE_METADATA },
	{ v1, { { 0 } }, UNSUPPORTED_WRAP },
	{ v1, { { "x-amz-matdesc", NULL } }, INCOMPLETE_METADATA },
	{ v1, { { "x-amz-c", "115" } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-key-v2", NULL } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-iv", NULL } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-cek-alg", NULL } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-wrap-alg", NULL } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-matdesc", NULL } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-key-v2", "" } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-matdesc", "" } }, INCOMPLETE_METADATA },
	{ ses, { { "x-amz-key", EDK } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-3", EDK } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-key", "" } }, REFUSAL_NONE },
	{ ses, { { "x-amz-c", "115" } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-d", B28 } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-i", B28 } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-w", "12" } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-t", "{}" } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-m", "{}" } }, FORMAT_CONFLICT },
	{ ses, { { "x-amz-m", "" }, { "x-amz-c", "" } }, REFUSAL_NONE },
	{ v3, { { "x-amz-key-v2", EDK } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-key", EDK } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-iv", IV12 } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-cek-alg", GCM } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-wrap-alg", "kms" } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-tag-len", "128" } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-matdesc", "{}" } }, FORMAT_CONFLICT },
	{ v3, { { "x-amz-m", "" }, { "x-amz-unencrypted-content-length", "" },
	    { "x-amz-iv", "" } }, REFUSAL_NONE },
	{ v3, { { "x-amz-c", NULL } }, INCOMPLETE_METADATA },
	{ v3, { { "x-amz-d", NULL } }, INCOMPLETE_METADATA },
	{ v3, { { "x-amz-i", NULL } }, INCOMPLETE_METADATA },
	{ v3, { { "x-amz-w", NULL } }, INCOMPLETE_METADATA },
	{ v3, { { "x-amz-3", NULL } }, NO_INSTRUCTION_FILE },
	{ v3i, { { 0 } }, NO_INSTRUCTION_FILE },
	/* names: case does not count, twice does */
	{ ses, { { "x-amz-iv", NULL }, { "X-Amz-Iv", IV12 } }, REFUSAL_NONE },
	{ ses, { { "X-AMZ-IV", IV12 } }, FORMAT_CONFLICT },
	{ ses, { { "X-Amz-Tag-Len", "" } }, FORMAT_CONFLICT },
	{ none, { { "x-amz-d", "" }, { "X-amz-d", "" } }, FORMAT_CONFLICT },

	/* 2: content algorithm, byte for byte */
	{ ses, { { "x-amz-cek-alg", "aes/gcm/nopadding" } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", GCM " " } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", " " GCM } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "AES/GCM" } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "AES/CTR/NoPadding" } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "AES/CBC/NoPadding" } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "AES/CBC/PKCS7Padding" } },
	    UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "115" } }, UNSUPPORTED_CEK },
	{ ses, { { "x-amz-cek-alg", "=?UTF-8?Q?AES/GCM/NoPadding?=" } },
	    UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "0115" } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "114" } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "116" } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "112" } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "0x73" } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", "115 " } }, UNSUPPORTED_CEK },
	{ v3, { { "x-amz-c", GCM } }, UNSUPPORTED_CEK },
	{ cbc, { { 0 } }, LEGACY_REFUSED, ACCEPT_DEFAULT, 112 },
	/* CBC is refused as such whatever else is wrong */
	{ cbc, { { "x-amz-wrap-alg", "none" } }, LEGACY_REFUSED,
	    ACCEPT_DEFAULT },

	/* 3: wrap */
	{ ses, { { "x-amz-wrap-alg", "KMS" } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "kms " } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "kms+Context" } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "AES/GCM" } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "AESWrap" } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "RSA-OAEP-SHA1" } }, UNSUPPORTED_WRAP },
	{ ses, { { "x-amz-wrap-alg", "12" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "01" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "02" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "11" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "21" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "22" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "012" } }, UNSUPPORTED_WRAP },
	{ v3, { { "x-amz-w", "kms+context" } }, UNSUPPORTED_WRAP },

	/* 4: policy */
	{ ses, { { 0 } }, POLICY_REFUSED, ALL & ~ACCEPT_KMS_GCM },
	{ ctx, { { 0 } }, POLICY_REFUSED, ALL & ~ACCEPT_KMSCTX_GCM },
	{ v3, { { 0 } }, POLICY_REFUSED, ALL & ~ACCEPT_COMMIT },
	{ ses, { { "x-amz-iv", "!" } }, POLICY_REFUSED, ACCEPT_COMMIT },

	/* 5: base64 */
	{ ses, { { "x-amz-key-v2", "AQICAHg" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQICAHg= " } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQIC\nAHg=" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQICAHh=" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQIC====" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "====" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "A===" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQ==AQ==" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQI-AHg=" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQI_AHg=" } }, BAD_BASE64 },
	{ ses, { { "x-amz-key-v2", "AQI\xc3" } }, BAD_BASE64 },
	{ ses, { { "x-amz-iv", "S86rPBK2OdDcSLx" } }, BAD_BASE64 },
	{ ses, { { "x-amz-iv", " " } }, BAD_BASE64 },
	{ v3, { { "x-amz-3", "@" } }, BAD_BASE64 },
	{ v3, { { "x-amz-i", "@" } }, BAD_BASE64 },
	{ v3, { { "x-amz-d", "@" } }, BAD_BASE64 },
	/* before lengths */
	{ ses, { { "x-amz-iv", "@" }, { "x-amz-tag-len", "0" } }, BAD_BASE64 },
	{ v3, { { "x-amz-i", B27 }, { "x-amz-d", "@" } }, BAD_BASE64 },

	/* 6: lengths */
	{ ses, { { "x-amz-iv", "S86rPBK2OdDcSLw=" } }, BAD_IV },
	{ ses, { { "x-amz-iv", "S86rPBK2OdDcSLxAAA==" } }, BAD_IV },
	{ ses, { { "x-amz-iv", IV16 } }, BAD_IV },
	{ ses, { { "x-amz-iv", "AA==" } }, BAD_IV },
	{ ses, { { "x-amz-iv", B28 } }, BAD_IV },
	{ cbc, { { "x-amz-iv", IV12 } }, BAD_IV, ALL, 112 },
	{ cbc, { { "x-amz-iv", "gfpt0ZTsyStAprUvAAAA" } }, BAD_IV, ALL, 112 },
	{ v3, { { "x-amz-i", B27 } }, BAD_MESSAGE_ID },
	{ v3, { { "x-amz-i", B29 } }, BAD_MESSAGE_ID },
	{ v3, { { "x-amz-d", B27 } }, BAD_COMMITMENT },
	{ v3, { { "x-amz-d", B29 } }, BAD_COMMITMENT },
	{ v3, { { "x-amz-i", B27 }, { "x-amz-d", B27 } }, BAD_MESSAGE_ID },
	{ ses, { { "x-amz-tag-len", NULL } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "0" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "96" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "127" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "16" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "128abc" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", " 128" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "0128" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "+128" } }, BAD_TAG_LEN },
	{ ses, { { "x-amz-tag-len", "128.0" } }, BAD_TAG_LEN },
	{ cbc, { { "x-amz-tag-len", "" } }, REFUSAL_NONE, ALL, 112 },
	{ cbc, { { "x-amz-tag-len", "128" } }, BAD_TAG_LEN, ALL, 112 },

	/* 7: context JSON */
	{ ses, { { "x-amz-matdesc", "{" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "null" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "\"x\"" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "[]" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":1}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":null}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":true}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":{}}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\"}x" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\"}{}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\",}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{'a':'b'}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\",\"a\":\"b\"}" } },
	    BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\",\"\\u0061\":\"c\"}" } },
	    BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "\xef\xbb\xbf{}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"\xff\"}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"\xed\xa0\x80\"}" } },
	    BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"\\ud800\"}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"b\\u0000c\"}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\\u0000\":\"b\"}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", "{\"a\":\"\t\"}" } }, BAD_MATDESC },
	{ ses, { { "x-amz-matdesc", " { \"a\" : \"b\" } " } }, REFUSAL_NONE },
	{ ses, { { "x-amz-matdesc", "{}" } }, REFUSAL_NONE },
	{ ses, { { "x-amz-matdesc", "=?UTF-8?Q?{\"a\":\"b\"}?=" } },
	    REFUSAL_NONE },
	{ ses, { { "x-amz-matdesc", "=?UTF-8?B?e30=?=" } }, REFUSAL_NONE },
	{ ses, { { "x-amz-matdesc", "=?UTF-8?Q?{}=00?=" } }, BAD_MATDESC },
	{ v3, { { "x-amz-t", "[]" } }, BAD_MATDESC },
	{ v3, { { "x-amz-m", "not read" } }, REFUSAL_NONE },

	/* 8: algorithm in the context */
	{ ctx, { { "x-amz-matdesc", "{}" } }, CEK_MISMATCH },
	{ ctx, { { "x-amz-matdesc", CTX_V3 } }, CEK_MISMATCH },
	{ ctx, { { "x-amz-matdesc",
	    "{\"aws:x-amz-cek-alg\":\"AES/GCM/NOPADDING\"}" } }, CEK_MISMATCH },
	{ ctx, { { "x-amz-matdesc", "{\"Aws:x-amz-cek-alg\":\"" GCM "\"}" } },
	    CEK_MISMATCH },
	{ ctx, { { "x-amz-cek-alg", CBC }, { "x-amz-iv", IV16 },
	    { "x-amz-tag-len", NULL } }, CEK_MISMATCH, ALL, 112 },
	{ ctx, { { "x-amz-cek-alg", CBC }, { "x-amz-iv", IV16 },
	    { "x-amz-tag-len", NULL }, { "x-amz-matdesc",
	    "{\"aws:x-amz-cek-alg\":\"" CBC "\"}" } }, CEK_MISMATCH, ALL, 112 },
	{ ctx, { { "x-amz-wrap-alg", "kms" } }, WRAP_DOWNGRADE },
	{ ses, { { "x-amz-wrap-alg", "kms+context" } }, CEK_MISMATCH },
	{ ses, { { "x-amz-matdesc", "{\"aws:x-amz-cek-alg\":\"\"}" } },
	    WRAP_DOWNGRADE },
	{ v3, { { "x-amz-t", NULL } }, CEK_MISMATCH },
	{ v3, { { "x-amz-t", "" } }, CEK_MISMATCH },
	{ v3, { { "x-amz-t", CTX_MATDESC } }, CEK_MISMATCH },
	{ v3, { { "x-amz-t", NULL }, { "x-amz-m", CTX_V3 } }, CEK_MISMATCH },

	/* 10: body length */
	{ ses, { { 0 } }, BODY_TOO_SHORT, ALL, UINT64_MAX },
	{ ses, { { 0 } }, BODY_TOO_SHORT, ALL, 15 },
	{ ses, { { 0 } }, REFUSAL_NONE, ALL, 16 },
	{ v3, { { 0 } }, BODY_TOO_SHORT, ALL, 15 },
	{ v3, { { 0 } }, REFUSAL_NONE, ALL, 16 },
	{ cbc, { { 0 } }, BAD_PADDING, ALL, UINT64_MAX },
	{ cbc, { { 0 } }, BAD_PADDING, ALL, 15 },
	{ cbc, { { 0 } }, REFUSAL_NONE, ALL, 16 },
	{ cbc, { { 0 } }, BAD_PADDING, ALL, 17 },
	/* SES never wrote CBC */
	{ cbc, { { "x-amz-matdesc", SES_MATDESC } }, BAD_PADDING, ALL, 112 },
	{ ses, { { "x-amz-cek-alg", CBC }, { "x-amz-iv", IV16 },
	    { "x-amz-tag-len", NULL } }, BAD_PADDING, ALL, 112 },

	/* instruction files */
	{ v3i, { { 0 } }, REFUSAL_NONE, ALL, 0, V3_FILE "}" },
	{ v3i, { { 0 } }, NO_INSTRUCTION_FILE, ACCEPT_DEFAULT, 0, V3_FILE "}" },
	{ v3i, { { 0 } }, REFUSAL_NONE, ALL, 0, V3_FILE ",\"x-amz-m\":\"\"}" },
	{ v3i, { { 0 } }, REFUSAL_NONE, ALL, 0, V3_FILE ",\"x-amz-iv\":\"\"}" },
	{ v3i, { { 0 } }, REFUSAL_NONE, ALL, 0, "\n" V3_FILE "\n}\n" },
	{ v3i, { { 0 } }, INSTRUCTION_TAMPERED, ALL, 0,
	    V3_FILE ",\"x-amz-c\":\"115\"}" },
	{ v3i, { { 0 } }, INSTRUCTION_TAMPERED, ALL, 0,
	    V3_FILE ",\"x-amz-d\":\"x\"}" },
	{ v3i, { { 0 } }, INSTRUCTION_TAMPERED, ALL, 0,
	    V3_FILE ",\"x-amz-i\":\"x\"}" },
	{ v3i, { { "x-amz-d", NULL } }, INSTRUCTION_TAMPERED, ALL, 0,
	    V3_FILE ",\"x-amz-d\":\"" B28 "\"}" },
	{ v3i, { { "x-amz-d", NULL } }, INCOMPLETE_METADATA, ALL, 0,
	    V3_FILE "}" },
	{ none, { { 0 } }, INSTRUCTION_TAMPERED, ALL, 0,
	    V3_FILE ",\"x-amz-c\":\"115\",\"x-amz-d\":\"" B28
	    "\",\"x-amz-i\":\"" B28 "\"}" },
	{ none, { { 0 } }, INCOMPLETE_METADATA, ALL, 0, V3_FILE "}" },
	{ v3i, { { 0 } }, FORMAT_CONFLICT, ALL, 0, V2_FILE "}" },
	{ v3i, { { 0 } }, FORMAT_CONFLICT, ALL, 0,
	    V3_FILE ",\"x-amz-matdesc\":\"{}\"}" },
	{ v3i, { { 0 } }, FORMAT_CONFLICT, ALL, 0, "{\"x-amz-iv\":\"x\"}" },
	{ v3i, { { "x-amz-iv", IV12 } }, FORMAT_CONFLICT, ALL, 0,
	    V3_FILE "}" },
	{ v3i, { { 0 } }, INCOMPLETE_METADATA, ALL, 0, "{}" },
	{ v3i, { { 0 } }, INCOMPLETE_METADATA, ALL, 0,
	    "{\"x-amz-3\":\"" EDK "\"}" },
	{ v3i, { { "x-amz-w", "02" } }, UNSUPPORTED_WRAP, ALL, 0, V3_FILE "}" },
	{ v3i, { { 0 } }, POLICY_REFUSED, ALL & ~ACCEPT_COMMIT, 0,
	    V3_FILE "}" },
	{ none, { { 0 } }, BAD_TAG_LEN, ALL, 0, V2_FILE "}" },
	{ none, { { 0 } }, REFUSAL_NONE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":\"128\"}" },
	{ none, { { 0 } }, REFUSAL_NONE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":128,"
	    "\"x-amz-unencrypted-content-length\":100}" },
	{ none, { { "x-amz-unencrypted-content-length", "7" } }, REFUSAL_NONE,
	    ALL, 0, V2_FILE ",\"x-amz-tag-len\":128}" },
	{ none, { { 0 } }, NOT_ENCRYPTED, ACCEPT_DEFAULT, 0,
	    V2_FILE ",\"x-amz-tag-len\":128}" },
	{ none, { { 0 } }, BAD_TAG_LEN, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":96}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":128.0}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":true}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V3_FILE ",\"x-amz-c\":115}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"X-Amz-Tag-Len\":\"128\"}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"x-amz-meta-x-amz-tag-len\":\"128\"}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":\"128\",\"x-amz-tag-len\":\"128\"}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    V2_FILE ",\"x-amz-tag-len\":\"128\"}}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0, "" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0, "null" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0, "[]" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0, "\xef\xbb\xbf{}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    "{\"x-amz-iv\":\"\xff\"}" },
	{ none, { { 0 } }, BAD_INSTRUCTION_FILE, ALL, 0,
	    "{\"x-amz-matdesc\":{\"kms_cmk_id\":\"k\"}}" },
	{ none, { { 0 } }, INCOMPLETE_METADATA, ALL, 0, "{}" },
	/* words are decoded in headers only */
	{ none, { { 0 } }, BAD_MATDESC, ALL, 0,
	    "{\"x-amz-key-v2\":\"" EDK "\",\"x-amz-iv\":\"" IV12 "\","
	    "\"x-amz-cek-alg\":\"" GCM "\",\"x-amz-wrap-alg\":\"kms\","
	    "\"x-amz-tag-len\":\"128\","
	    "\"x-amz-matdesc\":\"=?UTF-8?B?e30=?=\"}" },
	/* a file beside a whole envelope is not looked at */
	{ ses, { { 0 } }, REFUSAL_NONE, ALL, 0, "junk" },
	{ v3, { { 0 } }, REFUSAL_NONE, ALL, 0, "junk" },
	{ ses, { { "x-amz-key-v2", NULL } }, INCOMPLETE_METADATA, ALL, 0,
	    V2_FILE "}" },
};

static size_t
change(const struct pair *base, const struct pair *changes, struct pair *ret)
{
	size_t n = 0;

	for (; base->name != NULL; base++)
		ret[n++] = *base;
	for (size_t i = 0; i < 6 && changes[i].name != NULL; i++) {
		size_t at = 0;

		while (at < n && strcmp(ret[at].name, changes[i].name) != 0)
			at++;
		ret[at] = changes[i];
		if (at == n)
			n++;
		else if (changes[i].value == NULL)
			ret[at] = ret[--n];
	}
	CHECK(n <= MAX);
	return n;
}

static void
test_cases(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		CLEANUP(envelope_freep) struct envelope *e = NULL;
		struct envelope_policy policy = { cases[i].accept, NULL };
		struct slice file = { (const uint8_t *)cases[i].file, 0 };
		struct pair meta[MAX + 6];
		size_t n = change(cases[i].base, cases[i].change, meta);
		uint64_t len = cases[i].body_len;
		enum refusal why;
		int r;

		if (policy.accept == 0)
			policy.accept = ALL;
		if (file.ptr != NULL)
			file.len = strlen(cases[i].file);
		len = len == 0 ? 116 : len == UINT64_MAX ? 0 : len;
		r = envelope_parse(meta, n, file, KEY, len, &policy, &e, &why);
		CHECK_STR_AT(i, refusal_name(why),
		    refusal_name(cases[i].want));
		CHECK_EQ_AT(i, r, cases[i].want == REFUSAL_NONE ? 0 : -EBADMSG);
		CHECK_AT(i, (e != NULL) == (r == 0));
	}
}

/* SES's pairs against the object's name and the account of the policy. */
static void
test_binding(void)
{
	static const struct {
		const struct pair *base;
		const char *key;
		const char *account;
		unsigned accept;
		enum refusal want;
	} rows[] = {
		{ ses, ID, NULL, 0, REFUSAL_NONE },
		{ ses, "a/b/" ID, NULL, 0, REFUSAL_NONE },
		{ ses, "a/" ID "/", NULL, 0, CONTEXT_MISMATCH },
		{ ses, "a" ID, NULL, 0, CONTEXT_MISMATCH },
		{ ses, ID "x", NULL, 0, CONTEXT_MISMATCH },
		{ ses, "inbound/other", NULL, 0, CONTEXT_MISMATCH },
		{ ses, "", NULL, 0, CONTEXT_MISMATCH },
		{ ses, "other", NULL, ACCEPT_RENAMED, REFUSAL_NONE },
		{ ses, KEY, "123456789012", 0, REFUSAL_NONE },
		{ ses, KEY, "123456789013", 0, CONTEXT_MISMATCH },
		{ ses, KEY, "123456789013", ACCEPT_RENAMED, CONTEXT_MISMATCH },
		{ cbc, KEY, "123456789012", 0, CONTEXT_MISMATCH },
		{ ctx, "any", "123456789012", 0, REFUSAL_NONE },
		{ v3, "any", "123456789012", 0, REFUSAL_NONE },
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		CLEANUP(envelope_freep) struct envelope *e = NULL;
		struct envelope_policy policy = { ALL | rows[i].accept,
			rows[i].account };
		struct pair meta[MAX + 6];
		static const struct pair same[6];
		enum refusal why;
		int r;

		r = envelope_parse(meta, change(rows[i].base, same, meta),
		    (struct slice){ NULL, 0 }, rows[i].key, 112, &policy, &e,
		    &why);
		CHECK_STR_AT(i, refusal_name(why), refusal_name(rows[i].want));
		CHECK_EQ_AT(i, r, rows[i].want == REFUSAL_NONE ? 0 : -EBADMSG);
	}
}

static void
test_result(void)
{
	static const struct envelope_policy policy = { ALL, NULL };
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	enum refusal why;

	CHECK_EQ(envelope_parse(ses, 7, (struct slice){ NULL, 0 }, KEY, 116,
		     &policy, &e, &why), 0);
	CHECK_EQ(e->suite, SUITE_GCM);
	CHECK_EQ(e->wrap, WRAP_KMS);
	CHECK_STR(e->format, "kms-gcm");
	CHECK(!e->has_instruction);
	CHECK_EQ(e->edk_len, 5);
	CHECK(memcmp(e->edk, "\x01\x02\x02\x00\x78", 5) == 0);
	CHECK_EQ(e->iv_len, 12);
	CHECK_EQ(e->context_len, 4);
	CHECK_STR(e->context[0].name, "aws:ses:message-id");
	CHECK_STR(envelope_context_get(e, "aws:ses:rule-name"), "r");
	CHECK_STR(envelope_context_get(e, "none"), NULL);
	CHECK_EQ(e->declared_len, 100);
	CHECK(envelope_len_is(e, 100) && !envelope_len_is(e, 99));
	envelope_free(TAKE(e));

	CHECK_EQ(envelope_parse(v3, 6, (struct slice){ NULL, 0 }, KEY, 116,
		     &policy, &e, &why), 0);
	CHECK_EQ(e->suite, SUITE_COMMIT);
	CHECK_EQ(e->wrap, WRAP_KMS_CONTEXT);
	CHECK_STR(e->format, "commit");
	CHECK_EQ(e->iv_len, 12);
	CHECK_EQ(e->iv[0], 1);
	CHECK_EQ(e->iv[11], 1);
	CHECK_EQ(e->declared_len, -1);
	CHECK(envelope_len_is(e, 99));
}

static void
test_declared_len(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "", -1 },
		{ "0", 0 },
		{ "007", 7 },
		{ "-1", INT64_MAX },
		{ "1e3", INT64_MAX },
		{ " 1", INT64_MAX },
		{ "99999999999999999999999", INT64_MAX },
	};
	static const struct envelope_policy policy = { ALL, NULL };

	for (size_t i = 0; i < NELEMS(rows); i++) {
		CLEANUP(envelope_freep) struct envelope *e = NULL;
		struct pair meta[NELEMS(ses)];
		enum refusal why;

		memcpy(meta, ses, sizeof(ses));
		meta[6].value = rows[i].text;
		CHECK_EQ_AT(i, envelope_parse(meta, 7,
			(struct slice){ NULL, 0 }, KEY, 116, &policy, &e,
			&why), 0);
		CHECK_EQ_AT(i, e->declared_len, rows[i].want);
	}
}

/* A context of `n` pairs and an encrypted data key of `edk_len` bytes. */
static enum refusal
parse_sized(size_t n, size_t edk_len)
{
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	static const struct envelope_policy policy = { ALL, NULL };
	static char json[20 * (ENVELOPE_CONTEXT_MAX + 2)], edk[90000];
	static uint8_t bytes[65000];
	struct pair meta[NELEMS(ses)];
	enum refusal why;
	char *p = json;
	int r;

	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%c\"%zu\":\"v\"", i == 0 ? '{' : ',', i);
	strcpy(p, "}");
	b64_encode(bytes, edk_len, edk);
	memcpy(meta, ses, sizeof(ses));
	meta[0].value = edk;
	meta[5].value = json;
	r = envelope_parse(meta, 7, (struct slice){ NULL, 0 }, KEY, 116,
	    &policy, &e, &why);
	CHECK_EQ(r, why == REFUSAL_NONE ? 0 : -EBADMSG);
	CHECK(e == NULL || e->context_len == n);
	return why;
}

static void
test_bounds(void)
{
	CHECK_EQ(parse_sized(1, 1), REFUSAL_NONE);
	CHECK_EQ(parse_sized(ENVELOPE_CONTEXT_MAX, 1), REFUSAL_NONE);
	CHECK_EQ(parse_sized(ENVELOPE_CONTEXT_MAX + 1, 1), BAD_MATDESC);
	CHECK_EQ(parse_sized(1, ENVELOPE_EDK_MAX), REFUSAL_NONE);
	CHECK_EQ(parse_sized(1, ENVELOPE_EDK_MAX + 1), TOO_LARGE);
	CHECK_EQ(parse_sized(1, 65000), TOO_LARGE);
}

static void
test_wants_instruction(void)
{
	static const struct pair length[] = {
		{ "x-amz-unencrypted-content-length", "1" }, { NULL, NULL } };
	static const struct {
		const struct pair *meta;
		size_t len;
		bool want;
	} rows[] = {
		{ none, 0, true },
		{ length, 1, true },
		{ v3i, 3, true },
		{ v3i, 2, true },
		{ ses, 7, false },
		{ ses + 1, 6, false },
		{ v3, 6, false },
		{ v1, 3, false },
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		CHECK_AT(i, envelope_wants_instruction(rows[i].meta,
		    rows[i].len) == rows[i].want);
}

/* Names are stored nowhere, but printed and documented: they do not change. */
static void
test_names(void)
{
	CHECK_STR(refusal_name(REFUSAL_NONE), "NONE");
	CHECK_STR(refusal_name(AUTH_FAILED), "AUTH_FAILED");
	CHECK_STR(refusal_name(TOO_LARGE), "TOO_LARGE");
	CHECK_STR(refusal_name(REFUSAL_COUNT), "UNKNOWN");
	CHECK_STR(refusal_name((enum refusal)-1), "UNKNOWN");
	CHECK_EQ(TOO_LARGE, 29);
	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		CHECK_AT(i, refusal_name((enum refusal)i) != NULL);
}

/* The small rules of the content functions that no vector shows. */
static void
test_content(void)
{
	struct envelope plain = { .suite = SUITE_PLAIN };
	struct content_key k;
	enum refusal why;
	uint8_t out[16] = { 1 };
	size_t len;

	CHECK_EQ(content_plain_len(SUITE_GCM, 15), 0);
	CHECK_EQ(content_plain_len(SUITE_COMMIT, 17), 1);
	CHECK_EQ(content_plain_len(SUITE_PLAIN, 3), 3);
	CHECK_EQ(content_plain_len(SUITE_CBC, 16), 16);
	CHECK_EQ(content_key_derive(&plain, NULL, 0, &k, &why), 0);
	CHECK_EQ(content_open(&k, (const uint8_t *)"abc", 3, out, &len, &why),
	    0);
	CHECK_EQ(len, 3);
	CHECK(memcmp(out, "abc", 3) == 0);
	CHECK_EQ(content_open(&k, NULL, 0, out, &len, &why), 0);
	k.suite = 0x71;
	CHECK_EQ(content_open(&k, out, 16, out, &len, &why), -EBADMSG);
	CHECK_EQ(why, BAD_DATA_KEY);
	k.suite = SUITE_GCM;
	CHECK_EQ(content_open(&k, out, 15, out, &len, &why), -EBADMSG);
	CHECK_EQ(why, BODY_TOO_SHORT);
}

int
main(void)
{
	CHECK_EQ(crypto_init(CRYPTO_AUTO), 0);
	test_cases();
	test_binding();
	test_result();
	test_declared_len();
	test_bounds();
	test_wants_instruction();
	test_names();
	test_content();
	return check_done();
}
