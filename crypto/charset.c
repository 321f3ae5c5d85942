#include "crypto/charset.h"

#include <iconv.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

/* windows-1252 where it is not ISO-8859-1: 0x80 to 0x9f. */
static const uint16_t cp1252[32] = { 0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e,
	0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd,
	0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013,
	0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e,
	0x0178 };

static void
put_utf8(const uint8_t *bytes, size_t len, struct utf8_line *out)
{
	uint32_t cp;
	size_t n;

	for (; len > 0; bytes += n, len -= n) {
		if ((n = utf8_get(bytes, len, &cp)) == 0) {
			cp = 0xfffd;
			n = 1;
		}
		utf8_line_put(out, cp);
	}
}

static void
put_latin1(const uint8_t *bytes, size_t len, struct utf8_line *out)
{
	for (size_t i = 0; i < len; i++)
		utf8_line_put(out, bytes[i]);
}

static void
put_cp1252(const uint8_t *bytes, size_t len, struct utf8_line *out)
{
	for (size_t i = 0; i < len; i++)
		utf8_line_put(out, (bytes[i] & 0xe0) == 0x80
			? cp1252[bytes[i] & 0x1f]
			: bytes[i]);
}

void
charset_put_raw(const uint8_t *bytes, size_t len, struct utf8_line *out)
{
	if (utf8_is_valid(bytes, len))
		put_utf8(bytes, len, out);
	else
		put_latin1(bytes, len, out);
}

/* As mail names it, and as iconv knows it. */
static const struct {
	const char *name;
	void (*put)(const uint8_t *bytes, size_t len, struct utf8_line *out);
	const char *iconv_name;
} charsets[] = {
	{ "utf-8", put_utf8, NULL },
	{ "utf8", put_utf8, NULL },
	{ "us-ascii", charset_put_raw, NULL }, /* often a lie */
	{ "ascii", charset_put_raw, NULL },
	{ "iso-8859-1", put_latin1, NULL },
	{ "latin1", put_latin1, NULL },
	{ "windows-1252", put_cp1252, NULL },
	{ "cp1252", put_cp1252, NULL },
	{ "iso-8859-2", NULL, "ISO-8859-2" },
	{ "iso-8859-3", NULL, "ISO-8859-3" },
	{ "iso-8859-4", NULL, "ISO-8859-4" },
	{ "iso-8859-5", NULL, "ISO-8859-5" },
	{ "iso-8859-6", NULL, "ISO-8859-6" },
	{ "iso-8859-7", NULL, "ISO-8859-7" },
	{ "iso-8859-8", NULL, "ISO-8859-8" },
	{ "iso-8859-8-i", NULL, "ISO-8859-8" },
	{ "iso-8859-9", NULL, "ISO-8859-9" },
	{ "iso-8859-10", NULL, "ISO-8859-10" },
	{ "iso-8859-11", NULL, "ISO-8859-11" },
	{ "iso-8859-13", NULL, "ISO-8859-13" },
	{ "iso-8859-14", NULL, "ISO-8859-14" },
	{ "iso-8859-15", NULL, "ISO-8859-15" },
	{ "iso-8859-16", NULL, "ISO-8859-16" },
	{ "windows-1250", NULL, "CP1250" },
	{ "windows-1251", NULL, "CP1251" },
	{ "windows-1253", NULL, "CP1253" },
	{ "windows-1254", NULL, "CP1254" },
	{ "windows-1255", NULL, "CP1255" },
	{ "windows-1256", NULL, "CP1256" },
	{ "windows-1257", NULL, "CP1257" },
	{ "windows-1258", NULL, "CP1258" },
	{ "windows-874", NULL, "CP874" },
	{ "tis-620", NULL, "TIS-620" },
	{ "koi8-r", NULL, "KOI8-R" },
	{ "koi8-u", NULL, "KOI8-U" },
	{ "macintosh", NULL, "MACINTOSH" },
	{ "gb2312", NULL, "GBK" },
	{ "gbk", NULL, "GBK" },
	{ "gb18030", NULL, "GB18030" },
	{ "big5", NULL, "BIG5" },
	{ "euc-kr", NULL, "CP949" },
	{ "ks_c_5601-1987", NULL, "CP949" },
	{ "shift_jis", NULL, "SHIFT_JIS" },
	{ "euc-jp", NULL, "EUC-JP" },
	{ "iso-2022-jp", NULL, "ISO-2022-JP" },
};

/* Feed iconv's UTF-8 to the line as it comes. */
static void
convert(iconv_t cd, const uint8_t *bytes, size_t len, struct utf8_line *out)
{
	char *in = (char *)(uintptr_t)bytes; /* iconv does not write to it */
	char buf[256], *end = buf;
	size_t left = sizeof(buf);

	while (len > 0 && !out->is_full) {
		char *to = buf;
		size_t before = len, room = sizeof(buf);
		size_t r = iconv(cd, &in, &len, &to, &room);

		put_utf8((const uint8_t *)buf, (size_t)(to - buf), out);
		if (r == (size_t)-1 && len == before && to == buf) {
			/* an invalid or incomplete sequence: over its byte */
			utf8_line_put(out, 0xfffd);
			in++;
			len--;
		}
	}
	/* Some hold a letter back until they have seen what follows it. */
	(void)iconv(cd, NULL, NULL, &end, &left);
	put_utf8((const uint8_t *)buf, (size_t)(end - buf), out);
	sodium_memzero(buf, sizeof(buf));
}

static void
put_iconv(const char *name, const uint8_t *bytes, size_t len,
    struct utf8_line *out)
{
	iconv_t cd = iconv_open("UTF-8", name);

	if (cd == (iconv_t)-1) { /* the libc came without that module */
		charset_put_raw(bytes, len, out);
		return;
	}
	convert(cd, bytes, len, out);
	iconv_close(cd);
}

void
charset_put(struct slice name, const uint8_t *bytes, size_t len,
    struct utf8_line *out)
{
	for (size_t i = 0; i < NELEMS(charsets); i++) {
		const char *known = charsets[i].name;

		if (strlen(known) != name.len ||
		    strncasecmp(known, (const char *)name.ptr, name.len) != 0)
			continue;
		if (charsets[i].put != NULL)
			charsets[i].put(bytes, len, out);
		else
			put_iconv(charsets[i].iconv_name, bytes, len, out);
		return;
	}
	charset_put_raw(bytes, len, out);
}
