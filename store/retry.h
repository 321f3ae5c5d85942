/* retry.h -- whether to try again, and when.
 *
 * The rules of the AWS SDKs' "standard" mode as revised for 2026: exponential
 * backoff with full jitter, from 50 ms after a passing failure and from 1 s
 * after throttling, at most 20 s; a bucket of 500 tokens per service from
 * which a retry takes 14 (5 after throttling, which is no sign of an outage)
 * and to which success gives back; the server's own delay is obeyed as far as
 * it is at most 5 s longer than ours. Where these depart, it is because a file
 * system has no one to tell "try later":
 *	ten attempts may fail in passing rather than three;
 *	throttling ends a call by its deadline only, not by a count;
 *	a wait that would reach past the deadline is cut, so that the last
 *	attempt is made a second before it;
 *	each kind of failure has its own exponent, so that a broken connection
 *	after throttling is not waited for as if it were the tenth.
 *
 * Pure: time and random bits are arguments, locking is the caller's. */
#ifndef SESFS_STORE_RETRY_H
#define SESFS_STORE_RETRY_H

#include "crypto/base.h"

enum retry_kind {
	RETRY_NEVER,	 /* the same answer would come again */
	RETRY_TRANSIENT, /* network trouble, 5xx */
	RETRY_THROTTLE,	 /* asked too often */
	RETRY_KINDS
};

struct retry_policy {
	int64_t transient_ms; /* base delay */
	int64_t throttle_ms;  /* base delay */
	int64_t cap_ms;	      /* longest delay */
	unsigned attempts;    /* that may fail in passing, the first included */
};
extern const struct retry_policy retry_default;

struct retry_failure {
	enum retry_kind kind;
	int err;	  /* what the call returns when given up, < 0 */
	int64_t after_ms; /* what the server asked for, < 0 when nothing */
};

/* Wait before the next attempt, in ms, after a call failed with `f`, for the
 * `nth` time with a failure of that kind (1 = the first). Returns >= 0, or
 * f->err when the caller must give up: never to be retried, attempts used up,
 * or no time for another among the `left_ms` of the call. `rnd` is any 32
 * random bits. */
int64_t retry_wait_ms(const struct retry_policy *p, unsigned nth,
    const struct retry_failure *f, int64_t left_ms, uint32_t rnd) MUST_CHECK;

#define RETRY_BUDGET 500

struct retry_budget {
	int tokens;
};
#define RETRY_BUDGET_INIT { .tokens = RETRY_BUDGET }

/* Take one retry's tokens. Returns how many were taken (> 0, to be handed to
 * retry_budget_give() when the retry succeeds), or 0 when too few are left:
 * the service is in trouble, do not add to it. */
int retry_budget_take(struct retry_budget *b, enum retry_kind kind) MUST_CHECK;

/* A call succeeded: `taken` by its last retry, 0 when it needed none (then one
 * token comes back). */
void retry_budget_give(struct retry_budget *b, int taken);

#endif
