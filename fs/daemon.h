/* daemon.h -- becoming a daemon, and what its signals do. */
#ifndef SESFS_FS_DAEMON_H
#define SESFS_FS_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "crypto/base.h"

/* Before any thread starts. In the foreground nothing happens. Otherwise a
 * child goes on, and the parent waits until it says daemon_ready() or ends;
 * until then an interrupt from the terminal ends both. Returns 0 in the
 * process that goes on, with what daemon_ready() wants in *ret_fd; 1 in the
 * parent with the exit status it shall have; -errno. */
int daemon_begin(bool foreground, int *ret_fd, int *ret_status) MUST_CHECK;

/* Let the parent go: a session of our own, the standard streams /dev/null. */
void daemon_ready(int fd);

/* One thread: SIGINT and SIGTERM call stop, SIGHUP opens the log again and calls
 * reopen, SIGUSR2 switches debug lines on and off; and every few seconds tick, for
 * what has to be wiped in time. Until it is armed SIGINT and SIGTERM do what
 * they do to any program, so that nothing has to be waited for. */
struct signals {
	pthread_t thread;
	bool has_thread;
	atomic_bool is_armed, is_ending;
	const char *log; /* as log_open takes it */
	void (*stop)(void *arg);
	void (*reopen)(void *arg); /* may be NULL */
	void (*tick)(void *arg);
	void *arg;
};

/* Block those signals in this thread and all it starts. */
void signals_block(void);
int signals_start(struct signals *s) MUST_CHECK;
void signals_arm(struct signals *s);
void signals_end(struct signals *s);

#endif
