/* check.h -- the findings of `sesfs check`. */
#ifndef SESFS_FS_CHECK_H
#define SESFS_FS_CHECK_H

#include <jansson.h>

#include "fs/graph.h"

enum check_result { CHECK_OK, CHECK_WARN, CHECK_MISSING };

struct check {
	const struct config *c;
	struct graph g;	 /* cloud part */
	json_t *list;	 /* findings, for --json */
	unsigned missing;
	struct s3_object sample; /* one object that was fetched */
	char sample_key[S3_KEY_MAX + 1];
	bool has_sample;
};

/* Note a finding: what was tried, how it went, what is known (may be ""), and
 * what mends it (NULL: nothing to mend). Printed at once unless --json. */
void check_note(struct check *k, const char *name, enum check_result result,
    const char *fix, const char *fmt, ...) PRINTF(5, 6);

/* This machine: state directory, FUSE, locked memory. */
void check_machine(struct check *k);
/* AWS: identity, clock, bucket, list, get, keys, seal. Needs k->g. */
void check_cloud(struct check *k);
void check_keys(struct check *k);
void check_queue(struct check *k);

#endif
