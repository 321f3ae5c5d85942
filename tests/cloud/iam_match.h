/* iam_match.h -- patterns of IAM against text. Pure. */
#ifndef CLOUD_IAM_MATCH_H
#define CLOUD_IAM_MATCH_H

#include "base.h"

enum {
	IAM_WILD = 1 << 0, /* `*` and `?` are wildcards */
	IAM_FOLD = 1 << 1, /* letters of either case are the same */
	IAM_ARN = 1 << 2,  /* six parts between colons, each by itself */
};

/* Are the ${...} of the pattern such as are known: `${*}`, `${?}`, `${$}`,
 * which stand for the character? */
bool iam_is_pattern(const char *pattern);

bool iam_matches(const char *pattern, const char *text, unsigned how);

#endif
