/* ini.h -- the dialect of ~/.aws/config, ~/.aws/credentials and sesfs.conf.
 *
 * What Python's RawConfigParser accepts, as botocore sets it up, because that
 * is what every file in the field was tried with: `[section]`, `key = value`
 * or `key : value`, whole-line comments after # or ;, no inline comments
 * unless asked for, and indented lines that continue the value above. Under a
 * key with an empty value these are botocore's nested settings:
 *
 *	[services local]
 *	s3 =
 *	  endpoint_url = http://localhost:9000
 *
 * A byte order mark and CRLF are accepted. Own code, because libinih as Debian
 * builds it cuts a line at 200 bytes (seen with 55-1: a value of 900 bytes
 * comes out as 195) and session tokens are longer.
 *
 * The parser is pure and allocates nothing; ini_read() adds the file. */
#ifndef SESFS_STORE_INI_H
#define SESFS_STORE_INI_H

#include "crypto/base.h"

#define INI_LINE_MAX 65536   /* bytes */
#define INI_FILE_MAX 1048576 /* bytes */

enum ini_kind {
	INI_SECTION,   /* a section begins; key and value are empty */
	INI_VALUE,     /* key = value */
	INI_NESTED,    /* indented subkey = value under an empty key */
	INI_CONTINUED, /* indented line under a key that had a value */
};

/* One item; the slices point into the text and have no space around them. */
struct ini_item {
	enum ini_kind kind;
	unsigned line;	      /* 1 = the first */
	struct slice section; /* within the brackets */
	struct slice key;     /* as written: compare without regard to case */
	struct slice subkey;  /* INI_NESTED only */
	struct slice value;
};

/* Called per item, in order. Returns 0 to go on; else parsing stops and
 * returns that. */
typedef int ini_fn(void *arg, const struct ini_item *item);

enum {
	INI_INLINE_COMMENTS = 1, /* " #" and " ;" begin a comment */
};

/* Returns 0; what fn returned; -EINVAL for a line that is nothing of the
 * above or a key before the first section, -EMSGSIZE for a line above
 * INI_LINE_MAX; then *ret_line (may be NULL) is its number. */
int ini_parse(struct slice text, unsigned flags, ini_fn *fn, void *arg,
    unsigned *ret_line) MUST_CHECK;

/* Parse a file of at most INI_FILE_MAX bytes; its bytes are wiped afterwards.
 * Errors as ini_parse() and open(2); all but -ENOENT are logged with the
 * file's name and the line (never its content). */
int ini_read(const char *path, unsigned flags, ini_fn *fn, void *arg)
    MUST_CHECK;

/* Is the slice this string, ASCII letters compared without regard to case? */
bool ini_is(struct slice s, const char *name);

#endif
