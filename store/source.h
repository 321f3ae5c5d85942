/* source.h -- from an object to a verified message.
 *
 * The one place where a body, its envelope and its key meet. Bodies come from
 * the blob cache, else S3; content keys from the keyring, else the sealed
 * column, else KMS. A message is decrypted whole and verified before anyone
 * sees a byte. What several callers want at once is fetched once and the
 * result, good or bad, shared. Plaintext is held in a small bounded cache of
 * whole messages (locked when RLIMIT_MEMLOCK allows), wiped when it goes.
 * Threads: any; callers block. */
#ifndef SESFS_STORE_SOURCE_H
#define SESFS_STORE_SOURCE_H

#include "crypto/envelope.h"
#include "crypto/rfc822.h"
#include "store/blobcache.h"
#include "store/index.h"
#include "store/keypolicy.h"
#include "store/keyring.h"
#include "store/kms.h"
#include "store/s3.h"
#include "store/seal.h"

struct source;
struct message;

struct source_opts {
	struct http *http; /* of the two that follow */
	struct s3 *s3;
	struct kms *kms;
	struct index *index;
	struct blobcache *cache;
	struct keyring *keyring;
	struct seal *seal;
	struct keypolicy *keys;
	struct envelope_policy policy; /* strings outlive the source */
	uint64_t max_message_size;     /* bytes of a stored body; more is
					* refused as TOO_LARGE */
	uint64_t plain_limit;	       /* bytes of plaintext held */
	unsigned jobs; /* requests to KMS at once while bodies come; > 0 */
	int64_t key_ttl_s;
	int64_t (*now_s)(void); /* monotonic seconds */
};

int source_new(const struct source_opts *o, struct source **ret) MUST_CHECK;
void source_free(struct source *s);
DEFINE_FREEP(struct source, source_free)

/* A READY object's message. Errors:
 *	-EBADMSG  refused by crypto or changed since it was listed (logged with
 *		  key and reason)
 *	-ENOKEY   KMS refused the data key
 *	-ENOENT   gone from the bucket
 *	-EACCES, -ETIMEDOUT, -ECONNRESET, -EIO ... as in s3.h */
int source_open(struct source *s, int64_t object_id,
    struct message **ret) MUST_CHECK;
/* The same, and how it came about. */
struct source_trace {
	char kms_request[KMS_REQUEST_MAX]; /* KMS's id of the call that
			* unwrapped its key for this opening, or for the one
			* that it shared; "" when there was none */
};
int source_open_traced(struct source *s, int64_t object_id,
    struct source_trace *ret_trace, struct message **ret) MUST_CHECK;
/* The same, when it can be had at once: from what is in memory and in the blob
 * cache, without S3, KMS, or waiting for memory. -EINPROGRESS when it cannot:
 * whatever the reason, source_open knows. */
int source_open_local(struct source *s, int64_t object_id,
    struct message **ret) MUST_CHECK;
/* The same ahead of readers, so that they find it. What cannot be had is theirs
 * to complain of, and said for who debugs alone unless one waits for it. */
void source_open_ahead(struct source *s, int64_t object_id);
/* Is its body cached, and can its key be expected to be opened without asking
 * KMS? Asks nobody, reads nothing. */
bool source_is_local(struct source *s, int64_t object_id);
/* Is the key of a READY object at hand, so that reading it will not ask KMS?
 * Asks nobody; opens what is sealed, if that can be done. */
bool source_has_key(struct source *s, const struct object *o);
/* Have it at hand: its body cached and its key held or sealed; *ret_bytes: what
 * had to be fetched for that, 0 when it was already. Errors of source_open. */
int source_warm(struct source *s, int64_t object_id,
    uint64_t *ret_bytes) MUST_CHECK;
struct slice message_data(const struct message *m);
/* n bytes of it went to a reader; what has wholly been read is wiped when its
 * last user lets go, else some seconds later (plain.h). */
void message_served(struct message *m, size_t n);
void message_unref(struct message *m);
DEFINE_FREEP(struct message, message_unref)

/* First look at a PENDING object: fetch, check, unwrap, decrypt, read the
 * header. On 0 *ret_why is REFUSAL_NONE and `o` has everything that
 * index_object_publish stores (sealed columns included where a seal is to be
 * had), headers (may be NULL) its fields; or *ret_why says why policy or
 * crypto refuses it. envelope_only: no KMS call, no body unless needed for the
 * size. Other errors (network ...) mean: try again later; -ENOENT and -ESTALE:
 * it is gone or another one now. -ENOMSG: not mail (an instruction file, the
 * setup notification). */
int source_examine(struct source *s, struct object *o, bool envelope_only,
    struct rfc822 *headers, enum refusal *ret_why) MUST_CHECK;

/* Header fields of a READY object from its sealed column, else by reading the
 * message. Wipe after use. */
int source_headers(struct source *s, const struct object *o,
    struct rfc822 *ret) MUST_CHECK;

/* Is this key mail at all? False for AMAZON_SES_SETUP_NOTIFICATION,
 * *.instruction and keys that end in '/'. Pure. */
bool source_key_is_mail(const char *key);

/* What decides whether an object is accepted, as a hash: when it differs from
 * the last one, refused objects deserve another look. */
#define SOURCE_POLICY_ID_LEN 32
void source_policy_id(struct source *s, uint8_t ret[SOURCE_POLICY_ID_LEN]);

/* When the root key of what is sealed is lost for good, begin anew
 * (seal_recover). Errors of the index. */
int source_recover(struct source *s) MUST_CHECK;
void source_forget_keys(struct source *s);  /* keyring, root key, plaintext */
/* Every second or so: write what waits to be, wipe what is idle for some
 * seconds or past its time to live. */
void source_expire(struct source *s);

struct source_stats {
	uint64_t opens, decrypts, auth_failures, plain_bytes, plain_messages;
	uint64_t keys_from_ring, keys_from_seal, keys_from_kms;
	uint64_t keys_early; /* asked for while the body was on its way */
	uint64_t keys_unused; /* of these, for nothing */
};
void source_get_stats(struct source *s, struct source_stats *ret);

#endif
