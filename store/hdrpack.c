#include "store/hdrpack.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define VERSION 1

static_assert(RFC822_VALUE_MAX <= 1 << 14, "a length is a varint of 2 bytes");
static_assert(RFC822_FIELDS < 256, "the number of fields is a byte");

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* Small numbers of either sign become small. */
static uint64_t
zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t
unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

size_t
hdrpack_pack(const struct rfc822 *h, uint8_t *out, size_t max)
{
	uint8_t *p = out;

	assert(max >= HDRPACK_MAX);
	*p++ = VERSION;
	p = put_varint(p, zigzag(h->date_unix));
	p = put_varint(p, h->crlf_size);
	*p++ = RFC822_FIELDS;
	for (int f = 0; f < RFC822_FIELDS; f++) {
		size_t len = strnlen(h->value[f], RFC822_VALUE_MAX - 1);

		p = put_varint(p, len);
		memcpy(p, h->value[f], len);
		p += len;
	}
	return (size_t)(p - out);
}

static bool
get_byte(struct slice *in, uint8_t *ret)
{
	if (in->len == 0)
		return false;
	*ret = *in->ptr++;
	in->len--;
	return true;
}

static bool
get_varint(struct slice *in, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < HDRPACK_VARINT_MAX; i++) {
		uint8_t b;

		if (!get_byte(in, &b))
			return false;
		if (i == HDRPACK_VARINT_MAX - 1 && b > 1)
			return false; /* more than 64 bits */
		v |= (uint64_t)(b & 0x7F) << (7 * i);
		if (b < 0x80) {
			*ret = v;
			return b > 0 || i == 0; /* the shortest form */
		}
	}
	return false;
}

static bool
get_value(struct slice *in, char ret[RFC822_VALUE_MAX])
{
	uint64_t len;

	if (!get_varint(in, &len) || len >= RFC822_VALUE_MAX || len > in->len ||
	    memchr(in->ptr, '\0', len) != NULL)
		return false;
	memcpy(ret, in->ptr, len);
	ret[len] = '\0';
	in->ptr += len;
	in->len -= len;
	return true;
}

static bool
get_all(struct slice in, struct rfc822 *ret)
{
	uint64_t date;
	uint8_t version, fields;

	if (!get_byte(&in, &version) || version != VERSION ||
	    !get_varint(&in, &date) || !get_varint(&in, &ret->crlf_size) ||
	    !get_byte(&in, &fields) || fields != RFC822_FIELDS)
		return false;
	ret->date_unix = unzigzag(date);
	for (int f = 0; f < RFC822_FIELDS; f++)
		if (!get_value(&in, ret->value[f]))
			return false;
	return in.len == 0;
}

int
hdrpack_unpack(const uint8_t *in, size_t len, struct rfc822 *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (get_all((struct slice){ in, len }, ret))
		return 0;
	sodium_memzero(ret, sizeof(*ret));
	return -EBADMSG;
}
