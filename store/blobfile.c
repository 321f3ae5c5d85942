#include "store/blobfile.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC "SESFBLB1"
#define HASH_LEN 32
#define TEXT_MAX (1024 * 1024) /* bytes of ETag and metadata */
#define FLAG_SEALED_PLAIN 1

struct footer {
	char magic[8];
	uint64_t body_len; /* little-endian, as all numbers here */
	uint64_t id;
	uint32_t text_len;
	uint16_t meta_len; /* pairs */
	uint16_t flags;
	uint8_t hash[HASH_LEN]; /* of the text and the members above */
};
_Static_assert(sizeof(struct footer) == 64, "the footer has no padding");

static void
footer_hash(const struct footer *f, const uint8_t *text, size_t len,
    uint8_t ret[HASH_LEN])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, HASH_LEN);
	crypto_generichash_update(&st, text, len);
	crypto_generichash_update(&st, (const uint8_t *)f,
	    offsetof(struct footer, hash));
	crypto_generichash_final(&st, ret, HASH_LEN);
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

static int
write_all(int fd, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t w = writev(fd, v, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		for (; n > 0 && (size_t)w >= v->iov_len; v++, n--)
			w -= (ssize_t)v->iov_len;
		if (n > 0) {
			v->iov_base = (uint8_t *)v->iov_base + w;
			v->iov_len -= (size_t)w;
		}
	}
	return 0;
}

static int
write_file(int dirfd, const char *name, struct iovec *v, int n)
{
	int r, fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	r = write_all(fd, v, n);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, name, 0);
	return r;
}

int
blobfile_write(int dirfd, const char *name, int64_t id, const struct blob *b,
    uint64_t *ret_len)
{
	struct footer f = { .body_len = htole64(b->len),
		.id = htole64((uint64_t)id),
		.meta_len = htole16((uint16_t)b->meta_len),
		.flags = htole16(b->is_sealed_plain ? FLAG_SEALED_PLAIN : 0) };
	struct iovec v[3];
	uint8_t *text;
	size_t len;
	int r;

	if (b->meta_len > BLOBFILE_META_MAX ||
	    strnlen(b->etag, sizeof(b->etag)) == sizeof(b->etag) ||
	    (len = put_texts(NULL, b)) > TEXT_MAX)
		return -EINVAL;
	if ((text = malloc(len)) == NULL)
		return -ENOMEM;
	put_texts(text, b);
	memcpy(f.magic, MAGIC, sizeof(f.magic));
	f.text_len = htole32((uint32_t)len);
	footer_hash(&f, text, len, f.hash);
	v[0] = (struct iovec){ b->body, b->len };
	v[1] = (struct iovec){ text, len };
	v[2] = (struct iovec){ &f, sizeof(f) };
	r = write_file(dirfd, name, v, NELEMS(v));
	free(text);
	*ret_len = b->len + len + sizeof(f);
	return r;
}

/* ---- reading ---- */

static int
read_all(int fd, uint8_t *ret, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = pread(fd, ret + at, len - at, (off_t)at);

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
	    pairs > BLOBFILE_META_MAX)
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
parse(int64_t id, size_t len, struct blob *b)
{
	size_t rest = len - sizeof(struct footer), text_len;
	uint8_t hash[HASH_LEN];
	struct footer f;

	memcpy(&f, b->body + rest, sizeof(f));
	text_len = le32toh(f.text_len);
	if (memcmp(f.magic, MAGIC, sizeof(f.magic)) != 0 ||
	    le64toh(f.id) != (uint64_t)id || text_len > rest ||
	    le64toh(f.body_len) != rest - text_len)
		return -EBADMSG;
	b->len = rest - text_len;
	footer_hash(&f, b->body + b->len, text_len, hash);
	if (memcmp(hash, f.hash, HASH_LEN) != 0)
		return -EBADMSG;
	b->is_sealed_plain = le16toh(f.flags) & FLAG_SEALED_PLAIN;
	return parse_texts(b->body + b->len, text_len, le16toh(f.meta_len), b);
}

int
blobfile_read(int fd, int64_t id, struct blob *ret, uint64_t *ret_len)
{
	size_t table = BLOBFILE_META_MAX * sizeof(struct pair), len;
	struct stat st;
	int r;

	*ret = (struct blob){ 0 };
	*ret_len = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(struct footer) ||
	    (uint64_t)st.st_size > SIZE_MAX / 2)
		return -EBADMSG;
	len = (size_t)st.st_size;
	if ((ret->arena_ = malloc(table + len)) == NULL)
		return -ENOMEM;
	ret->meta = ret->arena_;
	ret->body = (uint8_t *)ret->arena_ + table;
	if ((r = read_all(fd, ret->body, len)) < 0 ||
	    (r = parse(id, len, ret)) < 0) {
		blob_clear(ret);
		return r;
	}
	*ret_len = len;
	return 0;
}

void
blob_clear(struct blob *b)
{
	/* It may have become, or have been, plaintext. */
	if (b->arena_ != NULL && b->body != NULL)
		sodium_memzero(b->body, b->len);
	free(b->arena_);
	*b = (struct blob){ 0 };
}
