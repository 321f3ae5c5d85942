/* Which hosts a proxy is asked for: the variables that curl reads, and our own
 * rule that loopback is never one of them. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "crypto/crypto.h"
#include "store/http.h"
#include "store/log.h"

struct proxy {
	int fd;
	uint16_t port;
	atomic_int asked, status;
};

/* Whoever connects is counted and sent away. */
static void *
serve(void *arg)
{
	struct proxy *p = arg;
	char text[4096];
	int fd, n;

	while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
		ssize_t ignored = recv(fd, text, sizeof(text), 0);

		atomic_fetch_add(&p->asked, 1);
		n = snprintf(text, sizeof(text), "HTTP/1.1 %d no\r\n"
		    "Content-Length: 0\r\n\r\n", atomic_load(&p->status));
		ignored = send(fd, text, (size_t)n, MSG_NOSIGNAL);
		(void)ignored;
		close(fd);
	}
	return NULL;
}

static void
proxy_start(struct proxy *p, pthread_t *t)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(p, 0, sizeof(*p));
	p->status = 403;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(p->fd, 16), 0);
	CHECK_EQ(getsockname(p->fd, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	CHECK_EQ(pthread_create(t, NULL, serve, p), 0);
}

static const struct {
	const char *no_proxy, *url;
	bool is_loopback, is_asked;
} cases[] = {
	{ "", "https://kms.eu-west-1.sesfs.invalid/", false, true },
	{ "other.invalid", "https://kms.sesfs.invalid/", false, true },
	{ "kms.sesfs.invalid", "https://kms.sesfs.invalid/", false, false },
	{ "KMS.SESFS.INVALID", "https://kms.sesfs.invalid/", false, false },
	{ ".sesfs.invalid", "https://kms.sesfs.invalid/", false, false },
	{ "sesfs.invalid", "https://kms.sesfs.invalid/", false, false },
	{ "sesfs.invalid", "https://notsesfs.invalid/", false, true },
	{ "a.invalid, sesfs.invalid", "https://s3.sesfs.invalid/", false,
	    false },
	{ "a.invalid sesfs.invalid", "https://s3.sesfs.invalid/", false,
	    false },
	{ "*", "https://kms.sesfs.invalid/", false, false },
	{ "192.0.2.7", "https://192.0.2.7/", false, false },
	{ "192.0.2.7", "https://192.0.2.8/", false, true },
	{ "192.0.2.0/24", "https://192.0.2.7/", false, false },
	{ "198.51.100.0/24", "https://192.0.2.7/", false, true },
	{ "2001:db8::7", "https://[2001:db8::7]/", false, false },
	{ "2001:db8::7", "https://[2001:db8::8]/", false, true },
	/* The caller says what is loopback, and that is that. */
	{ "", "https://localhost:1/", true, false },
	{ "", "http://localhost:1/", true, false },
	{ "other.invalid", "https://127.0.0.1:1/", true, false },
	{ "", "https://[::1]:1/", true, false },
};

static void
test_hosts(struct http *h, struct proxy *p)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct http_request req = { .method = "GET",
			.url = cases[i].url, .max_body = 100,
			.timeout_ms = 10000,
			.is_loopback = cases[i].is_loopback };
		struct http_reply r;
		int before = p->asked;

		setenv("no_proxy", cases[i].no_proxy, 1);
		CHECK_AT(i, http_do(h, &req, &r) < 0);
		CHECK_EQ_AT(i, p->asked - before, cases[i].is_asked);
		CHECK_AT(i, (strstr(r.why, "the proxy refuses") != NULL) ==
		    cases[i].is_asked);
		http_reply_free(&r);
	}
}

/* What it says no with: for now, or until somebody does something. */
static void
test_answers(struct http *h, struct proxy *p)
{
	static const struct {
		int status, want;
		const char *why;
	} t[] = {
		{ 302, -ECONNRESET, "302" },
		{ 400, -ENETUNREACH, "the proxy refuses" },
		{ 403, -ENETUNREACH, "the proxy refuses" },
		{ 407, -ENETUNREACH, "wants a user and password" },
		{ 408, -ECONNRESET, "408" },
		{ 425, -ECONNRESET, "425" },
		{ 429, -ECONNRESET, "429" },
		{ 503, -ECONNRESET, "503" },
	};
	struct http_request req = { .method = "GET", .max_body = 100,
		.url = "https://kms.sesfs.invalid/", .timeout_ms = 10000 };

	setenv("no_proxy", "", 1);
	for (size_t i = 0; i < NELEMS(t); i++) {
		struct http_reply r;

		atomic_store(&p->status, t[i].status);
		CHECK_EQ_AT(i, http_do(h, &req, &r), t[i].want);
		CHECK_AT(i, strstr(r.why, t[i].why) != NULL);
		CHECK_EQ_AT(i, strstr(r.why, ";") != NULL,
		    t[i].want == -ENETUNREACH);
		http_reply_free(&r);
	}
}

int
main(void)
{
	struct proxy p;
	struct http *h;
	char url[64];
	pthread_t t;

	CHECK_EQ(log_open("/dev/null"), 0);
	CHECK_EQ(crypto_init(CRYPTO_AUTO), 0);
	proxy_start(&p, &t);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", p.port);
	unsetenv("NO_PROXY");
	unsetenv("HTTPS_PROXY");
	setenv("https_proxy", url, 1);
	setenv("http_proxy", url, 1);
	/* Addresses that nobody has are not waited for. */
	CHECK_EQ(http_new(&(struct http_opts){ .connect_ms = 200 }, &h), 0);
	test_hosts(h, &p);
	test_answers(h, &p);
	http_free(h);
	shutdown(p.fd, SHUT_RDWR);
	pthread_join(t, NULL);
	close(p.fd);
	return check_done();
}
