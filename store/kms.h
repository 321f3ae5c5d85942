/* kms.h -- the KMS operations sesfs makes.
 *
 * A call goes to the region of its key (from the ARN, else the default
 * region). Throttling (HTTP 400 ThrottlingException) is retried with backoff,
 * and the pace of all calls is that of http's lane for KMS. Errors beside those
 * of s3.h:
 *	-ENOKEY		KMS says no to this key or blob; *ret_why tells:
 *			KMS_REJECTED (InvalidCiphertext), KMS_WRONG_KEY
 *			(IncorrectKey), KMS_ACCESS (AccessDenied, Disabled,
 *			NotFound, KMSInvalidState, KeyUnavailable)
 */
#ifndef SESFS_STORE_KMS_H
#define SESFS_STORE_KMS_H

#include "crypto/base.h"
#include "crypto/envelope.h"
#include "store/aws.h"

#define KMS_ARN_MAX 256	   /* bytes with the zero */
#define KMS_PLAIN_MAX 4096 /* bytes, KMS's limit of a plaintext */
#define KMS_DATA_KEY_LEN 32
#define KMS_REQUEST_MAX AWSERR_ID_MAX /* bytes of a request's id */

struct kms;

struct kms_opts {
	struct aws *aws;
	const char *region;	  /* default region; not NULL */
	const char *endpoint_url; /* NULL: AWS's own of each region */
	bool fips, dual_stack;
	int64_t deadline_ms;	  /* of one call; 0: as aws_opts has it */
};

int kms_new(const struct kms_opts *o, struct kms **ret) MUST_CHECK;
void kms_free(struct kms *k);
DEFINE_FREEP(struct kms, kms_free)

/* Decrypt blob under the complete context. key_id: ARN, id or alias sent as
 * KeyId, or NULL to let KMS find the key from the blob. region: NULL to take
 * it from key_id or the default. ret: KMS_PLAIN_MAX bytes, wiped on failure;
 * ret_arn: the key ARN of KMS's answer, KMS_ARN_MAX bytes. *ret_why (never
 * NULL) is set on -ENOKEY, else REFUSAL_NONE. */
int kms_decrypt(struct kms *k, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why) MUST_CHECK;

/* The same; ret_request: KMS's id of the request, also of one that it refused,
 * KMS_REQUEST_MAX bytes, "" when there was no answer. */
int kms_decrypt_traced(struct kms *k, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why, char ret_request[KMS_REQUEST_MAX]) MUST_CHECK;

/* GenerateDataKey AES_256: plaintext into ret_key, its wrapped form into
 * ret_blob (ENVELOPE_EDK_MAX bytes). */
int kms_generate_data_key(struct kms *k, const char *key_id,
    const struct pair *context, size_t context_len,
    uint8_t ret_key[KMS_DATA_KEY_LEN], uint8_t *ret_blob, size_t *ret_blob_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why) MUST_CHECK;

/* Where and in which region (ENDPOINT_REGION_MAX bytes) a key is asked for.
 * Returns 0; -EINVAL, logged. */
int kms_endpoint(struct kms *k, const char *key_id, struct endpoint *ret,
    char ret_region[ENDPOINT_REGION_MAX]) MUST_CHECK;

struct kms_key_info {
	char arn[KMS_ARN_MAX];
	char account[16];
	char state[32]; /* "Enabled", "Disabled", ... */
	bool is_enabled, is_multi_region;
	char usage[32];	/* "ENCRYPT_DECRYPT" */
	char spec[32];	/* "SYMMETRIC_DEFAULT" */
};
int kms_describe_key(struct kms *k, const char *key_id,
    struct kms_key_info *ret, enum refusal *ret_why) MUST_CHECK;

/* Pure: does KMS's answer name the key that was asked for? want: ARN, id,
 * alias name or alias ARN; got: key ARN. An alias says nothing about the key
 * behind it, so only partition, region and account are compared (KMS itself
 * holds the alias to the key): true is then no proof unless the alias was sent
 * as KeyId. mrk- ids match across regions. */
bool kms_arn_matches(const char *want, const char *got);

#endif
