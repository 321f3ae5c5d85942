/* Ciphertext blobs:
 *
 *	01 02 02 00 78          as those of KMS begin
 *	key tag (32)            which key
 *	filler (85)             KMS has ASN.1 here
 *	plaintext length (2)
 *	nonce (12)
 *	ciphertext, tag (16)    AES-256-GCM; all before, and the context, as AAD
 */
#include "kms_private.h"
#include "rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILLER 85
#define TAG_AT 5
#define LEN_AT (TAG_AT + SHA256_LEN + FILLER)
#define NONCE_AT (LEN_AT + 2)
#define HEAD_LEN (NONCE_AT + GCM_IV_LEN)

_Static_assert(HEAD_LEN + GCM_TAG_LEN == KMS_OVERHEAD, "blob layout");

static const uint8_t magic[TAG_AT] = { 0x01, 0x02, 0x02, 0x00, 0x78 };

/* What a key is a function of: the ARN, without region for replicas. */
static void
derive(const char *purpose, const char *arn, uint8_t ret[SHA256_LEN])
{
	struct buf b = { 0 };
	struct kms_name name;

	if (kms_parse_arn(arn, &name) == 0 &&
	    strncmp(name.resource, "key/mrk-", 8) == 0)
		buf_fmt(&b, "%s:%s:%s", purpose, name.account, name.resource);
	else
		buf_fmt(&b, "%s:%s", purpose, arn);
	digest_sha256(b.p, b.len, ret);
	buf_free(&b);
}

void
kms_tag(const char *arn, uint8_t ret[SHA256_LEN])
{
	derive("sesfs-cloud key tag", arn, ret);
}

void
kms_canonical(json_t *context, struct buf *ret)
{
	char *s = json_dumps(context, JSON_SORT_KEYS | JSON_COMPACT);

	buf_str(ret, s != NULL ? s : "{}");
	free(s);
}

static void
make_aad(const uint8_t head[HEAD_LEN], const struct buf *canonical,
    struct buf *ret)
{
	buf_add(ret, head, HEAD_LEN);
	buf_add(ret, canonical->p, canonical->len);
}

void
kms_seal(const char *arn, const struct buf *canonical, const void *p,
    size_t len, uint64_t seed, struct buf *ret)
{
	uint8_t secret[SHA256_LEN], head[HEAD_LEN];
	struct rng rng = rng_for(seed, len);
	struct buf aad = { 0 };

	memcpy(head, magic, sizeof magic);
	kms_tag(arn, head + TAG_AT);
	rng_fill(&rng, head + TAG_AT + SHA256_LEN, FILLER);
	head[LEN_AT] = (uint8_t)(len >> 8);
	head[LEN_AT + 1] = (uint8_t)len;
	rng_fill(&rng, head + NONCE_AT, GCM_IV_LEN);
	derive("sesfs-cloud key secret", arn, secret);
	make_aad(head, canonical, &aad);
	buf_add(ret, head, HEAD_LEN);
	buf_reserve(ret, len + GCM_TAG_LEN);
	digest_gcm_seal(secret, head + NONCE_AT, aad.p, aad.len, p, len,
	    (uint8_t *)ret->p + ret->len);
	ret->len += len + GCM_TAG_LEN;
	ret->p[ret->len] = '\0';
	buf_free(&aad);
}

void
kms_add_opaque(struct kms *k, const char *arn, const struct buf *canonical,
    const struct buf *blob, const struct buf *plain)
{
	struct kms_opaque *o;

	pthread_rwlock_wrlock(&k->lock);
	k->opaque = xrealloc(k->opaque, (k->nopaque + 1) * sizeof *o);
	o = &k->opaque[k->nopaque++];
	memset(o, 0, sizeof *o);
	/* A blob knows its key, not by which alias it was asked for. */
	for (size_t i = 0; i < k->naliases; i++)
		if (strcmp(k->aliases[i].arn, arn) == 0)
			arn = k->aliases[i].key_arn;
	snprintf(o->arn, sizeof o->arn, "%s", arn);
	buf_add(&o->context, canonical->p, canonical->len);
	buf_add(&o->blob, blob->p, blob->len);
	buf_add(&o->plain, plain->p, plain->len);
	pthread_rwlock_unlock(&k->lock);
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static int
open_own(const char *arn, const struct buf *canonical, const struct buf *blob,
    struct buf *ret)
{
	const uint8_t *p = (const uint8_t *)blob->p;
	size_t len = blob->len - HEAD_LEN;
	uint8_t secret[SHA256_LEN];
	struct buf aad = { 0 };
	int r;

	derive("sesfs-cloud key secret", arn, secret);
	make_aad(p, canonical, &aad);
	buf_reserve(ret, len);
	r = digest_gcm_open(secret, p + NONCE_AT, aad.p, aad.len, p + HEAD_LEN,
	    len, (uint8_t *)ret->p);
	if (r == 0) {
		ret->len = len - GCM_TAG_LEN;
		ret->p[ret->len] = '\0';
	}
	buf_free(&aad);
	return r;
}

/* The name under which the caller in `region` sees the key `arn`; -EBADMSG
 * when it does not reach that far. */
static int
seen_from(const char *region, const char *arn, char ret_arn[KMS_ARN_MAX])
{
	struct kms_name name;

	if (kms_parse_arn(arn, &name) < 0)
		return -EBADMSG;
	if (strcmp(name.region, region) == 0)
		snprintf(ret_arn, KMS_ARN_MAX, "%s", arn);
	else if (strncmp(name.resource, "key/mrk-", 8) == 0)
		snprintf(ret_arn, KMS_ARN_MAX, "arn:aws:kms:%s:%s:%s", region,
		    name.account, name.resource);
	else
		return -EBADMSG;
	return 0;
}

static int
check_key(const struct kms_key *key, const char *region, const char *arn,
    const char *want_arn, char ret_arn[KMS_ARN_MAX])
{
	if (seen_from(region, arn, ret_arn) < 0)
		return -EBADMSG;
	if (want_arn != NULL && strcmp(want_arn, ret_arn) != 0)
		return -EKEYREJECTED;
	return key != NULL && !key->enabled ? -EKEYREVOKED : 0;
}

static int
open_own_locked(struct kms *k, const char *region, const char *want_arn,
    const struct buf *canonical, const struct buf *blob, struct buf *ret,
    char ret_arn[KMS_ARN_MAX])
{
	const struct kms_key *key;
	int r;

	if (blob->len < KMS_OVERHEAD ||
	    memcmp(blob->p, magic, sizeof magic) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < k->nkeys; i++) {
		key = &k->keys[i];
		if (memcmp(key->tag, blob->p + TAG_AT, SHA256_LEN) != 0)
			continue;
		r = check_key(key, region, key->arn, want_arn, ret_arn);
		return r < 0 ? r : open_own(key->arn, canonical, blob, ret);
	}
	return -EBADMSG;
}

static int
open_opaque_locked(struct kms *k, const char *region, const char *want_arn,
    const struct buf *canonical, const struct buf *blob, struct buf *ret,
    char ret_arn[KMS_ARN_MAX])
{
	const struct kms_opaque *o;
	int r = -EBADMSG;

	for (size_t i = 0; i < k->nopaque; i++) {
		o = &k->opaque[i];
		if (!same(&o->blob, blob))
			continue;
		r = check_key(kms_find_locked(k, o->arn), region, o->arn,
		    want_arn, ret_arn);
		if (r == 0 && same(&o->context, canonical)) {
			buf_add(ret, o->plain.p, o->plain.len);
			return 0;
		}
		r = r < 0 ? r : -EBADMSG;
	}
	return r;
}

int
kms_open(struct kms *k, const char *region, const char *want_arn,
    const struct buf *canonical, const struct buf *blob, struct buf *ret,
    char ret_arn[KMS_ARN_MAX])
{
	int r;

	pthread_rwlock_rdlock(&k->lock);
	r = open_opaque_locked(k, region, want_arn, canonical, blob, ret,
	    ret_arn);
	if (r == -EBADMSG)
		r = open_own_locked(k, region, want_arn, canonical, blob, ret,
		    ret_arn);
	pthread_rwlock_unlock(&k->lock);
	return r;
}
