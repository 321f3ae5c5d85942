#include "store/keyspace.h"

#include <errno.h>
#include <string.h>

#define KEY_MAX 1024	/* bytes, S3's limit */
#define DIGITS_MAX 16	/* bytes of a key that make a number of 53 bits */
#define FINE 64		/* a middle is exact to this part of the range */
#define NEVER_SEEN 0.05 /* what such a byte counts */

static void
sum_up(struct keyspace *ks)
{
	double total = 0, sum = 0;

	for (int i = 0; i < 256; i++)
		total += ks->count[i];
	for (int i = 0; i < 256; i++) {
		ks->below[i] = sum / total;
		sum += ks->count[i];
	}
	ks->below[256] = 1;
}

/* Before anything was seen: what one types. A zero byte is in no key. */
void
keyspace_init(struct keyspace *ks)
{
	for (int i = 0; i < 256; i++)
		ks->count[i] = i == 0 ? 0 :
		    i > ' ' && i < 0x7f ? NEVER_SEEN : NEVER_SEEN / 10;
	sum_up(ks);
}

void
keyspace_learn(struct keyspace *ks, const char *key, size_t frame)
{
	for (const char *p = key + frame; *p != '\0'; p++)
		ks->count[(unsigned char)*p]++;
	sum_up(ks);
}

static double
width(const struct keyspace *ks, unsigned char c)
{
	return ks->below[c + 1] - ks->below[c];
}

double
keyspace_at(const struct keyspace *ks, const char *key, size_t frame)
{
	double at = 0, part = 1;

	for (int i = 0; i < DIGITS_MAX && key[frame] != '\0'; i++) {
		unsigned char c = (unsigned char)key[frame++];

		at += part * ks->below[c];
		part *= width(ks, c);
	}
	return at;
}

size_t
keyspace_common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

static unsigned char
digit_at(const struct keyspace *ks, double at)
{
	unsigned char c = 1;

	while (c < 255 && at >= ks->below[c + 1])
		c++;
	return c;
}

/* Append the digits of `at`, as many as say it to within `exact`. */
static size_t
put_digits(const struct keyspace *ks, double at, double exact, char *ret)
{
	double part = 1;
	size_t n = 0;

	do {
		unsigned char c = digit_at(ks, at);

		ret[n++] = (char)c;
		at = (at - ks->below[c]) / width(ks, c);
		part *= width(ks, c);
	} while (n < DIGITS_MAX && part > exact);
	return n;
}

/* How many bytes follow a first byte in UTF-8, and the bounds of the second;
 * -1: it is none. */
static int
more_bytes(unsigned char c, unsigned char *least, unsigned char *most)
{
	*least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 0;
	if (c < 0xc2 || c > 0xf4)
		return -1;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* Make `s` valid UTF-8 from `at` on, changing it as late as may be; it may
 * become shorter, and longer by three. Returns the new length. */
static size_t
mend(char *s, size_t at, size_t len)
{
	while (at < len) {
		unsigned char least, most;
		int more = more_bytes((unsigned char)s[at], &least, &most);

		if (more < 0)
			return at;
		for (at++; more > 0; more--, at++) {
			unsigned char c = at < len ? (unsigned char)s[at] : 0;

			if (c < least || c > most) {
				/* What follows was meant for another one. */
				s[at] = (char)(c < least ? least : most);
				len = at + (size_t)more;
				memset(s + at + 1, 0x80, (size_t)more - 1);
				return len;
			}
			least = 0x80;
			most = 0xbf;
		}
	}
	return len;
}

int
keyspace_middle(const struct keyspace *ks, const char *lo, const char *hi,
    size_t frame, char ret[1025])
{
	double from, to;
	size_t len;

	/* Not amid a character. */
	while (frame > 0 && ((unsigned char)lo[frame] & 0xc0) == 0x80)
		frame--;
	if (frame + DIGITS_MAX + 3 > KEY_MAX)
		return -ENOENT;
	from = keyspace_at(ks, lo, frame);
	to = hi != NULL ? keyspace_at(ks, hi, frame) : 1;
	if (to <= from)
		return -ENOENT;
	memcpy(ret, lo, frame);
	len = frame + put_digits(ks, (from + to) / 2, (to - from) / FINE,
	    ret + frame);
	len = mend(ret, frame, len);
	ret[len] = '\0';
	return strcmp(lo, ret) < 0 && (hi == NULL || strcmp(ret, hi) < 0) &&
	    len > frame ? 0 : -ENOENT;
}
