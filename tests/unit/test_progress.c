#include "fs/progress.h"

#include <stdlib.h>

#include "check.h"

static const struct {
	struct progress_state s;
	unsigned width;
	bool with_bar;
	const char *want;
} lines[] = {
	{ { .verb = "listing", .done = 5000, .elapsed_ms = 2000 }, 80, true,
	    "listing  5000  2500/s" },
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 5000 },
	    80, true,
	    "fetching [####################....................]  50/100  10/s"
	    "  5s left" },
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 5000 },
	    80, false, "fetching  50/100  10/s  5s left" },
	/* too early to say how long */
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 1000 },
	    80, false, "fetching  50/100  50/s" },
	{ { .verb = "fetching", .done = 100, .todo = 100, .bytes = 1536,
	      .refused = 2, .failed = 1, .elapsed_ms = 10000 }, 80, false,
	    "fetching  100/100  10/s  1.5 KiB  2 refused  1 failed" },
	/* nothing done yet */
	{ { .verb = "fetching", .todo = 100 }, 80, false,
	    "fetching  0/100  0.0/s" },
	/* a narrow terminal loses the bar, then the end */
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 5000 },
	    35, true, "fetching  50/100  10/s  5s left" },
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 5000 },
	    16, true, "fetching  50/100" },
	{ { .verb = "fetching", .done = 50, .todo = 100, .elapsed_ms = 5000 },
	    0, true, "" },
	/* more done than was known of: no bar beyond its end */
	{ { .verb = "x", .done = 3, .todo = 2, .elapsed_ms = 1000 }, 31, true,
	    "x [###############]  3/2  3.0/s" },
};

static void
test_lines(void)
{
	char line[PROGRESS_LINE_MAX];

	for (size_t i = 0; i < NELEMS(lines); i++) {
		progress_format(&lines[i].s, lines[i].width, lines[i].with_bar,
		    line);
		CHECK_STR_AT(i, line, lines[i].want);
		CHECK_AT(i, strlen(line) <= lines[i].width);
	}
}

static void
test_units(void)
{
	static const struct {
		uint64_t n;
		const char *size, *time;
	} cases[] = {
		{ 0, "0 B", "0s" },
		{ 59, "59 B", "59s" },
		{ 999, "999 B", "16m 39s" },
		{ 1000, "1.0 KiB", "16m 40s" },
		{ 3600, "3.5 KiB", "1h 00m" },
		{ 90061, "88.0 KiB", "1d 01h" },
		{ 1 << 20, "1.0 MiB", "12d 03h" },
		{ UINT64_MAX, "16.0 EiB", "213503982334601d 07h" },
	};
	char buf[32];

	for (size_t i = 0; i < NELEMS(cases); i++) {
		CHECK_STR_AT(i, progress_size(cases[i].n, buf), cases[i].size);
		CHECK_STR_AT(i, progress_time(cases[i].n, buf), cases[i].time);
	}
}

/* Plain lines come seldom, forced ones always, and a pipe gets no bar. */
static void
test_plain(void)
{
	const struct progress_state s = { .verb = "v", .done = 1, .todo = 2,
		.elapsed_ms = 1000 };
	char *out = NULL;
	size_t len = 0;
	struct progress p = { .out = open_memstream(&out, &len),
		.width = 80 };

	progress_show(&p, &s, 1000, false);
	progress_show(&p, &s, 5000, false);
	progress_show(&p, &s, 5001, false);
	progress_show(&p, &s, 5002, true);
	progress_end(&p);
	fclose(p.out);
	CHECK_STR(out, "v  1/2  1.0/s\nv  1/2  1.0/s\n");
	free(out);
}

static void
test_terminal(void)
{
	const struct progress_state s = { .verb = "v", .done = 1 };
	char *out = NULL;
	size_t len = 0;
	struct progress p = { .out = open_memstream(&out, &len),
		.width = 80, .is_tty = true };

	progress_show(&p, &s, 1000, false);
	progress_end(&p);
	progress_end(&p);
	fclose(p.out);
	CHECK_STR(out, "\rv  1  0.0/s\033[K\n");
	free(out);
}

int
main(void)
{
	test_lines();
	test_units();
	test_plain();
	test_terminal();
	return check_done();
}
