#include "crypto/b64.h"

#include <errno.h>
#include <sodium.h>

/* libsodium 1.0.18 takes every 8-bit character for a '/'. */
static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] > 0x7f)
			return false;
	}
	return true;
}

int64_t
b64_decode(const char *text, size_t text_len, uint8_t *ret, size_t ret_size)
{
	size_t len, need = text_len / 4 * 3;

	if (text_len % 4 != 0 || !is_ascii(text, text_len))
		return -EBADMSG;
	for (size_t i = 1; i <= 2 && i < text_len; i++)
		need -= text[text_len - i] == '=';
	if (need > ret_size)
		return -EMSGSIZE;
	/* Wrong padding and non-zero unused bits it does reject, and without
	 * an `end` whatever follows too. */
	if (sodium_base642bin(ret, ret_size, text, text_len, NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return -EBADMSG;
	return (int64_t)len;
}

void
b64_encode(const void *data, size_t len, char *ret)
{
	sodium_bin2base64(ret, B64_LEN(len) + 1, data, len,
	    sodium_base64_VARIANT_ORIGINAL);
}
