#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fs/check.h"
#include "store/sqs.h"
#include "store/sqs_policy.h"

static void
check_policy(struct check *k, const struct sqs_attributes *a)
{
	const struct sqs_policy_want w = { a->arn, k->c->location.bucket,
		k->c->expected_bucket_owner };

	switch (sqs_policy_read(a->policy, &w)) {
	case SQS_POLICY_YES:
		check_note(k, "queue", CHECK_OK, NULL,
		    "its policy lets S3 send from %s", w.bucket);
		break;
	case SQS_POLICY_NO:
		check_note(k, "queue", CHECK_WARN, "a statement that allows "
		    "s3.amazonaws.com sqs:SendMessage",
		    "its policy does not let S3 send from %s", w.bucket);
		break;
	case SQS_POLICY_UNSURE:
		check_note(k, "queue", CHECK_WARN, NULL,
		    "its policy is not plain: whether S3 may send from %s "
		    "cannot be told", w.bucket);
		break;
	}
}

void
check_queue(struct check *k)
{
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

	if (k->c->queue == NULL)
		return;
	r = sqs_get_attributes(&o, &a);
	if (r < 0) {
		check_note(k, "queue", CHECK_MISSING,
		    r == -EACCES ? "sqs:GetQueueAttributes on the queue" : NULL,
		    "%s: %s", k->c->queue,
		    r == -ENOENT ? "no such queue" : graph_error(r));
		return;
	}
	check_note(k, "queue", CHECK_OK, NULL, "%s, messages hidden for %"
	    PRId64 " s once received, about %" PRId64 " waiting", a.arn,
	    a.visibility_s, a.waiting);
	check_policy(k, &a);
	sqs_attributes_free(&a);
}
