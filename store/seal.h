/* seal.h -- secrets at rest in the index.
 *
 * One root key per state directory, 32 bytes, made by KMS GenerateDataKey with
 * the encryption context {"sesfs:state": <uuid>}; its wrapped form is in the
 * index (meta "seal.root", with the key's ARN and uuid). Boxes are
 * XChaCha20-Poly1305 under keys derived from it, with "schema version, uuid,
 * column, row" as associated data, so that a box opens only where it was
 * sealed. The root key lives in locked memory for at most ttl seconds; then
 * KMS is asked again, which is how a disabled key is noticed. One KMS call per
 * mount (and ttl). Threads: any; the KMS call is single-flight and made
 * without a lock. */
#ifndef SESFS_STORE_SEAL_H
#define SESFS_STORE_SEAL_H

#include "crypto/base.h"
#include "store/index.h"
#include "store/kms.h"

enum seal_column { SEAL_CONTENT_KEY = 1, SEAL_HEADERS = 2, SEAL_BODY = 3 };
#define SEAL_OVERHEAD 40 /* bytes a box is longer than what is in it */

struct seal;

struct seal_opts {
	struct index *index;
	struct kms *kms;	/* NULL: memory only */
	const char *key_id;	/* KMS key to make a root key under; NULL:
				 * memory only */
	bool (*may_use)(void *arg, const char *arn); /* policy on the ARN that
						      * KMS's answer names */
	void *may_use_arg;
	int64_t ttl_s;
	int64_t (*now_s)(void); /* monotonic seconds */
};

enum seal_state {
	SEAL_OFF,      /* --seal-key none */
	SEAL_LOCKED,   /* a root key exists, not unwrapped now */
	SEAL_OPEN,     /* root key in memory */
	SEAL_DENIED,   /* KMS refuses GenerateDataKey or Decrypt of it */
	SEAL_OFFLINE,  /* KMS cannot be reached */
};

int seal_new(const struct seal_opts *o, struct seal **ret) MUST_CHECK;
void seal_free(struct seal *s); /* wipes */
DEFINE_FREEP(struct seal, seal_free)

/* Box `in` for (column, row). out: len + SEAL_OVERHEAD bytes. Returns 0;
 * -ENOKEY when there is no root key to be had by policy or KMS's refusal
 * (keep the secret in memory only); network errors as kms.h. */
int seal_box(struct seal *s, enum seal_column col, int64_t row, const void *in,
    size_t len, uint8_t *out) MUST_CHECK;
/* Open a box. out: len - SEAL_OVERHEAD bytes, zeroed on failure. -EBADMSG when
 * it is not the box of that row and column; else as seal_box. */
int seal_open(struct seal *s, enum seal_column col, int64_t row,
    const uint8_t *box, size_t len, void *out) MUST_CHECK;

/* Wipe the root key; it is asked for again when needed. */
void seal_forget(struct seal *s);
/* Drop the root key and every box (the key is lost or forbidden for good) and
 * begin anew under key_id with the next seal_box. */
int seal_reset(struct seal *s) MUST_CHECK;
enum seal_state seal_get_state(struct seal *s, char ret_arn[KMS_ARN_MAX]);

#endif
