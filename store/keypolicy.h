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

/* May the key of this ARN, which KMS answered to one of the candidates, have
 * been used? Of an alias only KMS knows the key, so an ARN of other origin must
 * not be judged by this: see keypolicy_names(). Asks for the account when it
 * must: 1 yes, 0 no, or -errno of asking. */
int keypolicy_allows(struct keypolicy *p, const char *arn) MUST_CHECK;

/* The KeyIds by which to ask for the key of an ARN that nobody vouches for:
 * names from the configuration, an alias last, owned by the policy; or the ARN
 * itself when the account decides. To be sent in the ARN's place: an alias may
 * be any key's, which KMS alone can tell. Returns the count, 0 for a key that
 * no name may be of, or -errno of asking for the account. */
int keypolicy_names(struct keypolicy *p, const char *arn, const char **ret,
    size_t max) MUST_CHECK;

#endif
