#include "fs/cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int
cmd_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("sesfs: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

/* Asked of the pipe, for errno may be that of a later call by now. */
static bool
is_reader_gone(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

int
cmd_printed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return is_reader_gone() ? 1 : cmd_fail(1, "cannot write");
}

int
cmd_audit(const struct config *c, struct audit **ret)
{
	const struct audit_opts o = {
		.dest = c->audit,
		.bucket = c->location.bucket,
		/* A section names one for the other commands, too. */
		.mountpoint = c->command->bit == COMMAND_MOUNT ?
		    c->mountpoint : NULL,
	};

	*ret = NULL;
	return o.dest != NULL ? audit_open(&o, ret) : 0;
}

int
cmd_record(struct audit *a, const char *key, const struct source_trace *trace)
{
	const struct audit_event e = {
		.key = key,
		.kms_request = trace->kms_request,
		.uid = getuid(),
		.pid = getpid(),
	};

	return a != NULL ? audit_write(a, &e) : 0;
}

int
cmd_state_dir(const char *mountpoint, char ret[CMD_PATH_MAX])
{
	ssize_t n = getxattr(mountpoint, "user.sesfs.control", ret,
	    CMD_PATH_MAX - 1);
	char *slash;

	if (n < 0 && (errno == ENODATA || errno == ENOTSUP))
		return cmd_fail(1, "%s: sesfs is not mounted there",
		    mountpoint);
	if (n < 0 && errno == ENOTCONN)
		return cmd_fail(1, "%s: its daemon is gone; sesfs umount it, "
		    "or mount again", mountpoint);
	if (n < 0)
		return cmd_fail(1, "%s: %s", mountpoint, strerror(errno));
	ret[n] = '\0';
	if ((slash = strrchr(ret, '/')) == NULL)
		return cmd_fail(1, "%s: its daemon does not say where to "
		    "ask; is it another version? mount again", mountpoint);
	*slash = '\0';
	return 0;
}

#define ASK_STEP_MS 50
#define ASK_TRIES 100 /* five seconds in all */

int
cmd_ask(const char *state_dir, const char *request,
    control_progress_fn *progress, void *arg, json_t **ret)
{
	const struct timespec step = { .tv_nsec = ASK_STEP_MS * 1000000L };
	char why[256];
	int r;

	/* One that is just starting has its mount before its socket. */
	for (int i = 0; i < ASK_TRIES; i++) {
		r = control_ask(state_dir, request, progress, arg, ret, why);
		if (r != -ECONNREFUSED && r != -ENOENT)
			break;
		nanosleep(&step, NULL);
	}

	switch (r) {
	case 0:
		return 0;
	case -EREMOTEIO:
		return cmd_fail(1, "the daemon answers: %s; its log says "
		    "more", why);
	case -ECONNREFUSED:
	case -ENOENT:
		return cmd_fail(1, "no daemon answers in %s; is it still "
		    "mounted?", state_dir);
	case -EACCES:
		return cmd_fail(1, "%s: only the user who mounted it and root "
		    "may ask", state_dir);
	default:
		return cmd_fail(1, "asking the daemon in %s: %s", state_dir,
		    strerror(-r));
	}
}
