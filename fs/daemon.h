/* daemon.h -- becoming a daemon, and what its signals do. */
#ifndef SESFS_FS_DAEMON_H
#define SESFS_FS_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "crypto/base.h"

/* Before any thread starts. In the foreground nothing happens. Otherwise a
 * child goes on, in a session of its own, and the parent waits until it says
 * daemon_ready() or ends. Returns 0 in the process that goes on, with what
 * daemon_ready() wants in *ret_fd; 1 in the parent with the exit status it
 * shall have; -errno. */
int daemon_begin(bool foreground, int *ret_fd, int *ret_status) MUST_CHECK;

/* Let the parent go. The standard streams become /dev/null. */
void daemon_ready(int fd);

/* One thread: SIGINT and SIGTERM call stop, SIGHUP opens the log again,
 * SIGUSR2 switches debug lines on and off; and every few seconds tick, for
 * what has to be wiped in time. */
struct signals {
	pthread_t thread;
	bool has_thread;
	atomic_bool is_ending;
	const char *log; /* as log_open takes it */
	void (*stop)(void *arg);
	void (*tick)(void *arg);
	void *arg;
};

/* Block those signals in this thread and all it starts. */
void signals_block(void);
int signals_start(struct signals *s) MUST_CHECK;
void signals_end(struct signals *s);

#endif
