#include <errno.h>

#include "check.h"
#include "store/retry.h"

#define T RETRY_TRANSIENT
#define H RETRY_THROTTLE

/* With all random bits set the wait is the longest that there is. */
static const struct {
	const char *what;
	unsigned attempt;
	struct retry_failure f;
	int64_t left_ms;
	uint32_t rnd;
	int64_t want;
} waits[] = {
	{ "first", 1, { T, -ECONNRESET, -1 }, 60000, UINT32_MAX, 50 },
	{ "doubles", 2, { T, -ECONNRESET, -1 }, 60000, UINT32_MAX, 100 },
	{ "doubles again", 3, { T, -ECONNRESET, -1 }, 60000, UINT32_MAX, 200 },
	{ "ninth", 9, { T, -ECONNRESET, -1 }, 60000, UINT32_MAX, 12800 },
	{ "no attempts left", 10, { T, -ECONNRESET, -1 }, 60000, 0,
	    -ECONNRESET },
	{ "throttled", 1, { H, -EAGAIN, -1 }, 60000, UINT32_MAX, 1000 },
	{ "throttled more", 4, { H, -EAGAIN, -1 }, 60000, UINT32_MAX, 8000 },
	{ "capped", 9, { H, -EAGAIN, -1 }, 60000, UINT32_MAX, 20000 },
	{ "full jitter", 3, { T, -EAGAIN, -1 }, 60000, 0, 0 },
	{ "half", 3, { T, -EAGAIN, -1 }, 60000, 1U << 31, 100 },
	{ "never", 1, { RETRY_NEVER, -EACCES, -1 }, 60000, 0, -EACCES },
	{ "server's wish", 1, { T, -EAGAIN, 1500 }, 60000, 0, 1500 },
	{ "shorter wish", 9, { H, -EAGAIN, 10 }, 60000, UINT32_MAX, 20000 },
	{ "absurd wish", 1, { T, -EAGAIN, 900000 }, 60000, 0, 20000 },
	{ "no time left", 3, { T, -ETIMEDOUT, -1 }, 200, UINT32_MAX,
	    -ETIMEDOUT },
	{ "just in time", 3, { T, -ETIMEDOUT, -1 }, 201, UINT32_MAX, 200 },
	{ "past the end", 1, { T, -ETIMEDOUT, -1 }, 0, 0, -ETIMEDOUT },
};

static void
test_waits(void)
{
	for (size_t i = 0; i < NELEMS(waits); i++)
		CHECK_EQ_AT(i, retry_wait_ms(&retry_default, waits[i].attempt,
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

static void
test_pacer(void)
{
	struct retry_pacer p;
	int64_t now = 5000000, waited = 0;

	retry_pacer_init(&p, 0);
	CHECK_EQ(retry_pacer_book(&p, now), 0);
	retry_pacer_init(&p, 200);
	/* A burst of a tenth of a second, then one every 5 ms. */
	for (int i = 0; i < 21; i++)
		waited += retry_pacer_book(&p, now);
	CHECK_EQ(waited, 0);
	CHECK_EQ(retry_pacer_book(&p, now), 5000);
	CHECK_EQ(retry_pacer_book(&p, now), 10000);
	CHECK_EQ(retry_pacer_book(&p, now + 10000), 5000);
	/* Idle time is not saved up. */
	for (int i = 0; i < 21; i++)
		CHECK_EQ_AT(i, retry_pacer_book(&p, now + 60000000), 0);
	CHECK(retry_pacer_book(&p, now + 60000000) > 0);
}

int
main(void)
{
	test_waits();
	test_budget();
	test_pacer();
	return check_done();
}
