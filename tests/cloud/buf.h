/* buf.h -- a growing string, and the ways S3 and HTTP escape one.
 *
 * Zero-initialise; `p` is zero-terminated once anything was added. */
#ifndef CLOUD_BUF_H
#define CLOUD_BUF_H

#include "base.h"

struct buf {
	char *p;
	size_t len, cap; /* bytes */
};

/* Make room for `len` more bytes. */
void buf_reserve(struct buf *b, size_t len);

void buf_add(struct buf *b, const void *p, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

/* Add `s` as XML character data. Control characters become references as S3
 * writes them, which XML 1.0 readers refuse: so does a listing of such keys
 * that was not asked for with encoding-type=url. */
void buf_xml(struct buf *b, const char *s);

/* Add <name>s</name>, escaped. */
void buf_element(struct buf *b, const char *name, const char *s);

/* Add `s` percent-encoded by the rule of SigV4 (RFC 3986 unreserved stay),
 * a slash too unless `keep_slash`. */
void buf_uri(struct buf *b, const char *s, bool keep_slash);

/* Add `s` as encoding-type=url of a listing writes it: like a form field, but
 * slashes stay. */
void buf_form(struct buf *b, const char *s);

void buf_base64(struct buf *b, const void *p, size_t len);
void buf_hex(struct buf *b, const void *p, size_t len);

/* Decode strict padded base64. Returns 0, or -EINVAL with *ret untouched. */
int buf_unbase64(struct buf *ret, const char *s, size_t len) MUST_CHECK;

/* Decode %XX (and + as a space when `plus`) from `s`; NULL when an escape is
 * malformed or stands for a NUL. */
char *buf_unescape(struct arena *a, const char *s, size_t len,
    bool plus) MUST_CHECK;

/* The string, which the caller now frees; never NULL. */
char *buf_take(struct buf *b) MUST_CHECK;

/* Empty it, keeping the memory. */
void buf_clear(struct buf *b);

void buf_free(struct buf *b);

#endif
