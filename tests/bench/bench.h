/* bench.h -- what the measuring programs have in common. */
#ifndef SESFS_TESTS_BENCH_H
#define SESFS_TESTS_BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Monotonic. */
static inline uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline double
now_s(void)
{
	return (double)now_ns() / 1e9;
}

/* Without it there is nothing to measure. */
static inline void
must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
	    strerror(-r));
	exit(1);
}

#endif
