#include "fs/answers.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "fs/status.h"
#include "fs/warm.h"
#include "store/log.h"

#define PROGRESS_SEND_MS 500

/* ---- sync ---- */

struct sync_waiter {
	struct sync *sync;
	pthread_mutex_t lock;
	bool is_done; /* [lock] */
	int result;   /* [lock] */
};

static void *
sync_waiter_main(void *arg)
{
	struct sync_waiter *w = arg;
	int r = sync_wait(w->sync);

	pthread_mutex_lock(&w->lock);
	w->is_done = true;
	w->result = r;
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool
is_done(struct sync_waiter *w)
{
	bool ret;

	pthread_mutex_lock(&w->lock);
	ret = w->is_done;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

static json_t *
progress_json(struct sync *sync)
{
	struct sync_status s;

	sync_get_status(sync, &s);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "listing", s.progress.phase == SYNC_LISTING,
	    "listed", (json_int_t)s.progress.listed,
	    "todo", (json_int_t)s.progress.todo,
	    "done", (json_int_t)s.progress.done,
	    "refused", (json_int_t)s.progress.refused,
	    "failed", (json_int_t)s.progress.failed,
	    "bytes", (json_int_t)s.progress.bytes,
	    "elapsed_ms",
	    (json_int_t)(s.progress.now_ms - s.progress.started_ms));
}

/* A pass, with its progress to the client. A client that goes away leaves the
 * pass running: others gain from it too. */
static int
answer_sync(const struct answers *a, struct control_client *client, json_t **ret)
{
	struct sync_waiter w = { .sync = a->graph->sync,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	const struct timespec step = { .tv_nsec = PROGRESS_SEND_MS / 10 *
		1000000L };
	pthread_t thread;
	int sent = 0, ticks = 0, r;

	if ((r = pthread_create(&thread, NULL, sync_waiter_main, &w)) != 0)
		return -r;
	while (!is_done(&w)) {
		nanosleep(&step, NULL);
		if (sent == 0 && ++ticks % 10 == 0)
			sent = control_progress(client,
			    progress_json(a->graph->sync));
	}
	pthread_join(thread, NULL);
	if (w.result < 0)
		return w.result;
	*ret = progress_json(a->graph->sync);
	return 0;
}

/* ---- warm ---- */

static json_t *
warm_json(const struct warm_progress *p)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}",
	    "todo", (json_int_t)p->todo,
	    "done", (json_int_t)p->done,
	    "fetched", (json_int_t)p->fetched,
	    "failed", (json_int_t)p->failed,
	    "bytes", (json_int_t)p->bytes,
	    "is_full", (int)p->is_full);
}

static int
on_warm_progress(void *arg, const struct warm_progress *p)
{
	return control_progress(arg, warm_json(p));
}

/* It ends when its client goes away: nobody else asked for it. */
static int
answer_warm(const struct answers *a, const char *folder,
    struct control_client *client, json_t **ret)
{
	const struct warm_opts o = {
		.index = a->graph->index,
		.source = a->graph->source,
		.pool = a->graph->pool,
		.jobs = 2 * (unsigned)a->graph->c->jobs,
		.cache_size = a->graph->c->cache_size,
		.progress = on_warm_progress,
		.arg = client,
	};
	struct warm_progress p;
	const char *problem = NULL;
	int r = warm_run(&o, folder, &p);

	if (r == -ENOENT)
		problem = "there is no such folder";
	else if (r == -ENOSPC)
		problem = "there is no cache to warm, --cache-size is 0";
	else if (r < 0)
		return r;
	*ret = problem != NULL ? json_pack("{s:s}", "problem", problem) :
				 warm_json(&p);
	return 0;
}

/* ---- all of them ---- */

int
answers_give(void *arg, const struct control_request *req,
    struct control_client *client, json_t **ret)
{
	const struct answers *a = arg;
	const struct status_opts so = { a->graph, a->mount, a->audit,
		a->started_s };

	switch (req->cmd) {
	case CONTROL_STATUS:
		return status_json(&so, req->all, ret);
	case CONTROL_SYNC:
		return answer_sync(a, client, ret);
	case CONTROL_FORGET:
		if (req->forget == FORGET_CACHE)
			return blobcache_drop_all(a->graph->cache);
		source_forget_keys(a->graph->source);
		return 0;
	case CONTROL_WARM:
		return answer_warm(a, req->has_folder ? req->folder : NULL,
		    client, ret);
	case CONTROL_LOG_LEVEL:
		log_set_level((enum log_level)req->level);
		return 0;
	}
	return -EINVAL;
}
