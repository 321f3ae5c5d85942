/* log.h -- one line per event, to stderr, syslog or a file.
 *
 * Every call returns its first argument, so that it can end a function:
 *	return log_err(-EACCES, "s3: get %s: refused (%s)", key, code);
 * Format `module: verb object: detail`. Never key bytes, message text,
 * subjects, addresses or signatures. Control characters of names are escaped
 * here. Repeats of the same format within a minute are counted, not printed,
 * past a burst, unless the level is debug. Threads: any. The one process-wide
 * state of store/. */
#ifndef SESFS_STORE_LOG_H
#define SESFS_STORE_LOG_H

#include <stdatomic.h>

#include "crypto/base.h"

enum log_level {
	LOG_LEVEL_NONE = -1, /* silence, for who says it all otherwise */
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Where lines go: "stderr", "syslog" or an absolute file name (appended,
 * mode 0600). Call before threads start; again after SIGHUP to reopen.
 * Returns 0 or -errno of open(2). */
int log_open(const char *dest) MUST_CHECK;
void log_set_level(enum log_level max); /* threads: any */
enum log_level log_get_level(void);

/* From now on have the first error that the calling thread logs, which is what
 * those after it follow from, in buf as well, whatever the level, for who
 * reports it in a form of their own; "" until there is one. NULL: no more. buf,
 * of size bytes (> 0), stays the caller's. */
void log_keep(char *buf, size_t size);

/* While *is_quiet, nobody waits for what the calling thread does: its lines are
 * those of LOG_LEVEL_DEBUG. Others may change it. NULL: not any more. */
void log_set_thread_quiet(const atomic_bool *is_quiet);
bool log_thread_is_quiet(void);

int log_err(int err, const char *fmt, ...) PRINTF(2, 3);
int log_warn(int err, const char *fmt, ...) PRINTF(2, 3);
int log_info(int err, const char *fmt, ...) PRINTF(2, 3);
int log_debug(int err, const char *fmt, ...) PRINTF(2, 3);

/* For what is said of each of many messages for one cause: `about` names the
 * cause (a key and what KMS says of it), of which one line a minute is printed,
 * with the count of those left out. NULL: as above. */
int log_err_about(int err, const char *about, const char *fmt, ...)
    PRINTF(3, 4);
int log_warn_about(int err, const char *about, const char *fmt, ...)
    PRINTF(3, 4);

#endif
