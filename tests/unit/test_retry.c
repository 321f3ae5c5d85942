#include <errno.h>

#include "check.h"
#include "store/retry.h"

#define T RETRY_TRANSIENT
#define H RETRY_THROTTLE

/* With all random bits set the wait is the longest that there is. */
#define MOST UINT32_MAX
#define HALF (1U << 31)
#define HOUR 3600000

static const struct {
	const char *what;
	unsigned nth;
	struct retry_failure f;
	int64_t left_ms;
	uint32_t rnd;
	int64_t want;
} waits[] = {
	/* 50 ms, 100 ms ... for what passes, ten attempts in all */
	{ "first", 1, { T, -ECONNRESET, -1 }, HOUR, MOST, 50 },
	{ "second", 2, { T, -ECONNRESET, -1 }, HOUR, MOST, 100 },
	{ "third", 3, { T, -ECONNRESET, -1 }, HOUR, MOST, 200 },
	{ "ninth", 9, { T, -ECONNRESET, -1 }, HOUR, MOST, 12800 },
	{ "no attempts left", 10, { T, -ECONNRESET, -1 }, HOUR, 0,
	    -ECONNRESET },
	{ "beyond", 11, { T, -ECONNRESET, -1 }, HOUR, 0, -ECONNRESET },
	/* 1 s, 2 s ... 20 s after throttling, without a count */
	{ "throttled", 1, { H, -EAGAIN, -1 }, HOUR, MOST, 1000 },
	{ "again", 2, { H, -EAGAIN, -1 }, HOUR, MOST, 2000 },
	{ "fifth", 5, { H, -EAGAIN, -1 }, HOUR, MOST, 16000 },
	{ "capped", 6, { H, -EAGAIN, -1 }, HOUR, MOST, 20000 },
	{ "no count", 10, { H, -EAGAIN, -1 }, HOUR, MOST, 20000 },
	{ "for ever", UINT32_MAX, { H, -EAGAIN, -1 }, HOUR, MOST, 20000 },
	/* full jitter; the cap comes before it */
	{ "none", 3, { T, -EAGAIN, -1 }, HOUR, 0, 0 },
	{ "half", 3, { T, -EAGAIN, -1 }, HOUR, HALF, 100 },
	{ "half of the cap", 9, { H, -EAGAIN, -1 }, HOUR, HALF, 10000 },
	{ "never", 1, { RETRY_NEVER, -EACCES, -1 }, HOUR, 0, -EACCES },
	{ "never, wished", 1, { RETRY_NEVER, -EACCES, 10 }, HOUR, 0,
	    -EACCES },
	/* the server's delay: from ours to 5 s more */
	{ "wish", 1, { T, -EAGAIN, 1500 }, HOUR, 0, 1500 },
	{ "wish of nothing", 1, { H, -EAGAIN, 0 }, HOUR, MOST, 1000 },
	{ "shorter than ours", 6, { H, -EAGAIN, 10 }, HOUR, MOST, 20000 },
	{ "longer than ours", 2, { H, -EAGAIN, 6999 }, HOUR, MOST, 6999 },
	{ "much longer", 2, { H, -EAGAIN, 7001 }, HOUR, MOST, 7000 },
	{ "absurd", 1, { T, -EAGAIN, INT64_MAX }, HOUR, 0, 5000 },
	{ "beyond the cap", 6, { H, -EAGAIN, 24000 }, HOUR, MOST, 24000 },
	/* the deadline: the last attempt is a second before it */
	{ "just in time", 3, { T, -ETIMEDOUT, -1 }, 201, MOST, 200 },
	{ "no time left", 3, { T, -ETIMEDOUT, -1 }, 200, MOST, -ETIMEDOUT },
	{ "past the end", 1, { T, -ETIMEDOUT, -1 }, 0, 0, -ETIMEDOUT },
	{ "long past it", 1, { H, -EAGAIN, -1 }, -5, 0, -EAGAIN },
	{ "last attempt", 6, { H, -EAGAIN, -1 }, 8000, MOST, 7000 },
	{ "last of a wish", 1, { T, -EAGAIN, 3000 }, 2500, 0, 1500 },
	{ "barely", 6, { H, -EAGAIN, -1 }, 1001, MOST, 1 },
	{ "after the last", 6, { H, -EAGAIN, -1 }, 1000, MOST, -EAGAIN },
};

static void
test_waits(void)
{
	for (size_t i = 0; i < NELEMS(waits); i++)
		CHECK_EQ_AT(i, retry_wait_ms(&retry_default, waits[i].nth,
		    &waits[i].f, waits[i].left_ms, waits[i].rnd),
		    waits[i].want);
}

static void
test_budget(void)
{
	struct retry_budget b = RETRY_BUDGET_INIT;
	int n = 0, took = 0;

	while ((took = retry_budget_take(&b, T)) > 0) {
		CHECK_EQ(took, 14);
		n++;
	}
	CHECK_EQ(n, 35);
	CHECK_EQ(b.tokens, 10);
	/* Too little for an outage, enough for a throttle. */
	CHECK_EQ(retry_budget_take(&b, H), 5);
	retry_budget_give(&b, 14);
	CHECK_EQ(b.tokens, 19);
	retry_budget_give(&b, 0);
	CHECK_EQ(b.tokens, 20);
	for (n = 0; n < 1000; n++)
		retry_budget_give(&b, 0);
	CHECK_EQ(b.tokens, RETRY_BUDGET);
}

int
main(void)
{
	test_waits();
	test_budget();
	return check_done();
}
