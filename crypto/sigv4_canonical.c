#include "crypto/sigv4_canonical.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_MAX_LEN 1024 /* bytes of a path that is not an object key */

static bool
is_unreserved(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

/* One byte, encoded. Returns 1 or 3. */
static size_t
encode_byte(uint8_t c, bool keep_slash, char ret[3])
{
	static const char hex[] = "0123456789ABCDEF";

	ret[0] = (char)c;
	if (is_unreserved(c) || (keep_slash && c == '/'))
		return 1;
	ret[0] = '%';
	ret[1] = hex[c >> 4];
	ret[2] = hex[c & 15];
	return 3;
}

int64_t
sigv4_encode(const void *in, size_t len, bool keep_slash, char *ret,
    size_t ret_size)
{
	const uint8_t *bytes = in;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char enc[3];
		size_t m = encode_byte(bytes[i], keep_slash, enc);

		if (n + m >= ret_size)
			return -EMSGSIZE;
		memcpy(ret + n, enc, m);
		n += m;
	}
	if (n >= ret_size)
		return -EMSGSIZE;
	ret[n] = '\0';
	return (int64_t)n;
}

/* Order of two strings as they will be encoded, which is not that of their
 * bytes: '%' comes before letters. */
static int
compare_encoded(const char *a, const char *b)
{
	char ea[3], eb[3];

	while (*a != '\0' && *a == *b)
		a++, b++;
	if (*a == '\0' || *b == '\0')
		return (*a != '\0') - (*b != '\0');
	if (encode_byte((uint8_t)*a, false, ea) == 1)
		ea[1] = ea[2] = '\0';
	if (encode_byte((uint8_t)*b, false, eb) == 1)
		eb[1] = eb[2] = '\0';
	return memcmp(ea, eb, 3);
}

static int
compare_query(const void *a, const void *b)
{
	const struct pair *pa = a, *pb = b;
	int c = compare_encoded(pa->name, pb->name);

	return c != 0 ? c : compare_encoded(pa->value, pb->value);
}

static int
write_query(const struct sigv4_request *req, char *ret, size_t size)
{
	struct pair sorted[SIGV4_QUERY_MAX];
	size_t n = 0;

	if (req->query_len > NELEMS(sorted) || size == 0)
		return -EMSGSIZE;
	ret[0] = '\0';
	if (req->query_len == 0)
		return 0;
	memcpy(sorted, req->query, req->query_len * sizeof(*sorted));
	qsort(sorted, req->query_len, sizeof(*sorted), compare_query);
	for (size_t i = 0; i < req->query_len; i++) {
		const char *part[] = { sorted[i].name, sorted[i].value };

		for (size_t j = 0; j < NELEMS(part); j++) {
			int64_t m;

			if (i + j > 0 && n + 1 >= size)
				return -EMSGSIZE;
			if (i + j > 0)
				ret[n++] = j == 0 ? '&' : '=';
			m = sigv4_encode(part[j], strlen(part[j]), false,
			    ret + n, size - n);
			if (m < 0)
				return (int)m;
			n += (size_t)m;
		}
	}
	return 0;
}

/* Resolve "." and "..", drop repeated slashes: RFC 3986 as AWS reads it.
 * `out` has path.len + 1 bytes; returns how many it took. */
static size_t
normalize(struct slice path, char *out)
{
	size_t n = 0, i = 0;

	while (i < path.len) {
		const uint8_t *part = path.ptr + i, *slash;
		size_t len = path.len - i;

		if ((slash = memchr(part, '/', len)) != NULL)
			len = (size_t)(slash - part);
		i += len + (slash != NULL);
		if (len == 2 && memcmp(part, "..", 2) == 0) {
			n -= n > 0;
			while (n > 0 && out[n - 1] != '/')
				n--;
		} else if (len > 0 && !(len == 1 && part[0] == '.')) {
			memcpy(out + n, part, len);
			n += len;
			if (slash != NULL)
				out[n++] = '/';
		}
	}
	return n;
}

/* Write ret->path and hash the canonical one: for s3 both are the encoded
 * key, for the rest what is sent is encoded once more. */
static int
add_path(struct sha256 *h, const struct sigv4_request *req,
    struct sigv4_signed *ret)
{
	char norm[PATH_MAX_LEN + 2] = "/", enc[3 * sizeof(norm)];
	int64_t n;

	if (strcmp(req->service, "s3") == 0) {
		n = sigv4_encode(req->path.ptr, req->path.len, true, ret->path,
		    ret->path_size);
		return n < 0 ? (int)n
			     : sha256_update(h, ret->path, (size_t)n);
	}
	if (req->path.len > PATH_MAX_LEN || req->path.len >= ret->path_size)
		return -EMSGSIZE;
	memcpy(ret->path, req->path.ptr, req->path.len);
	ret->path[req->path.len] = '\0';
	n = sigv4_encode(norm, 1 + normalize(req->path, norm + 1), true, enc,
	    sizeof(enc));
	return n < 0 ? (int)n : sha256_update(h, enc, (size_t)n);
}

static int
compare_header(const void *a, const void *b)
{
	const struct pair *pa = a, *pb = b;

	return strcasecmp(pa->name, pb->name);
}

static int
add(struct sha256 *h, const char *text)
{
	return sha256_update(h, text, strlen(text));
}

/* A header's value without white space at the ends and with single spaces
 * inside. */
static int
add_value(struct sha256 *h, const char *value)
{
	int r = 0;

	value += strspn(value, " \t\r\n");
	while (r == 0 && *value != '\0') {
		size_t word = strcspn(value, " \t\r\n");

		if ((r = sha256_update(h, value, word)) < 0)
			break;
		value += word;
		value += strspn(value, " \t\r\n");
		if (*value != '\0')
			r = add(h, " ");
	}
	return r;
}

/* Append a header's name in lower case. */
static int
append_name(const char *name, char *list, size_t *n)
{
	size_t len = strlen(name);

	if (*n + len + 2 > SIGV4_SIGNED_HEADERS_MAX)
		return -EMSGSIZE;
	if (*n > 0)
		list[(*n)++] = ';';
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		list[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	list[*n] = '\0';
	return 0;
}

/* Hash the canonical headers and write the list of their names. */
static int
add_headers(struct sha256 *h, struct pair *headers, size_t len, char *list)
{
	size_t n = 0;
	int r;

	list[0] = '\0';
	qsort(headers, len, sizeof(*headers), compare_header);
	for (size_t i = 0; i < len; i++) {
		size_t at = n;

		/* Equal names would have to be joined in the order sent, but
		 * nobody sends any. */
		if (i > 0 && compare_header(&headers[i - 1], &headers[i]) == 0)
			return -EINVAL;
		if ((r = append_name(headers[i].name, list, &n)) < 0)
			return r;
		at += at > 0;
		if ((r = add(h, list + at)) < 0 || (r = add(h, ":")) < 0 ||
		    (r = add_value(h, headers[i].value)) < 0 ||
		    (r = add(h, "\n")) < 0)
			return r;
	}
	return 0;
}

int
sigv4_canonical(const struct sigv4_request *req, struct pair *headers,
    size_t headers_len, struct sigv4_signed *ret,
    char signed_headers[SIGV4_SIGNED_HEADERS_MAX],
    char ret_hex[SHA256_HEX_LEN + 1])
{
	CLEANUP(sha256_drop) struct sha256 h = { 0 };
	uint8_t digest[SHA256_LEN];
	int r;

	if ((r = write_query(req, ret->query, ret->query_size)) < 0 ||
	    (r = sha256_start(&h)) < 0 || (r = add(&h, req->method)) < 0 ||
	    (r = add(&h, "\n")) < 0 || (r = add_path(&h, req, ret)) < 0 ||
	    (r = add(&h, "\n")) < 0 || (r = add(&h, ret->query)) < 0 ||
	    (r = add(&h, "\n")) < 0 ||
	    (r = add_headers(&h, headers, headers_len, signed_headers)) < 0 ||
	    (r = add(&h, "\n")) < 0 || (r = add(&h, signed_headers)) < 0 ||
	    (r = add(&h, "\n")) < 0 || (r = add(&h, req->payload_hash)) < 0 ||
	    (r = sha256_finish(&h, digest)) < 0)
		return r;
	sodium_bin2hex(ret_hex, SHA256_HEX_LEN + 1, digest, sizeof(digest));
	return 0;
}
