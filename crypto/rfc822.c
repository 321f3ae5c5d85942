#include "crypto/rfc822.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "crypto/maildate.h"
#include "crypto/mailtext.h"

#define HEADER_MAX ((size_t)1 << 20) /* bytes of a header that are read */

static const struct {
	const char *name; /* of `ls --json` */
	const char *header;
} fields[RFC822_FIELDS] = {
	[RFC822_FROM] = { "from", "from" },
	[RFC822_TO] = { "to", "to" },
	[RFC822_CC] = { "cc", "cc" },
	[RFC822_SUBJECT] = { "subject", "subject" },
	[RFC822_DATE] = { "date", "date" },
	[RFC822_MESSAGE_ID] = { "message_id", "message-id" },
	[RFC822_IN_REPLY_TO] = { "in_reply_to", "in-reply-to" },
	[RFC822_REFERENCES] = { "references", "references" },
	[RFC822_LIST_ID] = { "list_id", "list-id" },
	[RFC822_SPAM] = { "spam", "x-ses-spam-verdict" },
	[RFC822_VIRUS] = { "virus", "x-ses-virus-verdict" },
};

const char *
rfc822_field_name(enum rfc822_field f)
{
	return fields[f].name;
}

static uint64_t
crlf_size(const uint8_t *msg, size_t len)
{
	uint64_t size = len;
	const uint8_t *p = msg, *end = msg + len;

	while (p < end &&
	    (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		size += p == msg || p[-1] != '\r';
		p++;
	}
	return size;
}

/* Text was cut here: not within a character, or all of it would no longer be
 * UTF-8 and be taken for something else. */
static size_t
whole_characters(const uint8_t *text, size_t len)
{
	size_t n = len;

	while (n > 0 && len - n < 3 && (text[n - 1] & 0xc0) == 0x80)
		n--;
	return n > 0 && text[n - 1] >= 0xc0 ? n - 1 : len;
}

/* Take the first line of *text, without its line end. */
static struct slice
take_line(struct slice *text)
{
	const uint8_t *lf = memchr(text->ptr, '\n', text->len);
	struct slice line = { text->ptr, text->len };
	size_t taken = text->len;

	if (lf != NULL) {
		line.len = (size_t)(lf - text->ptr);
		taken = line.len + 1;
	}
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	text->ptr += taken;
	text->len -= taken;
	return line;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The lines that continue a field, unfolded into `raw` behind what is there.
 * Only the line ends go: the white space stays. */
static void
take_continuation(struct slice *text, uint8_t raw[MAILTEXT_RAW_MAX],
    size_t *n)
{
	while (text->len > 0 && is_blank(text->ptr[0])) {
		struct slice line = take_line(text);
		size_t room = MAILTEXT_RAW_MAX - *n;
		size_t take = line.len < room ? line.len : room;

		memcpy(raw + *n, line.ptr, take);
		*n += take;
	}
}

/* The field that a line opens, and where its value begins; RFC822_FIELDS when
 * it is none of ours. White space before the colon is an old custom. */
static enum rfc822_field
identify(struct slice line, size_t *ret_value)
{
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	size_t len;
	unsigned i;

	if (colon == NULL)
		return RFC822_FIELDS;
	len = (size_t)(colon - line.ptr);
	*ret_value = len + 1;
	while (len > 0 && is_blank(line.ptr[len - 1]))
		len--;
	for (i = 0; i < RFC822_FIELDS; i++) {
		if (strlen(fields[i].header) == len &&
		    strncasecmp(fields[i].header, (const char *)line.ptr,
			len) == 0)
			break;
	}
	return (enum rfc822_field)i;
}

static void
store(struct rfc822 *ret, enum rfc822_field f, const uint8_t *raw, size_t len)
{
	struct utf8_line out;

	if (len == MAILTEXT_RAW_MAX)
		len = whole_characters(raw, len);
	utf8_line_init(&out, ret->value[f], RFC822_VALUE_MAX);
	while (len > 0 && is_blank(raw[0]))
		raw++, len--;
	mailtext_put(raw, len, &out);
	utf8_line_trim(&out);
	if (f == RFC822_DATE &&
	    maildate_parse(out.buf, out.len, &ret->date_unix) < 0)
		ret->date_unix = INT64_MIN;
}

/* Only the first of a name counts: SES puts its verdicts on top, and whatever
 * the sender wrote comes below. */
static void
read_header(struct slice text, struct rfc822 *ret)
{
	uint8_t raw[MAILTEXT_RAW_MAX];
	bool seen[RFC822_FIELDS] = { false };

	while (text.len > 0) {
		struct slice line = take_line(&text);
		enum rfc822_field f;
		size_t start, n;

		if (line.len == 0)
			break;
		f = identify(line, &start);
		if (f == RFC822_FIELDS || seen[f])
			continue;
		seen[f] = true;
		n = line.len - start;
		if (n > sizeof(raw))
			n = sizeof(raw);
		memcpy(raw, line.ptr + start, n);
		take_continuation(&text, raw, &n);
		store(ret, f, raw, n);
	}
	sodium_memzero(raw, sizeof(raw));
}

void
rfc822_parse(const uint8_t *msg, size_t len, struct rfc822 *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->date_unix = INT64_MIN;
	if (len == 0)
		return;
	ret->crlf_size = crlf_size(msg, len);
	if (len > HEADER_MAX)
		len = whole_characters(msg, HEADER_MAX);
	read_header((struct slice){ msg, len }, ret);
}
