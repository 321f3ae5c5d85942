/* kms_private.h -- struct kms, for kms_keys.c and kms_blob.c alone. */
#ifndef CLOUD_KMS_PRIVATE_H
#define CLOUD_KMS_PRIVATE_H

#include "digest.h"
#include "kms.h"

#include <pthread.h>

#define KMS_KEYS_MAX 64

struct kms_key {
	char arn[KMS_ARN_MAX];
	uint8_t tag[SHA256_LEN]; /* names the key in its blobs */
	bool enabled;
	char usage[KMS_USAGE_MAX];
};

struct kms_alias {
	char arn[KMS_ARN_MAX], key_arn[KMS_ARN_MAX];
};

struct kms_opaque {
	char arn[KMS_ARN_MAX];
	struct buf context, blob, plain;
};

struct kms {
	char account[16]; /* constant */
	pthread_rwlock_t lock;
	struct kms_key keys[KMS_KEYS_MAX]; /* [lock], as all below */
	size_t nkeys;
	struct kms_alias aliases[KMS_KEYS_MAX];
	size_t naliases;
	struct kms_opaque *opaque;
	size_t nopaque;
};

struct kms_name {
	char region[32], account[16];
	const char *resource; /* into the ARN: "key/..." or "alias/..." */
};

/* 0 or -EINVAL. */
int kms_parse_arn(const char *arn, struct kms_name *ret) MUST_CHECK;

/* NULL when there is none. */
struct kms_key *kms_find_locked(struct kms *k, const char *arn);

/* What stands for the key in a blob; replicas share it. */
void kms_tag(const char *arn, uint8_t ret[SHA256_LEN]);

#endif
