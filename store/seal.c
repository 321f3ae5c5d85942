#include "store/seal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/seal_internal.h"

#define BOX_VERSION 1
#define NONCE_LEN XCHACHA_NONCE_LEN
#define TAG_LEN XCHACHA_TAG_LEN
#define SUBKEY_LEN AEAD_KEY_LEN
#define BOX_HEAD (1 + NONCE_LEN) /* generation, nonce */

/* Associated data: version, generation, uuid, column, row (big endian). */
#define AAD_LEN (1 + 1 + SEAL_UUID_LEN + 1 + 8)

static_assert(SEAL_OVERHEAD == BOX_HEAD + TAG_LEN, "SEAL_OVERHEAD");
static_assert(KMS_DATA_KEY_LEN == crypto_kdf_KEYBYTES, "root key");

/* What one box is made with. */
struct box {
	uint8_t generation;
	uint8_t subkey[SUBKEY_LEN];
	uint8_t aad[AAD_LEN];
};

static void
box_wipe(struct box *b)
{
	sodium_memzero(b, sizeof(*b));
}

int
seal_new(const struct seal_opts *o, struct seal **ret)
{
	CLEANUP(seal_freep) struct seal *s = NULL;
	int r;

	*ret = NULL;
	if (o->key_id != NULL && (o->ttl_s <= 0 || o->now_s == NULL ||
	    o->generate == NULL || o->decrypt == NULL || o->names == NULL))
		return -EINVAL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->settled, NULL);
	s->opts = *o;
	if ((s->keys = sodium_malloc(sizeof(*s->keys))) == NULL)
		return -ENOMEM;
	sodium_memzero(s->keys, sizeof(*s->keys));
	if (o->key_id != NULL) {
		if ((s->key_id = strdup(o->key_id)) == NULL)
			return -ENOMEM;
		if ((r = seal_roots_load(s)) < 0)
			return r;
	}
	*ret = TAKE(s);
	return 0;
}

void
seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	sodium_free(s->keys); /* wipes */
	free(s->key_id);
	pthread_cond_destroy(&s->settled);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
expire_locked(struct seal *s, int64_t now_s)
{
	for (int i = 0; i < SEAL_ROOTS; i++)
		if (s->root[i].is_open &&
		    now_s - s->root[i].opened_at_s >= s->opts.ttl_s)
			seal_shut_locked(s, i);
}

/* One thread asks; lock held on entry and on return, not in between. What was
 * wiped meanwhile (seal_forget) is not kept, then the caller looks again. */
static void
fetch_locked(struct seal *s, int which)
{
	uint64_t before = s->forgotten;
	uint8_t key[KMS_DATA_KEY_LEN] = { 0 };
	int r;

	seal_claim_locked(s);
	pthread_mutex_unlock(&s->lock);
	r = s->root[which].arn[0] != '\0' ?
	    seal_root_unwrap(s, which, key) :
	    seal_root_make(s, which, s->key_id, key);
	pthread_mutex_lock(&s->lock);
	if (s->forgotten == before)
		seal_install_locked(s, which, r, key);
	sodium_memzero(key, sizeof(key));
	seal_settle_locked(s);
}

/* Which root a caller means: one of this generation (-1: none), or the one
 * that seals. */
static int
pick_locked(const struct seal *s, bool is_sealing, uint8_t generation)
{
	if (is_sealing)
		return seal_newest_locked(s);
	for (int i = 0; i < SEAL_ROOTS; i++)
		if (s->root[i].arn[0] != '\0' &&
		    s->root[i].generation == generation)
			return i;
	return -1;
}

/* Copy what a box of (col, row) is made with from an open root. */
static void
box_fill_locked(const struct seal *s, int which, enum seal_column col,
    int64_t row, struct box *b)
{
	uint8_t *p = b->aad;

	b->generation = s->root[which].generation;
	crypto_kdf_derive_from_key(b->subkey, sizeof(b->subkey), col,
	    "sesfseal", s->keys->root[which]);
	*p++ = BOX_VERSION;
	*p++ = b->generation;
	memcpy(p, s->uuid, SEAL_UUID_LEN);
	p += SEAL_UUID_LEN;
	*p++ = (uint8_t)col;
	for (int shift = 56; shift >= 0; shift -= 8)
		*p++ = (uint8_t)((uint64_t)row >> shift);
}

/* Have a root open, the one that seals or (is_sealing false) that of
 * b->generation, and fill in b. */
static int
box_prepare(struct seal *s, bool is_sealing, enum seal_column col, int64_t row,
    struct box *b)
{
	if (s->opts.key_id == NULL)
		return -ENOKEY;
	LOCK_SCOPE(&s->lock);
	for (;;) {
		int64_t now_s = s->opts.now_s();
		const struct seal_root *root;
		int which;

		expire_locked(s, now_s);
		which = pick_locked(s, is_sealing, b->generation);
		if (which < 0)
			return -EBADMSG;
		root = &s->root[which];
		if (root->is_open) {
			box_fill_locked(s, which, col, row, b);
			return 0;
		}
		if (root->err < 0 && now_s < root->retry_at_s)
			return root->err;
		if (s->is_busy)
			pthread_cond_wait(&s->settled, &s->lock);
		else
			fetch_locked(s, which);
	}
}

int
seal_box(struct seal *s, enum seal_column col, int64_t row, const void *in,
    size_t len, uint8_t *out)
{
	CLEANUP(box_wipe) struct box b = { 0 };
	uint8_t *nonce = out + 1;
	int r;

	if ((r = box_prepare(s, true, col, row, &b)) < 0)
		return r;
	out[0] = b.generation;
	randombytes_buf(nonce, NONCE_LEN);
	return xchacha_seal(b.subkey, nonce,
	    (struct slice){ b.aad, sizeof(b.aad) }, in, len, out + BOX_HEAD);
}

int
seal_open(struct seal *s, enum seal_column col, int64_t row,
    const uint8_t *box, size_t len, void *out)
{
	CLEANUP(box_wipe) struct box b = { 0 };
	int r;

	if (len < SEAL_OVERHEAD)
		return -EBADMSG;
	b.generation = box[0];
	if ((r = box_prepare(s, false, col, row, &b)) == 0)
		r = xchacha_open(b.subkey, box + 1,
		    (struct slice){ b.aad, sizeof(b.aad) }, box + BOX_HEAD,
		    len - BOX_HEAD, out);
	if (r < 0)
		sodium_memzero(out, len - SEAL_OVERHEAD);
	return r;
}

void
seal_prepare(struct seal *s)
{
	CLEANUP(box_wipe) struct box b = { 0 };

	if (box_prepare(s, true, SEAL_CONTENT_KEY, 0, &b) < 0)
		return; /* logged, and remembered for a while */
}

void
seal_forget(struct seal *s)
{
	LOCK_SCOPE(&s->lock);
	seal_shut_all_locked(s);
}

void
seal_expire(struct seal *s, int64_t now_s)
{
	LOCK_SCOPE(&s->lock);
	expire_locked(s, now_s);
}

int
seal_reset(struct seal *s)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = seal_claim_alone_locked(s);
	pthread_mutex_unlock(&s->lock);
	if (r < 0)
		return r;
	r = seal_root_drop_all(s);
	LOCK_SCOPE(&s->lock);
	seal_settle_locked(s);
	return r;
}

/* Is the root made under another key than the one that is to seal? An alias
 * says nothing about the key behind it, so it is taken for another. */
static bool
is_made_under_another(struct seal *s)
{
	const char *id = s->opts.key_id;
	bool is_alias = strncmp(id, "alias/", 6) == 0 ||
	    strstr(id, ":alias/") != NULL;
	const char *arn;

	LOCK_SCOPE(&s->lock);
	arn = s->root[seal_newest_locked(s)].arn;
	return arn[0] != '\0' && (is_alias || !kms_arn_matches(id, arn));
}

int
seal_recover(struct seal *s)
{
	CLEANUP(box_wipe) struct box b = { 0 };
	int r;

	if (s->opts.key_id == NULL || !is_made_under_another(s))
		return 0;
	if ((r = box_prepare(s, true, SEAL_CONTENT_KEY, 0, &b)) != -ENOKEY)
		return 0; /* it opens, or it cannot be told now */
	if ((r = seal_reset(s)) < 0)
		return r == -EBUSY ? 0 : r;
	/* The new one at once: whether it can be had is for status to say. */
	r = box_prepare(s, true, SEAL_CONTENT_KEY, 0, &b);
	if (r < 0)
		log_warn(0, "seal: no new root key now: %s", strerror(-r));
	return log_warn(1, "seal: the root key is lost with its KMS key; what "
	    "was sealed is dropped and made anew under %s", s->opts.key_id);
}

enum seal_state
seal_get_state(struct seal *s, char ret_arn[KMS_ARN_MAX])
{
	const struct seal_root *root;

	memset(ret_arn, 0, KMS_ARN_MAX);
	if (s->opts.key_id == NULL)
		return SEAL_OFF;
	LOCK_SCOPE(&s->lock);
	expire_locked(s, s->opts.now_s());
	root = &s->root[seal_newest_locked(s)];
	memcpy(ret_arn, root->arn, sizeof(root->arn));
	if (root->is_open)
		return SEAL_OPEN;
	if (root->err < 0)
		return root->err == -ENOKEY ? SEAL_DENIED : SEAL_OFFLINE;
	return SEAL_LOCKED;
}
