#define FUSE_USE_VERSION 312
#include "fs/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/mountinfo.h"
#include "fs/ops.h"
#include "store/log.h"

#define WAKE_SIGNAL SIGRTMIN /* ends the loop's sleep; has no other effect */
#define IDLE_THREADS 10 /* FUSE workers kept when there is little to do */
#define MAX_THREADS 32 /* of them in all; none waits for the network */
#define AUDIT_THREADS 2 /* one that writes, one that says no to the rest */

struct mount {
	struct mount_opts o; /* constant; strings copied */
	struct ops ops;
	struct fuse_session *session;
	bool is_mounted;
	dev_t dev;	/* of the mounted tree */
	int stop_fd;	/* eventfd: mount_stop was called */
	int done_fd;	/* eventfd: the loop ended, the watcher shall go */
	pthread_t watcher, loop_thread;
};

/* ---- mounting and unmounting from outside ---- */

static int
run_fusermount(const char *mountpoint, bool lazy)
{
	const char *argv[] = { "fusermount3", lazy ? "-uz" : "-u", "--",
		mountpoint, NULL };
	extern char **environ;
	int status, r;
	pid_t pid;

	r = posix_spawnp(&pid, argv[0], NULL, NULL,
	    __extension__(char *const *)(uintptr_t)argv, environ);
	if (r != 0)
		return log_err(-r, "mount: run fusermount3: %s; is the package "
		    "fuse3 installed?", strerror(r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

int
mount_detach(const char *mountpoint, bool lazy)
{
	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return run_fusermount(mountpoint, lazy);
}

/* The kernel lets root mount over anything, such as /etc. */
static int
check_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	int r;

	if (d == NULL)
		return log_err(-errno, "mount: %s: look whether it is empty: "
		    "%s; -o nonempty does not look", path, strerror(errno));
	do
		e = readdir(d);
	while (e != NULL && (strcmp(e->d_name, ".") == 0 ||
	    strcmp(e->d_name, "..") == 0));
	r = e == NULL ? 0 : log_err(-ENOTEMPTY, "mount: %s: not empty; choose "
	    "another directory, or mount over it with -o nonempty", path);
	closedir(d);
	return r;
}

/* Is the place free? A dead daemon's mount is cleared away. */
static int
check_mountpoint(const char *path, bool may_hold)
{
	struct mountinfo info;
	struct statvfs fs;
	struct stat st;
	int r;

	/* Attributes outlive their daemon in the kernel's cache; this asks. */
	if (statvfs(path, &fs) < 0) {
		if (errno != ENOTCONN && errno != ECONNABORTED)
			return log_err(-errno, "mount: %s: %s", path,
			    strerror(errno));
		log_warn(0, "mount: %s: a dead mount lies there, detaching it",
		    path);
		if ((r = mount_detach(path, true)) < 0)
			return log_err(r, "mount: detach %s: %s", path,
			    strerror(-r));
		return check_mountpoint(path, may_hold);
	}
	if (stat(path, &st) < 0)
		return log_err(-errno, "mount: %s: %s", path,
		    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return log_err(-ENOTDIR, "mount: %s: not a directory; make one "
		    "there, or name another", path);
	if (mountinfo_read(path, &info) == 0 &&
	    strcmp(info.type, "fuse.sesfs") == 0)
		return log_err(-EBUSY, "mount: %s: sesfs is mounted there "
		    "already; sesfs umount it first", path);
	return may_hold ? 0 : check_empty(path);
}

/* ---- the session ---- */

/* A value of -o: commas and backslashes are escaped for libfuse. */
static int
add_escaped(struct fuse_args *args, const char *name, const char *value)
{
	size_t len = strlen(name) + 2 * strlen(value) + 4;
	char *opt = malloc(len), *at;
	int r;

	if (opt == NULL)
		return -ENOMEM;
	at = opt + sprintf(opt, "-o%s=", name);
	for (; *value != '\0'; value++) {
		if (*value == ',' || *value == '\\')
			*at++ = '\\';
		*at++ = *value;
	}
	*at = '\0';
	r = fuse_opt_add_arg(args, opt) < 0 ? -ENOMEM : 0;
	free(opt);
	return r;
}

static int
build_args(const struct mount_opts *o, struct fuse_args *args)
{
	if (fuse_opt_add_arg(args, "sesfs") < 0 ||
	    add_escaped(args, "fsname", o->source) < 0 ||
	    fuse_opt_add_arg(args, "-osubtype=sesfs,default_permissions,"
		"nosuid,nodev,noexec") < 0 ||
	    (o->allow_other && fuse_opt_add_arg(args, "-oallow_other") < 0) ||
	    (o->read_only && fuse_opt_add_arg(args, "-oro") < 0))
		return -ENOMEM;
	return 0;
}

/* Called by sync, never by a FUSE worker. Offset -1: attributes only, so that
 * the kernel waits for no lock and no page. */
static int
notify_inval(void *arg, int64_t ino)
{
	struct mount *m = arg;

	return fuse_lowlevel_notify_inval_inode(m->session, (fuse_ino_t)ino,
	    -1, 0);
}

static int
open_session(struct mount *m)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r = build_args(&m->o, &args);

	if (r == 0 && (m->session = fuse_session_new(&args, &ops_table,
			   sizeof(ops_table), &m->ops)) == NULL)
		r = -EINVAL;
	fuse_opt_free_args(&args);
	if (r < 0)
		return log_err(r, "mount: make a FUSE session: %s",
		    strerror(-r));
	if (fuse_session_mount(m->session, m->o.mountpoint) < 0) {
		r = access("/dev/fuse", R_OK | W_OK) < 0 ? -ENODEV : -EACCES;
		return log_err(r, "mount: %s: FUSE refused it (see above); is "
		    "/dev/fuse there, fusermount3 installed, and "
		    "user_allow_other set in /etc/fuse.conf if allow_other is "
		    "asked for?", m->o.mountpoint);
	}
	m->is_mounted = true;
	return 0;
}

/* strdup into a const member; both NULL and "" stay. */
static int
keep(const char **member)
{
	if (*member == NULL)
		return 0;
	*member = strdup(*member);
	return *member == NULL ? -ENOMEM : 0;
}

int
mount_new(const struct mount_opts *o, struct mount **ret)
{
	CLEANUP(mount_freep) struct mount *m = NULL;
	struct mountinfo info;
	int r;

	*ret = NULL;
	if ((r = check_mountpoint(o->mountpoint, o->nonempty)) < 0)
		return r;
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return -ENOMEM;
	ops_init(&m->ops);
	m->o = *o;
	m->stop_fd = m->done_fd = -1;
	r = keep(&m->o.source);
	r = keep(&m->o.mountpoint) < 0 ? -ENOMEM : r;
	r = keep(&m->o.control) < 0 ? -ENOMEM : r;
	if (r < 0)
		return r;
	m->ops.mailbox = o->mailbox;
	m->ops.control = m->o.control;
	m->ops.pool = o->pool;
	m->ops.prefetch = o->prefetch;
	m->ops.audit = o->audit;
	if (o->audit != NULL &&
	    (r = pool_new(AUDIT_THREADS, 1, &m->ops.audit_pool)) < 0)
		return r;
	m->ops.max_background = o->max_reads;
	m->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->stop_fd < 0 || m->done_fd < 0)
		return -errno;
	if ((r = open_session(m)) < 0)
		return r;
	if ((r = mountinfo_read(m->o.mountpoint, &info)) < 0) {
		fuse_session_unmount(m->session);
		return log_err(r, "mount: find %s in mountinfo: %s",
		    m->o.mountpoint, strerror(-r));
	}
	m->dev = makedev(info.major, info.minor);
	if (o->audit != NULL)
		audit_avoid(o->audit, m->dev);
	mailbox_set_inval(o->mailbox, notify_inval, m);
	*ret = TAKE(m);
	return 0;
}

/* Anywhere: moved, or under another mount, it still serves. When mountinfo
 * cannot be read, nothing is known to have changed. */
static bool
is_still_mounted(const struct mount *m)
{
	return mountinfo_read_has(major(m->dev), minor(m->dev)) != 0;
}

/* Is it ours that lies on top at our path? */
static bool
is_at_its_path(const struct mount *m)
{
	struct mountinfo info;

	return mountinfo_read(m->o.mountpoint, &info) == 0 &&
	    makedev(info.major, info.minor) == m->dev;
}

/* libfuse unmounts by path unless it sees that the connection has ended. After
 * a lazy unmount neither holds: what lies at the path is not ours, and open
 * files keep the connection. Closing the descriptor then ends it. */
static void
unmount(struct mount *m)
{
	struct pollfd p = { .fd = fuse_session_fd(m->session) };

	if (is_at_its_path(m) ||
	    (poll(&p, 1, 0) == 1 && p.revents & POLLERR))
		fuse_session_unmount(m->session);
}

void
mount_free(struct mount *m)
{
	if (m == NULL)
		return;
	mailbox_set_inval(m->o.mailbox, NULL, NULL);
	if (m->is_mounted)
		unmount(m);
	if (m->session != NULL)
		fuse_session_destroy(m->session);
	pool_free(m->ops.audit_pool);
	ops_destroy(&m->ops);
	if (m->stop_fd >= 0)
		close(m->stop_fd);
	if (m->done_fd >= 0)
		close(m->done_fd);
	free_const(m->o.source);
	free_const(m->o.mountpoint);
	free_const(m->o.control);
	free(m);
}

/* ---- running ---- */

/* The loop's thread sleeps until a worker ends or a signal comes; workers sleep
 * until a request comes, which after a lazy unmount may be never. So: signals,
 * again until it is awake, as the first may come just before it falls asleep. */
static void
end_session(struct mount *m)
{
	struct pollfd done = { .fd = m->done_fd, .events = POLLIN };

	fuse_session_exit(m->session);
	if (m->o.on_stop != NULL)
		m->o.on_stop(m->o.on_stop_arg);
	do
		pthread_kill(m->loop_thread, WAKE_SIGNAL);
	while (poll(&done, 1, 50) <= 0);
}

/* Ends the session when mount_stop asks for it or when the mount is taken out
 * of the tree: a lazy unmount leaves open files behind, and keys must not wait
 * for those to be closed. */
static void *
watch(void *arg)
{
	struct mount *m = arg;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct pollfd p[3] = {
		{ .fd = m->stop_fd, .events = POLLIN },
		{ .fd = m->done_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLPRI },
	};

	do {
		if (poll(p, NELEMS(p), -1) < 0 && errno != EINTR)
			break;
	} while (p[0].revents == 0 && p[1].revents == 0 &&
	    is_still_mounted(m));
	if (p[1].revents == 0)
		end_session(m);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void
on_wake(int sig)
{
}

static int
loop(struct mount *m)
{
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int r;

	if (cfg == NULL)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(cfg, 0);
	fuse_loop_cfg_set_max_threads(cfg, MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(cfg, IDLE_THREADS);
	r = fuse_session_loop_mt(m->session, cfg);
	fuse_loop_cfg_destroy(cfg);
	return r > 0 ? -EINTR : r;
}

int
mount_run(struct mount *m)
{
	const struct sigaction wake = { .sa_handler = on_wake };
	uint64_t one = 1;
	int r;

	/* Without SA_RESTART, so that it ends the wait of the loop. */
	if (sigaction(WAKE_SIGNAL, &wake, NULL) < 0)
		return -errno;
	m->loop_thread = pthread_self();
	if ((r = pthread_create(&m->watcher, NULL, watch, m)) != 0)
		return -r;
	r = loop(m);
	/* Whoever still waits has to be answered before the session goes. */
	pool_stop(m->o.pool);
	if (m->ops.audit_pool != NULL)
		pool_stop(m->ops.audit_pool);
	(void)!write(m->done_fd, &one, sizeof(one));
	pthread_join(m->watcher, NULL);
	return r == -ENODEV ? 0 : r;
}

void
mount_stop(struct mount *m)
{
	uint64_t one = 1;

	(void)!write(m->stop_fd, &one, sizeof(one));
}

void
mount_get_stats(struct mount *m, struct mount_stats *ret)
{
	for (size_t i = 0; i < OPS_COUNTS; i++)
		ret->count[i] = atomic_load(&m->ops.count[i]);
}

const char *
mount_count_name(enum ops_count c)
{
	static const char *const name[OPS_COUNTS] = {
		[OPS_LOOKUP] = "lookup",
		[OPS_GETATTR] = "getattr",
		[OPS_SETATTR] = "setattr",
		[OPS_READDIR] = "readdir",
		[OPS_READ] = "read",
		[OPS_WRITE] = "write",
		[OPS_OPEN] = "open",
		[OPS_CREATE] = "create",
		[OPS_RENAME] = "rename",
		[OPS_LINK] = "link",
		[OPS_UNLINK] = "unlink",
		[OPS_MKDIR] = "mkdir",
		[OPS_RMDIR] = "rmdir",
		[OPS_XATTR] = "xattr",
		[OPS_FSYNC] = "fsync",
		[OPS_FORGET] = "forget",
		[OPS_OTHER] = "other",
		[OPS_ERRORS] = "errors",
	};

	return name[c];
}
