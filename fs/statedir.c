#include "fs/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/log.h"

#define HASH_LEN 10 /* bytes; enough that two sources never meet */
#define WAIT_STEP_MS 20

static const char *
home_dir(char *(*get)(const char *))
{
	const char *home = get("HOME");
	const struct passwd *pw;

	if (home != NULL && *home == '/')
		return home;
	pw = getpwuid(geteuid());
	return pw != NULL && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

int
statedir_default(const char *url, const char *endpoint_url,
    char *(*get)(const char *), char **ret)
{
	const char *base = get("XDG_STATE_HOME"), *sub = "", *nothing = "";
	unsigned char hash[crypto_generichash_BYTES];
	char hex[HASH_LEN * 2 + 1];
	crypto_generichash_state st;

	*ret = NULL;
	if (base == NULL || *base != '/') {
		if ((base = home_dir(get)) == NULL)
			return -ENOENT;
		sub = "/.local/state";
	}
	if (endpoint_url == NULL)
		endpoint_url = nothing;
	crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	crypto_generichash_update(&st, (const unsigned char *)url,
	    strlen(url) + 1);
	crypto_generichash_update(&st, (const unsigned char *)endpoint_url,
	    strlen(endpoint_url));
	crypto_generichash_final(&st, hash, sizeof(hash));
	sodium_bin2hex(hex, sizeof(hex), hash, HASH_LEN);
	if (asprintf(ret, "%s%s/sesfs/%s", base, sub, hex) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int
make_parents(char *path)
{
	for (char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		int r;

		*p = '\0';
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		/* A parent that we may not make but that is there is fine. */
		if (r < 0 && access(path, X_OK) == 0)
			r = 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

int
statedir_create(const char *dir)
{
	char *copy = strdup(dir);
	struct stat st;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	r = make_parents(copy);
	free(copy);
	if (r == 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0)
		return log_err(r, "state: create %s: %s; choose another with "
		    "--state-dir", dir, strerror(-r));
	if (stat(dir, &st) < 0)
		return log_err(-errno, "state: %s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return log_err(-ENOTDIR, "state: %s: not a directory; choose "
		    "another with --state-dir", dir);
	if (st.st_uid != geteuid())
		return log_err(-EACCES, "state: %s: belongs to another user "
		    "(uid %u); choose another with --state-dir", dir,
		    (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return log_err(-EACCES, "state: %s: others may enter it; "
		    "chmod 700 it or choose another", dir);
	return 0;
}

static int
open_lock(const char *dir, int flags)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/lock", dir) < 0)
		return -ENOMEM;
	/* Somebody may have put something else there: not the target of a
	 * link is to be emptied, nor the other end of a FIFO waited for. */
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	free(path);
	return fd;
}

static pid_t
read_pid(int fd)
{
	char text[24] = "";
	long pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 0 ? (pid_t)pid : 0;
}

int
statedir_lock(const char *dir, int *ret_fd, pid_t *ret_pid)
{
	int fd, r;

	*ret_fd = -1;
	*ret_pid = 0;
	if ((fd = open_lock(dir, O_RDWR | O_CREAT)) < 0)
		return log_err(fd, "state: open %s/lock: %s", dir,
		    strerror(-fd));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		*ret_pid = read_pid(fd);
		close(fd);
		return r;
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		log_warn(0, "state: write %s/lock: %s", dir, strerror(errno));
	*ret_fd = fd;
	return 0;
}

int
statedir_is_locked(const char *dir, pid_t *ret_pid)
{
	int fd = open_lock(dir, O_RDONLY), r = 0;

	*ret_pid = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		r = 1;
		*ret_pid = read_pid(fd);
	}
	close(fd);
	return r;
}

int
statedir_wait_unlocked(const char *dir, int64_t timeout_ms)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	int fd = open_lock(dir, O_RDONLY), r = -ETIMEDOUT;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (; timeout_ms >= 0; timeout_ms -= WAIT_STEP_MS) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
			r = 0;
			break;
		}
		nanosleep(&step, NULL);
	}
	close(fd);
	return r;
}
