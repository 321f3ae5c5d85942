/* cmd_sync.c -- one pass, here or in the daemon that has the state. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/cmd.h"
#include "fs/graph.h"
#include "fs/progress.h"
#include "fs/statedir.h"
#include "store/stamp.h"

static struct sync *interrupted_sync; /* for the signal handler alone */

static void
on_interrupt(int sig)
{
	sync_cancel(interrupted_sync);
}

static void
on_progress(void *arg, const struct sync_progress *p)
{
	bool is_listing = p->phase == SYNC_LISTING;
	const struct progress_state s = {
		.verb = is_listing ? "listing" : "fetching",
		.done = is_listing ? p->listed : p->done,
		.todo = is_listing ? 0 : p->todo,
		.bytes = p->bytes,
		.refused = p->refused,
		.failed = p->failed,
		.elapsed_ms = p->now_ms - p->started_ms,
	};

	if (p->phase != SYNC_IDLE)
		progress_show(arg, &s, p->now_ms, false);
}

static void
print_sum(uint64_t listed, uint64_t done, uint64_t refused, uint64_t failed)
{
	printf("%" PRIu64 " objects listed, %" PRIu64 " looked at, %" PRIu64
	       " refused, %" PRIu64 " to try again\n", listed, done, refused,
	    failed);
}

static int
run_here(const struct config *c)
{
	/* The second one does not wait for what S3 is asked just now. */
	struct sigaction sa = { .sa_handler = on_interrupt,
		.sa_flags = SA_RESETHAND };
	struct sync_status st;
	struct progress bar;
	struct graph g;
	int r;

	if ((r = graph_open(c, GRAPH_CLOUD | GRAPH_INDEX | GRAPH_SOURCE |
		     GRAPH_MAILBOX | GRAPH_SYNC, &g)) < 0)
		return 1;
	progress_init(&bar, stderr);
	g.progress = on_progress;
	g.progress_arg = &bar;
	interrupted_sync = g.sync;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	r = sync_run(g.sync);
	sa.sa_handler = SIG_DFL;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	progress_end(&bar);
	sync_get_status(g.sync, &st);
	graph_close(&g);
	if (r == 0 || r == -EAGAIN || r == -EINTR)
		print_sum(st.progress.listed, st.progress.done,
		    st.progress.refused, st.progress.failed);
	if (r == -EINTR)
		return cmd_fail(EXIT_INTERRUPTED, "interrupted; the next sync "
		    "goes on where this one stopped");
	if (r == -EAGAIN)
		return cmd_fail(1, "some objects could not be fetched now; the "
		    "next sync tries them again");
	return r < 0 ? cmd_fail(1, "sync: %s%s", graph_error(r),
			   graph_advice(r)) : 0;
}

/* ---- in the daemon ---- */

static void
on_daemon_progress(void *arg, const json_t *j)
{
	bool is_listing = json_is_true(json_object_get(j, "listing"));
	const struct progress_state s = {
		.verb = is_listing ? "listing" : "fetching",
		.done = control_u64(j, is_listing ? "listed" : "done"),
		.todo = is_listing ? 0 : control_u64(j, "todo"),
		.bytes = control_u64(j, "bytes"),
		.refused = control_u64(j, "refused"),
		.failed = control_u64(j, "failed"),
		.elapsed_ms = (int64_t)control_u64(j, "elapsed_ms"),
	};

	progress_show(arg, &s, stamp_now_ms(), false);
}

static int
run_in_daemon(const struct config *c, pid_t pid)
{
	struct progress bar;
	json_t *j;
	int status;

	fprintf(stderr, "sesfs: the daemon (pid %d) does it\n", (int)pid);
	progress_init(&bar, stderr);
	status = cmd_ask(c->state_dir, "{\"cmd\":\"sync\"}",
	    on_daemon_progress, &bar, &j);
	progress_end(&bar);
	if (status == 0)
		print_sum(control_u64(j, "listed"), control_u64(j, "done"),
		    control_u64(j, "refused"), control_u64(j, "failed"));
	json_decref(j);
	return status;
}

int
cmd_sync(const struct config *c)
{
	pid_t pid;
	int fd, r, status;

	if (statedir_create(c->state_dir) < 0)
		return 1;
	r = statedir_lock(c->state_dir, &fd, &pid);
	if (r == -EWOULDBLOCK)
		return run_in_daemon(c, pid);
	if (r < 0)
		return 1;
	status = run_here(c);
	close(fd);
	return status;
}
