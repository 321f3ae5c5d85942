/* check.h -- the assertions of the unit tests.
 *
 * A test is a main() that calls CHECKs and ends with `return check_done();`.
 * A failed check prints where and what and goes on; the exit status is 1 when
 * any failed. CHECK_AT(i, ...) names the row of a table. */
#ifndef SESFS_TESTS_CHECK_H
#define SESFS_TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_failures, check_count;

static inline void
check_fail(const char *file, int line, long row, const char *what)
{
	check_failures++;
	if (row >= 0)
		fprintf(stderr, "%s:%d: row %ld: %s\n", file, line, row, what);
	else
		fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

#define CHECK_AT(row, cond)                                                    \
	do {                                                                   \
		check_count++;                                                 \
		if (!(cond))                                                   \
			check_fail(__FILE__, __LINE__, (long)(row), #cond);    \
	} while (0)
#define CHECK(cond) CHECK_AT(-1, cond)

#define CHECK_EQ_AT(row, got, want)                                            \
	do {                                                                   \
		int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);        \
		check_count++;                                                 \
		if (got_ != want_) {                                           \
			check_fail(__FILE__, __LINE__, (long)(row),            \
			    #got " == " #want);                                \
			fprintf(stderr, "\tgot %" PRId64 ", want %" PRId64     \
			    "\n", got_, want_);                                \
		}                                                              \
	} while (0)
#define CHECK_EQ(got, want) CHECK_EQ_AT(-1, got, want)

#define CHECK_STR_AT(row, got, want)                                           \
	do {                                                                   \
		const char *gs_ = (got), *ws_ = (want);                        \
		check_count++;                                                 \
		if (gs_ == NULL || ws_ == NULL ? gs_ != ws_                    \
					       : strcmp(gs_, ws_) != 0) {      \
			check_fail(__FILE__, __LINE__, (long)(row),            \
			    #got " == " #want);                                \
			fprintf(stderr, "\tgot \"%s\", want \"%s\"\n",         \
			    gs_ ? gs_ : "(null)", ws_ ? ws_ : "(null)");       \
		}                                                              \
	} while (0)
#define CHECK_STR(got, want) CHECK_STR_AT(-1, got, want)

static inline int
check_done(void)
{
	if (check_failures > 0)
		fprintf(stderr, "%d of %d checks failed\n", check_failures,
		    check_count);
	return check_failures > 0;
}

#endif
