#include "store/retry.h"

#define COST_TRANSIENT 14
#define COST_THROTTLE 5
#define WISH_MS 5000 /* how much longer than ours a server's delay may be */
#define LAST_MS 1000 /* what the last attempt has until the deadline */
#define BURST_US 100000

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

void
retry_pacer_init(struct retry_pacer *p, unsigned per_second)
{
	*p = (struct retry_pacer){
		.step_us = per_second > 0 ? 1000000 / per_second : 0,
	};
}

int64_t
retry_pacer_book(struct retry_pacer *p, int64_t now_us)
{
	int64_t at;

	if (p->step_us == 0)
		return 0;
	if (p->next_us < now_us - BURST_US)
		p->next_us = now_us - BURST_US;
	at = p->next_us;
	p->next_us += p->step_us;
	return at > now_us ? at - now_us : 0;
}
