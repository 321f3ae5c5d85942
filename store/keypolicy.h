/* keypolicy.h -- which KMS keys may unwrap.
 *
 * --kms-key names them (ARN, id, alias, alias ARN); without any, every key of
 * the caller's own account may. A key that policy does not name is never
 * called, and the ARN in KMS's answer is compared again. Immutable but for the
 * account, which is learnt once. Threads: any. */
#ifndef SESFS_STORE_KEYPOLICY_H
#define SESFS_STORE_KEYPOLICY_H

#include "crypto/base.h"

struct keypolicy;

/* Learn the caller's account (STS). ret: 16 bytes. Errors as in s3.h. */
typedef int keypolicy_account_fn(void *arg, char ret[16]);

/* keys: n strings, copied; n 0: the caller's account decides. */
int keypolicy_new(const char *const *keys, size_t n,
    keypolicy_account_fn *account, void *arg, struct keypolicy **ret)
    MUST_CHECK;
void keypolicy_free(struct keypolicy *p);
DEFINE_FREEP(struct keypolicy, keypolicy_free)

/* The KeyIds to try for an object whose label (kms_cmk_id; untrusted, only a
 * hint for the order) is `hint`, NULL when none. Fills ret (max entries) with
 * strings owned by the policy, or one NULL ("let KMS find it") when the account
 * decides. Returns the count, >= 1. */
size_t keypolicy_candidates(const struct keypolicy *p, const char *hint,
    const char **ret, size_t max);

/* May the key of this ARN have been used? Asks for the account when it must:
 * 1 yes, 0 no, or -errno of asking. */
int keypolicy_allows(struct keypolicy *p, const char *arn) MUST_CHECK;

#endif
