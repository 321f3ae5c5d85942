/* kms.h -- the keys, and the blobs made with them.
 *
 * A key's secret is a function of its ARN, so a blob made by one run of the
 * emulator (or by the message generator) opens in the next. A blob looks like
 * one of KMS: 152 bytes around the plaintext, AQICAH... in base64. Blobs that
 * others made are known by table. Threads: any. */
#ifndef CLOUD_KMS_H
#define CLOUD_KMS_H

#include "buf.h"

#include <jansson.h>

#define KMS_OVERHEAD 152 /* bytes a blob is longer than its plaintext */
#define KMS_ARN_MAX 256
#define KMS_USAGE_MAX 24
#define KMS_USAGE "ENCRYPT_DECRYPT" /* of keys that are any use here */

struct kms;

/* A set of default keys for the account, which kms_help() lists. */
struct kms *kms_new(const char *region, const char *account);
void kms_free(struct kms *k);

/* Add a key by ARN; a key that exists stays. 0, -EINVAL bad ARN, -ENOSPC. */
int kms_add_key(struct kms *k, const char *arn) MUST_CHECK;

/* Add "alias/x" or an alias ARN for a key ARN. 0, -EINVAL, -ENOSPC. */
int kms_add_alias(struct kms *k, const char *alias, const char *key_arn)
    MUST_CHECK;

/* Resolve ARN, id, alias or alias ARN as a caller in `region` would; 0 or
 * -ENOENT. */
int kms_resolve(struct kms *k, const char *region, const char *name,
    char ret_arn[KMS_ARN_MAX]) MUST_CHECK;

/* 0, or -ENOENT. */
int kms_enable(struct kms *k, const char *arn, bool enabled) MUST_CHECK;
bool kms_is_enabled(struct kms *k, const char *arn);

/* What the key is for, as DescribeKey says; KMS_USAGE unless it was set. 0, or
 * -ENOENT; -EINVAL too long. */
int kms_set_usage(struct kms *k, const char *arn, const char *usage)
    MUST_CHECK;
void kms_get_usage(struct kms *k, const char *arn, char ret[KMS_USAGE_MAX]);

/* A one-line-per-key description. */
void kms_list(struct kms *k, struct buf *b);

/* The aliases of a key, "alias/x", one a call, from `i` = 0 on; false at the
 * end. */
bool kms_alias_of(struct kms *k, const char *arn, size_t i,
    char ret_alias[KMS_ARN_MAX]);

/* Every key ARN of the account in the region, one a call, from `i` = 0 on;
 * false at the end. */
bool kms_each(struct kms *k, const char *region, size_t i,
    char ret_arn[KMS_ARN_MAX]);

/* The same pairs always give the same bytes. */
void kms_canonical(json_t *context, struct buf *ret);

/* Seal `p` under the key `arn`; `seed` decides the nonce. */
void kms_seal(const char *arn, const struct buf *canonical, const void *p,
    size_t len, uint64_t seed, struct buf *ret);

/* Make `blob` mean `plain` for this key and context. */
void kms_add_opaque(struct kms *k, const char *arn,
    const struct buf *canonical, const struct buf *blob,
    const struct buf *plain);

/* Open a blob as a caller in `region` would, `want_arn` being the key asked
 * for or NULL. Returns 0; -EBADMSG blob or context wrong; -EKEYREJECTED made
 * with another key than `want_arn`; -EKEYREVOKED key disabled. */
int kms_open(struct kms *k, const char *region, const char *want_arn,
    const struct buf *canonical, const struct buf *blob, struct buf *ret,
    char ret_arn[KMS_ARN_MAX]) MUST_CHECK;

#endif
