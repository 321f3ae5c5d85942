/* awscause.h -- what a person can do about an error of AWS.
 *
 * Pure. Refusals by policy are not here: what they lack is an action, which
 * awserr_is_denied() tells. */
#ifndef SESFS_STORE_AWSCAUSE_H
#define SESFS_STORE_AWSCAUSE_H

struct awscause {
	const char *word;   /* for programs: "expired" */
	const char *advice; /* what to do, in the imperative */
};

/* By AWS's error code; NULL when there is nothing to say of it. Constant. */
const struct awscause *awscause_of(const char *code);

#endif
