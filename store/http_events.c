#include "store/http_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/log.h"
#include "store/stamp.h"

#define AT_ONCE 64 /* events taken from the kernel at once */
#define NEVER INT64_MAX

struct http_events {
	CURLM *multi;	/* constant */
	int epoll_fd;	/* constant */
	int wake_fd;	/* constant: eventfd */
	int64_t due_ms; /* monotonic; when libcurl wants to be called */
};

/* Not NULL: the socket is in the epoll set. */
static char known;

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_events *e = arg;
	struct epoll_event ev = { .data.fd = fd };
	int r;

	if (what == CURL_POLL_REMOVE) {
		/* It may be closed already, which removed it. */
		(void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	r = epoll_ctl(e->epoll_fd,
	    socket_arg != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	/* A number that was another socket's before. */
	if (r < 0 && (errno == EEXIST || errno == ENOENT))
		r = epoll_ctl(e->epoll_fd,
		    errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	if (r < 0)
		return log_err(-1, "http: wait for a socket: %s",
		    strerror(errno));
	curl_multi_assign(e->multi, fd, &known);
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct http_events *e = arg;

	e->due_ms = ms < 0 ? NEVER : stamp_now_ms() + ms;
	return 0;
}

static int
add_wake_fd(struct http_events *e)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if ((e->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		return -errno;
	ev.data.fd = e->wake_fd;
	return epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &ev) < 0 ?
	    -errno : 0;
}

int
http_events_new(CURLM *multi, struct http_events **ret)
{
	CLEANUP(http_events_freep) struct http_events *e = NULL;
	int r;

	*ret = NULL;
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return -ENOMEM;
	e->multi = multi;
	e->epoll_fd = e->wake_fd = -1;
	e->due_ms = NEVER;
	if ((r = add_wake_fd(e)) < 0)
		return log_err(r, "http: epoll: %s", strerror(-r));
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, e);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, e);
	*ret = TAKE(e);
	return 0;
}

void
http_events_free(struct http_events *e)
{
	if (e == NULL)
		return;
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	free(e);
}

void
http_events_wake(struct http_events *e)
{
	uint64_t one = 1;

	(void)!write(e->wake_fd, &one, sizeof(one));
}

static void
act(struct http_events *e, const struct epoll_event *ev)
{
	uint64_t woken;
	int what, running;

	if (ev->data.fd == e->wake_fd) {
		(void)!read(e->wake_fd, &woken, sizeof(woken));
		return;
	}
	what = (ev->events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
	    (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	    (ev->events & EPOLLERR ? CURL_CSELECT_ERR : 0);
	curl_multi_socket_action(e->multi, ev->data.fd, what, &running);
}

/* libcurl's own hour has come: time limits, and transfers that begin. */
static void
act_when_due(struct http_events *e)
{
	int running;

	if (stamp_now_ms() < e->due_ms)
		return;
	e->due_ms = NEVER; /* it says anew when it wants to be called */
	curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

void
http_events_wait(struct http_events *e, int64_t max_ms)
{
	struct epoll_event ev[AT_ONCE];
	int64_t left;
	int n;

	if (e->due_ms != NEVER) {
		left = e->due_ms - stamp_now_ms();
		if (left < max_ms)
			max_ms = left > 0 ? left : 0;
	}
	n = epoll_wait(e->epoll_fd, ev, AT_ONCE, (int)max_ms);
	for (int i = 0; i < n; i++)
		act(e, &ev[i]);
	act_when_due(e);
}
