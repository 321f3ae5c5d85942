/* cloud-bench -- how many signed GetObject requests a second a server answers.
 *
 * One thread, many keep-alive connections, one request outstanding on each;
 * every request is signed anew. Keys come from /_cloud/manifest. */
#include "buf.h"
#include "rng.h"
#include "sigv4.h"
#include "stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REGION "us-east-1"

struct options {
	uint16_t port;
	const char *bucket, *access_key, *secret_key;
	unsigned connections, requests, keys;
};

struct conn {
	int fd;
	struct buf out, in;
	size_t sent;
	size_t want; /* bytes of the reply, 0 while its head is not complete */
};

struct bench {
	struct options o;
	json_t *manifest;
	uint8_t key[SIGV4_KEY_LEN];
	char host[32], amz_date[STAMP_LEN], date[9];
	struct rng rng;
	unsigned started, done, failed;
	uint64_t bytes;
};

static int
dial(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		perror("cloud-bench: connect");
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* The body of an unsigned GET, waited for. */
static void
fetch(uint16_t port, const char *target, struct buf *ret)
{
	int fd = dial(port);
	char chunk[65536];
	struct buf req = { 0 };
	const char *body;
	ssize_t n;

	buf_fmt(&req, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Connection: close\r\n\r\n", target);
	if (write(fd, req.p, req.len) != (ssize_t)req.len)
		exit(1);
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		buf_add(ret, chunk, (size_t)n);
	close(fd);
	buf_free(&req);
	body = ret->p != NULL ? strstr(ret->p, "\r\n\r\n") : NULL;
	if (body != NULL) {
		ret->len -= (size_t)(body + 4 - ret->p);
		memmove(ret->p, body + 4, ret->len + 1);
	}
}

static void
prepare(struct bench *b)
{
	struct sigv4_scope scope = { b->date, REGION, "s3" };
	CLEANUP(buf_free) struct buf json = { 0 }, target = { 0 };

	buf_fmt(&target, "/_cloud/manifest?sha256=0&bucket=%s&limit=%u",
	    b->o.bucket, b->o.keys);
	fetch(b->o.port, target.p, &json);
	b->manifest = json_loadb(json.p != NULL ? json.p : "", json.len, 0,
	    NULL);
	if (json_array_size(b->manifest) == 0) {
		fprintf(stderr, "cloud-bench: no objects in %s\n",
		    b->o.bucket);
		exit(1);
	}
	snprintf(b->host, sizeof b->host, "127.0.0.1:%u", b->o.port);
	stamp_amz(stamp_now(), b->amz_date);
	memcpy(b->date, b->amz_date, 8);
	sigv4_key(b->o.secret_key, &scope, b->key);
}

/* Write the next request into the connection's buffer. */
static void
next_request(struct bench *b, struct conn *c)
{
	struct pair headers[] = { { "host", b->host },
		{ "x-amz-content-sha256", SIGV4_EMPTY_SHA256 },
		{ "x-amz-date", b->amz_date } };
	struct sigv4_scope scope = { b->date, REGION, "s3" };
	struct sigv4_message m = { "GET", NULL, NULL, 0, headers,
		NELEMS(headers), SIGV4_EMPTY_SHA256 };
	uint32_t n = (uint32_t)json_array_size(b->manifest);
	CLEANUP(buf_free) struct buf path = { 0 };
	json_t *o;

	o = json_array_get(b->manifest, rng_below(&b->rng, n));
	buf_fmt(&path, "/%s/%s", b->o.bucket,
	    json_string_value(json_object_get(o, "key")));
	m.path = path.p;
	buf_clear(&c->out);
	buf_str(&c->out, "GET ");
	buf_uri(&c->out, path.p, true);
	buf_fmt(&c->out, " HTTP/1.1\r\nHost: %s\r\nx-amz-date: %s\r\n"
	    "x-amz-content-sha256: " SIGV4_EMPTY_SHA256 "\r\nAuthorization: ",
	    b->host, b->amz_date);
	sigv4_sign(&m, b->o.access_key, b->key, &scope, b->amz_date, &c->out);
	buf_str(&c->out, "\r\n\r\n");
	buf_clear(&c->in);
	c->sent = c->want = 0;
	b->started++;
}

static void
send_more(struct conn *c)
{
	ssize_t n = write(c->fd, c->out.p + c->sent, c->out.len - c->sent);

	if (n < 0) {
		perror("cloud-bench: write");
		exit(1);
	}
	c->sent += (size_t)n;
}

/* Find out how long the reply is. */
static void
read_head(struct bench *b, struct conn *c)
{
	const char *end = strstr(c->in.p, "\r\n\r\n");
	const char *len = end != NULL ? strcasestr(c->in.p, "\ncontent-length:")
				      : NULL;

	if (len == NULL)
		return;
	c->want = (size_t)(end - c->in.p) + 4 + strtoull(len + 16, NULL, 10);
	if (strncmp(c->in.p, "HTTP/1.1 200", 12) != 0)
		b->failed++;
}

/* Take what came; when that was all, ask for the next. */
static void
read_more(struct bench *b, struct conn *c)
{
	ssize_t n;

	buf_reserve(&c->in, 65536);
	n = read(c->fd, c->in.p + c->in.len, 65536);
	if (n <= 0) {
		fprintf(stderr, "cloud-bench: connection lost\n");
		exit(1);
	}
	c->in.len += (size_t)n;
	c->in.p[c->in.len] = '\0';
	if (c->want == 0)
		read_head(b, c);
	if (c->want == 0 || c->in.len < c->want)
		return;
	b->bytes += c->want;
	b->done++;
	if (b->started >= b->o.requests)
		return;
	next_request(b, c);
	send_more(c);
}

static void
run(struct bench *b)
{
	struct conn *conns = xcalloc(b->o.connections, sizeof *conns);
	struct epoll_event ev = { .events = EPOLLIN }, evs[64];
	int ep = epoll_create1(EPOLL_CLOEXEC), n;
	struct conn *c;

	for (unsigned i = 0; i < b->o.connections; i++) {
		c = &conns[i];
		c->fd = dial(b->o.port);
		ev.data.ptr = c;
		epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		next_request(b, c);
		send_more(c);
	}
	while (b->done < b->started) {
		n = epoll_wait(ep, evs, NELEMS(evs), 10000);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			read_more(b, evs[i].data.ptr);
	}
	for (unsigned i = 0; i < b->o.connections; i++) {
		close(conns[i].fd);
		buf_free(&conns[i].in);
		buf_free(&conns[i].out);
	}
	close(ep);
	free(conns);
}

static unsigned
number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end != '\0' || v == 0 || v > 100000000) {
		fprintf(stderr, "cloud-bench: not a number: %s\n", s);
		exit(2);
	}
	return (unsigned)v;
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	static const char text[] =
	    "usage: cloud-bench -p PORT [-b BUCKET] [-c CONNECTIONS] "
	    "[-n REQUESTS] [-k KEYS] [-a ACCESS_KEY] [-s SECRET_KEY]\n";
	int opt;

	*o = (struct options){ 0, "mail", "test", "testsecret", 64, 100000,
		10000 };
	while ((opt = getopt(argc, argv, "p:b:c:n:k:a:s:")) != -1) {
		switch (opt) {
		case 'p':
			o->port = (uint16_t)number(optarg);
			break;
		case 'b':
			o->bucket = optarg;
			break;
		case 'c':
			o->connections = number(optarg);
			break;
		case 'n':
			o->requests = number(optarg);
			break;
		case 'k':
			o->keys = number(optarg);
			break;
		case 'a':
			o->access_key = optarg;
			break;
		case 's':
			o->secret_key = optarg;
			break;
		default:
			fputs(text, stderr);
			exit(2);
		}
	}
	if (o->port == 0 || optind < argc) {
		fputs(text, stderr);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct bench b = { .rng = { 1 } };
	int64_t start_ms;
	double s;

	parse_options(argc, argv, &b.o);
	prepare(&b);
	start_ms = stamp_mono_ms();
	run(&b);
	s = (double)(stamp_mono_ms() - start_ms) / 1000;
	printf("%u GETs in %.2f s over %u connections: %.0f GETs/s, "
	       "%.0f MB/s, %u failed\n", b.done, s, b.o.connections,
	    b.done / s, (double)b.bytes / s / 1e6, b.failed);
	json_decref(b.manifest);
	return b.failed > 0 || b.done < b.o.requests;
}
