#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/ask.h"
#include "store/run.h"

#define ANSWER_MS 120000 /* how long somebody may think about it */

static int
decline(char why[CREDS_WHY_MAX], const char *what)
{
	snprintf(why, CREDS_WHY_MAX, "%s", what);
	return -ECANCELED;
}

/* The first line, without its end. */
static int
take_line(const char *s, size_t len, char ret[ASK_MAX],
    char why[CREDS_WHY_MAX])
{
	size_t n = 0;

	while (n < len && s[n] != '\n' && s[n] != '\r' && s[n] != '\0')
		n++;
	if (n == 0)
		return decline(why, "no answer was given");
	if (n >= ASK_MAX)
		return decline(why, "the answer is too long");
	memcpy(ret, s, n);
	ret[n] = '\0';
	return 0;
}

static int
ask_program(const char *program, const char *question, char ret[ASK_MAX],
    char why[CREDS_WHY_MAX])
{
	char *path = strdup(program), *arg = strdup(question);
	char *argv[] = { path, arg, NULL };
	struct buf out = BUF_INIT(4096);
	int r = path != NULL && arg != NULL ?
	    run_program(argv, ANSWER_MS, &out) : -ENOMEM;

	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "%.160s: %s", program,
		    strerror(-r));
	else if (r > 0)
		snprintf(why, CREDS_WHY_MAX, "%.160s: exit status %d", program,
		    r);
	r = r == 0 ? take_line((const char *)out.ptr, out.len, ret, why) :
	    -ECANCELED;
	buf_free(&out);
	free(path);
	free(arg);
	return r;
}

/* Ours, and not a shell's that has us in its background: reading would stop
 * us. */
static int
open_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0 && tcgetpgrp(fd) != getpgrp()) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The answer shows while it is typed: a code is good once and for half a
 * minute, and so there is no state of the terminal to be left behind. */
static int
ask_terminal(int fd, const char *question, char ret[ASK_MAX],
    char why[CREDS_WHY_MAX])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char line[256];
	ssize_t n = -1;
	int r;

	if (write(fd, question, strlen(question)) < 0)
		return decline(why, "the terminal is gone");
	do
		r = poll(&p, 1, ANSWER_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return decline(why, "no answer came");
	if (r > 0)
		n = read(fd, line, sizeof(line));
	if (n < 0)
		return decline(why, "the terminal is gone");
	r = take_line(line, (size_t)n, ret, why);
	sodium_memzero(line, sizeof(line));
	return r;
}

static bool
has_display(const struct awsconf *conf)
{
	return awsconf_env(conf, "DISPLAY") != NULL ||
	    awsconf_env(conf, "WAYLAND_DISPLAY") != NULL;
}

int
ask(const struct awsconf *conf, const char *question, char ret[ASK_MAX],
    char why[CREDS_WHY_MAX])
{
	const char *own = awsconf_env(conf, "SESFS_ASKPASS");
	const char *ssh = awsconf_env(conf, "SSH_ASKPASS");
	int fd, r;

	ret[0] = '\0';
	if (own != NULL)
		return ask_program(own, question, ret, why);
	if ((fd = open_terminal()) >= 0) {
		r = ask_terminal(fd, question, ret, why);
		close(fd);
		return r;
	}
	if (ssh != NULL && has_display(conf))
		return ask_program(ssh, question, ret, why);
	snprintf(why, CREDS_WHY_MAX, "an MFA code is needed, and there is no "
	    "terminal to ask for it; start it on one, or name a program in "
	    "SESFS_ASKPASS");
	return -ENOTTY;
}
