/* Metadata and instruction file.
 *
 * Input: a line with the accepted formats in hexadecimal and the length of the
 * body, lines "name: value", and behind an empty line the instruction file, if
 * there is an empty line. What parses is used on a body. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/envelope.h"
#include "tests/fuzz/fuzz.h"

#define META_MAX 24
#define BODY_MAX 256

/* Take a line out of the text at *p, which ends with a zero. */
static char *
take_line(char **p)
{
	char *line = *p, *lf = strchr(line, '\n');

	if (lf == NULL) {
		*p += strlen(line);
	} else {
		*lf = '\0';
		*p = lf + 1;
	}
	return line;
}

static size_t
read_meta(char **p, struct pair *ret)
{
	size_t n = 0;

	while (n < META_MAX && **p != '\0' && **p != '\n') {
		char *line = take_line(p), *colon = strstr(line, ": ");

		if (colon == NULL)
			continue;
		*colon = '\0';
		ret[n++] = (struct pair){ line, colon + 2 };
	}
	return n;
}

static void
use(const struct envelope *e, uint64_t body_len)
{
	static const uint8_t dek[32] = { 1 };
	static const uint8_t body[BODY_MAX];
	uint8_t out[BODY_MAX];
	struct content_key key;
	enum refusal why;
	size_t n;
	int r;

	MUST(e->format != NULL);
	MUST((e->suite == SUITE_PLAIN) == (e->edk == NULL));
	MUST(e->suite == SUITE_PLAIN || e->edk_len <= ENVELOPE_EDK_MAX);
	MUST(e->context_len <= ENVELOPE_CONTEXT_MAX);
	MUST(e->declared_len >= -1);
	r = content_key_derive(e, dek, sizeof(dek), &key, &why);
	MUST(r == 0 || (r == -EBADMSG && why == COMMITMENT_MISMATCH));
	if (r < 0 || body_len > sizeof(body))
		return;
	r = content_open(&key, body, body_len, out, &n, &why);
	MUST(n <= content_plain_len(e->suite, body_len));
	MUST(r == 0 || (r == -EBADMSG && n == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct envelope_policy policy;
	char *text = malloc(len + 1), *p = text;
	struct slice file = { NULL, 0 };
	struct pair meta[META_MAX];
	struct envelope *e;
	enum refusal why;
	unsigned body_len = 0;
	size_t n;
	int r;

	MUST(text != NULL && crypto_init(CRYPTO_AUTO) == 0);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	policy.accept = 0;
	sscanf(take_line(&p), "%x %u", &policy.accept, &body_len);
	policy.source_account = policy.accept & 0x80 ? "123456789012" : NULL;
	n = read_meta(&p, meta);
	if (*p == '\n') {
		file.ptr = (const uint8_t *)p + 1;
		file.len = (size_t)(text + len - p - 1);
	}
	(void)envelope_wants_instruction(meta, n);
	r = envelope_parse(meta, n, file, "inbound/id", body_len, &policy, &e,
	    &why);
	MUST((r == 0) == (why == REFUSAL_NONE) && (r == 0) == (e != NULL));
	MUST(r == 0 || r == -EBADMSG);
	if (r == 0)
		use(e, body_len);
	envelope_free(e);
	free(text);
	return 0;
}
