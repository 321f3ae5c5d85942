#include "crypto/rfc2047.h"

#include <string.h>

/* The part of `text` before the next '?', which must be there and must not
 * contain white space or controls. */
static bool
take_part(const uint8_t **text, const uint8_t *end, struct slice *ret)
{
	const uint8_t *p;

	for (p = *text; p < end && *p != '?'; p++) {
		if (*p <= ' ' || *p == 0x7f)
			return false;
	}
	if (p == end)
		return false;
	ret->ptr = *text;
	ret->len = (size_t)(p - *text);
	*text = p + 1;
	return true;
}

/* The payload: up to "?=". Unlike RFC 2047, a space is let through, since
 * mailers write unencoded ones in Q words. A lone '?' is not. */
static bool
take_payload(const uint8_t **text, const uint8_t *end, struct slice *ret)
{
	const uint8_t *p;

	for (p = *text; p < end && *p != '?'; p++) {
		if (*p < ' ' || *p == 0x7f)
			return false;
	}
	if (end - p < 2 || p[1] != '=')
		return false;
	ret->ptr = *text;
	ret->len = (size_t)(p - *text);
	*text = p + 2;
	return true;
}

bool
rfc2047_find(const uint8_t *text, size_t len, struct rfc2047_word *ret)
{
	const uint8_t *p = text + 2, *end = text + len, *star;
	struct slice encoding;

	if (len < 2 || text[0] != '=' || text[1] != '?' ||
	    !take_part(&p, end, &ret->charset) || ret->charset.len == 0 ||
	    !take_part(&p, end, &encoding) || encoding.len != 1 ||
	    !take_payload(&p, end, &ret->payload))
		return false;
	switch (encoding.ptr[0]) {
	case 'b':
	case 'B':
		ret->is_base64 = true;
		break;
	case 'q':
	case 'Q':
		ret->is_base64 = false;
		break;
	default:
		return false;
	}
	star = memchr(ret->charset.ptr, '*', ret->charset.len);
	if (star != NULL)
		ret->charset.len = (size_t)(star - ret->charset.ptr);
	ret->len = (size_t)(p - text);
	return true;
}

static int
base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t
unpack_base64(struct slice in, uint8_t *ret)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	int digit;

	for (size_t i = 0; i < in.len; i++) {
		if ((digit = base64_digit(in.ptr[i])) < 0)
			break;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			ret[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
unpack_q(struct slice in, uint8_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c == '_') {
			c = ' ';
		} else if (c == '=' && in.len - i > 2 &&
		    hex_digit(in.ptr[i + 1]) >= 0 &&
		    hex_digit(in.ptr[i + 2]) >= 0) {
			c = (uint8_t)(hex_digit(in.ptr[i + 1]) << 4 |
			    hex_digit(in.ptr[i + 2]));
			i += 2;
		}
		ret[n++] = c;
	}
	return n;
}

size_t
rfc2047_unpack(const struct rfc2047_word *w, uint8_t *ret)
{
	return w->is_base64 ? unpack_base64(w->payload, ret)
			    : unpack_q(w->payload, ret);
}
