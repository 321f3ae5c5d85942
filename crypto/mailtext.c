#include "crypto/mailtext.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "crypto/charset.h"
#include "crypto/rfc2047.h"

/* Words decoded but not yet converted: all of one charset. */
struct run {
	struct slice charset;
	size_t len; /* bytes */
	uint8_t bytes[MAILTEXT_RAW_MAX];
};

static void
flush(struct run *run, struct utf8_line *out)
{
	charset_put(run->charset, run->bytes, run->len, out);
	run->len = 0;
}

static void
add_word(struct run *run, const struct rfc2047_word *w, struct utf8_line *out)
{
	if (w->charset.len != run->charset.len ||
	    strncasecmp((const char *)w->charset.ptr,
		(const char *)run->charset.ptr, w->charset.len) != 0) {
		flush(run, out);
		run->charset = w->charset;
	}
	/* It fits: the words of a run are disjoint pieces of `raw`. */
	run->len += rfc2047_unpack(w, run->bytes + run->len);
}

/* Bytes before the next encoded word; `len` when there is none. */
static size_t
span_raw(const uint8_t *raw, size_t len, struct rfc2047_word *ret)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (raw[i] == '=' && rfc2047_find(raw + i, len - i, ret))
			break;
	}
	return i;
}

static bool
is_blank(const uint8_t *raw, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (raw[i] != ' ' && raw[i] != '\t')
			return false;
	}
	return true;
}

void
mailtext_put(const uint8_t *raw, size_t len, struct utf8_line *out)
{
	struct rfc2047_word w;
	struct run run;

	assert(len <= MAILTEXT_RAW_MAX);
	run.charset = (struct slice){ (const uint8_t *)"utf-8", 5 };
	run.len = 0;
	for (bool after_word = false; len > 0 && !out->is_full;
	     after_word = true) {
		size_t n = span_raw(raw, len, &w);

		if (!after_word || n == len || !is_blank(raw, n)) {
			flush(&run, out);
			charset_put_raw(raw, n, out);
		}
		if (n == len)
			break;
		add_word(&run, &w, out);
		raw += n + w.len;
		len -= n + w.len;
	}
	flush(&run, out);
	sodium_memzero(&run, sizeof(run));
}
