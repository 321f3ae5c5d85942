/* Replies that no good server sends, the order of requests, and TLS. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "crypto/crypto.h"
#include "net.h"
#include "store/log.h"

/* Each connection is answered with the script that its path names, and
 * closed. */
static const char *const script[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"
	"body",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 3\r\n\r\n"
	"body",
	"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"
	"0\r\nx-trailer: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
	"HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\n"
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 302 Found\r\nLocation: /0\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
	"SMTP ready\r\n\r\n",
	"",
	"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbody",
	"HTTP/1.1 404 Not Found\r\nContent-Length: 400\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nto the end",
};
#define ENDLESS 100 /* headers without end */
#define SLOW 101    /* a good reply, after a while */

struct server {
	int fd;
	uint16_t port;
	atomic_int active, most, requests;
};

struct conn {
	struct server *server;
	int fd;
};

static void
put(int fd, const char *s, size_t n)
{
	ssize_t ignored = send(fd, s, n, MSG_NOSIGNAL);

	(void)ignored;
}

static void
answer(struct server *s, int fd, int which)
{
	static const char line[] = "x-filler: 0123456789012345678901234567890"
				   "123456789012345678901234567890\r\n";
	int now = atomic_fetch_add(&s->active, 1) + 1, most = s->most;

	while (now > most &&
	    !atomic_compare_exchange_weak(&s->most, &most, now))
		;
	atomic_fetch_add(&s->requests, 1);
	if (which == SLOW)
		usleep(20000);
	atomic_fetch_sub(&s->active, 1);
	if (which == ENDLESS) {
		put(fd, "HTTP/1.1 200 OK\r\n", 17);
		for (int i = 0; i < 2000; i++)
			put(fd, line, sizeof(line) - 1);
	} else {
		which = which == SLOW ? 0 : which;
		put(fd, script[which], strlen(script[which]));
	}
}

static void *
talk(void *arg)
{
	struct conn *c = arg;
	char text[4096] = "";
	size_t n = 0;
	ssize_t r = 1;

	while (r > 0 && n < sizeof(text) - 1 &&
	    strstr(text, "\r\n\r\n") == NULL) {
		r = recv(c->fd, text + n, sizeof(text) - 1 - n, 0);
		n += r > 0 ? (size_t)r : 0;
		text[n] = '\0';
	}
	if (n > 5 && strchr(text, '/') != NULL)
		answer(c->server, c->fd, atoi(strchr(text, '/') + 1));
	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, text, sizeof(text), 0) > 0)
		;
	close(c->fd);
	free(c);
	return NULL;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct conn *c = malloc(sizeof(*c));
		pthread_t t;

		*c = (struct conn){ s, fd };
		if (pthread_create(&t, NULL, talk, c) == 0)
			pthread_detach(t);
	}
	return NULL;
}

static void
server_start(struct server *s, pthread_t *t)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(s->fd, 64), 0);
	CHECK_EQ(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	CHECK_EQ(pthread_create(t, NULL, serve, s), 0);
}

static void
fill_url(const struct server *s, int which, char url[64])
{
	snprintf(url, 64, "http://127.0.0.1:%u/%d", s->port, which);
}

static const struct {
	int which;
	uint64_t max_body;
	int want, status;
	const char *body;
} cases[] = {
	{ 0, 4, 0, 200, "body" },
	{ 0, 3, -EMSGSIZE, 0, "" },
	{ 1, 100, -ECONNRESET, 0, "" },
	{ 2, 100, 0, 200, "body" },
	{ 3, 100, -EPROTO, 0, "" },
	{ 4, 100, -EPROTO, 0, "" },
	{ 5, 100, 0, 200, "body" },
	{ 5, 3, -EMSGSIZE, 0, "" },
	{ 6, 100, -ECONNRESET, 0, "" },
	{ 7, 100, 0, 200, "body" },
	{ 8, 100, 0, 302, "" },
	{ 9, 100, -EPROTO, 0, "" },
	{ 10, 100, -EPROTO, 0, "" },
	{ 11, 100, -ECONNRESET, 0, "" },
	{ 12, 999, -EMSGSIZE, 0, "" },
	/* An error's body may be longer than the good one. */
	{ 13, 10, -ECONNRESET, 0, "" },
	{ 14, 100, 0, 200, "to the end" },
	{ ENDLESS, 100, -EMSGSIZE, 0, "" },
};

static void
test_replies(struct http *h, struct server *s)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		char url[64];
		struct http_request req = { .method = "GET", .url = url,
			.max_body = cases[i].max_body, .timeout_ms = 10000,
			.is_loopback = true };
		struct http_reply r;

		fill_url(s, cases[i].which, url);
		CHECK_EQ_AT(i, http_do(h, &req, &r), cases[i].want);
		CHECK_EQ_AT(i, r.status, cases[i].status);
		CHECK_STR_AT(i, buf_str(&r.body), cases[i].body);
		CHECK_AT(i, (r.why[0] != '\0') == (cases[i].want != 0));
		CHECK_STR_AT(i, http_reply_header(&r, "x-interim"), NULL);
		CHECK_STR_AT(i, http_reply_header(&r, "x-trailer"), NULL);
		http_reply_free(&r);
	}
	/* One connection each: nothing was followed, nothing repeated. */
	CHECK_EQ(s->requests, NELEMS(cases));
}

static void
test_requests(struct http *h, struct server *s)
{
	char url[64];
	struct pair bad = { "x", "a\r\nEvil: 1" };
	struct http_request req = { .method = "GET", .url = url,
		.header = &bad, .header_len = 1, .timeout_ms = 1000 };
	struct http_reply r;

	fill_url(s, 0, url);
	CHECK_EQ(http_do(h, &req, &r), -EINVAL);
	http_reply_free(&r);
	req = (struct http_request){ .method = "GET", .url = "ftp://h/",
		.timeout_ms = 1000 };
	CHECK(http_do(h, &req, &r) < 0);
	http_reply_free(&r);
	req.url = "http://nonesuch.invalid/";
	CHECK_EQ(http_do(h, &req, &r), -EHOSTUNREACH);
	http_reply_free(&r);
}

struct order {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int n, seq[16]; /* [lock] */
};

struct ticket {
	struct order *order;
	int number;
};

static void
take_number(void *arg, int err, struct http_reply *reply)
{
	struct ticket *t = arg;

	pthread_mutex_lock(&t->order->lock);
	t->order->seq[t->order->n++] = err == 0 ? t->number : err;
	pthread_cond_signal(&t->order->cond);
	pthread_mutex_unlock(&t->order->lock);
}

/* One at a time: the foreground first, each kind in order. */
static void
test_order(struct server *s)
{
	static const enum http_prio prio[] = { HTTP_FOREGROUND,
		HTTP_BACKGROUND, HTTP_BACKGROUND, HTTP_FOREGROUND,
		HTTP_FOREGROUND };
	static const int want[] = { 0, 3, 4, 1, 2 };
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER };
	struct ticket t[NELEMS(prio)];
	struct http *h;
	char url[64];

	fill_url(s, SLOW, url);
	CHECK_EQ(http_new(&(struct http_opts){ .jobs = 1 }, &h), 0);
	for (int i = 0; i < (int)NELEMS(prio); i++) {
		struct http_request req = { .method = "GET", .url = url,
			.max_body = 100, .timeout_ms = 10000,
			.prio = prio[i], .is_loopback = true };

		t[i] = (struct ticket){ &o, i };
		CHECK_EQ(http_submit(h, &req, take_number, &t[i]), 0);
	}
	pthread_mutex_lock(&o.lock);
	while (o.n < (int)NELEMS(prio))
		pthread_cond_wait(&o.cond, &o.lock);
	pthread_mutex_unlock(&o.lock);
	for (size_t i = 0; i < NELEMS(want); i++)
		CHECK_EQ_AT(i, o.seq[i], want[i]);
	http_free(h);
}

/* No more than `jobs` in flight, and all of them done. */
static void
test_jobs(struct server *s)
{
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER };
	struct ticket t = { &o, 0 };
	struct http *h;
	char url[64];

	s->most = 0;
	fill_url(s, SLOW, url);
	CHECK_EQ(http_new(&(struct http_opts){ .jobs = 3 }, &h), 0);
	for (int i = 0; i < 15; i++) {
		struct http_request req = { .method = "GET", .url = url,
			.max_body = 100, .timeout_ms = 10000,
			.is_loopback = true };

		CHECK_EQ(http_submit(h, &req, take_number, &t), 0);
	}
	pthread_mutex_lock(&o.lock);
	while (o.n < 15)
		pthread_cond_wait(&o.cond, &o.lock);
	pthread_mutex_unlock(&o.lock);
	for (int i = 0; i < 15; i++)
		CHECK_EQ_AT(i, o.seq[i], 0);
	CHECK(s->most >= 1 && s->most <= 3);
	http_free(h);
}

/* What still waits when http_free() comes ends with -ECANCELED. */
static void
test_cancel(struct server *s)
{
	struct order o = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER };
	struct ticket t = { &o, 0 };
	int cancelled = 0;
	struct http *h;
	char url[64];

	fill_url(s, SLOW, url);
	CHECK_EQ(http_new(&(struct http_opts){ .jobs = 1 }, &h), 0);
	for (int i = 0; i < 10; i++) {
		struct http_request req = { .method = "GET", .url = url,
			.max_body = 100, .timeout_ms = 10000,
			.is_loopback = true };

		CHECK_EQ(http_submit(h, &req, take_number, &t), 0);
	}
	http_free(h);
	CHECK_EQ(o.n, 10);
	for (int i = 0; i < 10; i++)
		cancelled += o.seq[i] == -ECANCELED;
	CHECK(cancelled > 0);
}

/* The certificate decides: the system's authorities do not know the cloud's,
 * the bundle does; and a wrong name is refused either way. */
static void
test_tls(void)
{
	const char *cert = getenv("SESFS_TLS_CERT");
	struct net_cloud cloud;
	struct http *h;
	char url[96];
	static const struct {
		bool has_bundle;
		const char *host;
		int want;
	} t[] = {
		{ false, "localhost", -EPROTO },
		{ true, "localhost", 0 },
		{ true, "127.0.0.1", -EPROTO },
	};

	if (cert == NULL || cert[0] == '\0')
		return;
	net_cloud_start(&cloud, true);
	for (size_t i = 0; i < NELEMS(t); i++) {
		struct http_request req = { .method = "GET", .url = url,
			.max_body = 1 << 20, .timeout_ms = 10000,
			.is_loopback = true };
		struct http_reply r;

		snprintf(url, sizeof(url), "https://%s:%d/_cloud/settings",
		    t[i].host, cloud.port);
		CHECK_EQ(http_new(&(struct http_opts){ .ca_bundle =
		    t[i].has_bundle ? cert : NULL }, &h), 0);
		CHECK_EQ_AT(i, http_do(h, &req, &r), t[i].want);
		CHECK_EQ_AT(i, r.status, t[i].want == 0 ? 200 : 0);
		http_reply_free(&r);
		http_free(h);
	}
	net_cloud_stop(&cloud);
	CHECK_EQ(http_new(&(struct http_opts){ .ca_bundle = "/nonesuch" },
	    &h), -EINVAL);
}

int
main(void)
{
	struct server s;
	struct http *h;
	pthread_t t;

	CHECK_EQ(log_open("/dev/null"), 0);
	CHECK_EQ(crypto_init(CRYPTO_AUTO), 0);
	server_start(&s, &t);
	CHECK_EQ(http_new(&(struct http_opts){ .jobs = 8 }, &h), 0);
	test_replies(h, &s);
	test_requests(h, &s);
	http_free(h);
	test_order(&s);
	test_jobs(&s);
	test_cancel(&s);
	test_tls();
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(t, NULL);
	close(s.fd);
	return check_done();
}
