/* kms_arn.h -- the names of KMS keys. Pure. */
#ifndef SESFS_STORE_KMS_ARN_H
#define SESFS_STORE_KMS_ARN_H

#include "store/kms.h"

struct kms_arn {
	char partition[16];
	char region[32];
	char account[16];
	bool is_alias;
	char id[KMS_ARN_MAX]; /* key id, or alias name without "alias/" */
};

/* arn:PARTITION:kms:REGION:ACCOUNT:key/ID or :alias/NAME. */
bool kms_arn_parse(const char *s, struct kms_arn *ret) MUST_CHECK;

#endif
