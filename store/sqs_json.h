/* sqs_json.h -- the JSON of GetQueueAttributes. Pure; fuzzed. */
#ifndef SESFS_STORE_SQS_JSON_H
#define SESFS_STORE_SQS_JSON_H

#include "store/buf.h"
#include "store/sqs.h"

/* The body of the call. ret: an empty buf. Returns 0; -ENOMEM; -EINVAL for a
 * URL that is not UTF-8. */
int sqs_json_request(const char *url, struct buf *ret) MUST_CHECK;

/* The answer. Returns 0, then sqs_attributes_free() it; -EPROTO; -ENOMEM; on
 * failure *ret is all zero. */
int sqs_json_attributes(struct slice json, struct sqs_attributes *ret)
    MUST_CHECK;

#endif
