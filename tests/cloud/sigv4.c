#include "sigv4.h"

#include "digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "AWS4-HMAC-SHA256"
#define SPACES " \t"

static bool
is_hex(const char *s, size_t len)
{
	return strlen(s) == len && strspn(s, "0123456789abcdef") == len;
}

int
sigv4_parse_credential(struct arena *a, const char *value,
    struct sigv4_auth *ret)
{
	char *parts[5], *rest = arena_str(a, value, strlen(value));
	size_t n = 0;

	while (n < NELEMS(parts) && rest != NULL)
		parts[n++] = strsep(&rest, "/");
	if (n != NELEMS(parts) || rest != NULL ||
	    strcmp(parts[4], "aws4_request") != 0 || *parts[0] == '\0' ||
	    strlen(parts[1]) != 8 || strspn(parts[1], "0123456789") != 8 ||
	    *parts[2] == '\0' || *parts[3] == '\0')
		return -EPROTO;
	ret->access_key = parts[0];
	ret->scope = (struct sigv4_scope){ parts[1], parts[2], parts[3] };
	return 0;
}

static int
parse_field(struct arena *a, char *field, struct sigv4_auth *ret)
{
	char *value = strchr(field, '=');

	if (value == NULL)
		return -EPROTO;
	*value++ = '\0';
	if (strcmp(field, "Credential") == 0)
		return sigv4_parse_credential(a, value, ret);
	if (strcmp(field, "SignedHeaders") == 0)
		ret->signed_headers = value;
	else if (strcmp(field, "Signature") == 0)
		ret->signature = value;
	else
		return -EPROTO;
	return 0;
}

int
sigv4_parse(struct arena *a, const char *value, struct sigv4_auth *ret)
{
	char *rest = arena_str(a, value, strlen(value)), *field;
	int r;

	*ret = (struct sigv4_auth){ 0 };
	field = strsep(&rest, " ");
	if (strcmp(field, SCHEME) != 0)
		return -EOPNOTSUPP;
	while ((field = strsep(&rest, ",")) != NULL) {
		field += strspn(field, SPACES);
		if ((r = parse_field(a, field, ret)) < 0)
			return r;
	}
	if (ret->access_key == NULL || ret->signed_headers == NULL ||
	    ret->signature == NULL || !is_hex(ret->signature, SIGV4_HEX_LEN))
		return -EPROTO;
	return 0;
}

static int
by_name_value(const void *va, const void *vb)
{
	const struct pair *a = va, *b = vb;
	int r = strcmp(a->name, b->name);

	return r != 0 ? r : strcmp(a->value, b->value);
}

/* Parameters are ordered by their encoded form, which differs from the order
 * of the decoded one. */
static void
canonical_query(const struct sigv4_message *m, struct buf *ret)
{
	struct arena a = { 0 };
	struct pair *enc = arena_alloc(&a, (m->nquery + 1) * sizeof *enc);
	struct buf b = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < m->nquery; i++) {
		if (strcmp(m->query[i].name, "X-Amz-Signature") == 0)
			continue;
		buf_clear(&b);
		buf_uri(&b, m->query[i].name, false);
		enc[n].name = arena_str(&a, b.p, b.len);
		buf_clear(&b);
		buf_uri(&b, m->query[i].value, false);
		enc[n++].value = arena_str(&a, b.p, b.len);
	}
	qsort(enc, n, sizeof *enc, by_name_value);
	for (size_t i = 0; i < n; i++) {
		buf_str(ret, i > 0 ? "&" : "");
		buf_str(ret, enc[i].name);
		buf_char(ret, '=');
		buf_str(ret, enc[i].value);
	}
	buf_char(ret, '\n');
	buf_free(&b);
	arena_free(&a);
}

/* A header value without outer spaces, inner runs of them as one. */
static void
canonical_value(const char *s, struct buf *ret)
{
	size_t word;

	s += strspn(s, SPACES);
	while (*s != '\0') {
		word = strcspn(s, SPACES);
		buf_add(ret, s, word);
		s += word;
		s += strspn(s, SPACES);
		if (*s != '\0')
			buf_char(ret, ' ');
	}
}

/* One line of canonical headers; false when there is no such header. */
static bool
canonical_header(const struct sigv4_message *m, const char *name, size_t len,
    struct buf *ret)
{
	bool found = false;

	for (size_t i = 0; i < m->nheaders; i++) {
		if (strncmp(m->headers[i].name, name, len) != 0 ||
		    m->headers[i].name[len] != '\0')
			continue;
		if (!found)
			buf_add(ret, name, len);
		buf_char(ret, found ? ',' : ':');
		canonical_value(m->headers[i].value, ret);
		found = true;
	}
	buf_char(ret, '\n');
	return found;
}

static bool
name_less(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r != 0 ? r < 0 : a_len < b_len;
}

int
sigv4_canonical(const struct sigv4_message *m, const char *signed_headers,
    struct buf *ret)
{
	const char *name = signed_headers, *prev = "";
	size_t len, prev_len = 0;

	buf_str(ret, m->method);
	buf_char(ret, '\n');
	buf_uri(ret, m->path, true);
	buf_char(ret, '\n');
	canonical_query(m, ret);
	for (;; name += len + 1) {
		len = strcspn(name, ";");
		if (!name_less(prev, prev_len, name, len) ||
		    !canonical_header(m, name, len, ret))
			return -ENOENT;
		if (name[len] == '\0')
			break;
		prev = name;
		prev_len = len;
	}
	buf_char(ret, '\n');
	buf_str(ret, signed_headers);
	buf_char(ret, '\n');
	buf_str(ret, m->payload);
	return 0;
}

void
sigv4_string_to_sign(const char *amz_date, const struct sigv4_scope *scope,
    const struct buf *canonical, struct buf *ret)
{
	char sum[2 * SHA256_LEN + 1];

	digest_sha256_hex(canonical->p, canonical->len, sum);
	buf_fmt(ret, SCHEME "\n%s\n%s/%s/%s/aws4_request\n%s", amz_date,
	    scope->date, scope->region, scope->service, sum);
}

void
sigv4_key(const char *secret, const struct sigv4_scope *scope,
    uint8_t ret[SIGV4_KEY_LEN])
{
	const char *steps[] = { scope->date, scope->region, scope->service,
		"aws4_request" };
	struct buf start = { 0 };

	buf_fmt(&start, "AWS4%s", secret);
	digest_hmac_sha256(start.p, start.len, steps[0], strlen(steps[0]), ret);
	for (size_t i = 1; i < NELEMS(steps); i++)
		digest_hmac_sha256(ret, SIGV4_KEY_LEN, steps[i],
		    strlen(steps[i]), ret);
	buf_free(&start);
}

void
sigv4_signature(const uint8_t key[SIGV4_KEY_LEN],
    const struct buf *string_to_sign, char ret[SIGV4_HEX_LEN + 1])
{
	uint8_t mac[SHA256_LEN];
	struct buf b = { 0 };

	digest_hmac_sha256(key, SIGV4_KEY_LEN, string_to_sign->p,
	    string_to_sign->len, mac);
	buf_hex(&b, mac, sizeof mac);
	memcpy(ret, b.p, SIGV4_HEX_LEN + 1);
	buf_free(&b);
}

void
sigv4_sign(const struct sigv4_message *m, const char *access_key,
    const uint8_t key[SIGV4_KEY_LEN], const struct sigv4_scope *scope,
    const char *amz_date, struct buf *ret)
{
	struct buf names = { 0 }, canonical = { 0 }, to_sign = { 0 };
	char signature[SIGV4_HEX_LEN + 1] = "";

	for (size_t i = 0; i < m->nheaders; i++)
		buf_fmt(&names, "%s%s", i > 0 ? ";" : "", m->headers[i].name);
	if (sigv4_canonical(m, names.p, &canonical) == 0) {
		sigv4_string_to_sign(amz_date, scope, &canonical, &to_sign);
		sigv4_signature(key, &to_sign, signature);
	}
	buf_fmt(ret, SCHEME " Credential=%s/%s/%s/%s/aws4_request,"
	    "SignedHeaders=%s,Signature=%s", access_key, scope->date,
	    scope->region, scope->service, names.p, signature);
	buf_free(&names);
	buf_free(&canonical);
	buf_free(&to_sign);
}
