/* rfc2047.h -- encoded words: =?charset?B?...?= and =?charset?Q?...?=.
 *
 * Only finds and unpacks them; what the bytes mean (charset) and what becomes
 * of the space between words is the caller's. Pure; any thread. */
#ifndef SESFS_CRYPTO_RFC2047_H
#define SESFS_CRYPTO_RFC2047_H

#include "crypto/base.h"

/* One encoded word. Slices point into the text. */
struct rfc2047_word {
	struct slice charset; /* without the language of RFC 2231 */
	struct slice payload; /* still encoded, no white space inside */
	bool is_base64;	      /* B; otherwise Q */
	size_t len;	      /* bytes of the word, from "=?" through "?=" */
};

/* Is there an encoded word at the start of `text`? */
bool rfc2047_find(const uint8_t *text, size_t len, struct rfc2047_word *ret);

/* Decode the payload to `ret`, which has room for payload.len bytes. Lenient:
 * base64 stops at its padding or at the first wrong character, and a Q escape
 * that is none stands for itself. Returns the bytes. */
size_t rfc2047_unpack(const struct rfc2047_word *w, uint8_t *ret);

#endif
