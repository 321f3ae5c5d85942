#include "store/pace.h"

#include <math.h>

#define SECOND_US 1000000
#define BURST_US 100000 /* how much of a pause is made up for */
#define BETA 0.7	/* of the rate that was too much */
#define SCALE 0.4	/* of the curve, calls / s^4 */
#define RATE_MIN 0.5	/* however little is served; as the SDKs have it */

void
pace_init(struct pace *p, unsigned per_second)
{
	*p = (struct pace){ .limit = per_second, .rate = per_second };
}

/* Calls served in the last second: all of this one, and of the one before the
 * part that is no longer ago. A time before this second counts as its
 * beginning: what was counted is not forgotten for it. */
static double
served_rate(struct pace *p, int64_t now_us)
{
	int64_t start_us = p->second * SECOND_US, second;
	double part;

	if (now_us < start_us)
		now_us = start_us;
	second = now_us / SECOND_US;
	part = (double)(now_us % SECOND_US) / SECOND_US;
	if (second != p->second) {
		p->served_before = second == p->second + 1 ? p->served : 0;
		p->served = 0;
		p->second = second;
	}
	return (double)p->served + (double)p->served_before * (1 - part);
}

/* The curve is at BETA * cut_rate at the cut, and at cut_rate again, for a
 * while, after the time that the cube root gives. */
static void
grow(struct pace *p, int64_t now_us)
{
	double t = (double)(now_us - p->cut_us) / SECOND_US;
	double k = cbrt(p->cut_rate * (1 - BETA) / SCALE);

	if (!p->is_cut)
		return;
	p->rate = SCALE * (t - k) * (t - k) * (t - k) + p->cut_rate;
	if (p->rate < RATE_MIN)
		p->rate = RATE_MIN;
	if (p->rate >= p->limit) {
		p->rate = p->limit;
		p->is_cut = false;
	}
}

double
pace_rate(struct pace *p, int64_t now_us)
{
	grow(p, now_us);
	return p->rate;
}

int64_t
pace_take(struct pace *p, int64_t now_us)
{
	int64_t step;

	if (p->limit <= 0)
		return 0;
	step = (int64_t)(SECOND_US / pace_rate(p, now_us));
	if (p->next_us < now_us - BURST_US)
		p->next_us = now_us - BURST_US;
	if (p->next_us > now_us + step)
		p->next_us = now_us + step; /* it was slower when booked */
	if (p->next_us > now_us)
		return p->next_us - now_us;
	p->next_us += step;
	return 0;
}

void
pace_served(struct pace *p, int64_t now_us)
{
	double rate;

	if (p->limit <= 0)
		return;
	(void)served_rate(p, now_us); /* a new second may have begun */
	p->served++;
	/* What was on its way at the cut counts as well. */
	rate = served_rate(p, now_us);
	if (p->is_cut && now_us - p->cut_us < SECOND_US && rate > p->cut_rate)
		p->cut_rate = rate;
}

void
pace_throttled(struct pace *p, int64_t now_us)
{
	if (p->limit <= 0 ||
	    (p->is_cut && now_us - p->cut_us < SECOND_US))
		return;
	p->is_cut = true;
	p->cut_us = now_us;
	p->cut_rate = served_rate(p, now_us);
	if (p->cut_rate > p->limit)
		p->cut_rate = p->limit;
	if (p->next_us < now_us)
		p->next_us = now_us; /* nothing to make up for */
	grow(p, now_us);
}
