/* sqs_policy.h -- may S3 send to this queue?
 *
 * A plain reading of a queue's policy, for a person who sets things up: what it
 * does not understand it says so of, and never takes for a yes. AWS alone
 * decides. Pure; fuzzed. */
#ifndef SESFS_STORE_SQS_POLICY_H
#define SESFS_STORE_SQS_POLICY_H

#include "crypto/base.h"

enum sqs_policy {
	SQS_POLICY_NO,	   /* no statement lets it, or one forbids it */
	SQS_POLICY_YES,
	SQS_POLICY_UNSURE, /* it hangs on what is not understood here */
};

struct sqs_policy_want {
	const char *queue_arn;
	const char *bucket;
	const char *account; /* of the bucket's owner; NULL: not known */
};

/* May the service s3.amazonaws.com send messages about that bucket? policy:
 * JSON, or NULL when the queue has none. */
enum sqs_policy sqs_policy_read(const char *policy,
    const struct sqs_policy_want *w);

#endif
