#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char b64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
buf_reserve(struct buf *b, size_t len)
{
	size_t cap = b->cap > 0 ? b->cap : 256;

	if (b->len + len < b->cap)
		return;
	while (cap <= b->len + len)
		cap *= 2;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void
buf_add(struct buf *b, const void *p, size_t len)
{
	buf_reserve(b, len);
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	buf_add(b, text, (size_t)n);
	free(text);
}

static void
xml_char(struct buf *b, char c)
{
	switch (c) {
	case '&':
		buf_str(b, "&amp;");
		break;
	case '<':
		buf_str(b, "&lt;");
		break;
	case '>':
		buf_str(b, "&gt;");
		break;
	case '"':
		buf_str(b, "&quot;");
		break;
	default:
		if ((unsigned char)c < 0x20 || c == 0x7f)
			buf_fmt(b, "&#x%x;", (unsigned)(unsigned char)c);
		else
			buf_char(b, c);
	}
}

void
buf_xml(struct buf *b, const char *s)
{
	size_t plain;

	while (*s != '\0') {
		plain = strcspn(s, "&<>\""
		    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
		    "\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c"
		    "\x1d\x1e\x1f\x7f");
		buf_add(b, s, plain);
		s += plain;
		if (*s != '\0')
			xml_char(b, *s++);
	}
}

void
buf_element(struct buf *b, const char *name, const char *s)
{
	buf_char(b, '<');
	buf_str(b, name);
	buf_char(b, '>');
	buf_xml(b, s);
	buf_str(b, "</");
	buf_str(b, name);
	buf_char(b, '>');
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

static void
escape(struct buf *b, const char *s, const char *keep, bool plus)
{
	static const char hex[] = "0123456789ABCDEF";
	char c, *out;

	buf_reserve(b, 3 * strlen(s));
	out = b->p + b->len;
	for (; (c = *s) != '\0'; s++) {
		if (is_alnum(c) || strchr(keep, c) != NULL) {
			*out++ = c;
		} else if (plus && c == ' ') {
			*out++ = '+';
		} else {
			*out++ = '%';
			*out++ = hex[(unsigned char)c >> 4];
			*out++ = hex[(unsigned char)c & 15];
		}
	}
	*out = '\0';
	b->len = (size_t)(out - b->p);
}

void
buf_uri(struct buf *b, const char *s, bool keep_slash)
{
	escape(b, s, keep_slash ? "-._~/" : "-._~", false);
}

void
buf_form(struct buf *b, const char *s)
{
	escape(b, s, "-._*/", true);
}

void
buf_base64(struct buf *b, const void *p, size_t len)
{
	const unsigned char *s = p;
	unsigned v;
	char *out;

	buf_reserve(b, (len + 2) / 3 * 4);
	out = b->p + b->len;
	for (; len >= 3; s += 3, len -= 3) {
		v = (unsigned)s[0] << 16 | (unsigned)s[1] << 8 | s[2];
		*out++ = b64[v >> 18];
		*out++ = b64[v >> 12 & 63];
		*out++ = b64[v >> 6 & 63];
		*out++ = b64[v & 63];
	}
	if (len > 0) {
		v = (unsigned)s[0] << 16 | (len > 1 ? (unsigned)s[1] << 8 : 0);
		*out++ = b64[v >> 18];
		*out++ = b64[v >> 12 & 63];
		*out++ = len > 1 ? b64[v >> 6 & 63] : '=';
		*out++ = '=';
	}
	*out = '\0';
	b->len = (size_t)(out - b->p);
}

void
buf_hex(struct buf *b, const void *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = p;

	buf_reserve(b, 2 * len);
	for (size_t i = 0; i < len; i++) {
		b->p[b->len++] = hex[s[i] >> 4];
		b->p[b->len++] = hex[s[i] & 15];
	}
	b->p[b->len] = '\0';
}

int
buf_unbase64(struct buf *ret, const char *s, size_t len)
{
	size_t pad = 0, start = ret->len;
	const char *at;
	uint32_t v = 0;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && s[len - pad - 1] == '=')
		pad++;
	buf_reserve(ret, len / 4 * 3);
	for (size_t i = 0; i < len; i++) {
		at = i >= len - pad ? b64 : memchr(b64, s[i], 64);
		if (at == NULL) {
			ret->len = start;
			ret->p[start] = '\0';
			return -EINVAL;
		}
		v = v << 6 | (uint32_t)(at - b64);
		if (i % 4 == 3) {
			ret->p[ret->len++] = (char)(v >> 16);
			ret->p[ret->len++] = (char)(v >> 8);
			ret->p[ret->len++] = (char)v;
		}
	}
	ret->len -= pad;
	ret->p[ret->len] = '\0';
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *
buf_unescape(struct arena *a, const char *s, size_t len, bool plus)
{
	char *ret = arena_alloc(a, len + 1), *out = ret;
	int hi, lo;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%') {
			if (len - i < 3 || (hi = hex_digit(s[i + 1])) < 0 ||
			    (lo = hex_digit(s[i + 2])) < 0 || hi + lo == 0)
				return NULL;
			*out++ = (char)(hi << 4 | lo);
			i += 2;
		} else {
			*out++ = plus && s[i] == '+' ? ' ' : s[i];
		}
	}
	return ret;
}

char *
buf_take(struct buf *b)
{
	char *p;

	buf_add(b, "", 0);
	p = b->p;
	*b = (struct buf){ 0 };
	return p;
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}
