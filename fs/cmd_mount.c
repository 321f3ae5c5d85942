/* cmd_mount.c -- a daemon from its first to its last moment.
 *
 * Everything that can fail does so before the parent is told that we are
 * ready, on its stderr. Threads start only after the fork. At the end: the
 * session ends, the network lets go of whoever waits, the control thread ends,
 * then the graph is taken apart, which wipes the keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/answers.h"
#include "fs/cmd.h"
#include "fs/control.h"
#include "fs/daemon.h"
#include "fs/graph.h"
#include "fs/mount.h"
#include "fs/progress.h"
#include "fs/statedir.h"
#include "store/log.h"

#define REACH_MS 3000 /* how long a mount that has an index waits for S3 */

struct served {
	const struct config *c;
	struct graph graph;
	struct audit *audit; /* NULL: none */
	struct mount *mount;
	_Atomic(struct mount *) live; /* for the signal thread, once mounted */
	atomic_bool is_stopped;	      /* asked to stop before that */
	struct answers answers;
	struct control *control;
	struct signals signals;
	struct progress bar; /* of a first index in the foreground */
	int64_t started_s;
	char *log, *control_path;
	int lock_fd, ready_fd;
	/* the first look at the bucket */
	pthread_t reach_thread;
	bool has_reach_thread;
	pthread_mutex_t reach_lock;
	pthread_cond_t reached;
	bool is_reached; /* [reach_lock] */
	int reach_result; /* [reach_lock] */
};

/* ---- is the bucket there? ---- */

static void *
reach_main(void *arg)
{
	struct served *s = arg;
	int r = graph_reach(&s->graph);

	pthread_mutex_lock(&s->reach_lock);
	s->is_reached = true;
	s->reach_result = r;
	pthread_cond_signal(&s->reached);
	pthread_mutex_unlock(&s->reach_lock);
	return NULL;
}

static bool
has_objects(struct index *ix)
{
	struct index_counts c;

	return index_counts(ix, &c) == 0 && c.ready + c.refused > 0;
}

/* Wait for the answer; with something to show, not for long: a mount without
 * network shows what it knows. */
static int
await_reach(struct served *s)
{
	bool is_patient = !has_objects(s->graph.index);
	struct timespec until;
	int r;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += REACH_MS / 1000;
	pthread_mutex_lock(&s->reach_lock);
	while (!s->is_reached) {
		if (is_patient)
			pthread_cond_wait(&s->reached, &s->reach_lock);
		else if (pthread_cond_timedwait(&s->reached, &s->reach_lock,
			     &until) == ETIMEDOUT)
			break;
	}
	r = s->is_reached ? s->reach_result : -ETIMEDOUT;
	pthread_mutex_unlock(&s->reach_lock);
	return r;
}

/* A person is asked while there is one: before the parent lets go of the
 * terminal, and however long it takes. */
static void
log_in(struct served *s)
{
	struct creds_value v;

	if (!creds_may_ask(s->graph.creds))
		return;
	/* A failure is reach()'s to report. */
	if (creds_get(s->graph.creds, &v) == 0)
		creds_value_wipe(&v);
}

/* Is it that whoever gives us credentials cannot be reached now? */
static bool
is_without_credentials(struct served *s, int err, char why[CREDS_WHY_MAX])
{
	int r = creds_failure(s->graph.creds, why);

	return err == -EACCES && graph_is_offline(r);
}

/* Not now. An empty tree would pass for an empty mailbox, and who mounts again
 * after a failure (systemd) would never do so. */
static int
begin_offline(struct served *s, int err)
{
	return has_objects(s->graph.index) ? 0 : log_err(err, "mount: nothing "
	    "is known of %s yet, so there is nothing to show; mount again when "
	    "AWS can be reached", s->c->location.url);
}

/* Only the network may be missing. */
static int
reach(struct served *s)
{
	char why[CREDS_WHY_MAX];
	const char *bucket = s->c->location.bucket;
	int r = pthread_create(&s->reach_thread, NULL, reach_main, s);

	if (r != 0)
		return log_err(-r, "mount: %s", strerror(r));
	s->has_reach_thread = true;
	if ((r = await_reach(s)) == 0)
		return 0;
	if (graph_is_offline(r)) {
		log_warn(0, "mount: bucket %s cannot be reached now: %s",
		    bucket, graph_error(r));
		return begin_offline(s, r);
	}
	if (is_without_credentials(s, r, why)) {
		log_warn(0, "mount: no credentials yet: %s", why);
		return begin_offline(s, r);
	}
	return log_err(r, "mount: bucket %s: %s%s", bucket, graph_error(r),
	    graph_advice(r));
}

/* ---- life ---- */

static void
on_signal_stop(void *arg)
{
	struct served *s = arg;
	struct mount *m;

	atomic_store(&s->is_stopped, true);
	if ((m = atomic_load(&s->live)) != NULL)
		mount_stop(m);
}

static void
on_reopen(void *arg)
{
	struct served *s = arg;

	if (s->audit != NULL)
		audit_reopen(s->audit);
}

static void
on_tick(void *arg)
{
	struct served *s = arg;

	source_expire(s->graph.source);
}

static void
on_session_end(void *arg)
{
	struct served *s = arg;

	sync_cancel(s->graph.sync);
	graph_stop(&s->graph);
}

static void
on_progress(void *arg, const struct sync_progress *p)
{
	struct served *s = arg;
	const struct progress_state st = {
		.verb = p->phase == SYNC_LISTING ? "listing" : "fetching",
		.done = p->phase == SYNC_LISTING ? p->listed : p->done,
		.todo = p->phase == SYNC_LISTING ? 0 : p->todo,
		.bytes = p->bytes,
		.refused = p->refused,
		.failed = p->failed,
		.elapsed_ms = p->now_ms - p->started_ms,
	};

	if (p->phase == SYNC_IDLE) {
		progress_end(&s->bar);
		s->graph.progress = NULL; /* the first pass only */
		return;
	}
	progress_show(&s->bar, &st, p->now_ms, false);
}

static int
take_lock(struct served *s)
{
	const char *dir = s->c->state_dir;
	pid_t pid;
	int r;

	if ((r = statedir_create(dir)) < 0)
		return r;
	r = statedir_lock(dir, &s->lock_fd, &pid);
	if (r == -EWOULDBLOCK)
		return log_err(r, "mount: another sesfs (pid %d) uses %s; "
		    "one at a time", (int)pid, dir);
	return r;
}

static int
set_log(struct served *s)
{
	const struct config *c = s->c;
	int r = 0;

	if (c->log != NULL)
		s->log = strdup(c->log);
	else if (c->foreground)
		s->log = strdup("stderr");
	else if (access("/dev/log", W_OK) == 0)
		s->log = strdup("syslog");
	else
		r = asprintf(&s->log, "%s/log", c->state_dir);
	if (r < 0 || s->log == NULL) {
		s->log = NULL;
		return -ENOMEM;
	}
	if (asprintf(&s->control_path, "%s/control", c->state_dir) < 0) {
		s->control_path = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int
start(struct served *s)
{
	const struct config *c = s->c;
	struct mount_opts mo = {
		.source = c->location.url,
		.mountpoint = c->mountpoint,
		.control = s->control_path,
		.allow_other = c->allow_other,
		.nonempty = c->nonempty,
		.read_only = c->read_only,
		.max_reads = 2 * (unsigned)c->jobs,
		.on_stop = on_session_end,
		.on_stop_arg = s,
	};
	const struct control_opts co = { c->state_dir, answers_give,
		&s->answers };
	int r;

	if ((r = graph_open(c, GRAPH_CLOUD | GRAPH_INDEX | GRAPH_SOURCE |
		     GRAPH_MAILBOX | GRAPH_AHEAD | GRAPH_SYNC, &s->graph)) < 0)
		return r;
	if (c->foreground && isatty(STDERR_FILENO) == 1 &&
	    !has_objects(s->graph.index)) {
		progress_init(&s->bar, stderr);
		s->graph.progress = on_progress;
		s->graph.progress_arg = s;
	}
	log_in(s);
	if ((r = reach(s)) < 0)
		return r;
	signals_arm(&s->signals);
	mo.mailbox = s->graph.mailbox;
	mo.pool = s->graph.pool;
	mo.prefetch = s->graph.prefetch;
	mo.audit = s->audit;
	if ((r = mount_new(&mo, &s->mount)) < 0)
		return r;
	s->answers = (struct answers){ &s->graph, s->mount, s->audit,
		s->started_s };
	if ((r = control_start(&co, &s->control)) < 0)
		return r;
	if ((r = sync_start(s->graph.sync)) < 0)
		return log_err(r, "mount: %s", strerror(-r));
	atomic_store(&s->live, s->mount);
	return atomic_load(&s->is_stopped) ? -EINTR : 0;
}

static void
stop(struct served *s)
{
	if (s->graph.sync != NULL)
		sync_cancel(s->graph.sync);
	graph_stop(&s->graph);
	if (s->has_reach_thread)
		pthread_join(s->reach_thread, NULL);
	signals_end(&s->signals);
	control_free(TAKE(s->control));
	mount_free(TAKE(s->mount));
	graph_close(&s->graph);
	audit_close(TAKE(s->audit));
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->log);
	free(s->control_path);
}

static int
serve(struct served *s)
{
	int r;

	if ((r = take_lock(s)) < 0 || (r = set_log(s)) < 0 ||
	    (r = cmd_audit(s->c, &s->audit)) < 0)
		return r;
	signals_block();
	s->signals.log = s->log;
	if ((r = signals_start(&s->signals)) < 0)
		return log_err(r, "mount: %s", strerror(-r));
	if ((r = start(s)) < 0)
		return r;
	if (s->ready_fd >= 0 && (r = log_open(s->log)) < 0)
		return log_err(r, "mount: log to %s: %s", s->log,
		    strerror(-r));
	daemon_ready(s->ready_fd);
	log_info(0, "mount: %s on %s", s->c->location.url, s->c->mountpoint);
	return mount_run(s->mount);
}

int
cmd_mount(const struct config *c)
{
	struct served s = {
		.c = c,
		.lock_fd = -1,
		.ready_fd = -1,
		.started_s = graph_now_s(),
		.signals = { .stop = on_signal_stop, .reopen = on_reopen,
		    .tick = on_tick },
		.reach_lock = PTHREAD_MUTEX_INITIALIZER,
		.reached = PTHREAD_COND_INITIALIZER,
	};
	int r, status;

	s.signals.arg = &s;
	if ((r = daemon_begin(c->foreground, &s.ready_fd, &status)) < 0)
		return cmd_fail(1, "mount: %s", strerror(-r));
	if (r == 1)
		return status;
	r = serve(&s);
	stop(&s);
	return r < 0 ? 1 : 0;
}
