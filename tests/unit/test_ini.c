#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "store/buf.h"
#include "store/ini.h"
#include "store/log.h"

/* Items come out as text: "[section]", "key=value", "key.sub=value",
 * "key+continued". */
static int
write_down(void *arg, const struct ini_item *it)
{
	struct buf *b = arg;
#define S(s) (int)(s).len, (const char *)(s).ptr
	switch (it->kind) {
	case INI_SECTION:
		return buf_printf(b, "[%.*s]", S(it->section));
	case INI_VALUE:
		return buf_printf(b, "%.*s=%.*s;", S(it->key), S(it->value));
	case INI_NESTED:
		return buf_printf(b, "%.*s.%.*s=%.*s;", S(it->key),
		    S(it->subkey), S(it->value));
	case INI_CONTINUED:
		return buf_printf(b, "%.*s+%.*s;", S(it->key), S(it->value));
	}
	return -EINVAL;
}

static const struct {
	const char *text;
	unsigned flags;
	int want;
	unsigned line;
	const char *items;
} cases[] = {
	{ "", 0, 0, 0, "" },
	{ "[default]\nregion = eu-west-1\n", 0, 0, 2,
	    "[default]region=eu-west-1;" },
	{ "\xef\xbb\xbf[a]\r\nk=v\r\n", 0, 0, 2, "[a]k=v;" },
	{ "[a]\nk = v", 0, 0, 2, "[a]k=v;" },
	{ "# c\n; c\n\n[a]\n  # c\nk:v\n", 0, 0, 6, "[a]k=v;" },
	/* RawConfigParser has no inline comments: a secret may hold a #. */
	{ "[a]\nk = v # not a comment\n", 0, 0, 2,
	    "[a]k=v # not a comment;" },
	{ "[a]\nk = v # comment\n", INI_INLINE_COMMENTS, 0, 2, "[a]k=v;" },
	{ "[a]\nk = v#no ;yes\n", INI_INLINE_COMMENTS, 0, 2,
	    "[a]k=v#no;" },
	{ "[a] ; tail\nk=v\n", 0, 0, 2, "[a]k=v;" },
	{ "[profile \"x y\"]\n", 0, 0, 1, "[profile \"x y\"]" },
	{ "[services s]\ns3 =\n  endpoint_url = http://h:1\n"
	  "  # c\n\n  b=c\nkms = \n\tx = y\n", 0, 0, 8,
	    "[services s]s3=;s3.endpoint_url=http://h:1;s3.b=c;kms=;kms.x=y;" },
	{ "[a]\nk = v\n  more\nl = w\n", 0, 0, 4, "[a]k=v;k+more;l=w;" },
	/* An indented key is one of its own as long as none is above it. */
	{ "[a]\n  k = v\n  l = w\n", 0, 0, 3, "[a]k=v;l=w;" },
	{ "[a]\nk = a=b:c\n", 0, 0, 2, "[a]k=a=b:c;" },
	{ "[a]\nk =\n", 0, 0, 2, "[a]k=;" },
	{ "k = v\n", 0, -EINVAL, 1, "" },
	{ "[a]\nnonsense\n", 0, -EINVAL, 2, "[a]" },
	{ "[a]\n= v\n", 0, -EINVAL, 2, "[a]" },
	{ "[]\n", 0, -EINVAL, 1, "" },
	{ "[a\n", 0, -EINVAL, 1, "" },
	{ "[a]\ns =\n  nonsense\n", 0, -EINVAL, 3, "[a]s=;" },
};

static void
test_cases(void)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct buf got = BUF_INIT(4096);
		unsigned line = 99;

		CHECK_EQ_AT(i, ini_parse((struct slice){
		    (const uint8_t *)cases[i].text, strlen(cases[i].text) },
		    cases[i].flags, write_down, &got, &line), cases[i].want);
		CHECK_EQ_AT(i, line, cases[i].line);
		CHECK_STR_AT(i, buf_str(&got), cases[i].items);
		buf_free(&got);
	}
}

static int
value_len(void *arg, const struct ini_item *it)
{
	if (it->kind == INI_VALUE)
		*(size_t *)arg = it->value.len;
	return 0;
}

/* libinih would have cut these at 200 bytes. */
static void
test_long_lines(void)
{
	size_t room = INI_LINE_MAX + 100, len = 0;
	char *text = malloc(room);

	memset(text, 'x', room);
	memcpy(text, "[a]\nt=", 6);
	CHECK_EQ(ini_parse((struct slice){ (uint8_t *)text, 6 + 9000 }, 0,
	    value_len, &len, NULL), 0);
	CHECK_EQ(len, 9000);
	CHECK_EQ(ini_parse((struct slice){ (uint8_t *)text,
	    INI_LINE_MAX + 4 }, 0, value_len, &len, NULL), 0);
	CHECK_EQ(ini_parse((struct slice){ (uint8_t *)text,
	    INI_LINE_MAX + 5 }, 0, value_len, &len, NULL), -EMSGSIZE);
	text[10] = '\0';
	CHECK_EQ(ini_parse((struct slice){ (uint8_t *)text, 20 }, 0,
	    value_len, &len, NULL), -EINVAL);
	free(text);
}

static int
stop(void *arg, const struct ini_item *it)
{
	return it->kind == INI_VALUE ? -ECANCELED : 0;
}

static void
test_read(void)
{
	char path[] = "/tmp/sesfs-ini.XXXXXX";
	int fd = mkstemp(path);
	size_t len = 0;

	CHECK_EQ(write(fd, "[a]\nk = four\n", 13), 13);
	CHECK_EQ(ini_read(path, 0, value_len, &len), 0);
	CHECK_EQ(len, 4);
	CHECK_EQ(ini_read(path, 0, stop, NULL), -ECANCELED);
	close(fd);
	unlink(path);
	CHECK_EQ(ini_read(path, 0, value_len, &len), -ENOENT);
}

int
main(void)
{
	CHECK_EQ(log_open("/dev/null"), 0);
	test_cases();
	test_long_lines();
	test_read();
	return check_done();
}
