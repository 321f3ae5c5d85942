/* base.h -- what every file of the emulator leans on.
 *
 * sesfs-cloud judges sesfs, so it shares no code with it: these few macros and
 * allocators are its own. It is a test program: out of memory is fatal here,
 * and the x-functions never return NULL. */
#ifndef CLOUD_BASE_H
#define CLOUD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* Move a pointer out of a variable, leaving NULL behind. */
#define TAKE(p)                                                                \
	__extension__({                                                        \
		__typeof__(p) taken_ = (p);                                    \
		(p) = NULL;                                                    \
		taken_;                                                        \
	})

struct pair {
	const char *name;
	const char *value;
};

void *xmalloc(size_t len) MUST_CHECK;
void *xcalloc(size_t n, size_t len) MUST_CHECK;
void *xrealloc(void *p, size_t len) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;

/* For CLEANUP() on a pointer from malloc. */
void xfreep(void *pp);

/* Memory that is freed all at once, by arena_free(). Zero-initialise. */
struct arena {
	struct arena_block *blocks;
};

/* `len` zeroed bytes, aligned for any pointer. */
void *arena_alloc(struct arena *a, size_t len) MUST_CHECK;

/* A zero-terminated copy of `len` bytes. */
char *arena_str(struct arena *a, const char *s, size_t len) MUST_CHECK;

/* A formatted string. */
char *arena_fmt(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

void arena_free(struct arena *a);

#endif
