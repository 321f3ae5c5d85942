#include "crypto/utf8.h"

#include <string.h>

size_t
utf8_get(const uint8_t *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t cp;
	size_t n;

	if (len == 0)
		return 0;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	cp = s[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret = cp;
	return n;
}

size_t
utf8_put(uint32_t cp, uint8_t ret[UTF8_MAX])
{
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; cp >>= 6)
		ret[i] = (uint8_t)(0x80 | (cp & 0x3f));
	ret[0] = (uint8_t)(lead[n] | cp);
	return n;
}

bool
utf8_is_valid(const uint8_t *s, size_t len)
{
	uint32_t cp;
	size_t n;

	for (; len > 0; s += n, len -= n) {
		if ((n = utf8_get(s, len, &cp)) == 0)
			return false;
	}
	return true;
}

void
utf8_line_init(struct utf8_line *l, char *buf, size_t size)
{
	*l = (struct utf8_line){ .buf = buf, .size = size };
	buf[0] = '\0';
}

static bool
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

void
utf8_line_put(struct utf8_line *l, uint32_t cp)
{
	uint8_t enc[UTF8_MAX];
	size_t n;

	if (cp >= '\t' && cp <= '\r')
		cp = ' ';
	if (is_control(cp))
		return;
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	n = utf8_put(cp, enc);
	if (l->is_full || n >= l->size - l->len) {
		l->is_full = true;
		return;
	}
	memcpy(l->buf + l->len, enc, n);
	l->len += n;
	l->buf[l->len] = '\0';
}

void
utf8_line_trim(struct utf8_line *l)
{
	while (l->len > 0 && l->buf[l->len - 1] == ' ')
		l->len--;
	l->buf[l->len] = '\0';
}
