/* pace.h -- how many calls a second a service is sent.
 *
 * Never more than the user allows. Below that it follows what the service
 * takes, as the SDKs' "adaptive" mode does: when it answers "too often", the
 * rate falls to 0.7 of what it gave, and grows from there along CUBIC's curve,
 * slowly near the rate that was too much and fast away from it. What departs
 * from the SDKs, and why:
 *	It falls once a second at most. AWS counts by the second: whatever is
 *	sent in the rest of one that is used up is refused and says nothing new,
 *	but would cut the rate to nothing if each refusal counted.
 *	It falls to a part of what was served in the last second, not of what
 *	was sent: so one cut finds the limit, however far above it we were.
 *	It grows also while little is asked: what bounds it is --kms-rate, and
 *	someone who reads again after a pause need not wait.
 *
 * Pure: time is an argument, locking is the caller's. */
#ifndef SESFS_STORE_PACE_H
#define SESFS_STORE_PACE_H

#include "crypto/base.h"

struct pace {
	double limit;	 /* constant; calls a second, 0 = no pace at all */
	double rate;	 /* calls a second, when it was last worked out */
	int64_t next_us; /* when the next call may start */
	/* the last "too often", while the rate is below the limit for it */
	bool is_cut;
	int64_t cut_us;	 /* when */
	double cut_rate; /* what the service gave then */
	/* calls served in a second, and in the one before */
	int64_t second;
	uint64_t served, served_before;
};

/* per_second: the limit, 0 = none, and then all of this does nothing. */
void pace_init(struct pace *p, unsigned per_second);

/* Start a call now? Returns 0 and counts it as started, or the microseconds
 * after which to ask again (> 0). A tenth of a second's calls may start at
 * once after a pause. */
int64_t pace_take(struct pace *p, int64_t now_us) MUST_CHECK;

/* What became of a call, as the service sees it. now_us never goes back. */
void pace_served(struct pace *p, int64_t now_us);
void pace_throttled(struct pace *p, int64_t now_us);

/* Calls a second now. */
double pace_rate(struct pace *p, int64_t now_us);

#endif
