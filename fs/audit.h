/* audit.h -- a record of who opened which message.
 *
 * One JSON object on one line for each message opened, to a file or to
 * systemd's journal: when, which object, KMS's id of the call that unwrapped
 * its key, and who. Never what is in the message. A line is written whole or
 * the open it stands for must fail: audit_write() says so. Threads: any. */
#ifndef SESFS_FS_AUDIT_H
#define SESFS_FS_AUDIT_H

#include <sys/types.h>

#include "crypto/base.h"

#define AUDIT_JOURNAL "journal" /* instead of a file name */

struct audit;

struct audit_opts {
	const char *dest;	/* absolute file name, or AUDIT_JOURNAL */
	const char *bucket;	/* outlive the audit, as the next two */
	const char *mountpoint; /* NULL: a command opens, not a mount */
	const char *socket;	/* of the journal; NULL: systemd's */
};

/* Files are appended to, and made with mode 0600. Errors of auditfile_open;
 * -ENOENT when there is no journal; logged. */
int audit_open(const struct audit_opts *o, struct audit **ret) MUST_CHECK;
/* Could it be opened, and would it take a line? Makes and writes nothing.
 * Errors as audit_open has them, not logged; -ENOENT also for a file that is yet
 * to be made; -ECONNREFUSED when nobody reads the journal's socket, -EAGAIN when
 * it takes nothing now. Of o, dest and socket count. */
int audit_probe(const struct audit_opts *o) MUST_CHECK;
/* What such errors mean here. */
const char *audit_error(int r);

void audit_close(struct audit *a);
DEFINE_FREEP(struct audit, audit_close)

/* This is the device of the mount whose opens are recorded: what lies there is
 * not opened. */
void audit_avoid(struct audit *a, dev_t dev);

/* Have the file opened by its name before the next line, as it may be another
 * file now; waits for nothing. When that fails, which is logged, lines go where
 * they went. */
void audit_reopen(struct audit *a);

struct audit_event {
	const char *key;	 /* of the object */
	const char *kms_request; /* KMS's id of the call; "" = none was made */
	uid_t uid;
	pid_t pid; /* of a thread or process; 0 = one that we cannot see */
};

struct audit_stats {
	const char *dest; /* borrowed from the audit */
	uint64_t lines;
	uint64_t failed; /* that could not be written, so many opens failed */
};
void audit_get_stats(struct audit *a, struct audit_stats *ret);

/* Write the line, before the message is let go. Waits no more than some seconds
 * for a busy journal, or for another line of ours. -EIO when it could not be
 * written (logged); -ENOMEM. */
int audit_write(struct audit *a, const struct audit_event *e) MUST_CHECK;

#endif
