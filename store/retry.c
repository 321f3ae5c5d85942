#include "store/retry.h"

#define COST_TRANSIENT 14
#define COST_THROTTLE 5
#define WISH_MS 5000 /* how much longer than ours a server's delay may be */
#define LAST_MS 1000 /* what the last attempt has until the deadline */

const struct retry_policy retry_default = {
	.transient_ms = 50,
	.throttle_ms = 1000,
	.cap_ms = 20000,
	.attempts = 10,
};

/* The longest wait after the nth failure: base * 2^(nth-1), capped. */
static int64_t
ceiling_ms(const struct retry_policy *p, unsigned nth, int64_t base_ms)
{
	for (; nth > 1 && base_ms < p->cap_ms; nth--)
		base_ms *= 2;
	return base_ms < p->cap_ms ? base_ms : p->cap_ms;
}

/* Not sooner than we would, and not much later. */
static int64_t
obey_ms(int64_t ours_ms, int64_t theirs_ms)
{
	if (theirs_ms <= ours_ms)
		return ours_ms;
	return theirs_ms - ours_ms < WISH_MS ? theirs_ms : ours_ms + WISH_MS;
}

int64_t
retry_wait_ms(const struct retry_policy *p, unsigned nth,
    const struct retry_failure *f, int64_t left_ms, uint32_t rnd)
{
	int64_t top, wait;

	if (f->kind == RETRY_NEVER ||
	    (f->kind == RETRY_TRANSIENT && nth >= p->attempts))
		return f->err;
	top = ceiling_ms(p, nth, f->kind == RETRY_THROTTLE ? p->throttle_ms :
							     p->transient_ms);
	wait = obey_ms((int64_t)(((uint64_t)top + 1) * rnd >> 32),
	    f->after_ms);
	if (wait < left_ms)
		return wait;
	return left_ms > LAST_MS ? left_ms - LAST_MS : f->err;
}

int
retry_budget_take(struct retry_budget *b, enum retry_kind kind)
{
	int cost = kind == RETRY_THROTTLE ? COST_THROTTLE : COST_TRANSIENT;

	if (b->tokens < cost)
		return 0;
	b->tokens -= cost;
	return cost;
}

void
retry_budget_give(struct retry_budget *b, int taken)
{
	b->tokens += taken > 0 ? taken : 1;
	if (b->tokens > RETRY_BUDGET)
		b->tokens = RETRY_BUDGET;
}
