#include "check.h"
#include "store/pace.h"

#define SECOND 1000000

static void
test_none(void)
{
	struct pace p;

	pace_init(&p, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ_AT(i, pace_take(&p, SECOND), 0);
	pace_throttled(&p, SECOND);
	CHECK_EQ(pace_take(&p, SECOND), 0);
	CHECK_EQ(pace_rate(&p, SECOND), 0);
}

/* The limit alone: a burst of a tenth of a second, then one every 5 ms. */
static void
test_limit(void)
{
	const int64_t now = 5 * SECOND;
	struct pace p;

	pace_init(&p, 200);
	for (int i = 0; i < 21; i++)
		CHECK_EQ_AT(i, pace_take(&p, now), 0);
	CHECK_EQ(pace_take(&p, now), 5000);
	CHECK_EQ(pace_take(&p, now), 5000); /* asking costs nothing */
	CHECK_EQ(pace_take(&p, now + 4000), 1000);
	CHECK_EQ(pace_take(&p, now + 5000), 0);
	CHECK_EQ(pace_take(&p, now + 5000), 5000);
	/* More of a pause is not saved up. */
	for (int i = 0; i < 21; i++)
		CHECK_EQ_AT(i, pace_take(&p, now + 60 * SECOND), 0);
	CHECK(pace_take(&p, now + 60 * SECOND) > 0);
}

/* Serve n calls within the second that begins at `second`. */
static void
serve(struct pace *p, int64_t second, int n)
{
	for (int i = 0; i < n; i++)
		pace_served(p, second * SECOND + SECOND / (n + 1) * i);
}

static int
rounded(struct pace *p, int64_t now_us)
{
	return (int)(pace_rate(p, now_us) + 0.5);
}

static void
test_cut(void)
{
	struct pace p;
	int64_t at = 101 * SECOND;

	pace_init(&p, 1000);
	serve(&p, 100, 100);
	CHECK_EQ(rounded(&p, at), 1000);
	pace_throttled(&p, at);
	CHECK_EQ(rounded(&p, at), 70);
	/* Once a second. */
	for (int i = 1; i < 100; i++) {
		pace_throttled(&p, at + i * 10000 - 1);
		CHECK_AT(i, pace_rate(&p, at + i * 10000) >= 70);
	}
	/* CUBIC: up, flat at 100 after cbrt(100 * 0.3 / 0.4) = 4.217 s, up. */
	CHECK_EQ(rounded(&p, at + 4 * SECOND), 100);
	CHECK_EQ(rounded(&p, at + 4217163), 100);
	CHECK_EQ(rounded(&p, at + 6 * SECOND), 102);
	CHECK_EQ(rounded(&p, at + 10 * SECOND), 177);
	CHECK_EQ(rounded(&p, at + 17 * SECOND), 935);
	CHECK_EQ(rounded(&p, at + 18 * SECOND), 1000);
	CHECK_EQ(rounded(&p, at + 3600LL * SECOND), 1000);
}

/* Nothing is served at all: two seconds for a call, and soon more. */
static void
test_least(void)
{
	struct pace p;
	int64_t at = 1000 * SECOND;

	pace_init(&p, 200);
	for (int i = 0; i < 5; i++, at += SECOND) {
		pace_throttled(&p, at);
		CHECK_AT(i, pace_rate(&p, at) == 0.5);
	}
	at -= SECOND;
	CHECK_EQ(pace_take(&p, at), 0);
	CHECK_EQ(pace_take(&p, at), 2 * SECOND);
	/* Booked when it was slow, to be had sooner now. */
	CHECK_EQ(rounded(&p, at + 3 * SECOND), 11);
	CHECK_EQ(pace_take(&p, at + 3 * SECOND), 0);
	CHECK(pace_take(&p, at + 3 * SECOND) < SECOND / 10);
	CHECK_EQ(rounded(&p, at + 8 * SECOND), 200);
}

/* Answers that were on their way when the first refusal came in. */
static void
test_late_answers(void)
{
	struct pace p;

	pace_init(&p, 1000);
	pace_throttled(&p, 7 * SECOND);
	CHECK(pace_rate(&p, 7 * SECOND) == 0.5);
	for (int i = 0; i < 40; i++)
		pace_served(&p, 7 * SECOND + 1000);
	CHECK_EQ(rounded(&p, 7 * SECOND + 1000), 28);
	/* Later ones are the rate's own doing. */
	for (int i = 0; i < 40; i++)
		pace_served(&p, 8 * SECOND);
	CHECK(pace_rate(&p, 8 * SECOND) < 40);
}

/* Two stamps the wrong way round at the turn of a second. */
static void
test_swapped(void)
{
	struct pace p;

	pace_init(&p, 1000);
	serve(&p, 100, 500);
	serve(&p, 101, 499);
	pace_served(&p, 102 * SECOND);
	pace_served(&p, 102 * SECOND - 1000);
	pace_throttled(&p, 102 * SECOND);
	CHECK_EQ(rounded(&p, 102 * SECOND), 351); /* 0.7 of 2 + 499 */
	pace_throttled(&p, 101 * SECOND); /* long ago: not another cut */
	CHECK_EQ(rounded(&p, 102 * SECOND), 351);
}

/* ---- a service that counts, and clients who always want more ---- */

#define TICK 1000	 /* us */
#define RTT_MAX 200	 /* ticks */

struct service {
	unsigned limit; /* a second, 0 = all; what is refused counts, too */
	bool is_bucket; /* tokens that come evenly, else a count by the second */
	double tokens;
	int64_t second;
	unsigned n;
};

static bool
is_taken(struct service *s, int64_t now_us)
{
	if (s->limit == 0)
		return true;
	if (s->is_bucket) {
		if (s->tokens < 1)
			return false;
		s->tokens -= 1;
		return true;
	}
	if (now_us / SECOND != s->second) {
		s->second = now_us / SECOND;
		s->n = 0;
	}
	return ++s->n <= s->limit;
}

struct world {
	struct pace pace;
	struct service service;
	int64_t now_us;
	int rtt; /* ticks */
	unsigned good[RTT_MAX], bad[RTT_MAX]; /* answers on their way */
	unsigned served, refused;
};

static void
tick(struct world *w)
{
	int at = (int)(w->now_us / TICK % w->rtt);
	struct service *s = &w->service;

	w->now_us += TICK;
	s->tokens += (double)s->limit * TICK / SECOND;
	if (s->tokens > s->limit)
		s->tokens = s->limit;
	w->served += w->good[at];
	w->refused += w->bad[at];
	for (; w->good[at] > 0; w->good[at]--)
		pace_served(&w->pace, w->now_us);
	for (; w->bad[at] > 0; w->bad[at]--)
		pace_throttled(&w->pace, w->now_us);
	while (pace_take(&w->pace, w->now_us) == 0)
		if (is_taken(s, w->now_us))
			w->good[at]++;
		else
			w->bad[at]++;
}

static void
run_for(struct world *w, int seconds)
{
	w->served = w->refused = 0;
	for (int i = 0; i < seconds * (SECOND / TICK); i++)
		tick(w);
}

/* However far above the limit it begins: what is refused becomes little, what
 * is served stays near the limit; and when the limit goes, so does the pace. */
static void
test_service(void)
{
	static const struct {
		unsigned limit;
		int rtt; /* ms */
		bool is_bucket;
	} t[] = {
		{ 5, 1, false }, { 5, 50, true }, { 20, 1, false },
		{ 20, 150, false }, { 20, 10, true }, { 100, 1, false },
		{ 100, 10, true }, { 100, 150, false }, { 150, 20, true },
	};

	for (size_t i = 0; i < NELEMS(t); i++) {
		struct world w = { .now_us = 1000LL * SECOND + 345678,
			.rtt = t[i].rtt, .service = { .limit = t[i].limit,
			    .is_bucket = t[i].is_bucket } };

		pace_init(&w.pace, 200);
		run_for(&w, 5);
		run_for(&w, 60);
		CHECK_AT(i, w.refused * 100 <= w.served * 10);
		CHECK_AT(i, w.served >= 60 * t[i].limit * 7 / 10);
		w.service.limit = 0;
		run_for(&w, 12);
		CHECK_EQ_AT(i, rounded(&w.pace, w.now_us), 200);
	}
}

int
main(void)
{
	test_none();
	test_limit();
	test_cut();
	test_least();
	test_late_answers();
	test_swapped();
	test_service();
	return check_done();
}
