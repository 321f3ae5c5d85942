/* rfc822.h -- the few header fields of a message that the index keeps.
 *
 * A bounded reader of RFC 5322 headers in a verified message: unfolds, decodes
 * RFC 2047 words to UTF-8, tolerates 8-bit and broken mail (each tolerance is
 * listed in sesfs(7)). It never fails: what is not there is empty, what is too
 * long is cut at a character boundary. The result holds plaintext: wipe it. */
#ifndef SESFS_CRYPTO_RFC822_H
#define SESFS_CRYPTO_RFC822_H

#include "crypto/base.h"

enum rfc822_field {
	RFC822_FROM,
	RFC822_TO,
	RFC822_CC,
	RFC822_SUBJECT,
	RFC822_DATE,	   /* text as written */
	RFC822_MESSAGE_ID, /* with angle brackets, as written */
	RFC822_IN_REPLY_TO,
	RFC822_REFERENCES,
	RFC822_LIST_ID,
	RFC822_SPAM,  /* X-SES-Spam-Verdict, the first one */
	RFC822_VIRUS, /* X-SES-Virus-Verdict, the first one */
	RFC822_FIELDS
};

#define RFC822_VALUE_MAX 1024 /* bytes kept of one value, with the zero */

struct rfc822 {
	char value[RFC822_FIELDS][RFC822_VALUE_MAX]; /* UTF-8, terminated, no
						      * control characters */
	int64_t date_unix;   /* of Date:, INT64_MIN when absent or broken */
	uint64_t crlf_size;  /* bytes with every bare LF counted as CRLF: the
			      * W= of Maildir++ */
};

/* "from", "to", ... "spam", "virus": the names of `ls --json`. */
const char *rfc822_field_name(enum rfc822_field f);

/* Read the header of a whole message. */
void rfc822_parse(const uint8_t *msg, size_t len, struct rfc822 *ret);

#endif
