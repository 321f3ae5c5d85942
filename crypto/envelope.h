/* envelope.h -- what the S3 Encryption Client wrote beside a body.
 *
 * An envelope is the checked form of an object's user metadata (and, when
 * policy allows one, of its instruction file): which suite, which wrap, the
 * encrypted data key and the KMS encryption context. envelope_parse() does
 * checks 1-10 of the list in sesfs(7), in that order, so that a hostile
 * object costs no KMS call; content_key_derive() does 12 and 13,
 * content_open() 14. Pure: no I/O, no threads, no log. */
#ifndef SESFS_CRYPTO_ENVELOPE_H
#define SESFS_CRYPTO_ENVELOPE_H

#include "crypto/base.h"

#define ENVELOPE_EDK_MAX 6144  /* bytes, KMS's limit of a CiphertextBlob */
#define ENVELOPE_CONTEXT_MAX 64 /* pairs of an encryption context */
#define ENVELOPE_META_MAX 65536 /* bytes of all metadata, and of an
				 * instruction file; S3 allows 2 KiB of the
				 * former */
#define CONTENT_TAG_LEN 16	/* bytes at the end of every GCM body */

/* Why an object is refused. The names (refusal_name) are interface: they are
 * what status, ls --refused and the log print. The numbers are stored in the
 * index: never renumber, only append. */
enum refusal {
	REFUSAL_NONE = 0,
	NOT_ENCRYPTED = 1,
	INCOMPLETE_METADATA = 2,
	FORMAT_CONFLICT = 3,
	NO_INSTRUCTION_FILE = 4,
	BAD_INSTRUCTION_FILE = 5,
	INSTRUCTION_TAMPERED = 6,
	UNSUPPORTED_CEK = 7,
	LEGACY_REFUSED = 8,
	UNSUPPORTED_WRAP = 9,
	POLICY_REFUSED = 10,
	BAD_BASE64 = 11,
	BAD_IV = 12,
	BAD_MESSAGE_ID = 13,
	BAD_COMMITMENT = 14,
	BAD_TAG_LEN = 15,
	BAD_MATDESC = 16,
	CEK_MISMATCH = 17,
	WRAP_DOWNGRADE = 18,
	CONTEXT_MISMATCH = 19,
	BODY_TOO_SHORT = 20,
	BAD_PADDING = 21,
	KMS_REJECTED = 22,
	KMS_WRONG_KEY = 23,
	KMS_ACCESS = 24,
	BAD_DATA_KEY = 25,
	COMMITMENT_MISMATCH = 26,
	AUTH_FAILED = 27,
	LENGTH_MISMATCH = 28,
	TOO_LARGE = 29, /* over --max-message-size, or metadata unbounded */
	REFUSAL_COUNT
};

/* "AUTH_FAILED" and so on; "NONE" for REFUSAL_NONE; "UNKNOWN" out of range. */
const char *refusal_name(enum refusal why);

/* What policy accepts (--accept), a bit set. */
enum accept {
	ACCEPT_KMS_GCM = 1 << 0,     /* "kms-gcm": wrap kms, AES-GCM (SES) */
	ACCEPT_KMSCTX_GCM = 1 << 1,  /* "kmsctx-gcm": kms+context, AES-GCM */
	ACCEPT_COMMIT = 1 << 2,	     /* "commit": V3, key-committing AES-GCM */
	ACCEPT_CBC = 1 << 3,	     /* "cbc": wrap kms, AES-CBC */
	ACCEPT_INSTRUCTION = 1 << 4, /* "instruction": <key>.instruction */
	ACCEPT_PLAIN = 1 << 5,	     /* "plain": not client-side encrypted */
	ACCEPT_RENAMED = 1 << 6,     /* "renamed": key need not end in the id */
};
#define ACCEPT_DEFAULT (ACCEPT_KMS_GCM | ACCEPT_KMSCTX_GCM | ACCEPT_COMMIT)

enum suite {
	SUITE_PLAIN = 0,
	SUITE_CBC = 0x70,
	SUITE_GCM = 0x72,
	SUITE_COMMIT = 0x73,
};

enum wrap {
	WRAP_NONE = 0,
	WRAP_KMS,	  /* "kms": context is the material description */
	WRAP_KMS_CONTEXT, /* "kms+context" and V3's "12" */
};

struct envelope_policy {
	unsigned accept;	    /* enum accept bits */
	const char *source_account; /* aws:ses:source-account must equal, and
				     * with the wrap kms, which is SES's, must
				     * be there; or NULL */
};

struct envelope {
	enum suite suite;
	enum wrap wrap;
	const char *format; /* "kms-gcm", "kmsctx-gcm", "commit", "cbc",
			     * "plain": constant strings */
	bool has_instruction; /* (part of) it came from an instruction file */
	uint8_t *edk;	      /* encrypted data key; NULL when plain */
	size_t edk_len;	      /* bytes */
	uint8_t iv[16];
	size_t iv_len; /* bytes: 12 GCM, 16 CBC, 0 otherwise */
	uint8_t message_id[28];
	uint8_t commitment[28];
	struct pair *context; /* all pairs, exactly as written */
	size_t context_len;   /* pairs */
	int64_t declared_len; /* x-amz-unencrypted-content-length: -1 when
			       * absent, INT64_MAX when it is no number. Not
			       * authenticated: only for envelope_len_is() */
};

/* Is the object one that may have an instruction file under this metadata:
 * no encrypted data key in the headers, and either something of V3's c, d and
 * i (without all three it is refused, but the file decides the reason) or no
 * content encryption header but the plaintext's length? */
bool envelope_wants_instruction(const struct pair *meta, size_t meta_len);

/* Check an object's metadata and return its envelope.
 *
 * meta: user metadata, names without "x-amz-meta-" (of any case), values as
 * the HTTP header had them (RFC 2047 words in the encryption context are
 * decoded here). instruction: the instruction file's bytes; ptr NULL when
 * there is none; ignored when policy forbids it or the headers leave no room
 * for one. object_key: zero-terminated key of the object, without the suffix
 * of an instruction file. body_len: bytes of the body.
 *
 * Beyond the list in sesfs(7): CBC beside a context of SES, which only ever
 * wrote GCM, is BAD_PADDING; a known name that occurs twice is
 * FORMAT_CONFLICT; a name in an instruction file that no client writes makes
 * it a BAD_INSTRUCTION_FILE.
 *
 * Returns 0 with *ret (free: envelope_free) and *ret_why REFUSAL_NONE;
 * -EBADMSG with *ret NULL and *ret_why saying which check failed; -ENOMEM. */
int envelope_parse(const struct pair *meta, size_t meta_len,
    struct slice instruction, const char *object_key, uint64_t body_len,
    const struct envelope_policy *policy, struct envelope **ret,
    enum refusal *ret_why) MUST_CHECK;

/* Wipe and free. NULL is a no-op. */
void envelope_free(struct envelope *e);
DEFINE_FREEP(struct envelope, envelope_free)

/* Value of a context pair, or NULL. */
const char *envelope_context_get(const struct envelope *e, const char *name);

/* Does the declared length agree with the true one (or is there none)? Advice
 * only: when not, the reason is LENGTH_MISMATCH, and official clients do not
 * look. */
bool envelope_len_is(const struct envelope *e, uint64_t plain_len);

/* What opens one body: all of it is secret. Fixed size, no pointers, so that
 * it can rest in a locked slab or be sealed as bytes. Wipe after use. */
struct content_key {
	uint8_t suite; /* enum suite */
	uint8_t iv_len;
	uint8_t iv[16];
	uint8_t key[32];
};

/* Plaintext bytes of a body of `body_len` bytes under this suite: exact for
 * GCM and plain, an upper bound for CBC. 0 when the body is too short. */
uint64_t content_plain_len(enum suite suite, uint64_t body_len);

/* From the unwrapped data key to the content key: checks its length (32) and
 * for SUITE_COMMIT the commitment, in constant time, before anything else is
 * derived. SUITE_PLAIN has none and ignores dek. Returns 0; -EBADMSG with
 * *ret_why BAD_DATA_KEY or COMMITMENT_MISMATCH; -EIO when the backend fails. */
int content_key_derive(const struct envelope *e, const uint8_t *dek,
    size_t dek_len, struct content_key *ret, enum refusal *ret_why) MUST_CHECK;

/* Decrypt and verify a whole body. out: content_plain_len() bytes. On failure
 * `out` has been zeroed: no byte of it is ever unverified plaintext.
 * SUITE_PLAIN copies. Returns 0 and *ret_len; -EBADMSG with *ret_why
 * BODY_TOO_SHORT, AUTH_FAILED, BAD_PADDING (every malformation of CBC) or
 * BAD_DATA_KEY (no content key at all); -EIO when the backend fails. */
int content_open(const struct content_key *k, const uint8_t *body,
    size_t body_len, uint8_t *out, size_t *ret_len,
    enum refusal *ret_why) MUST_CHECK;

#endif
