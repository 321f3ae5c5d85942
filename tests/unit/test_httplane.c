/* Which request is next. No network, no time but the one that is told. */
#include "check.h"
#include "store/http_lane.h"

#define CALLS 64

static struct http_call call[CALLS];

/* Calls in order of arrival: f for the foreground, b for the background; each
 * has until ms 1000 + its number. */
static void
fill(struct http_lane_state *l, const char *kinds, unsigned rate)
{
	*l = (struct http_lane_state){ .active = 0 };
	pace_init(&l->pace, rate);
	for (int i = 0; kinds[i] != '\0'; i++) {
		call[i] = (struct http_call){
			.prio = kinds[i] == 'f' ? HTTP_FOREGROUND :
						  HTTP_BACKGROUND,
			.deadline_ms = 1000 + i,
		};
		http_lane_append(l, &call[i]);
	}
}

static int
number(const struct http_call *c)
{
	return c != NULL ? (int)(c - call) : -1;
}

static int
next(struct http_lane_state *l, int64_t now_ms, int64_t *wait_ms)
{
	return number(http_lane_next(l, 1, now_ms, wait_ms));
}

static void
test_order(void)
{
	static const struct {
		const char *kinds;
		int want[24];
	} t[] = {
		{ "", { -1 } },
		{ "bbfbf", { 2, 4, 0, 1, 3, -1 } },
		/* one of the background after seven that passed it */
		{ "bffffffffffffffffb",
		    { 1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 10, 11, 12, 13, 14, 17, 15,
			16, -1 } },
		/* none waits: none is due */
		{ "ffffffffff", { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1 } },
	};
	struct http_lane_state l;
	int64_t wait = 77;

	for (size_t i = 0; i < NELEMS(t); i++) {
		fill(&l, t[i].kinds, 0);
		for (int n = 0;; n++) {
			CHECK_EQ_AT(i, l.waiting_n, strlen(t[i].kinds) -
			    (size_t)n);
			CHECK_EQ_AT(i * 100 + (size_t)n, next(&l, 0, &wait),
			    t[i].want[n]);
			if (t[i].want[n] < 0)
				break;
		}
	}
	CHECK_EQ(wait, 77);
}

/* What somebody waits for all of a sudden. */
static void
test_raise(void)
{
	static const int want[] = { 1, 2, 4, 0, 3, -1 };
	struct http_lane_state l;
	int64_t wait = 77;

	fill(&l, "bfbbb", 0);
	call[0].cause = 5;
	call[1].cause = call[2].cause = call[4].cause = 6;
	http_lane_raise(&l, 7);
	http_lane_raise(&l, 6);
	CHECK_EQ(l.waiting_n, 5);
	for (size_t i = 0; i < NELEMS(want); i++)
		CHECK_EQ_AT(i, next(&l, 0, &wait), want[i]);
}

static void
test_jobs(void)
{
	struct http_lane_state l;
	int64_t wait = 77;

	fill(&l, "fb", 0);
	l.active = 1;
	CHECK_EQ(next(&l, 0, &wait), -1);
	l.active = 0;
	CHECK_EQ(next(&l, 0, &wait), 0);
	CHECK_EQ(wait, 77);
}

/* Ten a second: two at once, then one every 100 ms, for whoever is first when
 * the time has come. */
static void
test_pace(void)
{
	struct http_lane_state l;
	int64_t wait = 500;

	fill(&l, "bbbb", 10);
	CHECK_EQ(next(&l, 700, &wait), 0);
	CHECK_EQ(next(&l, 700, &wait), 1);
	CHECK_EQ(wait, 500);
	CHECK_EQ(next(&l, 700, &wait), -1);
	CHECK_EQ(wait, 100);
	CHECK_EQ(next(&l, 760, &wait), -1);
	CHECK_EQ(wait, 40);
	call[4] = (struct http_call){ .prio = HTTP_FOREGROUND,
		.deadline_ms = 5000 };
	http_lane_append(&l, &call[4]);
	CHECK_EQ(next(&l, 800, &wait), 4);
	wait = 20; /* somebody else is due before */
	CHECK_EQ(next(&l, 850, &wait), -1);
	CHECK_EQ(wait, 20);
	/* What is too late takes nobody's turn. */
	CHECK_EQ(next(&l, 1003, &wait), 2);
	CHECK_EQ(next(&l, 1003, &wait), 3);
	CHECK_EQ(l.waiting_n, 0);
}

static void
test_expired(void)
{
	struct http_lane_state l;

	fill(&l, "bfb", 0);
	CHECK_EQ(number(http_lane_expired(&l, 999, false)), -1);
	CHECK_EQ(number(http_lane_expired(&l, 1001, false)), 1);
	CHECK_EQ(number(http_lane_expired(&l, 1001, false)), 0);
	CHECK_EQ(number(http_lane_expired(&l, 1001, false)), -1);
	CHECK_EQ(number(http_lane_expired(&l, 0, true)), 2);
	CHECK_EQ(number(http_lane_expired(&l, 0, true)), -1);
	CHECK_EQ(l.waiting_n, 0);
}

int
main(void)
{
	test_order();
	test_raise();
	test_jobs();
	test_pace();
	test_expired();
	return check_done();
}
