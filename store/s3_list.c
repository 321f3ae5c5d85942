#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "store/buf.h"
#include "store/s3_list.h"
#include "store/stamp.h"
#include "store/xmltext.h"

#define TEXT_MAX (3 * S3_KEY_MAX + 1) /* of one element, encoded */
#define STRINGS_MAX (1001 * (3 * S3_KEY_MAX + 2))
#define DEPTH_MAX 8
#define NONE SIZE_MAX

/* The elements that are read: bit of `seen`, and where they may stand. */
enum field {
	F_KEY,
	F_ETAG,
	F_SIZE,
	F_MODIFIED,
	F_CLASS,
	F_TRUNCATED,
	F_TOKEN,
	F_ENCODING,
	F_OTHER
};

static const struct {
	const char *name;
	unsigned depth;
} fields[F_OTHER] = {
	[F_KEY] = { "Key", 3 },
	[F_ETAG] = { "ETag", 3 },
	[F_SIZE] = { "Size", 3 },
	[F_MODIFIED] = { "LastModified", 3 },
	[F_CLASS] = { "StorageClass", 3 },
	[F_TRUNCATED] = { "IsTruncated", 2 },
	[F_TOKEN] = { "NextContinuationToken", 2 },
	[F_ENCODING] = { "EncodingType", 2 },
};
#define ITEM_FIELDS (1 << F_KEY | 1 << F_ETAG | 1 << F_SIZE | 1 << F_MODIFIED)

struct state {
	const struct s3_list_want *want;
	struct s3_page *page;
	size_t *key_at; /* offsets of the keys in `strings` */
	struct buf strings;
	size_t token_at; /* offset, or NONE */
	unsigned depth;
	bool is_in_item;
	enum field field;
	unsigned seen; /* fields of this item */
	bool is_encoded;
	char text[TEXT_MAX];
	size_t text_len;
	const char *why; /* what is wrong, or NULL */
};

static void
fail(XML_Parser p, struct state *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	XML_StopParser(p, XML_FALSE);
}

int64_t
s3_url_decode(char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		const char *hi, *lo;
		int v = (unsigned char)s[i];

		if (s[i] == '+')
			v = ' ';
		if (s[i] == '%') {
			if (len - i < 3 || s[i + 1] == '\0' ||
			    s[i + 2] == '\0' ||
			    (hi = strchr(hex, s[i + 1])) == NULL ||
			    (lo = strchr(hex, s[i + 2])) == NULL)
				return -EPROTO;
			v = (int)((hi - hex) % 16 * 16 + (lo - hex) % 16);
			i += 2;
		}
		if (v == 0)
			return -EPROTO;
		s[out++] = (char)v;
	}
	return (int64_t)out;
}

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

static void
begin_item(XML_Parser p, struct state *s)
{
	if (s->page->n >= s->want->max_keys) {
		fail(p, s, "more keys than asked for");
		return;
	}
	s->is_in_item = true;
	s->seen = 0;
}

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attr)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);

	name = local_name(name);
	s->depth++;
	s->field = F_OTHER;
	s->text_len = 0;
	if (s->depth == 1 && strcmp(name, "ListBucketResult") != 0)
		fail(arg, s, "not a ListBucketResult");
	else if (s->depth > DEPTH_MAX)
		fail(arg, s, "nested too deeply");
	else if (s->depth == 2 && strcmp(name, "Contents") == 0)
		begin_item(arg, s);
	else if (s->depth == 2 || (s->depth == 3 && s->is_in_item))
		for (int f = 0; f < F_OTHER; f++)
			if (fields[f].depth == s->depth &&
			    strcmp(fields[f].name, name) == 0)
				s->field = (enum field)f;
}

static void
on_text(void *arg, const XML_Char *text, int len)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);

	if (s->field == F_OTHER)
		return;
	if ((size_t)len >= sizeof(s->text) - s->text_len) {
		fail(arg, s, "an element is too long");
		return;
	}
	memcpy(s->text + s->text_len, text, (size_t)len);
	s->text_len += (size_t)len;
}

/* Keep the element's text in `strings`, zero-terminated. */
static size_t
keep_text(XML_Parser p, struct state *s)
{
	size_t at = s->strings.len;

	if (buf_add(&s->strings, s->text, s->text_len + 1) < 0) {
		fail(p, s, "too much text");
		return NONE;
	}
	return at;
}

static const char *
take_etag(const struct state *s, struct s3_item *it)
{
	const char *v = s->text;
	size_t n = s->text_len;

	if (n >= 2 && v[0] == '"' && v[n - 1] == '"') {
		v++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(it->etag))
		return "an ETag of absurd length";
	memcpy(it->etag, v, n);
	it->etag[n] = '\0';
	return NULL;
}

static const char *
take_size(const struct state *s, struct s3_item *it)
{
	if (s->text_len == 0 || s->text_len > 18 ||
	    strspn(s->text, "0123456789") != s->text_len)
		return "a Size that is no number";
	it->size = strtoull(s->text, NULL, 10);
	return NULL;
}

static const char *
take_item_field(XML_Parser p, struct state *s)
{
	struct s3_item *it = &s->page->item[s->page->n];

	if (s->seen & (1U << s->field))
		return "an element twice in one item";
	s->seen |= 1U << s->field;
	switch (s->field) {
	case F_KEY:
		s->key_at[s->page->n] = keep_text(p, s);
		return NULL;
	case F_ETAG:
		return take_etag(s, it);
	case F_SIZE:
		return take_size(s, it);
	case F_MODIFIED:
		return stamp_parse_iso(s->text, &it->last_modified_unix) < 0 ?
		    "a LastModified that is no time" : NULL;
	default:
		/* GLACIER_IR is read like any other. */
		it->is_archived = strcmp(s->text, "GLACIER") == 0 ||
		    strcmp(s->text, "DEEP_ARCHIVE") == 0;
		return NULL;
	}
}

static const char *
take_field(XML_Parser p, struct state *s)
{
	s->text[s->text_len] = '\0';
	if (fields[s->field].depth == 3)
		return take_item_field(p, s);
	if (s->field == F_TRUNCATED)
		s->page->is_truncated = strcmp(s->text, "true") == 0;
	else if (s->field == F_ENCODING)
		s->is_encoded = strcmp(s->text, "url") == 0;
	else if (s->text_len > 0)
		s->token_at = keep_text(p, s);
	return NULL;
}

static void
on_end(void *arg, const XML_Char *name)
{
	struct state *s = XML_GetUserData((XML_Parser)arg);
	const char *why = NULL;

	if (s->field != F_OTHER)
		why = take_field(arg, s);
	s->field = F_OTHER;
	if (s->depth == 2 && s->is_in_item) {
		s->is_in_item = false;
		if ((s->seen & ITEM_FIELDS) != ITEM_FIELDS)
			why = "an item without Key, ETag, Size or "
			      "LastModified";
		else
			s->page->n++;
	}
	s->depth--;
	if (why != NULL)
		fail(arg, s, why);
}

static const char *
check_key(const struct state *s, const char *key, const char *before)
{
	if (strncmp(key, s->want->prefix, strlen(s->want->prefix)) != 0)
		return "a key outside the prefix";
	if (before != NULL && strcmp(key, before) <= 0)
		return "keys out of order";
	return NULL;
}

/* Offsets become pointers, escapes become bytes. strcmp() compares bytes as
 * unsigned, which is S3's order. */
static const char *
finish_keys(struct state *s)
{
	const char *before = NULL, *why;
	char *base = (char *)s->strings.ptr;

	for (size_t i = 0; i < s->page->n; i++) {
		char *key = base + s->key_at[i];
		int64_t n = (int64_t)strlen(key);

		if (s->is_encoded && (n = s3_url_decode(key, (size_t)n)) < 0)
			return "a key with a bad escape";
		if (n < 1 || n > S3_KEY_MAX)
			return "a key of absurd length";
		key[n] = '\0';
		if ((why = check_key(s, key, before)) != NULL)
			return why;
		s->page->item[i].key = before = key;
	}
	if (s->page->is_truncated && s->token_at == NONE)
		return "truncated, but without a continuation token";
	if (s->page->is_truncated)
		s->page->next_token = base + s->token_at;
	return NULL;
}

static void
parse(struct state *s, struct slice xml)
{
	XML_Parser p = xmltext_parser();

	if (p == NULL || xml.len > INT32_MAX) {
		s->why = "too long";
		XML_ParserFree(p);
		return;
	}
	XML_SetUserData(p, s);
	XML_UseParserAsHandlerArg(p);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	if (XML_Parse(p, (const char *)xml.ptr, (int)xml.len, 1) !=
		XML_STATUS_OK && s->why == NULL)
		s->why = "not well-formed XML";
	XML_ParserFree(p);
	if (s->why == NULL)
		s->why = finish_keys(s);
}

int
s3_list_parse(struct slice xml, const struct s3_list_want *want,
    struct s3_page *ret, const char **ret_why)
{
	struct state *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	*ret = (struct s3_page){ .n = 0 };
	*ret_why = "out of memory";
	if (s == NULL)
		return r;
	s->want = want;
	s->page = ret;
	s->strings.max = STRINGS_MAX;
	s->token_at = NONE;
	ret->item = calloc(want->max_keys + 1, sizeof(*ret->item));
	s->key_at = calloc(want->max_keys + 1, sizeof(*s->key_at));
	if (ret->item != NULL && s->key_at != NULL) {
		parse(s, xml);
		r = s->why != NULL ? -EPROTO : 0;
		*ret_why = s->why;
	}
	ret->arena_ = s->strings.ptr;
	if (r < 0)
		s3_page_free(ret);
	free(s->key_at);
	free(s);
	return r;
}

void
s3_page_free(struct s3_page *p)
{
	free(p->item);
	free(p->arena_);
	*p = (struct s3_page){ .n = 0 };
}
