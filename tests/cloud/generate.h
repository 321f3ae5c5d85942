/* generate.h -- fills a bucket with mail such as SES writes it.
 *
 * A message is a function of (seed, index): only its key and sizes are kept,
 * and the contents are made again at each read, so a million fit in memory. */
#ifndef CLOUD_GENERATE_H
#define CLOUD_GENERATE_H

#include "cloud.h"

/* Parameters, all optional but `bucket`; generate_help() lists them. Returns 0
 * and the number of objects; -EINVAL with the reason in `why`. The bucket is
 * made when it does not exist. */
int generate(struct cloud *c, const struct pair *params, size_t n,
    char why[128], size_t *ret_count) MUST_CHECK;

void generate_help(struct buf *b);

#endif
