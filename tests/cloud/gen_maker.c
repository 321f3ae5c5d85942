#include "gen_maker.h"

#include "mail.h"
#include "rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GCM_CEK "AES/GCM/NoPadding"
#define CBC_CEK "AES/CBC/PKCS5Padding"
#define COMMIT_ID_LEN 28 /* bytes: message id, and commitment */

static const char *const formats[] = { "kms-gcm", "kmsctx-gcm", "commit", "cbc",
	"plain" };

/* The secrets of a message; all follow from seed and index. */
struct secrets {
	uint8_t dek[32], iv[16], id[COMMIT_ID_LEN];
	uint64_t wrap_seed;
};

static void
derive_secrets(const struct gen *g, const struct object *o, struct secrets *s)
{
	struct rng r = rng_for(g->seed ^ 0x5ec2e75, o->index);

	rng_fill(&r, s->dek, sizeof s->dek);
	rng_fill(&r, s->iv, sizeof s->iv);
	rng_fill(&r, s->id, sizeof s->id);
	s->wrap_seed = rng_next(&r);
}

static const char *
id_of(const struct object *o)
{
	return o->key + strlen(o->key) - GEN_ID_LEN;
}

/* The encryption context; also its own canonical form, as it is sorted. */
static void
put_context(const struct gen *g, const struct object *o, struct buf *ret)
{
	buf_fmt(ret, "{\"aws:ses:message-id\":\"%s\",\"aws:ses:rule-name\":"
	    "\"store-and-encrypt\",\"aws:ses:source-account\":\"%s\",",
	    id_of(o), g->account);
	if (g->format == GEN_KMSCTX_GCM || g->format == GEN_COMMIT)
		buf_fmt(ret, "\"aws:x-amz-cek-alg\":\"%s\"}",
		    g->format == GEN_COMMIT ? "115" : GCM_CEK);
	else
		buf_fmt(ret, "\"kms_cmk_id\":\"%s\"}", g->cmk_id);
}

static const char *
base64(struct arena *a, const void *p, size_t len)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_base64(&b, p, len);
	return arena_str(a, b.p, b.len);
}

/* HKDF-SHA512 as the committing suite uses it: one block, so one HMAC. */
static void
commit_derive(const struct secrets *s, const char *label, uint8_t *ret,
    size_t len)
{
	uint8_t prk[SHA512_LEN], okm[SHA512_LEN], info[12] = { 0x00, 0x73 };

	digest_hmac_sha512(s->id, sizeof s->id, s->dek, sizeof s->dek, prk);
	memcpy(info + 2, label, 9);
	info[11] = 1;
	digest_hmac_sha512(prk, sizeof prk, info, sizeof info, okm);
	memcpy(ret, okm, len);
}

static void
commit_meta(const struct secrets *s, struct arena *a, const char *edk,
    const char *context, struct pair *m, size_t *n)
{
	uint8_t commitment[COMMIT_ID_LEN];

	commit_derive(s, "COMMITKEY", commitment, sizeof commitment);
	m[(*n)++] = (struct pair){ "x-amz-3", edk };
	m[(*n)++] = (struct pair){ "x-amz-c", "115" };
	m[(*n)++] = (struct pair){ "x-amz-d",
		base64(a, commitment, sizeof commitment) };
	m[(*n)++] = (struct pair){ "x-amz-i", base64(a, s->id, sizeof s->id) };
	m[(*n)++] = (struct pair){ "x-amz-t", context };
	m[(*n)++] = (struct pair){ "x-amz-w", "12" };
}

static void
v2_meta(const struct gen *g, const struct secrets *s, struct arena *a,
    const char *edk, const char *context, struct pair *m, size_t *n)
{
	bool cbc = g->format == GEN_CBC;

	m[(*n)++] = (struct pair){ "x-amz-cek-alg", cbc ? CBC_CEK : GCM_CEK };
	m[(*n)++] = (struct pair){ "x-amz-iv",
		base64(a, s->iv, cbc ? 16 : GCM_IV_LEN) };
	m[(*n)++] = (struct pair){ "x-amz-key-v2", edk };
	m[(*n)++] = (struct pair){ "x-amz-matdesc", context };
	if (!cbc)
		m[(*n)++] = (struct pair){ "x-amz-tag-len", "128" };
	m[(*n)++] = (struct pair){ "x-amz-wrap-alg",
		g->format == GEN_KMSCTX_GCM ? "kms+context" : "kms" };
}

static void
make_meta(const struct maker *maker, const struct object *o, struct arena *a,
    struct pair **ret, size_t *ret_n)
{
	const struct gen *g = (const void *)maker;
	CLEANUP(buf_free) struct buf context = { 0 }, edk = { 0 };
	struct secrets s;
	const char *ctx, *edk64;

	*ret = arena_alloc(a, 8 * sizeof **ret);
	*ret_n = 0;
	if (g->format == GEN_PLAIN)
		return;
	derive_secrets(g, o, &s);
	put_context(g, o, &context);
	ctx = arena_str(a, context.p, context.len);
	kms_seal(g->arn, &context, s.dek, sizeof s.dek, s.wrap_seed, &edk);
	edk64 = base64(a, edk.p, edk.len);
	if (g->format == GEN_COMMIT)
		commit_meta(&s, a, edk64, ctx, *ret, ret_n);
	else
		v2_meta(g, &s, a, edk64, ctx, *ret, ret_n);
	(*ret)[(*ret_n)++] = (struct pair){ "x-amz-unencrypted-content-length",
		arena_fmt(a, "%u", o->plain_len) };
}

static void
make_plain(const struct maker *maker, const struct object *o, struct buf *ret)
{
	const struct gen *g = (const void *)maker;
	struct mail_facts f = { .id = id_of(o), .region = g->region,
		.at_unix = o->mtime, .len = o->plain_len };

	f.rng = rng_for(g->seed ^ 0x7e87, o->index);
	f.is_spam = rng_below(&f.rng, 100) < g->spam;
	f.has_virus = rng_below(&f.rng, 100) < g->virus;
	mail_write(&f, ret);
}

static void
make_body(const struct maker *maker, const struct object *o, struct buf *ret)
{
	static const uint8_t commit_iv[GCM_IV_LEN] = { 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1 };
	const struct gen *g = (const void *)maker;
	CLEANUP(buf_free) struct buf plain = { 0 };
	uint8_t key[32], *out;
	struct secrets s;

	if (g->format == GEN_PLAIN) {
		make_plain(maker, o, ret);
		return;
	}
	make_plain(maker, o, &plain);
	derive_secrets(g, o, &s);
	buf_reserve(ret, o->len);
	out = (uint8_t *)ret->p;
	if (g->format == GEN_CBC) {
		digest_cbc_seal(s.dek, s.iv, plain.p, plain.len, out);
	} else if (g->format == GEN_COMMIT) {
		commit_derive(&s, "DERIVEKEY", key, sizeof key);
		digest_gcm_seal(key, commit_iv, "\0\x73", 2, plain.p, plain.len,
		    out);
	} else {
		digest_gcm_seal(s.dek, s.iv, NULL, 0, plain.p, plain.len, out);
	}
	ret->len = o->len;
}

static void
make_free(struct maker *maker)
{
	free(maker);
}

static int
find_format(const char *name)
{
	for (size_t i = 0; i < NELEMS(formats); i++)
		if (strcmp(formats[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

/* A key named by ARN is in the ARN's region, any other in the generator's. */
static int
find_key(struct kms *kms, const struct gen_opts *opts,
    char ret_arn[KMS_ARN_MAX])
{
	char region[64] = "";

	if (sscanf(opts->key, "arn:%*[^:]:kms:%63[^:]:", region) != 1)
		snprintf(region, sizeof region, "%s", opts->region);
	return kms_resolve(kms, region, opts->key, ret_arn);
}

int
gen_new(struct kms *kms, const struct gen_opts *opts, char why[128],
    struct gen **ret)
{
	int format = find_format(opts->format);
	struct gen *g;

	*ret = NULL;
	if (format < 0) {
		snprintf(why, 128,
		    "format: kms-gcm, kmsctx-gcm, commit, cbc or plain");
		return format;
	}
	g = xcalloc(1, sizeof *g);
	g->maker = (struct maker){ 1, make_meta, make_body, make_plain,
		make_free };
	if (find_key(kms, opts, g->arn) < 0) {
		snprintf(why, 128, "key: no such key: %.80s", opts->key);
		free(g);
		return -EINVAL;
	}
	g->format = (enum gen_format)format;
	g->seed = opts->seed;
	g->spam = opts->spam;
	g->virus = opts->virus;
	snprintf(g->cmk_id, sizeof g->cmk_id, "%s",
	    *opts->cmk_id != '\0' ? opts->cmk_id : g->arn);
	snprintf(g->region, sizeof g->region, "%s", opts->region);
	snprintf(g->account, sizeof g->account, "%s", opts->account);
	*ret = g;
	return 0;
}

void
gen_unref(struct gen *g)
{
	if (__atomic_sub_fetch(&g->maker.refs, 1, __ATOMIC_ACQ_REL) == 0)
		g->maker.free(&g->maker);
}

size_t
gen_body_len(const struct gen *g, size_t len)
{
	switch (g->format) {
	case GEN_CBC:
		return len / 16 * 16 + 16;
	case GEN_PLAIN:
		return len;
	default:
		return len + GCM_TAG_LEN;
	}
}
