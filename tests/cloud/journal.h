/* journal.h -- what happened: counters by operation and fault, and the last
 * requests. Threads: any. */
#ifndef CLOUD_JOURNAL_H
#define CLOUD_JOURNAL_H

#include "request.h"

struct journal;
struct journal *journal_new(void) MUST_CHECK;
void journal_free(struct journal *j);

/* Record a finished request: its op, key, reply status, fault, ... */
void journal_add(struct journal *j, const struct request *req, int64_t at_unix);

void journal_reset(struct journal *j);

/* {"s3.get": n, ..., "faults.throttle": n, ..., "total": n, "bytes_out": n} */
void journal_counters(struct journal *j, struct buf *b);

/* The last `n` requests, newest last, as a JSON array. */
void journal_log(struct journal *j, size_t n, struct buf *b);

#endif
