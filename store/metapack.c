#include "store/metapack.h"

#include <errno.h>
#include <string.h>

#define VERSION 1

static bool
is_kept(const char *name)
{
	return strncmp(name, "x-amz-", 6) == 0 || name[0] == ' ';
}

/* Append a string with its zero. Returns the new length, 0 when it is full. */
static size_t
put(uint8_t *out, size_t len, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n > METAPACK_MAX - len)
		return 0;
	memcpy(out + len, s, n);
	return len + n;
}

size_t
metapack_pack(const struct pair *meta, size_t n, uint8_t *out)
{
	size_t len = 1, pairs = 0;

	out[0] = VERSION;
	for (size_t i = 0; i < n; i++) {
		if (!is_kept(meta[i].name))
			continue;
		if (++pairs > METAPACK_PAIRS_MAX ||
		    (len = put(out, len, meta[i].name)) == 0 ||
		    (len = put(out, len, meta[i].value)) == 0)
			return 0;
	}
	return len;
}

/* The next zero-terminated string, or NULL. */
static const char *
take(const uint8_t **at, size_t *left)
{
	const uint8_t *s = *at;
	const uint8_t *end = *left > 0 ? memchr(s, 0, *left) : NULL;

	if (end == NULL)
		return NULL;
	*left -= (size_t)(end + 1 - s);
	*at = end + 1;
	return (const char *)s;
}

int
metapack_unpack(const uint8_t *in, size_t len,
    struct pair ret[METAPACK_PAIRS_MAX])
{
	int n = 0;

	if (len < 1 || len > METAPACK_MAX || in[0] != VERSION)
		return -EBADMSG;
	in++;
	for (len--; len > 0; n++) {
		if (n == METAPACK_PAIRS_MAX ||
		    (ret[n].name = take(&in, &len)) == NULL ||
		    (ret[n].value = take(&in, &len)) == NULL ||
		    !is_kept(ret[n].name))
			return -EBADMSG;
	}
	return n;
}
