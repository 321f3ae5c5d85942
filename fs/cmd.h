/* cmd.h -- the commands. Each takes its configuration and returns the exit
 * status: 0, 1 when it failed or found something wrong, 2 for a wrong use that
 * config could not see. */
#ifndef SESFS_FS_CMD_H
#define SESFS_FS_CMD_H

#include "fs/audit.h"
#include "fs/config.h"
#include "fs/control.h"
#include "store/source.h"

#define EXIT_USE 2
#define EXIT_INTERRUPTED 130
#define CMD_PATH_MAX 4096

typedef int cmd_fn(const struct config *c);

cmd_fn cmd_mount, cmd_umount, cmd_sync, cmd_ls, cmd_cat, cmd_verify, cmd_check,
    cmd_status, cmd_forget, cmd_warm, cmd_rekey, cmd_policy;

/* Print a line "sesfs: ..." on stderr and return `status`. */
int cmd_fail(int status, const char *fmt, ...) PRINTF(2, 3);

/* Flush standard output: `status`, or 1 when it could not be written, after one
 * line; without any when the reader of a pipe has seen enough, as head(1) has. */
int cmd_printed(int status) MUST_CHECK;

/* The audit of --audit: NULL when there shall be none. Errors of audit_open. */
int cmd_audit(const struct config *c, struct audit **ret) MUST_CHECK;
/* Record that this command opened a message; without an audit nothing is done.
 * Errors of audit_write. */
int cmd_record(struct audit *a, const char *key,
    const struct source_trace *trace) MUST_CHECK;

/* The state directory of what is mounted at a mountpoint. 0, or 1 after having
 * said why not. */
int cmd_state_dir(const char *mountpoint, char ret[CMD_PATH_MAX]) MUST_CHECK;

/* control_ask, saying what went wrong. 0 or 1. */
int cmd_ask(const char *state_dir, const char *request,
    control_progress_fn *progress, void *arg, json_t **ret) MUST_CHECK;

#endif
