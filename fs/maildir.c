#include "fs/maildir.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/utf8.h"

#define ID_LEN 16   /* bytes of a name's hash */
#define HASH_LEN 4  /* bytes of a folder's hash */

static void
hash_hex(const char *a, const char *b, size_t len, char *ret)
{
	crypto_generichash_state st;
	uint8_t h[crypto_generichash_BYTES_MIN];

	/* The zero between keeps ("ab", "c") and ("a", "bc") apart. */
	crypto_generichash_init(&st, NULL, 0, sizeof(h));
	crypto_generichash_update(&st, (const uint8_t *)a, strlen(a) + 1);
	crypto_generichash_update(&st, (const uint8_t *)b, strlen(b));
	crypto_generichash_final(&st, h, sizeof(h));
	sodium_bin2hex(ret, 2 * len + 1, h, len);
}

void
maildir_name(const char *key, const char *etag, int64_t seconds, uint64_t size,
    uint64_t crlf_size, char ret[MAILDIR_NAME_MAX])
{
	char id[2 * ID_LEN + 1], w[32] = "";

	hash_hex(key, etag, ID_LEN, id);
	if (crlf_size > 0)
		snprintf(w, sizeof(w), ",W=%" PRIu64, crlf_size);
	snprintf(ret, MAILDIR_NAME_MAX, "%" PRId64 ".%s.sesfs,S=%" PRIu64 "%s",
	    seconds < 0 ? 0 : seconds, id, size, w);
}

struct out {
	char *at, *end;
};

static void
put(struct out *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

/* Modified base64 of UTF-16: one run of characters that are not ASCII. */
struct utf7 {
	uint32_t bits;
	unsigned n;
	bool is_open;
};

static void
utf7_put(struct out *o, struct utf7 *u, uint16_t unit)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+,";

	if (!u->is_open)
		put(o, '&');
	u->is_open = true;
	u->bits = u->bits << 16 | unit;
	for (u->n += 16; u->n >= 6; u->n -= 6)
		put(o, digit[u->bits >> (u->n - 6) & 63]);
}

static void
utf7_close(struct out *o, struct utf7 *u)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+,";

	if (!u->is_open)
		return;
	if (u->n > 0)
		put(o, digit[u->bits << (6 - u->n) & 63]);
	put(o, '-');
	memset(u, 0, sizeof(*u));
}

static void
put_char(struct out *o, struct utf7 *u, uint32_t c)
{
	if (c >= 0x10000) {
		utf7_put(o, u, (uint16_t)(0xd800 + ((c - 0x10000) >> 10)));
		utf7_put(o, u, (uint16_t)(0xdc00 + (c & 0x3ff)));
	} else if (c >= 0x80) {
		utf7_put(o, u, (uint16_t)c);
	} else {
		utf7_close(o, u);
		if (c == '/')
			put(o, '.');
		else if (c == '.' || c < 0x20 || c == 0x7f)
			put(o, '_');
		else
			put(o, (char)c);
		if (c == '&')
			put(o, '-');
	}
}

/* ".INBOX" would be a second INBOX to every client; the others are files and
 * directories that clients keep beside the mail and could not make any more. */
static bool
is_reserved(const char *key_dir)
{
	static const char *const names[] = { "INBOX", "isyncuidmap",
		"mbsyncstate", "notmuch", "uidvalidity" };
	size_t n = strcspn(key_dir, "/");

	for (size_t i = 0; i < NELEMS(names); i++)
		if (strlen(names[i]) == n &&
		    strncasecmp(key_dir, names[i], n) == 0)
			return true;
	return false;
}

void
maildir_folder(const char *key_dir, bool with_hash,
    char ret[MAILDIR_FOLDER_MAX])
{
	char hash[2 * HASH_LEN + 2] = "_";
	struct out o = { ret, ret + MAILDIR_FOLDER_MAX - 1 };
	struct utf7 u = { 0 };
	size_t len = strlen(key_dir), max;

	put(&o, '.');
	if (is_reserved(key_dir))
		put(&o, '_');
	for (size_t i = 0; i < len;) {
		uint32_t c;
		size_t n = utf8_get((const uint8_t *)key_dir + i, len - i,
		    &c);

		/* An empty component ("a//b") needs a character of its own. */
		if (key_dir[i] == '/' && (i == 0 || key_dir[i - 1] == '/'))
			put(&o, '_');
		put_char(&o, &u, n > 0 ? c : '_');
		i += n > 0 ? n : 1;
	}
	utf7_close(&o, &u);
	*o.at = '\0';

	if (!with_hash && o.at < o.end)
		return;
	hash_hex("folder", key_dir, HASH_LEN, hash + 1);
	max = MAILDIR_FOLDER_MAX - 1 - strlen(hash);
	if ((size_t)(o.at - ret) > max)
		ret[max] = '\0';
	strcat(ret, hash);
}

void
maildir_key_dir(const char *prefix, const char *key, char *ret)
{
	size_t skip = strlen(prefix);
	const char *slash;

	ret[0] = '\0';
	if (strncmp(key, prefix, skip) != 0)
		return;
	key += skip;
	if ((slash = strrchr(key, '/')) == NULL)
		return;
	memcpy(ret, key, (size_t)(slash - key));
	ret[slash - key] = '\0';
}

const char *
maildir_flags(const char *name)
{
	const char *info = strrchr(name, ':');

	return info != NULL && strncmp(info, ":2,", 3) == 0 ? info + 3 : "";
}
