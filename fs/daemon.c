#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/log.h"

#define TICK_S 2

/* The parent's part: a byte says ready, the end of the pipe that the child is
 * gone. */
static int
await_child(int fd, pid_t pid)
{
	char byte;
	ssize_t n;
	int st;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n == 1)
		return 0;
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(st) && WEXITSTATUS(st) != 0 ? WEXITSTATUS(st) : 1;
}

int
daemon_begin(bool foreground, int *ret_fd, int *ret_status)
{
	int p[2];
	pid_t pid;

	*ret_fd = -1;
	*ret_status = 0;
	if (foreground)
		return 0;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	if ((pid = fork()) < 0) {
		int r = -errno;

		close(p[0]);
		close(p[1]);
		return r;
	}
	if (pid > 0) {
		close(p[1]);
		*ret_status = await_child(p[0], pid);
		return 1;
	}
	close(p[0]);
	*ret_fd = p[1];
	return 0;
}

void
daemon_ready(int fd)
{
	int null;

	if (fd < 0)
		return;
	setsid();
	if (chdir("/") < 0)
		log_warn(0, "mount: chdir /: %s", strerror(errno));
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		for (int i = 0; i <= 2; i++)
			dup2(null, i);
		if (null > 2)
			close(null);
	}
	if (write(fd, "", 1) != 1)
		log_debug(0, "mount: nobody waits for us");
	close(fd);
}

/* ---- signals ---- */

static sigset_t
our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	return set;
}

void
signals_block(void)
{
	const sigset_t set = our_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
reopen_log(const char *dest)
{
	int r = log_open(dest);

	if (r < 0)
		log_err(r, "log: open %s again: %s", dest, strerror(-r));
}

static void
toggle_debug(enum log_level usual)
{
	bool is_on = log_get_level() == LOG_LEVEL_DEBUG;

	if (is_on && usual == LOG_LEVEL_DEBUG)
		usual = LOG_LEVEL_WARN;
	log_set_level(is_on ? usual : LOG_LEVEL_DEBUG);
}

/* As if it had never been blocked. */
static void
die_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
}

static void
on_signal(struct signals *s, int sig, enum log_level usual)
{
	if (sig == SIGHUP) {
		reopen_log(s->log);
		if (s->reopen != NULL)
			s->reopen(s->arg);
	} else if (sig == SIGUSR2)
		toggle_debug(usual);
	else if (atomic_load(&s->is_armed))
		s->stop(s->arg);
	else
		die_of(sig);
}

static void *
thread_main(void *arg)
{
	const enum log_level usual = log_get_level();
	const struct timespec tick = { .tv_sec = TICK_S };
	const sigset_t set = our_signals();
	struct signals *s = arg;

	while (!atomic_load(&s->is_ending)) {
		int sig = sigtimedwait(&set, NULL, &tick);

		if (atomic_load(&s->is_ending))
			break;
		if (sig > 0)
			on_signal(s, sig, usual);
		else if (atomic_load(&s->is_armed))
			s->tick(s->arg);
	}
	return NULL;
}

int
signals_start(struct signals *s)
{
	int r;

	atomic_init(&s->is_armed, false);
	atomic_init(&s->is_ending, false);
	r = pthread_create(&s->thread, NULL, thread_main, s);
	s->has_thread = r == 0;
	return -r;
}

void
signals_arm(struct signals *s)
{
	atomic_store(&s->is_armed, true);
}

void
signals_end(struct signals *s)
{
	if (!s->has_thread)
		return;
	atomic_store(&s->is_ending, true);
	pthread_kill(s->thread, SIGTERM);
	pthread_join(s->thread, NULL);
	s->has_thread = false;
}
