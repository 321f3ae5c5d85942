/* base.h -- the few language extensions that every file may use.
 *
 * Ownership: CLEANUP(freep) frees a local when it leaves scope, TAKE(p) moves
 * it out. Results: functions return 0 (or a documented count) or a negative
 * errno, and on failure leave NULL in *ret. */
#ifndef SESFS_CRYPTO_BASE_H
#define SESFS_CRYPTO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

/* Define x_freep(struct x **) for CLEANUP() from x_free(struct x *). */
#define DEFINE_FREEP(type, fn)                                                 \
	static inline void fn##p(type **p)                                     \
	{                                                                      \
		fn(*p);                                                        \
	}

/* free() of a copy that a struct keeps in a const member. */
static inline void
free_const(const void *p)
{
	free(__extension__(void *)(uintptr_t)p);
}

/* `len` bytes that belong to someone else; not zero-terminated. */
struct slice {
	const uint8_t *ptr;
	size_t len; /* bytes */
};

/* A name and a value that belong to someone else. */
struct pair {
	const char *name;
	const char *value;
};

#endif
