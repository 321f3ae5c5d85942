/* iam_condition.h -- the Condition of a statement. Pure. */
#ifndef CLOUD_IAM_CONDITION_H
#define CLOUD_IAM_CONDITION_H

#include "iam.h"

#include <jansson.h>

/* Is it one that is wholly known? Else the reason in `why`. */
bool iam_condition_check(json_t *condition, char why[IAM_WHY_MAX]);

/* Does it hold? `condition` has been checked, or is NULL for none. */
bool iam_condition_holds(json_t *condition, const struct iam_ask *ask);

#endif
