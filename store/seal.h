/* seal.h -- secrets at rest in the index.
 *
 * One root key per state directory, 32 bytes, made by KMS GenerateDataKey with
 * the encryption context {"sesfs:state": <uuid>}. Its wrapped form and the ARN
 * of the key that wraps it are in the index (meta "seal.root", "seal.uuid").
 * Boxes are XChaCha20-Poly1305 under keys derived from it, one per column,
 * with "box version, generation, uuid, column, row" as associated data, so
 * that a box opens only where it was sealed. The first byte of a box is the
 * generation of its root: while seal_rekey runs, or has been interrupted, two
 * roots live side by side ("seal.root.next" is the younger, which seals; both
 * open).
 *
 * What is sealed can be had again from S3 and KMS, so a box that does not open
 * (-EBADMSG) costs a KMS call and is no loss.
 *
 * The root key lives in locked memory for at most ttl seconds; then KMS is
 * asked again, which is how a disabled key is noticed: one KMS call per mount
 * (and ttl). Make the seal after any fork(): locks are not inherited.
 *
 * Threads: any. The KMS call is single-flight and made without a lock; who
 * waits for it shares its result. A refusal is remembered for
 * SEAL_DENIED_S, any other failure for SEAL_OFFLINE_S, so that not every mail
 * asks again. */
#ifndef SESFS_STORE_SEAL_H
#define SESFS_STORE_SEAL_H

#include "crypto/base.h"
#include "store/index.h"
#include "store/kms.h"

/* Part of every box: never renumber. SEAL_BODY boxes are not in the index, so
 * seal_rekey leaves them behind; they no longer open and are fetched anew. */
enum seal_column { SEAL_CONTENT_KEY = 1, SEAL_HEADERS = 2, SEAL_BODY = 3 };
#define SEAL_OVERHEAD 41 /* bytes a box is longer than what is in it */

#define SEAL_DENIED_S 60 /* seconds for which a refusal answers for KMS */
#define SEAL_OFFLINE_S 5 /* seconds for any other failure */

struct seal;

/* kms_generate_data_key and kms_decrypt behind a void pointer. */
typedef int seal_generate_fn(void *arg, const char *key_id,
    const struct pair *context, size_t context_len,
    uint8_t ret_key[KMS_DATA_KEY_LEN], uint8_t *ret_blob, size_t *ret_blob_len,
    char ret_arn[KMS_ARN_MAX], enum refusal *ret_why);
typedef int seal_decrypt_fn(void *arg, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why);

struct seal_opts {
	struct index *index; /* outlives the seal */
	const char *key_id;  /* KMS key to make a root key under, copied; NULL:
			      * SEAL_OFF, secrets stay in memory */
	seal_generate_fn *generate;
	seal_decrypt_fn *decrypt;
	void *kms_arg;
	/* Policy on a key ARN: the names under which that key may be asked
	 * for, the likeliest first, into ret (max entries, which outlive the
	 * seal); their count, 0 when it may not be used, or -errno when it
	 * cannot be told now. Asked before a stored root is sent to KMS and of
	 * the ARN in KMS's answer. Since who can write the state directory may
	 * plant a root under a key of their own, KMS is told the name and
	 * never the stored ARN: it holds an alias to the key behind it. */
	int (*names)(void *arg, const char *arn, const char **ret, size_t max);
	void *names_arg;
	int64_t ttl_s;		/* > 0 */
	int64_t (*now_s)(void); /* monotonic seconds */
};

enum seal_state {
	SEAL_OFF,     /* --seal-key none */
	SEAL_LOCKED,  /* a root key exists or may be made; not in memory now */
	SEAL_OPEN,    /* root key in memory */
	SEAL_DENIED,  /* policy or KMS refused it when last asked */
	SEAL_OFFLINE, /* KMS (or the index) failed when last asked */
};

/* Reads what the index has; asks nobody. Returns 0; -EINVAL; -ENOMEM; errors
 * of index_meta_get. A stored root that cannot be read is logged and counts as
 * none. */
int seal_new(const struct seal_opts *o, struct seal **ret) MUST_CHECK;
void seal_free(struct seal *s); /* wipes; no other thread may be in it */
DEFINE_FREEP(struct seal, seal_free)

/* Box `in` for (column, row). out: len + SEAL_OVERHEAD bytes, not overlapping
 * `in`. The first one makes the root key; do not call it inside an
 * index_batch that may be rolled back. Returns 0; -ENOKEY when there is no
 * root key to be had by policy or KMS's refusal (keep the secret in memory
 * only); network errors as kms.h; errors of index_meta_set. */
int seal_box(struct seal *s, enum seal_column col, int64_t row, const void *in,
    size_t len, uint8_t *out) MUST_CHECK;
/* Open a box. out: len - SEAL_OVERHEAD bytes, zeroed on failure. -EBADMSG when
 * it is not the box of that row and column, or of a root that is no more; else
 * as seal_box. Never makes a root key. */
int seal_open(struct seal *s, enum seal_column col, int64_t row,
    const uint8_t *box, size_t len, void *out) MUST_CHECK;

/* Have the root key that seals at hand, as seal_box would. Who needs it then
 * will be told what went wrong. */
void seal_prepare(struct seal *s);

/* Wipe the root key; it is asked for again when needed, also when the last
 * answer was no. A KMS answer under way is not kept. */
void seal_forget(struct seal *s);
/* Wipe the root key when its time has come. Call now and then. */
void seal_expire(struct seal *s, int64_t now_s);

/* Drop the root key and every box (the key is lost or forbidden for good) and
 * begin anew under key_id with the next seal_box. -EBUSY during seal_rekey;
 * errors of the index (then nothing has changed). */
int seal_reset(struct seal *s) MUST_CHECK;

/* Make a new root under new_key_id, box every row again, drop the old root.
 * Blocks; other threads go on meanwhile. An interruption at any point loses
 * nothing: both roots stay until the last box has moved, and the next call
 * goes on. new_key_id NULL: only finish what was interrupted, if anything.
 * Later roots (seal_reset) are made under new_key_id too. Returns 0; -EBUSY
 * when another thread is at it; -ENOKEY when the old or the new key is
 * refused; else as seal_box. */
int seal_rekey(struct seal *s, const char *new_key_id) MUST_CHECK;

/* At a start, and now and then: when KMS refuses the root key for good (or
 * policy its key) and another key is to seal now, reset. What the root was made
 * under being the very key that is to seal, nothing happens: it may come back.
 * Returns 1 when it reset, 0, or errors of the index. */
int seal_recover(struct seal *s) MUST_CHECK;

/* State of the root that seals, and the ARN of its key ("" when none has been
 * made yet). */
enum seal_state seal_get_state(struct seal *s, char ret_arn[KMS_ARN_MAX]);

#endif
