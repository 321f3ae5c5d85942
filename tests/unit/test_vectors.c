/* Objects that official clients wrote, good and hostile: tests/vectors. Each
 * goes the whole way -- envelope, a KMS that knows one key, content key, body
 * -- on both backends. */
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/b64.h"
#include "crypto/crypto.h"
#include "crypto/envelope.h"
#include "crypto/hash.h"

#define KEY_ARN                                                                \
	"arn:aws:kms:us-east-1:123456789012:key/"                              \
	"0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee"
#define ALIAS_ARN "arn:aws:kms:us-east-1:123456789012:alias/aws/ses"
#define META_PREFIX "x-amz-meta-"
#define META_MAX 32

static int kms_calls;

static const char *
text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* Decode to fresh memory. */
static uint8_t *
bytes(const char *b64, size_t *ret_len)
{
	size_t size = strlen(b64) + 1;
	uint8_t *ret = malloc(size);
	int64_t n = b64_decode(b64, strlen(b64), ret, size);

	CHECK(n >= 0);
	*ret_len = n < 0 ? 0 : (size_t)n;
	return ret;
}

static bool
context_equals(const struct envelope *e, const json_t *want)
{
	if (json_object_size(want) != e->context_len)
		return false;
	for (size_t i = 0; i < e->context_len; i++) {
		const char *v = text(want, e->context[i].name);

		if (v == NULL || strcmp(v, e->context[i].value) != 0)
			return false;
	}
	return true;
}

/* The stub of vectors/README.md, asked with the configured key. */
static enum refusal
kms_decrypt(const json_t *kms, const struct envelope *e, uint8_t **ret,
    size_t *ret_len)
{
	const char *key = text(kms, "key_id");
	uint8_t *blob;
	size_t blob_len;
	bool same;

	kms_calls++;
	if (key == NULL)
		return KMS_REJECTED;
	blob = bytes(text(kms, "ciphertext_blob_base64"), &blob_len);
	same = blob_len == e->edk_len && memcmp(blob, e->edk, blob_len) == 0;
	free(blob);
	if (!same ||
	    !context_equals(e, json_object_get(kms, "encryption_context")))
		return KMS_REJECTED;
	if (strcmp(key, KEY_ARN) != 0 && strcmp(key, ALIAS_ARN) != 0)
		return KMS_WRONG_KEY;
	*ret = bytes(text(kms, "plaintext_key_base64"), ret_len);
	return REFUSAL_NONE;
}

static enum refusal
open_body(const struct envelope *e, const json_t *v, const uint8_t *body,
    size_t body_len, uint8_t *out, size_t *ret_len)
{
	struct content_key key;
	enum refusal why = REFUSAL_NONE;
	uint8_t *dek = NULL;
	size_t dek_len = 0;
	int r;

	if (e->suite != SUITE_PLAIN)
		why = kms_decrypt(json_object_get(v, "kms"), e, &dek, &dek_len);
	if (why != REFUSAL_NONE)
		return why;
	r = content_key_derive(e, dek, dek_len, &key, &why);
	CHECK_EQ(r, why == REFUSAL_NONE ? 0 : -EBADMSG);
	free(dek);
	if (r < 0)
		return why;
	r = content_open(&key, body, body_len, out, ret_len, &why);
	CHECK_EQ(r, why == REFUSAL_NONE ? 0 : -EBADMSG);
	if (r == 0 && !envelope_len_is(e, *ret_len))
		return LENGTH_MISMATCH;
	return why;
}

static size_t
read_meta(const json_t *v, struct pair *ret)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(json_object_get(v, "headers"), name, value) {
		CHECK(strncmp(name, META_PREFIX, strlen(META_PREFIX)) == 0);
		ret[n++] = (struct pair){ name + strlen(META_PREFIX),
			json_string_value(value) };
	}
	return n;
}

static unsigned
accept_for(const json_t *v)
{
	/* The objects were renamed when they became vectors. */
	unsigned accept = ACCEPT_DEFAULT | ACCEPT_RENAMED;
	const json_t *requires = json_object_get(v, "requires");
	const json_t *need;
	size_t i;

	json_array_foreach(requires, i, need) {
		if (strcmp(json_string_value(need), "legacy-cbc") == 0)
			accept |= ACCEPT_CBC;
		if (strcmp(json_string_value(need), "instruction-file") == 0)
			accept |= ACCEPT_INSTRUCTION;
	}
	return accept;
}

/* What becomes of a vector; its plaintext in `out` when all is well. */
static enum refusal
run(const json_t *v, uint8_t **ret_out, size_t *ret_len)
{
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	struct envelope_policy policy = { .accept = accept_for(v) };
	const json_t *file = json_object_get(v, "instruction_file");
	struct slice instruction = { NULL, 0 };
	struct pair meta[META_MAX];
	enum refusal why;
	uint8_t *body;
	size_t body_len, n = read_meta(v, meta);
	int r;

	if (json_is_object(file) && envelope_wants_instruction(meta, n)) {
		instruction.ptr = (const uint8_t *)text(file, "body");
		instruction.len = strlen(text(file, "body"));
	}
	body = bytes(text(v, "body_base64"), &body_len);
	r = envelope_parse(meta, n, instruction, text(v, "object_key"),
	    body_len, &policy, &e, &why);
	CHECK_EQ(r, why == REFUSAL_NONE ? 0 : -EBADMSG);
	CHECK((e == NULL) == (r < 0));
	*ret_out = calloc(1, body_len + 1);
	*ret_len = 0;
	if (r == 0)
		why = open_body(e, v, body, body_len, *ret_out, ret_len);
	free(body);
	return why;
}

/* Checks 1 to 10 of FORMATS: made without a KMS call. */
static bool
is_before_kms(const char *why)
{
	for (int i = NOT_ENCRYPTED; i <= BODY_TOO_SHORT; i++) {
		if (strcmp(refusal_name((enum refusal)i), why) == 0)
			return true;
	}
	return false;
}

static void
check_good(const json_t *v, const char *name)
{
	char hex[SHA256_HEX_LEN + 1];
	uint8_t *out;
	size_t len;
	enum refusal why = run(v, &out, &len);

	if (strcmp(text(v, "wrap"), "kms") != 0 &&
	    strcmp(text(v, "wrap"), "kms+context") != 0) {
		/* The raw-key vectors: no such key is ever ours. */
		CHECK_EQ(why, UNSUPPORTED_WRAP);
		CHECK_EQ(kms_calls, 0);
	} else {
		CHECK_STR(refusal_name(why), "NONE");
		CHECK_EQ(len,
		    json_integer_value(json_object_get(v, "plaintext_length")));
		CHECK_EQ(sha256_hex(out, len, hex), 0);
		CHECK_STR(hex, text(v, "plaintext_sha256"));
		CHECK_EQ(kms_calls, 1);
	}
	free(out);
}

static void
check_hostile(const json_t *v, const char *name)
{
	const char *want = text(v, "expected_error");
	uint8_t *out;
	size_t len;
	enum refusal why = run(v, &out, &len);

	CHECK_STR(refusal_name(why), want);
	if (why == BAD_PADDING) /* before or after KMS, not to be told apart */
		CHECK(kms_calls <= 1);
	else
		CHECK_EQ(kms_calls, !is_before_kms(want));
	for (size_t i = 0; why != LENGTH_MISMATCH && i < len; i++)
		CHECK_EQ(out[i], 0);
	free(out);
}

static size_t
run_folder(const char *pattern, void (*check)(const json_t *, const char *))
{
	glob_t g;
	size_t n;

	CHECK_EQ(glob(pattern, 0, NULL, &g), 0);
	n = g.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_load_file(g.gl_pathv[i], 0, NULL);
		int before = check_failures;

		kms_calls = 0;
		CHECK(v != NULL);
		check(v, text(v, "name"));
		if (check_failures != before)
			fprintf(stderr, "\tin %s\n", g.gl_pathv[i]);
		json_decref(v);
	}
	globfree(&g);
	return n;
}

static size_t
unhex(const char *hex, uint8_t *ret, size_t size)
{
	size_t n = 0;

	CHECK_EQ(sodium_hex2bin(ret, size, hex, strlen(hex), NULL, &n, NULL),
	    0);
	return n;
}

static void
check_derivation(void)
{
	json_t *file = json_load_file(VECTORS "/hkdf-kat.json", 0, NULL);
	json_t *cases = json_object_get(file, "cases"), *c;
	struct envelope e = { .suite = SUITE_COMMIT, .iv_len = 12 };
	struct content_key key;
	enum refusal why;
	uint8_t dek[32], want[32];
	size_t i;

	CHECK(json_array_size(cases) >= 3);
	json_array_foreach(cases, i, c) {
		unhex(text(c, "data_key_hex"), dek, sizeof(dek));
		unhex(text(c, "message_id_hex"), e.message_id, 28);
		unhex(text(c, "commitment_hex"), e.commitment, 28);
		unhex(text(c, "encryption_key_hex"), want, sizeof(want));
		CHECK_EQ_AT(i, content_key_derive(&e, dek, 32, &key, &why), 0);
		CHECK_AT(i, memcmp(key.key, want, 32) == 0);

		e.commitment[27] ^= 1;
		CHECK_EQ_AT(i, content_key_derive(&e, dek, 32, &key, &why),
		    -EBADMSG);
		CHECK_EQ_AT(i, why, COMMITMENT_MISMATCH);
		CHECK_AT(i, sodium_is_zero(key.key, 32));
		e.commitment[27] ^= 1;
		CHECK_EQ_AT(i, content_key_derive(&e, dek, 31, &key, &why),
		    -EBADMSG);
		CHECK_EQ_AT(i, why, BAD_DATA_KEY);
	}
	json_decref(file);
}

static void
run_all(void)
{
	CHECK(run_folder(VECTORS "/positive/*.json", check_good) > 50);
	CHECK(run_folder(VECTORS "/negative/*.json", check_hostile) > 60);
	check_derivation();
}

int
main(void)
{
	int r = crypto_init(CRYPTO_SODIUM);

	CHECK(r == 0 || r == -ENOTSUP);
	if (r == 0)
		run_all();
	CHECK_EQ(crypto_init(CRYPTO_OPENSSL), 0);
	run_all();
	return check_done();
}
