#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/check.h"
#include "fs/progress.h"
#include "fs/statedir.h"

/* The keyring's slab, the seal's keys and a message or two. */
#define MEMLOCK_WANTED (4ULL << 20)

static void
check_state(struct check *k)
{
	const char *dir = k->c->state_dir;
	struct statvfs vfs;
	char room[32];

	if (statedir_create(dir) < 0 || access(dir, W_OK | X_OK) < 0) {
		check_note(k, "state", CHECK_MISSING,
		    "a directory of your own, mode 0700: --state-dir",
		    "%s cannot be used", dir);
		return;
	}
	if (statvfs(dir, &vfs) < 0) {
		check_note(k, "state", CHECK_WARN, NULL, "%s: %s", dir,
		    strerror(errno));
		return;
	}
	progress_size((uint64_t)vfs.f_bavail * vfs.f_frsize, room);
	if ((uint64_t)vfs.f_bavail * vfs.f_frsize < k->c->cache_size)
		check_note(k, "state", CHECK_WARN,
		    "a smaller --cache-size, or more room",
		    "%s: %s free, less than the cache may take", dir, room);
	else
		check_note(k, "state", CHECK_OK, NULL, "%s, %s free", dir,
		    room);
}

/* Is an executable in $PATH (or where Debian has it)? */
static bool
has_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	if (path == NULL)
		path = "/usr/bin:/bin";
	while (*path != '\0') {
		size_t n = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name);
		if (access(file, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

static bool
fuse_conf_allows_other(void)
{
	FILE *f = fopen("/etc/fuse.conf", "re");
	char line[256];
	bool ret = false;

	while (f != NULL && !ret && fgets(line, sizeof(line), f) != NULL) {
		const char *at = line + strspn(line, " \t");

		ret = strncmp(at, "user_allow_other", 16) == 0 &&
		    strchr(" \t\r\n", at[16]) != NULL;
	}
	if (f != NULL)
		fclose(f);
	return ret;
}

static void
check_fuse(struct check *k)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		check_note(k, "fuse", CHECK_MISSING,
		    "modprobe fuse; in a container --device /dev/fuse and "
		    "CAP_SYS_ADMIN", "/dev/fuse: %s", strerror(errno));
		return;
	}
	close(fd);
	if (geteuid() != 0 && !has_program("fusermount3"))
		check_note(k, "fuse", CHECK_MISSING, "apt-get install fuse3",
		    "fusermount3 is not there");
	else if (geteuid() != 0 && k->c->allow_other &&
	    !fuse_conf_allows_other())
		check_note(k, "fuse", CHECK_MISSING,
		    "a line user_allow_other in /etc/fuse.conf",
		    "--allow-other is not open to ordinary users");
	else
		check_note(k, "fuse", CHECK_OK, NULL, "/dev/fuse");
}

static void
check_memlock(struct check *k)
{
	struct rlimit rl = { 0 };
	char have[32];

	getrlimit(RLIMIT_MEMLOCK, &rl);
	if (rl.rlim_cur == RLIM_INFINITY) {
		check_note(k, "memlock", CHECK_OK, NULL, "unlimited");
		return;
	}
	progress_size(rl.rlim_cur, have);
	if (rl.rlim_cur >= MEMLOCK_WANTED || geteuid() == 0)
		check_note(k, "memlock", CHECK_OK, NULL, "%s", have);
	else
		check_note(k, "memlock", CHECK_WARN,
		    "ulimit -l 65536, or LimitMEMLOCK=64M in the unit",
		    "%s may be locked: keys may reach swap", have);
}

void
check_machine(struct check *k)
{
	check_state(k);
	check_fuse(k);
	check_memlock(k);
}
