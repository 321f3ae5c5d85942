/* A root in the index is one value, so that its parts change together:
 *
 *	version 1 | generation 1 | length of the ARN 2, big endian | ARN | blob
 *
 * An empty ARN and blob stand for "no root; the last generation was this". A
 * value of no bytes under seal.root.next means that no rekey is going on. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/lock.h"
#include "store/log.h"
#include "store/seal_internal.h"

#define RECORD_VERSION 1
#define RECORD_HEAD 4 /* bytes before the ARN */
#define NAMES_MAX 16 /* of KMS keys tried for one root */
#define RECORD_MAX (RECORD_HEAD + KMS_ARN_MAX + ENVELOPE_EDK_MAX)

static const char *const root_name[SEAL_ROOTS] = {
	[SEAL_CUR] = "seal.root",
	[SEAL_NEXT] = "seal.root.next",
};

static size_t
record_format(const struct seal_root *r, uint8_t ret[RECORD_MAX])
{
	size_t arn_len = strlen(r->arn);

	ret[0] = RECORD_VERSION;
	ret[1] = r->generation;
	ret[2] = (uint8_t)(arn_len >> 8);
	ret[3] = (uint8_t)arn_len;
	memcpy(ret + RECORD_HEAD, r->arn, arn_len);
	memcpy(ret + RECORD_HEAD + arn_len, r->blob, r->blob_len);
	return RECORD_HEAD + arn_len + r->blob_len;
}

/* The state directory is not trusted to be as we left it. */
static int
record_parse(const uint8_t *p, size_t len, struct seal_root *ret)
{
	size_t arn_len, blob_len;

	*ret = (struct seal_root){ 0 };
	if (len < RECORD_HEAD || p[0] != RECORD_VERSION)
		return -EBADMSG;
	arn_len = (size_t)p[2] << 8 | p[3];
	if (arn_len >= KMS_ARN_MAX || arn_len > len - RECORD_HEAD)
		return -EBADMSG;
	blob_len = len - RECORD_HEAD - arn_len;
	if (blob_len > ENVELOPE_EDK_MAX || (arn_len == 0) != (blob_len == 0) ||
	    memchr(p + RECORD_HEAD, '\0', arn_len) != NULL)
		return -EBADMSG;
	ret->generation = p[1];
	memcpy(ret->arn, p + RECORD_HEAD, arn_len);
	memcpy(ret->blob, p + RECORD_HEAD + arn_len, blob_len);
	ret->blob_len = blob_len;
	return 0;
}

static int
root_store(struct seal *s, int which, const struct seal_root *r)
{
	uint8_t record[RECORD_MAX];

	return index_meta_set(s->opts.index, root_name[which], record,
	    record_format(r, record));
}

static int
root_load(struct seal *s, int which)
{
	uint8_t record[RECORD_MAX];
	size_t len = 0;
	int r;

	r = index_meta_get(s->opts.index, root_name[which], record,
	    sizeof(record), &len);
	if (r == -ENOENT || (r == 0 && len == 0))
		return 0;
	if (r == 0)
		r = record_parse(record, len, &s->root[which]);
	if (r == -EBADMSG || r == -ERANGE) {
		log_err(0, "seal: read %s: not one of ours; what is sealed "
			   "under it is lost", root_name[which]);
		return 0;
	}
	return r;
}

static bool
is_uuid(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ?
		    s[i] != '-' : strchr("0123456789abcdef", s[i]) == NULL)
			return false;
	return len == SEAL_UUID_LEN && memchr(s, '\0', len) == NULL;
}

int
seal_roots_load(struct seal *s)
{
	size_t len = 0;
	int r;

	r = index_meta_get(s->opts.index, "seal.uuid", s->uuid, SEAL_UUID_LEN,
	    &len);
	if ((r < 0 && r != -ENOENT && r != -ERANGE) ||
	    (r = root_load(s, SEAL_CUR)) < 0 ||
	    (r = root_load(s, SEAL_NEXT)) < 0)
		return r;
	if (!is_uuid(s->uuid, len)) {
		/* No root opens without the uuid it was made with. */
		memset(s->uuid, 0, sizeof(s->uuid));
		memset(s->root, 0, sizeof(s->root));
	}
	return 0;
}

void
seal_claim_locked(struct seal *s)
{
	while (s->is_busy)
		pthread_cond_wait(&s->settled, &s->lock);
	s->is_busy = true;
}

int
seal_claim_alone_locked(struct seal *s)
{
	while (s->is_busy && !s->is_rekeying)
		pthread_cond_wait(&s->settled, &s->lock);
	if (s->is_rekeying)
		return -EBUSY;
	s->is_busy = true;
	return 0;
}

void
seal_settle_locked(struct seal *s)
{
	s->is_busy = false;
	pthread_cond_broadcast(&s->settled);
}

void
seal_shut_locked(struct seal *s, int which)
{
	sodium_memzero(s->keys->root[which], sizeof(s->keys->root[which]));
	s->root[which].is_open = false;
	s->root[which].err = 0;
}

void
seal_shut_all_locked(struct seal *s)
{
	s->forgotten++;
	for (int i = 0; i < SEAL_ROOTS; i++)
		seal_shut_locked(s, i);
}

void
seal_install_locked(struct seal *s, int which, int err, const uint8_t *key)
{
	struct seal_root *root = &s->root[which];
	int64_t now_s = s->opts.now_s();

	if (err == 0) {
		memcpy(s->keys->root[which], key, KMS_DATA_KEY_LEN);
		root->is_open = true;
		root->opened_at_s = now_s;
	} else {
		root->retry_at_s = now_s +
		    (err == -ENOKEY ? SEAL_DENIED_S : SEAL_OFFLINE_S);
	}
	root->err = err;
}

/* The names under which policy allows the key: their count, -ENOKEY for none,
 * or that it cannot be told. */
static int
names_of(struct seal *s, const char *arn, const char *ret[NAMES_MAX])
{
	int r = s->opts.names(s->opts.names_arg, arn, ret, NAMES_MAX);

	return r != 0 ? r : log_err(-ENOKEY,
	    "seal: use %s: not a key that may be used (--seal-key, --kms-key)",
	    arn);
}

/* Ask KMS for a root's key by one name of its KMS key. */
static int
unwrap_by(struct seal *s, const struct seal_root *root, const char *name,
    uint8_t ret[KMS_DATA_KEY_LEN])
{
	struct pair context = { "sesfs:state", s->uuid };
	uint8_t plain[KMS_PLAIN_MAX];
	enum refusal why = REFUSAL_NONE;
	char arn[KMS_ARN_MAX] = "";
	size_t len = 0;
	int r;

	r = s->opts.decrypt(s->opts.kms_arg, name, NULL,
	    (struct slice){ root->blob, root->blob_len }, &context, 1, plain,
	    &len, arn, &why);
	if (r == -ENOKEY)
		log_err(0, "seal: unwrap the root key of %s by %s: %s",
		    root->arn, name, refusal_name(why));
	else if (r == 0 && (!kms_arn_matches(root->arn, arn) ||
	    len != KMS_DATA_KEY_LEN))
		r = log_err(-ENOKEY, "seal: unwrap the root key of %s by %s: "
		    "answer of %zu bytes under %s", root->arn, name, len, arn);
	if (r == 0)
		memcpy(ret, plain, KMS_DATA_KEY_LEN);
	sodium_memzero(plain, sizeof(plain));
	return r;
}

int
seal_root_unwrap(struct seal *s, int which, uint8_t ret[KMS_DATA_KEY_LEN])
{
	const struct seal_root *root = &s->root[which];
	const char *name[NAMES_MAX];
	int n = names_of(s, root->arn, name), r = n < 0 ? n : -ENOKEY;

	for (int i = 0; i < n && r == -ENOKEY; i++)
		r = unwrap_by(s, root, name[i], ret);
	return r;
}

/* A random (version 4) UUID. */
static void
uuid_make(char ret[SEAL_UUID_LEN + 1])
{
	static const unsigned char dash_before[16] = {
		[4] = 1, [6] = 1, [8] = 1, [10] = 1
	};
	uint8_t b[16];
	char *p = ret;

	randombytes_buf(b, sizeof(b));
	b[6] = (b[6] & 0x0F) | 0x40;
	b[8] = (b[8] & 0x3F) | 0x80;
	for (size_t i = 0; i < sizeof(b); i++) {
		if (dash_before[i])
			*p++ = '-';
		sodium_bin2hex(p, 3, &b[i], 1);
		p += 2;
	}
}

/* The uuid, made and recorded when there is none yet. */
static int
uuid_ensure(struct seal *s)
{
	char uuid[SEAL_UUID_LEN + 1];
	int r;

	if (s->uuid[0] != '\0')
		return 0;
	uuid_make(uuid);
	if ((r = index_meta_set(s->opts.index, "seal.uuid", uuid,
		 SEAL_UUID_LEN)) < 0)
		return r;
	LOCK_SCOPE(&s->lock);
	memcpy(s->uuid, uuid, sizeof(uuid));
	return 0;
}

static int
root_generate(struct seal *s, const char *key_id, struct seal_root *root,
    uint8_t ret[KMS_DATA_KEY_LEN])
{
	struct pair context = { "sesfs:state", s->uuid };
	enum refusal why = REFUSAL_NONE;
	const char *name[NAMES_MAX];
	int r;

	r = s->opts.generate(s->opts.kms_arg, key_id, &context, 1, ret,
	    root->blob, &root->blob_len, root->arn, &why);
	if (r == -ENOKEY)
		return log_err(r, "seal: make a root key under %s: %s", key_id,
		    refusal_name(why));
	if (r == 0 && (root->arn[0] == '\0' || root->blob_len == 0))
		return -EPROTO;
	if (r == 0 && (r = names_of(s, root->arn, name)) > 0)
		r = 0;
	return r;
}

int
seal_root_make(struct seal *s, int which, const char *key_id,
    uint8_t ret[KMS_DATA_KEY_LEN])
{
	struct seal_root root = {
		.generation = (uint8_t)(s->root[SEAL_CUR].generation + 1)
	};
	int r;

	if ((r = uuid_ensure(s)) < 0 ||
	    (r = root_generate(s, key_id, &root, ret)) < 0 ||
	    (r = root_store(s, which, &root)) < 0) {
		sodium_memzero(ret, KMS_DATA_KEY_LEN);
		return r;
	}
	LOCK_SCOPE(&s->lock);
	s->root[which] = root;
	return 0;
}

/* What belongs together in the index. */
static int
batch(struct seal *s, int (*change)(struct seal *))
{
	int r = index_batch_begin(s->opts.index), end;

	if (r < 0)
		return r;
	r = change(s);
	end = index_batch_end(s->opts.index, r == 0);
	return r < 0 ? r : end;
}

static int
store_promoted(struct seal *s)
{
	int r = root_store(s, SEAL_CUR, &s->root[SEAL_NEXT]);

	return r < 0 ? r : index_meta_set(s->opts.index, root_name[SEAL_NEXT],
	    "", 0);
}

int
seal_root_promote(struct seal *s)
{
	int r = batch(s, store_promoted);

	if (r < 0)
		return r;
	LOCK_SCOPE(&s->lock);
	s->root[SEAL_CUR] = s->root[SEAL_NEXT];
	memcpy(s->keys->root[SEAL_CUR], s->keys->root[SEAL_NEXT],
	    KMS_DATA_KEY_LEN);
	seal_shut_locked(s, SEAL_NEXT);
	s->root[SEAL_NEXT] = (struct seal_root){ 0 };
	return 0;
}

static struct seal_root
no_root(const struct seal *s)
{
	const struct seal_root *newest = &s->root[seal_newest_locked(s)];

	return (struct seal_root){ .generation = newest->generation };
}

static int
store_none(struct seal *s)
{
	struct seal_root none = no_root(s);
	int r;

	if ((r = root_store(s, SEAL_CUR, &none)) < 0 ||
	    (r = index_meta_set(s->opts.index, root_name[SEAL_NEXT], "",
		 0)) < 0)
		return r;
	return index_drop_sealed(s->opts.index);
}

int
seal_root_drop_all(struct seal *s)
{
	int r = batch(s, store_none);

	if (r < 0)
		return r;
	LOCK_SCOPE(&s->lock);
	s->root[SEAL_CUR] = no_root(s);
	s->root[SEAL_NEXT] = (struct seal_root){ 0 };
	seal_shut_all_locked(s);
	return 0;
}
