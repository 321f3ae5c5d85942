#include <errno.h>
#include <string.h>
#include <strings.h>

#include "store/buf.h"
#include "store/ini.h"
#include "store/log.h"

struct parser {
	struct slice rest;
	struct ini_item at; /* section and key stay from line to line */
	size_t key_indent;  /* columns before the key */
	bool has_section, has_key, key_is_empty;
	unsigned flags;
	ini_fn *fn;
	void *arg;
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* Cut at the first # or ; that has a blank before it. */
static struct slice
without_comment(struct slice s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((s.ptr[i] == '#' || s.ptr[i] == ';') &&
		    is_blank(s.ptr[i - 1]))
			return trim((struct slice){ s.ptr, i });
	return s;
}

/* Divide at the first byte of `delims` into two trimmed slices. */
static bool
divide(struct slice s, const char *delims, struct slice *left,
    struct slice *right)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] != '\0' && strchr(delims, s.ptr[i]) != NULL)
			break;
	if (i == s.len)
		return false;
	*left = trim((struct slice){ s.ptr, i });
	*right = trim((struct slice){ s.ptr + i + 1, s.len - i - 1 });
	return left->len > 0;
}

static int
emit(struct parser *p, enum ini_kind kind, struct slice subkey,
    struct slice value)
{
	p->at.kind = kind;
	p->at.subkey = subkey;
	p->at.value = value;
	return p->fn(p->arg, &p->at);
}

static int
take_section(struct parser *p, struct slice s)
{
	size_t end = s.len;

	/* To the last bracket: a name may hold one, a comment may follow. */
	while (end > 1 && s.ptr[end - 1] != ']')
		end--;
	if (end <= 1)
		return -EINVAL;
	p->at.section = trim((struct slice){ s.ptr + 1, end - 2 });
	if (p->at.section.len == 0)
		return -EINVAL;
	p->at.key = (struct slice){ NULL, 0 };
	p->has_section = true;
	p->has_key = false;
	return emit(p, INI_SECTION, p->at.key, p->at.key);
}

static int
take_indented(struct parser *p, struct slice s)
{
	struct slice subkey = { NULL, 0 }, value;

	if (!p->key_is_empty)
		return emit(p, INI_CONTINUED, subkey, s);
	if (!divide(s, "=", &subkey, &value))
		return -EINVAL;
	return emit(p, INI_NESTED, subkey, value);
}

static int
take_line(struct parser *p, struct slice line)
{
	struct slice s = trim(line), value, none = { NULL, 0 };
	size_t indent;

	if (s.len == 0 || s.ptr[0] == '#' || s.ptr[0] == ';')
		return 0;
	if (memchr(s.ptr, '\0', s.len) != NULL)
		return -EINVAL;
	if (p->flags & INI_INLINE_COMMENTS)
		s = without_comment(s);
	indent = (size_t)(s.ptr - line.ptr);
	if (p->has_key && indent > p->key_indent)
		return take_indented(p, s);
	if (s.ptr[0] == '[')
		return take_section(p, s);
	if (!p->has_section || !divide(s, "=:", &p->at.key, &value))
		return -EINVAL;
	p->has_key = true;
	p->key_indent = indent;
	p->key_is_empty = value.len == 0;
	return emit(p, INI_VALUE, none, value);
}

static struct slice
next_line(struct slice *rest)
{
	const uint8_t *nl = memchr(rest->ptr, '\n', rest->len);
	size_t len = nl != NULL ? (size_t)(nl - rest->ptr) : rest->len;
	struct slice line = { rest->ptr, len };

	if (nl != NULL)
		len++;
	rest->ptr += len;
	rest->len -= len;
	return line;
}

int
ini_parse(struct slice text, unsigned flags, ini_fn *fn, void *arg,
    unsigned *ret_line)
{
	struct parser p = { .rest = text, .flags = flags, .fn = fn,
		.arg = arg };
	int r = 0;

	if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0) {
		p.rest.ptr += 3;
		p.rest.len -= 3;
	}
	while (r == 0 && p.rest.len > 0) {
		struct slice line = next_line(&p.rest);

		p.at.line++;
		r = line.len > INI_LINE_MAX ? -EMSGSIZE : take_line(&p, line);
	}
	if (ret_line != NULL)
		*ret_line = p.at.line;
	return r;
}

int
ini_read(const char *path, unsigned flags, ini_fn *fn, void *arg)
{
	struct buf b = BUF_INIT(INI_FILE_MAX);
	unsigned line = 0;
	int r;

	if ((r = buf_add_file(&b, path)) < 0) {
		if (r != -ENOENT)
			log_err(r, "config: read %s: %s", path, strerror(-r));
	} else if ((r = ini_parse((struct slice){ b.ptr, b.len }, flags, fn,
	    arg, &line)) < 0) {
		log_err(r, "config: read %s: line %u is %s", path, line,
		    r == -EMSGSIZE ? "too long" :
		    "neither a section, a setting nor a comment");
	}
	buf_free(&b);
	return r;
}

bool
ini_is(struct slice s, const char *name)
{
	return s.len == strlen(name) &&
	    strncasecmp((const char *)s.ptr, name, s.len) == 0;
}
