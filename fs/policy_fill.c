#include "fs/policy_fill.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 32

static unsigned
indent_of(const char *line)
{
	return (unsigned)strspn(line, " ");
}

/* The blank at `text`, which is its first '@'; its length, or 0. */
static size_t
take_name(const char *text, char ret[NAME_MAX_LEN])
{
	size_t n = strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	if (n == 0 || n >= NAME_MAX_LEN || text[n + 1] != '@')
		return 0;
	memcpy(ret, text + 1, n);
	ret[n] = '\0';
	return n + 2;
}

static int
fill_line(FILE *f, const char *line, policy_fill_fn *value, void *arg)
{
	char name[NAME_MAX_LEN];
	size_t n;
	int r;

	for (const char *at = line; *at != '\0'; at += n) {
		n = 1;
		if (*at != '@') {
			fputc(*at == '\'' ? '"' : *at, f);
			continue;
		}
		if ((n = take_name(at, name)) == 0)
			return -EINVAL;
		if ((r = value(arg, f, name, indent_of(line))) < 0)
			return r;
	}
	fputc('\n', f);
	return 0;
}

int
policy_fill(FILE *f, const char *const *lines, policy_fill_fn *value,
    void *arg)
{
	int r = 0;

	for (; *lines != NULL && r == 0; lines++)
		r = fill_line(f, *lines, value, arg);
	return r;
}

bool
policy_is_reference(const char *s)
{
	if (s[0] != '$' || s[1] != '{')
		return false;
	return s[2] == '\0' || strchr("*?$", s[2]) == NULL || s[3] != '}';
}
