/* sqs.h -- the queues: their names and attributes. No message is ever in one.
 *
 * Threads: any. */
#ifndef CLOUD_SQS_H
#define CLOUD_SQS_H

#include "cloud.h"

struct sqs *sqs_new(void) MUST_CHECK;
void sqs_free(struct sqs *q);

/* POST /_cloud/queue. */
void sqs_admin_queue(struct cloud *c, struct request *req);

#endif
