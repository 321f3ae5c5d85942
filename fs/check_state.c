#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fs/check.h"
#include "fs/progress.h"
#include "fs/statedir.h"
#include "store/log.h"

/* Below this not even an index fits. */
#define ROOM_NEEDED (16ULL << 20)

/* ---- the file system ---- */

/* SQLite's log is shared memory and its locks are those of this machine: both
 * must work where the index lies. A tmpfs forgets it. */
static const struct {
	uint32_t magic;
	const char *name, *why;
} odd[] = {
	{ NFS_SUPER_MAGIC, "NFS", "a network file system" },
	{ 0xff534d42, "CIFS", "a network file system" },
	{ 0xfe534d42, "SMB", "a network file system" },
	{ AFS_SUPER_MAGIC, "AFS", "a network file system" },
	{ 0x00c36400, "CephFS", "a network file system" },
	{ 0x0bd00bd0, "Lustre", "a network file system" },
	{ 0x01021997, "9P", "a file system of another machine" },
	{ 0x65735546, "FUSE", "a file system of some program" },
	{ TMPFS_MAGIC, "tmpfs", "memory, gone with the machine" },
};

static void
check_file_system(struct check *k, const char *dir, const struct statfs *fs)
{
	for (size_t i = 0; i < NELEMS(odd); i++)
		if ((uint32_t)fs->f_type == odd[i].magic)
			check_note(k, &(struct check_finding){ "state",
			    CHECK_WARN, "file-system", NULL,
			    "--state-dir on a disk of this machine" },
			    "%s lies on %s, %s", dir, odd[i].name, odd[i].why);
}

static void
check_room(struct check *k, const char *dir, const struct statfs *fs)
{
	uint64_t free_bytes = (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize;
	char room[32], wanted[32];

	progress_size(free_bytes, room);
	progress_size(k->c->cache_size, wanted);
	if (free_bytes < ROOM_NEEDED)
		check_note(k, &(struct check_finding){ "state", CHECK_MISSING,
		    "full", NULL, "room there, or another --state-dir" },
		    "%s: %s free, less than an index needs", dir, room);
	else if (free_bytes < k->c->cache_size)
		check_note(k, &(struct check_finding){ "state", CHECK_WARN,
		    "room", NULL, "a smaller --cache-size, or more room" },
		    "%s: %s free, less than the %s that the cache may take",
		    dir, room, wanted);
	else
		check_ok(k, "state", "%s, %s free", dir, room);
}

/* ---- who may do what there ---- */

/* The nearest directory above that is there. path is overwritten. */
static const char *
nearest(char *path, struct stat *ret)
{
	while (stat(path, ret) < 0 && strcmp(path, "/") != 0 &&
	    (errno == ENOENT || errno == ENOTDIR))
		path = dirname(path);
	return path;
}

static bool
may_write(struct check *k, const char *dir)
{
	int err;

	if (access(dir, W_OK | X_OK) == 0)
		return true;
	err = errno;
	check_note(k, &(struct check_finding){ "state", CHECK_MISSING,
	    err == EROFS ? "read-only" : "permission", NULL,
	    "a directory of your own: --state-dir" },
	    "%s cannot be written to: %s", dir, strerror(err));
	return false;
}

/* As statedir_create() will have it. */
static bool
is_own(struct check *k, const char *dir, const struct stat *st)
{
	struct check_finding f = { .name = "state", .result = CHECK_MISSING,
		.fix = "a directory of your own, mode 0700: --state-dir" };

	if (!S_ISDIR(st->st_mode)) {
		f.cause = "not-a-directory";
		check_note(k, &f, "%s is no directory", dir);
	} else if (st->st_uid != geteuid()) {
		f.cause = "owner";
		check_note(k, &f, "%s belongs to uid %u, and this is uid %u",
		    dir, (unsigned)st->st_uid, (unsigned)geteuid());
	} else if ((st->st_mode & 077) != 0) {
		f.cause = "mode";
		f.fix = "chmod 700 it, or another --state-dir";
		check_note(k, &f, "%s has mode %04o: others may enter", dir,
		    (unsigned)st->st_mode & 07777);
	} else {
		return true;
	}
	return false;
}

static void
check_lock(struct check *k, const char *dir)
{
	pid_t pid;
	int r = statedir_is_locked(dir, &pid);

	if (r == 1)
		check_note(k, &(struct check_finding){ "state", CHECK_WARN,
		    "locked", NULL, "sesfs umount, before it is mounted again"
		    }, "%s is in use by sesfs (pid %d)", dir, (int)pid);
	else if (r < 0)
		check_note(k, &(struct check_finding){ "state", CHECK_MISSING,
		    "permission", NULL, "remove what is there" },
		    "%s/lock: %s", dir, strerror(-r));
}

/* Does what is there belong to this source, and can it be read? */
static void
check_index(struct check *k, const char *dir)
{
	struct check_finding f = { .name = "state", .cause = "other-source",
		.result = CHECK_MISSING, .fix = "another --state-dir" };
	struct index *index = NULL;
	char why[1024] = "";
	int r;

	log_keep(why, sizeof(why));
	r = index_open(dir, k->c->location.url, true, 0, &index);
	log_keep(NULL, 0);
	index_close(index);
	if (r == 0 || r == -ENOENT)
		return;
	/* An older one is migrated by the next mount: it says so. */
	if (r != -EXDEV) {
		f.cause = "index";
		f.result = CHECK_WARN;
	}
	check_quote(k, &f, dir, why);
}

void
check_state(struct check *k)
{
	const char *dir = k->c->state_dir, *there;
	char *copy = strdup(dir);
	struct statfs fs;
	struct stat st;

	if (copy == NULL)
		return;
	there = nearest(copy, &st);
	if (strcmp(there, dir) == 0 ? is_own(k, dir, &st) && may_write(k, dir) :
				      may_write(k, there)) {
		if (statfs(there, &fs) == 0) {
			check_room(k, dir, &fs);
			check_file_system(k, dir, &fs);
		}
		check_lock(k, dir);
		check_index(k, dir);
	}
	free(copy);
}
