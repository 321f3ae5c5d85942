/* answers.h -- what a daemon answers on its control socket. */
#ifndef SESFS_FS_ANSWERS_H
#define SESFS_FS_ANSWERS_H

#include "fs/control.h"
#include "fs/graph.h"
#include "fs/mount.h"

struct answers {
	struct graph *graph;
	struct mount *mount;
	struct audit *audit; /* NULL: none */
	int64_t started_s; /* graph_now_s() at the start */
};

/* A control_fn; arg is a struct answers. */
int answers_give(void *arg, const struct control_request *req,
    struct control_client *client, json_t **ret) MUST_CHECK;

#endif
