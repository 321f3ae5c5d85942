#include "server.h"

#include "delay.h"
#include "faults.h"
#include "stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define THREADS 2
#define CONNECTIONS 4096
#define CONNECTION_MEMORY (64 * 1024) /* bytes; headers must fit */
#define IDLE_TIMEOUT 120 /* seconds */

struct server {
	struct cloud *cloud;
	struct delay *delay;
	struct MHD_Daemon *daemon;
};

enum stage { STAGE_HEADERS, STAGE_BODY, STAGE_DELAYED, STAGE_DONE };

/* A request on its way through the server. */
struct exchange {
	struct request *req;
	enum stage stage;
	struct auth_result auth;
	struct fault_plan plan;
};

static void *
on_target(void *cls, const char *target, struct MHD_Connection *con)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	x->req = request_new(target);
	return x;
}

static void
on_completed(void *cls, struct MHD_Connection *con, void **state,
    enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *state;

	if (x == NULL)
		return;
	request_free(x->req);
	free(x);
	*state = NULL;
}

static enum MHD_Result
on_header(void *cls, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
	request_add_header(cls, name, value != NULL ? value : "");
	return MHD_YES;
}

/* The target is decoded by request_new(), not by MHD. */
static size_t
on_unescape(void *cls, struct MHD_Connection *con, char *s)
{
	return strlen(s);
}

static void
begin(struct exchange *x, struct MHD_Connection *con, const char *method)
{
	struct request *req = x->req;
	const char *len;

	req->method = arena_fmt(&req->arena, "%s", method);
	MHD_get_connection_values(con, MHD_HEADER_KIND, on_header, req);
	len = request_header(req, "content-length");
	if (len != NULL && strtoull(len, NULL, 10) <= REQUEST_BODY_MAX)
		buf_reserve(&req->body, strtoull(len, NULL, 10));
	x->stage = STAGE_BODY;
}

static void
take_upload(struct request *req, const char *p, size_t len)
{
	if (req->body.len + len > REQUEST_BODY_MAX)
		req->too_large = true;
	else
		buf_add(&req->body, p, len);
}

/* Whom a request that is not signed is for. */
static enum service
service_of_target(const struct request *req)
{
	const char *target = request_header(req, "x-amz-target");

	if (target == NULL)
		return SERVICE_S3;
	return strncmp(target, "AmazonSQS.", 10) == 0 ? SERVICE_SQS
						      : SERVICE_KMS;
}

/* What is asked, of which service, and whether it may be. */
static void
judge(struct cloud *c, struct exchange *x)
{
	struct request *req = x->req;

	auth_scope(req);
	if (req->service == SERVICE_NONE && req->path != NULL)
		req->service = id_unsigned(req);
	if (req->service == SERVICE_NONE && req->path != NULL)
		req->service = sts_unsigned(req);
	if (req->service == SERVICE_NONE)
		req->service = service_of_target(req);
	if (req->path != NULL && req->service != SERVICE_ID)
		auth_check(c->auth, req, cloud_now(c), &x->auth);
	if (req->service == SERVICE_S3)
		s3_route(c, req);
	else if (req->service == SERVICE_KMS)
		kms_route(req);
	else if (req->service == SERVICE_STS)
		sts_route(req);
	else if (req->service == SERVICE_SQS)
		sqs_route(req);
	else
		id_route(req);
	/* Asked with a token of somebody else's instead of a signature. */
	if (req->op == OP_STS_WEB && x->auth.verdict == AUTH_ANONYMOUS)
		x->auth.verdict = AUTH_OK;
}

static void
refuse(struct cloud *c, struct exchange *x)
{
	if (x->req->service == SERVICE_S3)
		s3_auth_error(c, x->req, &x->auth);
	else if (x->req->service == SERVICE_KMS ||
	    x->req->service == SERVICE_SQS) /* the same words */
		kms_auth_error(x->req, &x->auth);
	else
		sts_auth_error(x->req, &x->auth);
}

static void
serve(struct cloud *c, struct exchange *x)
{
	if (faults_reply(c, x->req, x->plan.kind))
		return;
	if (x->auth.verdict != AUTH_OK)
		refuse(c, x);
	else if (x->req->service == SERVICE_S3)
		s3_handle(c, x->req);
	else if (x->req->service == SERVICE_KMS)
		kms_handle(c, x->req);
	else if (x->req->service == SERVICE_STS)
		sts_handle(c, x->req);
	else if (x->req->service == SERVICE_SQS)
		sqs_handle(c, x->req);
	else
		id_handle(c, x->req);
	if (x->plan.kind == FAULT_GARBAGE)
		faults_halve(x->req);
	if (x->plan.kind == FAULT_BITFLIP)
		faults_flip(c, x->req);
}

static void
free_bytes(void *vb)
{
	bytes_unref(vb);
}

/* A reply that breaks off half way. */
struct half {
	struct buf text; /* either this */
	struct bytes *shared; /* or this, from `from` */
	size_t from, len, sent;
};

static ssize_t
half_read(void *vh, uint64_t pos, char *to, size_t max)
{
	struct half *h = vh;
	size_t left = h->len / 2 - h->sent;
	const char *p = h->shared != NULL ? (const char *)h->shared->p + h->from
					  : h->text.p;

	if (left == 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (left > max)
		left = max;
	memcpy(to, p + pos, left);
	h->sent += left;
	return (ssize_t)left;
}

static void
half_free(void *vh)
{
	struct half *h = vh;

	buf_free(&h->text);
	bytes_unref(h->shared);
	free(h);
}

static struct MHD_Response *
half_response(struct reply *r)
{
	struct half *h = xcalloc(1, sizeof *h);

	h->shared = TAKE(r->shared);
	h->from = r->from;
	h->len = h->shared != NULL ? r->len : r->body.len;
	h->text = r->body;
	r->body = (struct buf){ 0 };
	return MHD_create_response_from_callback(h->len, 16384, half_read, h,
	    half_free);
}

static ssize_t
nothing_read(void *cls, uint64_t pos, char *to, size_t max)
{
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *
make_response(struct reply *r, bool half)
{
	size_t len = r->body.len;
	struct bytes *shared;

	if (r->bodyless)
		return MHD_create_response_from_callback(r->len, 1024,
		    nothing_read, NULL, NULL);
	if (half)
		return half_response(r);
	if ((shared = TAKE(r->shared)) != NULL)
		return MHD_create_response_from_buffer_with_free_callback_cls(
		    r->len, shared->p + r->from, free_bytes, shared);
	return MHD_create_response_from_buffer(len, buf_take(&r->body),
	    MHD_RESPMEM_MUST_FREE);
}

/* MHD refuses an empty value; a blank one is the same to the reader. */
static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, *value != '\0' ? value : " ");
}

static void
add_headers(struct cloud *c, struct request *req, struct MHD_Response *response)
{
	char text[STAMP_LEN];

	for (size_t i = 0; i < req->reply.nheaders; i++)
		add_header(response, req->reply.headers[i].name,
		    req->reply.headers[i].value);
	stamp_http(cloud_now(c), text);
	add_header(response, "Date", text);
	snprintf(text, sizeof text, "%016llX", (unsigned long long)req->serial);
	if (req->service == SERVICE_S3) {
		add_header(response, "Server", "AmazonS3");
		add_header(response, "x-amz-request-id", text);
		add_header(response, "x-amz-id-2", "sesfs-cloud");
	} else {
		add_header(response, "x-amzn-RequestId", text);
	}
}

static enum MHD_Result
send_reply(struct cloud *c, struct exchange *x, struct MHD_Connection *con)
{
	bool half = x->plan.kind == FAULT_TRUNCATE;
	struct MHD_Response *response;
	enum MHD_Result r;

	response = make_response(&x->req->reply, half);
	if (response == NULL)
		return MHD_NO;
	add_headers(c, x->req, response);
	r = MHD_queue_response(con, (unsigned)x->req->reply.status, response);
	MHD_destroy_response(response);
	return r;
}

/* End the connection with a reset. MHD would shut it down in order before it
 * closes it, so that the client saw an end of file; dissolving the association
 * makes Linux send the RST at once. */
static enum MHD_Result
reset(struct MHD_Connection *con)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(con, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		(void)!connect(info->connect_fd, &nobody, sizeof nobody);
	return MHD_NO;
}

static enum MHD_Result
finish(struct cloud *c, struct exchange *x, struct MHD_Connection *con)
{
	x->stage = STAGE_DONE;
	if (x->plan.kind == FAULT_RESET) {
		journal_add(c->journal, x->req, cloud_now(c));
		return reset(con);
	}
	serve(c, x);
	journal_add(c->journal, x->req, cloud_now(c));
	return send_reply(c, x, con);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *con, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_len, void **state)
{
	struct server *s = cls;
	struct exchange *x = *state;

	if (x->stage == STAGE_HEADERS) {
		begin(x, con, method);
		return MHD_YES;
	}
	if (*upload_len > 0) {
		take_upload(x->req, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (x->stage == STAGE_DELAYED)
		return finish(s->cloud, x, con);
	x->req->serial = __atomic_add_fetch(&s->cloud->serial, 1,
	    __ATOMIC_RELAXED);
	if (strncmp(x->req->target, "/_cloud/", 8) == 0) {
		x->req->service = SERVICE_ADMIN;
		admin_handle(s->cloud, x->req);
		return send_reply(s->cloud, x, con);
	}
	judge(s->cloud, x);
	x->plan = faults_plan(s->cloud, x->req);
	if (x->plan.delay_ms <= 0)
		return finish(s->cloud, x, con);
	x->stage = STAGE_DELAYED;
	MHD_suspend_connection(con);
	delay_add(s->delay, x->plan.delay_ms, con);
	return MHD_YES;
}

static void
resume(void *con)
{
	MHD_resume_connection(con);
}

int
server_start(struct cloud *c, uint16_t port, const char *cert, const char *key,
    struct server **ret)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct server *s = xcalloc(1, sizeof *s);
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD |
	    MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
	    (cert != NULL ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, NULL },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	*ret = NULL;
	addr.sin_port = htons(port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&tls[0].ptr_value, &cert, sizeof cert);
	memcpy(&tls[1].ptr_value, &key, sizeof key);
	s->cloud = c;
	s->delay = delay_new(resume);
	s->daemon = MHD_start_daemon(flags, port, NULL, NULL, on_request, s,
	    MHD_OPTION_SOCK_ADDR, &addr, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
	    MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT,
	    MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024,
	    MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
	    MHD_OPTION_ARRAY, cert != NULL ? tls : &tls[2], MHD_OPTION_END);
	if (s->daemon == NULL) {
		delay_stop(s->delay);
		delay_free(s->delay);
		free(s);
		return -EADDRINUSE;
	}
	*ret = s;
	return 0;
}

uint16_t
server_port(const struct server *s)
{
	const union MHD_DaemonInfo *info;

	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info != NULL ? info->port : 0;
}

void
server_stop(struct server *s)
{
	delay_stop(s->delay);
	MHD_stop_daemon(s->daemon);
	delay_free(s->delay);
	free(s);
}
