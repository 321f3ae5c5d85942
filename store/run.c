#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/run.h"
#include "store/stamp.h"

#define LOOK_MS 100 /* how often to see whether it is cancelled */

extern char **environ;

static atomic_bool is_cancelled;

void
run_cancel(void)
{
	atomic_store(&is_cancelled, true);
}

static int
spawn(char *const argv[], int out, pid_t *ret)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, dfl;
	int r;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	/* Its own group, so that all of a pipeline can be ended. */
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigemptyset(&dfl);
	sigaddset(&dfl, SIGPIPE);
	sigaddset(&dfl, SIGXFSZ);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &dfl);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = -posix_spawn(ret, argv[0], &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return r;
}

/* Read to the end of file or of time. */
static int
read_output(int fd, int64_t until_ms, struct buf *out)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until_ms - stamp_now_ms();
		uint8_t chunk[1024];
		ssize_t n;
		int r;

		if (atomic_load(&is_cancelled))
			return -ECANCELED;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		r = n > 0 ? buf_add(out, chunk, (size_t)n) : 0;
		sodium_memzero(chunk, sizeof(chunk));
		if (r < 0)
			return r;
	}
}

/* Wait for the process; past the time, or when its output was no good, end
 * it. */
static int
reap(pid_t pid, int64_t until_ms, bool must_end)
{
	int status = 0;
	pid_t r;

	if (must_end)
		kill(-pid, SIGKILL);
	while ((r = waitpid(pid, &status, must_end ? 0 : WNOHANG)) == 0 ||
	    (r < 0 && errno == EINTR)) {
		if (stamp_now_ms() >= until_ms || atomic_load(&is_cancelled)) {
			kill(-pid, SIGKILL);
			must_end = true;
		} else {
			poll(NULL, 0, 5);
		}
	}
	return r == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
run_program(char *const argv[], int64_t timeout_ms, struct buf *out)
{
	int64_t until_ms = stamp_now_ms() + timeout_ms;
	int fd[2], r, status;
	pid_t pid;

	if (atomic_load(&is_cancelled))
		return -ECANCELED;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	r = spawn(argv, fd[1], &pid);
	close(fd[1]);
	if (r < 0) {
		close(fd[0]);
		return r;
	}
	r = read_output(fd[0], until_ms, out);
	close(fd[0]);
	status = reap(pid, until_ms, r < 0);
	return r < 0 ? r : status < 0 ? -EIO : status;
}
