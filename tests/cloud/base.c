#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_LEN 4000 /* bytes: one or two blocks serve a usual request */

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(max_align_t) char data[];
};

static void *
or_die(void *p)
{
	if (p == NULL) {
		fputs("sesfs-cloud: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
xmalloc(size_t len)
{
	return or_die(malloc(len > 0 ? len : 1));
}

void *
xcalloc(size_t n, size_t len)
{
	return or_die(calloc(n > 0 ? n : 1, len > 0 ? len : 1));
}

void *
xrealloc(void *p, size_t len)
{
	return or_die(realloc(p, len > 0 ? len : 1));
}

char *
xstrdup(const char *s)
{
	return or_die(strdup(s));
}

void
xfreep(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof p);
	free(p);
}

void *
arena_alloc(struct arena *a, size_t len)
{
	struct arena_block *b = a->blocks;
	size_t cap;
	void *p;

	len = (len + 15) & ~(size_t)15;
	if (b == NULL || b->cap - b->used < len) {
		cap = len > BLOCK_LEN ? len : BLOCK_LEN;
		b = xmalloc(sizeof *b + cap);
		b->next = a->blocks;
		b->used = 0;
		b->cap = cap;
		a->blocks = b;
	}
	p = b->data + b->used;
	b->used += len;
	return memset(p, 0, len);
}

char *
arena_str(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (len > 0)
		memcpy(p, s, len);
	return p;
}

char *
arena_fmt(struct arena *a, const char *fmt, ...)
{
	char *text, *ret;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	or_die(n >= 0 ? text : NULL);
	ret = arena_str(a, text, (size_t)n);
	free(text);
	return ret;
}

void
arena_free(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->blocks) != NULL) {
		a->blocks = b->next;
		free(b);
	}
}
