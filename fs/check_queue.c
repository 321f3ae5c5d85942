#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/check.h"
#include "store/sqs.h"
#include "store/sqs_policy.h"

static void
check_policy(struct check *k, const struct sqs_attributes *a)
{
	const char *owner = k->c->expected_bucket_owner;
	const struct sqs_policy_want w = { a->arn, k->c->location.bucket,
		owner != NULL ? owner :
		k->account[0] != '\0' ? k->account : NULL };

	if (strncmp(w.bucket, "arn:", 4) == 0) {
		check_skip(k, "queue", "which bucket is behind %s, and whether "
		    "the queue's policy lets S3 send from there", w.bucket);
		return;
	}
	switch (sqs_policy_read(a->policy, &w)) {
	case SQS_POLICY_YES:
		check_ok(k, "queue", "its policy lets S3 send from %s",
		    w.bucket);
		break;
	case SQS_POLICY_NO:
		check_note(k, &(struct check_finding){ "queue", CHECK_WARN,
		    "queue-policy", "sqs:SendMessage", "allow "
		    "s3.amazonaws.com sqs:SendMessage in the queue's policy, "
		    "unless SNS or EventBridge sends there" }, "its policy "
		    "does not let S3 send from %s", w.bucket);
		break;
	case SQS_POLICY_UNSURE:
		check_note(k, &(struct check_finding){ "queue", CHECK_WARN,
		    "queue-policy", NULL, "look at it: aws sqs "
		    "get-queue-attributes --attribute-names Policy" },
		    "whether its policy lets S3 send from %s cannot be told "
		    "here", w.bucket);
		break;
	}
}

/* Who sends to a queue under a KMS key must be allowed to use the key, and
 * nobody can allow S3 that of AWS's own one. */
static void
check_key(struct check *k, const struct sqs_attributes *a)
{
	size_t len = strlen(a->kms_key);

	if (len >= 13 && strcmp(a->kms_key + len - 13, "alias/aws/sqs") == 0)
		check_note(k, &(struct check_finding){ "queue", CHECK_WARN,
		    "queue-key", NULL, "encrypt it with SQS's own keys "
		    "(SSE-SQS), or a KMS key of yours" }, "under %s S3 cannot "
		    "send to it", a->kms_key);
	else if (len > 0)
		check_ok(k, "queue", "encrypted under %s, whose policy must "
		    "allow s3.amazonaws.com kms:GenerateDataKey and "
		    "kms:Decrypt", a->kms_key);
}

/* S3 sends to queues of the bucket's own region only. */
static void
check_region(struct check *k, const struct sqs_attributes *a)
{
	char queue[ENDPOINT_REGION_MAX] = "", bucket[32] = "";

	if (sscanf(a->arn, "arn:%*[^:]:sqs:%31[^:]", queue) != 1 ||
	    s3_reach(k->g.s3, k->c->location.prefix, bucket) < 0)
		bucket[0] = '\0';
	aws_outcome_clear();
	if (bucket[0] != '\0' && strcmp(queue, bucket) != 0)
		check_note(k, &(struct check_finding){ "queue", CHECK_WARN,
		    "region", NULL, "a queue in the region of the bucket" },
		    "it is in %s and the bucket in %s: S3 sends to queues of "
		    "its own region only", queue, bucket);
}

static bool
may_ask(struct check *k, const struct sqs_opts *o)
{
	char region[ENDPOINT_REGION_MAX] = "";
	struct endpoint e;

	if (!k->has_creds) {
		check_skip(k, "queue", "there are no credentials");
		return false;
	}
	if (sqs_endpoint(o, &e, region) == 0 &&
	    check_reach(k, "SQS", &e, CHECK_MISSING))
		return true;
	check_skip(k, "queue", "SQS in %s cannot be reached", region);
	return false;
}

void
check_queue(struct check *k)
{
	static const struct check_call call = { "queue", CHECK_MISSING,
		"sqs:GetQueueAttributes", "the queue", NULL };
	const struct sqs_opts o = {
		.aws = k->g.aws,
		.url = k->c->queue,
		.region = k->g.region,
		.endpoint_url = k->c->sqs_endpoint_url,
		.fips = k->c->fips,
		.dual_stack = k->c->dual_stack,
	};
	struct sqs_attributes a;
	int r;

	if (o.url == NULL || !may_ask(k, &o))
		return;
	if ((r = sqs_get_attributes(&o, &a)) < 0) {
		check_failed(k, &call, r, "%s", o.url);
		return;
	}
	check_ok(k, "queue", "%s, %" PRId64 " s to deal with a message, about %"
	    PRId64 " waiting", a.arn, a.visibility_s, a.waiting + a.hidden);
	check_policy(k, &a);
	check_key(k, &a);
	check_region(k, &a);
	sqs_attributes_free(&a);
}
