/* Generated mail and loaded vectors: what is stored decrypts, by way of the
 * KMS, to what the emulator says it must. */
#include "check.h"
#include "cloud.h"
#include "generate.h"
#include "kms.h"
#include "vectors.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

static void
cloud_init(struct cloud *c)
{
	*c = (struct cloud){ .region = "us-east-1", .account = "123456789012" };
	settings_init(&c->settings);
	c->store = store_new();
	c->kms = kms_new(c->region, c->account);
}

static void
cloud_done(struct cloud *c)
{
	store_free(c->store);
	kms_free(c->kms);
}

static const char *
value(const struct pair *meta, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(meta[i].name, name) == 0)
			return meta[i].value;
	return NULL;
}

static bool
decode(const char *s, struct buf *ret)
{
	return s != NULL && buf_unbase64(ret, s, strlen(s)) == 0;
}

/* RFC 5869, one block; written again here, so that the generator's own cannot
 * confirm itself. */
static void
hkdf(const struct buf *dek, const struct buf *salt, const char *label,
    size_t len, uint8_t ret[SHA512_LEN])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	char info[11] = { 0, 0x73 }, digest[] = "SHA512";
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_utf8_string("digest", digest, 0),
		OSSL_PARAM_construct_octet_string("key", dek->p, dek->len),
		OSSL_PARAM_construct_octet_string("salt", salt->p, salt->len),
		OSSL_PARAM_construct_octet_string("info", info, sizeof info),
		OSSL_PARAM_construct_end() };

	memcpy(info + 2, label, 9);
	CHECK(EVP_KDF_derive(ctx, ret, len, p) == 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static bool
open_cbc(const struct buf *dek, const struct buf *iv, const struct bytes *body,
    struct buf *ret)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, end = 0, ok;

	buf_reserve(ret, body->len + 16);
	ok = EVP_DecryptInit_ex2(ctx, EVP_aes_256_cbc(),
		 (const uint8_t *)dek->p, (const uint8_t *)iv->p, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, (uint8_t *)ret->p, &n, body->p,
		(int)body->len) == 1 &&
	    EVP_DecryptFinal_ex(ctx, (uint8_t *)ret->p + n, &end) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ret->len = (size_t)n + (size_t)end;
	return ok;
}

static bool
open_gcm(const uint8_t *key, const char *iv, const char *aad, size_t aad_len,
    const struct bytes *body, struct buf *ret)
{
	buf_reserve(ret, body->len);
	ret->len = body->len - GCM_TAG_LEN;
	return digest_gcm_open(key, (const uint8_t *)iv, aad, aad_len, body->p,
	    body->len, (uint8_t *)ret->p) == 0;
}

/* The data key of an object, asked of the KMS. */
static bool
unwrap(struct cloud *c, const struct pair *m, size_t n, struct buf *ret)
{
	const char *edk = value(m, n, "x-amz-3"), *context;
	CLEANUP(buf_free) struct buf blob = { 0 }, canonical = { 0 };
	char arn[KMS_ARN_MAX];
	json_t *ctx;
	bool ok;

	context = value(m, n, edk != NULL ? "x-amz-t" : "x-amz-matdesc");
	if (!decode(edk != NULL ? edk : value(m, n, "x-amz-key-v2"), &blob))
		return false;
	ctx = json_loads(context != NULL ? context : "{}", 0, NULL);
	kms_canonical(ctx, &canonical);
	json_decref(ctx);
	ok = kms_open(c->kms, "us-east-1", NULL, &canonical, &blob, ret,
		 arn) == 0 && ret->len == 32;
	/* Another context must not do. */
	buf_str(&canonical, "x");
	buf_clear(&blob);
	return ok && decode(edk != NULL ? edk : value(m, n, "x-amz-key-v2"),
			 &blob) &&
	    kms_open(c->kms, "us-east-1", NULL, &canonical, &blob, &canonical,
		arn) < 0;
}

static bool
open_object(struct cloud *c, const struct object *o, struct buf *ret)
{
	CLEANUP(buf_free) struct buf dek = { 0 }, iv = { 0 }, want = { 0 };
	struct bytes *body = object_body(o);
	struct arena a = { 0 };
	uint8_t key[SHA512_LEN];
	struct pair *m;
	const char *cek;
	bool ok;
	size_t n;

	object_meta(o, &a, &m, &n);
	cek = value(m, n, "x-amz-cek-alg");
	ok = body->len == o->len && unwrap(c, m, n, &dek) &&
	    decode(value(m, n, cek != NULL ? "x-amz-iv" : "x-amz-i"), &iv);
	if (ok && cek == NULL) {
		hkdf(&dek, &iv, "COMMITKEY", 28, key);
		CHECK(decode(value(m, n, "x-amz-d"), &want) &&
		    want.len == 28 && memcmp(want.p, key, 28) == 0);
		hkdf(&dek, &iv, "DERIVEKEY", 32, key);
		ok = open_gcm(key, "\1\1\1\1\1\1\1\1\1\1\1\1", "\0\x73", 2,
		    body, ret);
	} else if (ok && strcmp(cek, "AES/GCM/NoPadding") == 0) {
		ok = open_gcm((const uint8_t *)dek.p, iv.p, NULL, 0, body, ret);
	} else if (ok) {
		ok = open_cbc(&dek, &iv, body, ret);
	}
	bytes_unref(body);
	arena_free(&a);
	return ok;
}

/* Every line ends in CRLF, there is a header and a body, and the id of SES is
 * in it. */
static bool
is_mail(const struct buf *b, const char *key)
{
	const char *id = strrchr(key, '/');

	for (size_t i = 0; i < b->len; i++)
		if ((b->p[i] == '\r') != (i + 1 < b->len &&
					     b->p[i + 1] == '\n'))
			return false;
	return strncmp(b->p, "Return-Path: <", 14) == 0 &&
	    strstr(b->p, "\r\n\r\n") != NULL &&
	    strstr(b->p, id != NULL ? id + 1 : key) != NULL;
}

struct walk {
	struct object *o[512];
	size_t n;
};

static int
collect(void *arg, const struct object *o, size_t *skip_len)
{
	struct walk *w = arg;
	struct object *mine;

	memcpy(&mine, &o, sizeof mine);
	if (w->n < NELEMS(w->o))
		w->o[w->n++] = object_ref(mine);
	return 0;
}

static void
check_objects(struct cloud *c, const char *bucket, const char *format,
    size_t want)
{
	struct walk w = { .n = 0 };
	struct bytes *plain;
	struct buf got = { 0 };

	CHECK_EQ(store_walk(c->store, bucket, "", collect, &w), 0);
	CHECK_EQ(w.n, want);
	for (size_t i = 0; i < w.n; i++) {
		plain = object_plain(w.o[i]);
		CHECK_EQ_AT(i, plain->len, w.o[i]->plain_len);
		buf_clear(&got);
		if (strcmp(format, "plain") == 0)
			buf_add(&got, plain->p, plain->len);
		else
			CHECK_AT(i, open_object(c, w.o[i], &got));
		CHECK_AT(i, got.len == plain->len &&
		    memcmp(got.p, plain->p, got.len) == 0);
		buf_char(&got, '\0');
		got.len--;
		CHECK_AT(i, is_mail(&got, w.o[i]->key));
		bytes_unref(plain);
		object_unref(w.o[i]);
	}
	buf_free(&got);
}

static void
test_formats(void)
{
	static const char *const formats[] = { "kms-gcm", "kmsctx-gcm",
		"commit", "cbc", "plain" };
	char why[128] = "";
	struct cloud c;
	size_t n;

	for (size_t i = 0; i < NELEMS(formats); i++) {
		const struct pair params[] = { { "bucket", "mail" },
			{ "count", "300" }, { "folders", "a/:b/" },
			{ "format", formats[i] }, { "seed", "3" },
			{ "key", i == 1 ? "alias/multi" : "alias/second" } };

		cloud_init(&c);
		CHECK_EQ_AT(i, generate(&c, params, NELEMS(params), why, &n),
		    0);
		check_objects(&c, "mail", formats[i], 300);
		cloud_done(&c);
	}
}

/* Every length is met to the byte, from the least on. */
static void
test_lengths(void)
{
	static const char *const lens[] = { "1024", "1025", "1500", "4095",
		"4096", "4097", "24575", "24576", "24577", "24650", "100001" };
	char why[128] = "";
	struct cloud c;
	size_t n;

	for (size_t i = 0; i < NELEMS(lens); i++) {
		const struct pair params[] = { { "bucket", "mail" },
			{ "count", "200" }, { "size", lens[i] } };

		cloud_init(&c);
		CHECK_EQ_AT(i, generate(&c, params, NELEMS(params), why, &n),
		    0);
		check_objects(&c, "mail", "kms-gcm", 200);
		cloud_done(&c);
	}
}

static void
test_refusals(void)
{
	static const struct pair bad[] = { { "count", "many" },
		{ "size", "1000" }, { "format", "rot13" },
		{ "key", "alias/no" }, { "colour", "red" }, { "spam", "101" } };
	struct cloud c;
	size_t n;

	cloud_init(&c);
	for (size_t i = 0; i < NELEMS(bad); i++) {
		const struct pair params[] = { { "bucket", "mail" }, bad[i] };
		char why[128] = "";

		CHECK_AT(i, generate(&c, params, 2, why, &n) < 0);
		CHECK_AT(i, strlen(why) > 0);
	}
	cloud_done(&c);
}

/* Same seed, same everything; another seed, nothing. */
static void
test_repeatable(void)
{
	struct walk w[3] = { { .n = 0 } };
	struct bytes *a, *b;
	struct cloud c[3];
	char why[128];
	size_t n;

	for (int i = 0; i < 3; i++) {
		const struct pair params[] = { { "bucket", "mail" },
			{ "count", "20" }, { "seed", i == 2 ? "6" : "5" } };

		cloud_init(&c[i]);
		CHECK_EQ(generate(&c[i], params, 3, why, &n), 0);
		CHECK_EQ(store_walk(c[i].store, "mail", "", collect, &w[i]), 0);
	}
	for (size_t i = 0; i < 20; i++) {
		CHECK_STR_AT(i, w[0].o[i]->key, w[1].o[i]->key);
		CHECK_AT(i, strcmp(w[0].o[i]->key, w[2].o[i]->key) != 0);
		a = object_body(w[0].o[i]);
		b = object_body(w[1].o[i]);
		CHECK_AT(i, a->len == b->len &&
		    memcmp(a->p, b->p, a->len) == 0);
		bytes_unref(a);
		bytes_unref(b);
	}
	for (int i = 0; i < 3; i++) {
		for (size_t j = 0; j < w[i].n; j++)
			object_unref(w[i].o[j]);
		cloud_done(&c[i]);
	}
}

/* Positive vectors with a KMS wrap and headers open to their plaintext. */
static void
test_vectors(void)
{
	struct walk w = { .n = 0 };
	struct bytes *plain;
	struct buf got = { 0 };
	char why[128] = "";
	struct cloud c;
	struct pair *m;
	size_t n, opened = 0;

	cloud_init(&c);
	CHECK(vectors_load(&c, VECTORS, why) > 100);
	CHECK_STR(why, "");
	CHECK_EQ(store_walk(c.store, "vectors-positive", "", collect, &w), 0);
	for (size_t i = 0; i < w.n; i++) {
		struct arena a = { 0 };
		const char *wrap;

		object_meta(w.o[i], &a, &m, &n);
		wrap = value(m, n, "x-amz-wrap-alg");
		plain = object_plain(w.o[i]);
		if (plain != NULL &&
		    (value(m, n, "x-amz-w") != NULL
			    ? strcmp(value(m, n, "x-amz-w"), "12") == 0
			    : wrap != NULL && strncmp(wrap, "kms", 3) == 0) &&
		    (value(m, n, "x-amz-matdesc") == NULL ||
			*value(m, n, "x-amz-matdesc") == '{')) {
			buf_clear(&got);
			CHECK_AT(i, open_object(&c, w.o[i], &got));
			CHECK_AT(i, got.len == plain->len &&
			    (got.len == 0 ||
				memcmp(got.p, plain->p, got.len) == 0));
			opened++;
		}
		bytes_unref(plain);
		object_unref(w.o[i]);
		arena_free(&a);
	}
	CHECK(opened >= 30);
	CHECK(vectors_load(&c, "/nonexistent", why) < 0);
	buf_free(&got);
	cloud_done(&c);
}

int
main(void)
{
	json_object_seed(1);
	test_formats();
	test_lengths();
	test_refusals();
	test_repeatable();
	test_vectors();
	return check_done();
}
