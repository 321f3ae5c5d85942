#include "store/blobrec.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/bigmem.h"

#define MAGIC "SESFREC1"
#define HASH_LEN 16
#define TEXT_MAX (128 * 1024) /* bytes of ETag and metadata */
#define BODY_MAX (SSIZE_MAX / 2)
/* bytes of a record beside its body */
#define OTHER_MAX (BLOBREC_HEAD_LEN + TEXT_MAX + BLOBREC_UNIT - 1)
#define FLAG_SEALED_PLAIN 1
#define FLAG_BODY_HASHED 2

struct head {
	char magic[8];
	uint64_t id; /* little-endian, as all numbers here */
	uint64_t body_len;
	uint32_t text_len;
	uint16_t meta_len; /* pairs */
	uint16_t flags;
	uint8_t data_hash[HASH_LEN]; /* of the text, and maybe the body */
	uint8_t hash[HASH_LEN];	     /* of the members above and the place */
};
_Static_assert(sizeof(struct head) == BLOBREC_HEAD_LEN, "it has no padding");
_Static_assert(HASH_LEN >= crypto_generichash_BYTES_MIN, "long enough");

static void
hash_head(const struct head *h, struct blobrec_place at, uint8_t ret[HASH_LEN])
{
	uint8_t in[offsetof(struct head, hash) + 16];
	uint64_t place[2] = { htole64(at.seq), htole64(at.offset) };

	memcpy(in, h, offsetof(struct head, hash));
	memcpy(in + offsetof(struct head, hash), place, sizeof(place));
	crypto_generichash(ret, HASH_LEN, in, sizeof(in), NULL, 0);
}

/* body: NULL when its bytes are not covered. */
static void
hash_data(const uint8_t *text, size_t text_len, const uint8_t *body,
    size_t body_len, uint8_t ret[HASH_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, HASH_LEN);
	crypto_generichash_update(&st, text, text_len);
	if (body != NULL)
		crypto_generichash_update(&st, body, body_len);
	crypto_generichash_final(&st, ret, HASH_LEN);
}

static uint64_t
padded(uint64_t len)
{
	return (len + BLOBREC_UNIT - 1) / BLOBREC_UNIT * BLOBREC_UNIT;
}

int
blobrec_parse_head(const uint8_t *p, struct blobrec_place at,
    struct blobrec_head *ret)
{
	uint8_t hash[HASH_LEN];
	struct head h;

	memcpy(&h, p, sizeof(h));
	*ret = (struct blobrec_head){ .id = (int64_t)le64toh(h.id),
		.body_len = le64toh(h.body_len),
		.text_len = le32toh(h.text_len),
		.meta_len = le16toh(h.meta_len), .flags = le16toh(h.flags) };
	memcpy(ret->hash, h.data_hash, HASH_LEN);
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || ret->id <= 0 ||
	    ret->body_len > BODY_MAX || ret->text_len > TEXT_MAX)
		return -EBADMSG;
	ret->len = padded(sizeof(h) + ret->text_len + ret->body_len);
	hash_head(&h, at, hash);
	return memcmp(hash, h.hash, HASH_LEN) == 0 ? 0 : -EBADMSG;
}

/* ---- writing ---- */

static size_t
put_text(uint8_t *at, const char *s)
{
	size_t len = strlen(s) + 1;

	if (at != NULL)
		memcpy(at, s, len);
	return len;
}

/* The strings into `at`, or with NULL just their length. */
static size_t
put_texts(uint8_t *at, const struct blob *b)
{
	size_t len = put_text(at, b->etag);

	for (size_t i = 0; i < b->meta_len; i++) {
		len += put_text(at ? at + len : NULL, b->meta[i].name);
		len += put_text(at ? at + len : NULL, b->meta[i].value);
	}
	return len;
}

int
blobrec_len(const struct blob *b, uint64_t *ret)
{
	size_t text;

	if (b->meta_len > BLOBREC_META_MAX || b->len > BODY_MAX ||
	    strnlen(b->etag, sizeof(b->etag)) == sizeof(b->etag) ||
	    (text = put_texts(NULL, b)) > TEXT_MAX)
		return -EINVAL;
	*ret = padded(BLOBREC_HEAD_LEN + text + b->len);
	return 0;
}

static int
write_all(int fd, struct iovec *v, int n, uint64_t at)
{
	while (n > 0) {
		ssize_t w = pwritev(fd, v, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		at += (uint64_t)w;
		for (; n > 0 && (size_t)w >= v->iov_len; v++, n--)
			w -= (ssize_t)v->iov_len;
		if (n > 0) {
			v->iov_base = (uint8_t *)v->iov_base + w;
			v->iov_len -= (size_t)w;
		}
	}
	return 0;
}

static void
fill_head(struct head *h, struct blobrec_place at, int64_t id,
    const struct blob *b, const uint8_t *text, size_t text_len)
{
	unsigned flags = (b->is_sealed_plain ? FLAG_SEALED_PLAIN : 0) |
	    (b->is_unauthenticated ? FLAG_BODY_HASHED : 0);

	*h = (struct head){ .id = htole64((uint64_t)id),
		.body_len = htole64(b->len),
		.text_len = htole32((uint32_t)text_len),
		.meta_len = htole16((uint16_t)b->meta_len),
		.flags = htole16((uint16_t)flags) };
	memcpy(h->magic, MAGIC, sizeof(h->magic));
	hash_data(text, text_len, b->is_unauthenticated ? b->body : NULL,
	    b->len, h->data_hash);
	hash_head(h, at, h->hash);
}

int
blobrec_write(int fd, struct blobrec_place at, int64_t id,
    const struct blob *b)
{
	static const uint8_t zeros[BLOBREC_UNIT];
	size_t text_len = put_texts(NULL, b);
	uint64_t len = BLOBREC_HEAD_LEN + text_len + b->len;
	struct iovec v[3];
	struct head h;
	uint8_t *buf;
	int r;

	if ((buf = malloc(BLOBREC_HEAD_LEN + text_len)) == NULL)
		return -ENOMEM;
	put_texts(buf + BLOBREC_HEAD_LEN, b);
	fill_head(&h, at, id, b, buf + BLOBREC_HEAD_LEN, text_len);
	memcpy(buf, &h, sizeof(h));
	v[0] = (struct iovec){ buf, BLOBREC_HEAD_LEN + text_len };
	v[1] = (struct iovec){ b->body, b->len };
	v[2] = (struct iovec){ (void *)(uintptr_t)zeros, padded(len) - len };
	r = write_all(fd, v, NELEMS(v), at.offset);
	free(buf);
	return r;
}

/* ---- reading ---- */

static int
read_all(int fd, uint8_t *ret, size_t len, uint64_t offset)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = pread(fd, ret + at, len - at,
		    (off_t)(offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

/* The next zero-terminated string, or NULL. */
static const char *
take_text(const uint8_t **at, size_t *left)
{
	const uint8_t *s = *at, *end = memchr(s, 0, *left);

	if (end == NULL)
		return NULL;
	*left -= (size_t)(end + 1 - s);
	*at = end + 1;
	return (const char *)s;
}

static int
parse_texts(const uint8_t *at, size_t left, size_t pairs, struct blob *b)
{
	const char *etag = take_text(&at, &left);

	if (etag == NULL || strlen(etag) >= sizeof(b->etag) ||
	    pairs > BLOBREC_META_MAX)
		return -EBADMSG;
	strcpy(b->etag, etag);
	for (size_t i = 0; i < pairs; i++) {
		if ((b->meta[i].name = take_text(&at, &left)) == NULL ||
		    (b->meta[i].value = take_text(&at, &left)) == NULL)
			return -EBADMSG;
	}
	b->meta_len = pairs;
	return left == 0 ? 0 : -EBADMSG;
}

static int
parse(uint8_t *p, struct blobrec_place at, uint64_t len, int64_t id,
    uint64_t body_max, struct blob *b)
{
	const uint8_t *text = p + BLOBREC_HEAD_LEN;
	uint8_t hash[HASH_LEN];
	struct blobrec_head h;

	if (blobrec_parse_head(p, at, &h) < 0 || h.len != len || h.id != id ||
	    h.body_len > body_max)
		return -EBADMSG;
	b->len = h.body_len;
	b->body = p + BLOBREC_HEAD_LEN + h.text_len;
	b->is_sealed_plain = h.flags & FLAG_SEALED_PLAIN;
	b->is_unauthenticated = h.flags & FLAG_BODY_HASHED;
	hash_data(text, h.text_len, b->is_unauthenticated ? b->body : NULL,
	    b->len, hash);
	if (memcmp(hash, h.hash, HASH_LEN) != 0)
		return -EBADMSG;
	return parse_texts(text, h.text_len, h.meta_len, b);
}

int
blobrec_read(int fd, struct blobrec_place at, uint64_t len, int64_t id,
    uint64_t body_max, struct blob *ret)
{
	size_t table = BLOBREC_META_MAX * sizeof(struct pair);
	uint8_t *p;
	int r;

	*ret = (struct blob){ 0 };
	if (len < BLOBREC_UNIT || len > BODY_MAX ||
	    (len > OTHER_MAX && len - OTHER_MAX > body_max))
		return -EBADMSG;
	if ((ret->arena_ = malloc(table + len)) == NULL)
		return -ENOMEM;
	bigmem_advise(ret->arena_, table + len);
	ret->meta = ret->arena_;
	p = (uint8_t *)ret->arena_ + table;
	if ((r = read_all(fd, p, len, at.offset)) < 0 ||
	    (r = parse(p, at, len, id, body_max, ret)) < 0)
		blob_clear(ret);
	return r;
}

void
blob_clear(struct blob *b)
{
	/* It may have become, or have been, plaintext. */
	if (!b->is_ciphertext && b->body != NULL &&
	    (b->arena_ != NULL || b->body_arena_ != NULL))
		sodium_memzero(b->body, b->len);
	free(b->arena_);
	free(b->body_arena_);
	*b = (struct blob){ 0 };
}
