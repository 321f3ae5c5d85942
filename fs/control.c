#include "fs/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/sockline.h"
#include "store/log.h"

struct control {
	struct control_opts o; /* constant; state_dir copied */
	char *dir;
	int listen_fd, stop_fd;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t left; /* [lock] a client is done */
	unsigned clients;    /* [lock] */
};

struct control_client {
	struct control *c;
	int fd;
};

/* Send one line of JSON, taken over. */
static int
send_line(struct control_client *cl, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	int r = -ENOMEM;

	json_decref(line);
	if (text == NULL)
		return r;
	r = sockline_send(cl->fd, cl->c->stop_fd, text, strlen(text),
	    CONTROL_TIMEOUT_MS);
	if (r == 0)
		r = sockline_send(cl->fd, cl->c->stop_fd, "\n", 1,
		    CONTROL_TIMEOUT_MS);
	free(text);
	return r;
}

int
control_progress(struct control_client *client, json_t *p)
{
	return send_line(client, json_pack("{s:o}", "progress", p));
}

static bool
is_welcome(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    (cred.uid == geteuid() || cred.uid == 0);
}

static int
answer(struct control_client *cl)
{
	struct sockline in = { 0 };
	struct control_request req;
	json_t *result = NULL;
	const char *why;
	char *line;
	size_t len;
	int r;

	r = sockline_read(cl->fd, cl->c->stop_fd, &in, CONTROL_REQUEST_MAX,
	    CONTROL_TIMEOUT_MS, &line, &len);
	if (r < 0)
		why = "request too long";
	else
		r = control_parse(line, len, &req, &why);
	sockline_free(&in);
	if (r == -EINVAL || r == -EMSGSIZE)
		return send_line(cl, json_pack("{s:b,s:s}", "ok", 0, "error",
		    why));
	if (r < 0)
		return r;
	r = cl->c->o.fn(cl->c->o.arg, &req, cl, &result);
	if (r < 0)
		return send_line(cl, json_pack("{s:b,s:s}", "ok", 0, "error",
		    strerrordesc_np(-r)));
	return send_line(cl, json_pack("{s:b,s:o}", "ok", 1, "result",
	    result != NULL ? result : json_null()));
}

/* A client's thread; it owns cl. */
static void *
client_main(void *arg)
{
	struct control_client *cl = arg;
	struct control *c = cl->c;
	int r = answer(cl);

	if (r < 0)
		log_debug(0, "control: client: %s", strerror(-r));
	close(cl->fd);
	free(cl);
	pthread_mutex_lock(&c->lock);
	c->clients--;
	pthread_cond_broadcast(&c->left);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int
start_client(struct control *c, int fd)
{
	struct control_client *cl = malloc(sizeof(*cl));
	pthread_t thread;
	int r;

	if (cl == NULL)
		return -ENOMEM;
	*cl = (struct control_client){ c, fd };
	pthread_mutex_lock(&c->lock);
	r = c->clients < CONTROL_CLIENTS_MAX ? 0 : -EBUSY;
	c->clients += r == 0;
	pthread_mutex_unlock(&c->lock);
	if (r == 0 &&
	    (r = -pthread_create(&thread, NULL, client_main, cl)) == 0) {
		pthread_detach(thread);
		return 0;
	}
	if (r != -EBUSY) {
		pthread_mutex_lock(&c->lock);
		c->clients--;
		pthread_mutex_unlock(&c->lock);
	}
	free(cl);
	return r;
}

static void
serve(struct control *c)
{
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC), r;

	if (fd < 0)
		return;
	if (!is_welcome(fd))
		r = log_warn(-EACCES, "control: a stranger was turned away");
	else if ((r = start_client(c, fd)) < 0)
		log_warn(0, "control: client: %s", strerror(-r));
	if (r < 0)
		close(fd);
}

static void *
thread_main(void *arg)
{
	struct control *c = arg;
	struct pollfd p[2] = { { .fd = c->listen_fd, .events = POLLIN },
		{ .fd = c->stop_fd, .events = POLLIN } };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents != 0)
			break;
		if (p[0].revents != 0)
			serve(c);
	}
	return NULL;
}

int
control_start(const struct control_opts *o, struct control **ret)
{
	CLEANUP(control_freep) struct control *c = calloc(1, sizeof(*c));
	int r;

	*ret = NULL;
	if (c == NULL)
		return -ENOMEM;
	c->o = *o;
	c->listen_fd = c->stop_fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->left, NULL);
	if ((c->dir = strdup(o->state_dir)) == NULL)
		return -ENOMEM;
	if ((c->listen_fd = sockline_listen(c->dir)) < 0)
		return log_err(c->listen_fd, "control: listen in %s: %s",
		    c->dir, strerror(-c->listen_fd));
	if ((c->stop_fd = eventfd(0, EFD_CLOEXEC)) < 0)
		return log_err(-errno, "control: %s", strerror(errno));
	if ((r = pthread_create(&c->thread, NULL, thread_main, c)) != 0)
		return log_err(-r, "control: %s", strerror(r));
	c->has_thread = true;
	*ret = TAKE(c);
	return 0;
}

void
control_free(struct control *c)
{
	char path[4096];

	if (c == NULL)
		return;
	if (c->has_thread) {
		eventfd_write(c->stop_fd, 1);
		pthread_join(c->thread, NULL);
		pthread_mutex_lock(&c->lock);
		while (c->clients > 0)
			pthread_cond_wait(&c->left, &c->lock);
		pthread_mutex_unlock(&c->lock);
	}
	if (c->listen_fd >= 0) {
		close(c->listen_fd);
		snprintf(path, sizeof(path), "%s/control", c->dir);
		unlink(path);
	}
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	pthread_cond_destroy(&c->left);
	pthread_mutex_destroy(&c->lock);
	free(c->dir);
	free(c);
}
