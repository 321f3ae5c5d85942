#include "chunked.h"

#include "digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE ";chunk-signature="

static void
chunk_signature(const struct chunk_seal *seal, const char *previous,
    const char *data, size_t len, char ret[SIGV4_HEX_LEN + 1])
{
	const struct sigv4_scope *s = seal->scope;
	char sum[2 * SHA256_LEN + 1];
	struct buf to_sign = { 0 };

	digest_sha256_hex(data, len, sum);
	buf_fmt(&to_sign, "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s/%s/%s/aws4_request"
	    "\n%s\n" SIGV4_EMPTY_SHA256 "\n%s", seal->amz_date, s->date,
	    s->region, s->service, previous, sum);
	sigv4_signature(seal->key, &to_sign, ret);
	buf_free(&to_sign);
}

int
chunked_decode(const struct buf *in, const struct chunk_seal *seal,
    struct buf *ret)
{
	const char *p = in->p, *end = in->p + in->len, *line_end;
	char previous[SIGV4_HEX_LEN + 1] = "", want[SIGV4_HEX_LEN + 1];
	size_t len;
	char *after;

	if (seal != NULL)
		memcpy(previous, seal->seed, SIGV4_HEX_LEN);
	for (;;) {
		line_end = p != NULL
		    ? memmem(p, (size_t)(end - p), "\r\n", 2)
		    : NULL;
		if (line_end == NULL)
			return -EPROTO;
		len = strtoul(p, &after, 16);
		if (after == p || len > (size_t)(end - line_end - 2))
			return -EPROTO;
		p = line_end + 2;
		if (seal != NULL) {
			if (strncmp(after, SIGNATURE, strlen(SIGNATURE)) != 0 ||
			    line_end - after !=
				(ptrdiff_t)strlen(SIGNATURE) + SIGV4_HEX_LEN)
				return -EPROTO;
			chunk_signature(seal, previous, p, len, want);
			memcpy(previous, after + strlen(SIGNATURE),
			    SIGV4_HEX_LEN);
			if (strcmp(want, previous) != 0)
				return -EKEYREJECTED;
		}
		if (len == 0)
			return 0;
		buf_add(ret, p, len);
		p += len;
		if (end - p < 2 || memcmp(p, "\r\n", 2) != 0)
			return -EPROTO;
		p += 2;
	}
}
