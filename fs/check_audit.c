#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/audit.h"
#include "fs/check.h"
#include "fs/progress.h"

#define ROOM_NEEDED (1ULL << 20) /* a few thousand lines */

static const struct {
	int err;
	const char *cause, *fix;
} causes[] = {
	{ .err = ENOENT, .cause = "no-directory",
	    .fix = "make the directory" },
	{ .err = ENOTDIR, .cause = "no-directory",
	    .fix = "another --audit" },
	{ .err = EACCES, .cause = "permission",
	    .fix = "let this user read and append there" },
	{ .err = EPERM, .cause = "permission",
	    .fix = "let this user read and append there" },
	{ .err = EROFS, .cause = "read-only",
	    .fix = "another --audit" },
	{ .err = EINVAL, .cause = "not-a-file",
	    .fix = "another --audit" },
	{ .err = EISDIR, .cause = "not-a-file",
	    .fix = "another --audit" },
};

static void
fail(struct check *k, int r)
{
	struct check_finding f = { .name = "audit", .result = CHECK_MISSING,
		.cause = "failed", .fix = "another --audit" };

	for (size_t i = 0; i < NELEMS(causes); i++)
		if (causes[i].err == -r) {
			f.cause = causes[i].cause;
			f.fix = causes[i].fix;
		}
	check_note(k, &f, "%s: %s", k->c->audit, audit_error(r));
}

static void
check_room(struct check *k, const char *where)
{
	struct statvfs fs;
	char room[32];
	uint64_t len;

	if (statvfs(where, &fs) < 0) {
		fail(k, -errno);
		return;
	}
	len = (uint64_t)fs.f_bavail * fs.f_frsize;
	progress_size(len, room);
	if (len < ROOM_NEEDED)
		check_note(k, &(struct check_finding){ "audit", CHECK_MISSING,
		    "full", NULL, "room there, or another --audit" },
		    "%s: %s free, and without its line no message is opened",
		    k->c->audit, room);
	else
		check_ok(k, "audit", "%s, %s free", k->c->audit, room);
}

/* A file that is yet to be made. */
static void
check_directory(struct check *k)
{
	char *copy = strdup(k->c->audit), *dir;

	if (copy == NULL)
		return;
	dir = dirname(copy);
	if (access(dir, W_OK | X_OK) < 0)
		fail(k, -errno);
	else
		check_room(k, dir);
	free(copy);
}

static void
check_journal(struct check *k, int r)
{
	struct check_finding f = { .name = "audit", .result = CHECK_MISSING,
		.cause = "no-journal",
		.fix = "a file instead: --audit=FILE" };

	if (r == -EAGAIN) {
		f.cause = "busy";
		f.fix = "see what systemd-journald does";
	}
	if (r == 0)
		check_ok(k, "audit", "systemd's journal");
	else
		check_note(k, &f, "systemd's journal: %s", audit_error(r));
}

void
check_audit(struct check *k)
{
	const struct audit_opts o = { .dest = k->c->audit };
	int r;

	if (o.dest == NULL)
		return;
	r = audit_probe(&o);
	if (strcmp(o.dest, AUDIT_JOURNAL) == 0)
		check_journal(k, r);
	else if (r == -ENOENT)
		check_directory(k);
	else if (r < 0)
		fail(k, r);
	else
		check_room(k, o.dest);
}
