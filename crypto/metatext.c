#include "crypto/metatext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/rfc2047.h"
#include "crypto/utf8.h"

static bool
is_utf8_word(const uint8_t *text, size_t len, struct rfc2047_word *w)
{
	return rfc2047_find(text, len, w) && w->charset.len == 5 &&
	    strncasecmp((const char *)w->charset.ptr, "utf-8", 5) == 0;
}

/* Decode the words of `text` into `out`, which is as long. *ret_words counts
 * them. Returns the bytes. */
static size_t
decode_words(const uint8_t *text, size_t len, uint8_t *out, size_t *ret_words)
{
	struct rfc2047_word w;
	size_t n = 0, i = 0, blanks = 0;
	bool after_word = false;

	*ret_words = 0;
	while (i < len) {
		if (is_utf8_word(text + i, len - i, &w)) {
			if (after_word)
				n -= blanks;
			n += rfc2047_unpack(&w, out + n);
			i += w.len;
			blanks = 0;
			after_word = true;
			++*ret_words;
			continue;
		}
		if (text[i] == ' ' || text[i] == '\t') {
			blanks++;
		} else {
			blanks = 0;
			after_word = false;
		}
		out[n++] = text[i++];
	}
	return n;
}

/* Take characters below U+0100 as bytes, in place. Returns the new length, or
 * `len` with nothing changed when there is nothing to undo. */
static size_t
undo_latin1(uint8_t *text, size_t len, uint8_t *scratch)
{
	size_t n = 0, step;
	uint32_t cp;

	for (size_t i = 0; i < len; i += step) {
		if ((step = utf8_get(text + i, len - i, &cp)) == 0 ||
		    cp > 0xff)
			return len;
		scratch[n++] = (uint8_t)cp;
	}
	if (!utf8_is_valid(scratch, n))
		return len;
	memcpy(text, scratch, n);
	return n;
}

int
metatext_decode(const char *text, char **ret)
{
	size_t len = strlen(text), n, words;
	uint8_t *out;

	*ret = NULL;
	/* The second half is scratch. */
	if ((out = malloc(2 * len + 1)) == NULL)
		return -ENOMEM;
	n = decode_words((const uint8_t *)text, len, out, &words);
	if (words > 0)
		n = undo_latin1(out, n, out + len);
	if (memchr(out, '\0', n) != NULL) {
		memcpy(out, text, len);
		n = len;
	}
	out[n] = '\0';
	*ret = (char *)out;
	return 0;
}
