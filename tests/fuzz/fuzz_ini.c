/* A configuration file, with and without inline comments. */
#include <errno.h>
#include <string.h>

#include "store/awsconf.h"
#include "store/ini.h"
#include "tests/fuzz/fuzz.h"

struct text {
	struct slice all;
	size_t items;
	unsigned line;
};

static void
is_within(struct slice all, struct slice s)
{
	MUST(s.len == 0 || (s.ptr >= all.ptr &&
	    s.ptr + s.len <= all.ptr + all.len));
	MUST(s.len == 0 || memchr(s.ptr, '\n', s.len) == NULL);
}

static int
take(void *arg, const struct ini_item *it)
{
	struct text *t = arg;

	is_within(t->all, it->section);
	is_within(t->all, it->key);
	is_within(t->all, it->subkey);
	is_within(t->all, it->value);
	MUST(it->section.len > 0);
	MUST(it->kind == INI_SECTION || it->key.len > 0);
	MUST(it->line > t->line);
	t->line = it->line;
	t->items++;
	(void)awsconf_is_profile(it->section, true, "default");
	(void)awsconf_is_profile(it->section, false, "x y");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	for (unsigned flags = 0; flags <= INI_INLINE_COMMENTS; flags++) {
		struct text t = { .all = { data, len } };
		unsigned line = 0;
		int r = ini_parse(t.all, flags, take, &t, &line);

		MUST(r == 0 || r == -EINVAL || r == -EMSGSIZE);
		MUST(line >= t.line);
	}
	return 0;
}
