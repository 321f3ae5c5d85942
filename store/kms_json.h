/* kms_json.h -- the JSON of the KMS calls.
 *
 * Pure. Used by kms.c, and fuzzed. */
#ifndef SESFS_STORE_KMS_JSON_H
#define SESFS_STORE_KMS_JSON_H

#include "store/buf.h"
#include "store/kms.h"

/* The body of a call; any of key_id, blob.ptr and context may be absent (NULL,
 * context_len 0). key_spec: "AES_256" for GenerateDataKey, else NULL. Returns
 * 0; -EINVAL for strings that are not UTF-8 or a context name given twice;
 * -ENOMEM. ret: an empty buf. */
int kms_json_request(const char *key_id, const char *key_spec,
    struct slice blob, const struct pair *context, size_t context_len,
    struct buf *ret) MUST_CHECK;

struct kms_json_answer {
	char arn[KMS_ARN_MAX];
	uint8_t plain[KMS_PLAIN_MAX];
	size_t plain_len; /* 0 when there was none */
	uint8_t blob[ENVELOPE_EDK_MAX];
	size_t blob_len; /* 0 when there was none */
};

/* The answer of Decrypt and GenerateDataKey: KeyId, a key ARN, and as far as
 * they are there Plaintext and CiphertextBlob. Returns 0; -EPROTO; on failure
 * *ret is all zero. The caller wipes *ret. */
int kms_json_answer(struct slice json, struct kms_json_answer *ret)
    MUST_CHECK;

/* The answer of DescribeKey. Returns 0; -EPROTO. */
int kms_json_key_info(struct slice json, struct kms_key_info *ret)
    MUST_CHECK;

#endif
