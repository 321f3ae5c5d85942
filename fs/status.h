/* status.h -- what a daemon knows of itself, as JSON and as text. */
#ifndef SESFS_FS_STATUS_H
#define SESFS_FS_STATUS_H

#include <jansson.h>
#include <stdio.h>

#include "fs/graph.h"
#include "fs/mount.h"

#define STATUS_REFUSED_FEW 20	    /* refused objects named without --all */
#define STATUS_REFUSED_ALL 50000    /* and with it; `ls --refused` has no
				     * bound */

struct status_opts {
	const struct graph *graph;
	struct mount *mount;
	struct audit *audit; /* NULL: none */
	int64_t started_s; /* monotonic */
};

/* The document of `status --json`. -ENOMEM; errors of the index. */
int status_json(const struct status_opts *o, bool all, json_t **ret)
    MUST_CHECK;

/* The same for people. Members that are missing print as 0. */
void status_print(FILE *f, const json_t *doc);

/* What the requests cost at AWS's list prices (us-east-1, no free tier):
 * LIST and PUT $0.005 per 1,000, GET and HEAD $0.0004 per 1,000, KMS $0.03 per
 * 10,000. Pure. */
double status_cost_usd(const struct aws_stats *s);

#endif
