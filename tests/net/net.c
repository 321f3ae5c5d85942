#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "crypto/sigv4.h"
#include "net.h"
#include "store/log.h"
#include "store/stamp.h"

extern char **environ;

static const struct retry_policy policy = {
	.transient_ms = 2, .throttle_ms = 4, .cap_ms = 50, .attempts = 6,
};

static atomic_int_fast64_t skipped_s;

static int64_t
now_unix(void)
{
	return stamp_now_unix() + atomic_load(&skipped_s);
}

void
net_skip(struct net *n, int64_t seconds)
{
	atomic_fetch_add(&skipped_s, seconds);
}

static void
need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "net: %s failed\n", what);
	exit(1);
}

static int
read_port(const char *path)
{
	FILE *f;
	int port = 0;

	for (int i = 0; i < 1000 && port == 0; i++) {
		if ((f = fopen(path, "re")) != NULL) {
			if (fscanf(f, "%d", &port) != 1)
				port = 0;
			fclose(f);
		}
		if (port == 0)
			usleep(10000);
	}
	return port;
}

void
net_cloud_start(struct net_cloud *c, bool is_tls)
{
	char path[96], prog[] = "sesfs-cloud", a1[] = "--port", a2[] = "0",
	    a3[] = "--port-file", a4[] = "--die-with-parent",
	    a5[] = "--tls-cert", a6[] = "--tls-key";
	char *argv[] = { prog, a1, a2, a3, path, a4, is_tls ? a5 : NULL,
		getenv("SESFS_TLS_CERT"), a6, getenv("SESFS_TLS_KEY"), NULL };
	const char *exe = getenv("SESFS_CLOUD");

	if (exe == NULL || access(exe, X_OK) < 0)
		exit(77);
	strcpy(c->dir, "/tmp/sesfs-net.XXXXXX");
	need(mkdtemp(c->dir) != NULL, "mkdtemp");
	snprintf(path, sizeof(path), "%s/port", c->dir);
	need(posix_spawn(&c->pid, exe, NULL, NULL, argv, environ) == 0,
	    "start of the cloud");
	c->port = read_port(path);
	need(c->port > 0, "port of the cloud");
	snprintf(c->url, sizeof(c->url), "http://127.0.0.1:%d", c->port);
}

void
net_cloud_stop(struct net_cloud *c)
{
	char path[96];

	kill(c->pid, SIGTERM);
	waitpid(c->pid, NULL, 0);
	snprintf(path, sizeof(path), "%s/port", c->dir);
	unlink(path);
	rmdir(c->dir);
}

static int
fetch_keys(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct net_keys *k = arg;

	k->fetches++;
	strcpy(ret->key_id, k->key_id);
	strcpy(ret->secret, k->secret);
	strcpy(ret->token, k->token);
	return 0;
}

void
net_start(struct net *n)
{
	net_start_paced(n, 0, 5000);
}

void
net_start_paced(struct net *n, unsigned kms_rate, int64_t deadline_ms)
{
	struct creds_provider p = { "test", fetch_keys, NULL, &n->keys };
	const char *level = getenv("SESFS_LOG");

	memset(n, 0, sizeof(*n));
	log_set_level(level != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERR);
	need(crypto_init(CRYPTO_AUTO) == 0, "crypto_init");
	net_cloud_start(&n->cloud, false);
	n->keys = (struct net_keys){ "test", "testsecret", "", 0 };
	need(http_new(&(struct http_opts){ .stall_ms = 500,
	    .app_id = "net test\x01\xff-0123456789012345678901234567890123456789x",
	    .rate[HTTP_LANE_KMS] = kms_rate }, &n->http) == 0, "http_new");
	need(creds_new(&(struct creds_opts){ .provider = &p,
	    .provider_len = 1, .now_unix = now_unix }, &n->creds) == 0, "creds_new");
	need(aws_new(&(struct aws_opts){ .http = n->http, .creds = n->creds,
	    .deadline_ms = deadline_ms, .retry = &policy }, &n->aws) == 0,
	    "aws_new");
	need(s3_new(&(struct s3_opts){ .aws = n->aws, .bucket = "bucket",
	    .region = "us-east-1", .endpoint_url = n->cloud.url },
	    &n->s3) == 0, "s3_new");
	need(kms_new(&(struct kms_opts){ .aws = n->aws,
	    .region = "us-east-1", .endpoint_url = n->cloud.url },
	    &n->kms) == 0, "kms_new");
	net_post(n, "bucket?bucket=bucket", "");
}

void
net_stop(struct net *n)
{
	kms_free(n->kms);
	s3_free(n->s3);
	aws_free(n->aws);
	creds_free(n->creds);
	http_free(n->http);
	net_cloud_stop(&n->cloud);
}

/* The admin commands go by a connection of the same http. */
static void
request(struct net *n, const char *method, const char *path, const char *body,
    const struct pair *header, size_t header_len, struct http_reply *ret)
{
	char url[8192];
	struct http_request req = { .method = method, .url = url,
		.header = header, .header_len = header_len,
		.max_body = 1 << 20, .timeout_ms = 10000,
		.lane = HTTP_LANE_OTHER, .is_loopback = true };

	snprintf(url, sizeof(url), "%s/_cloud/%s", n->cloud.url, path);
	if (body != NULL)
		req.body = (struct slice){ (const uint8_t *)body,
			strlen(body) };
	need(http_do(n->http, &req, ret) == 0, path);
	if (ret->status != 200)
		fprintf(stderr, "%s\n", buf_str(&ret->body));
	need(ret->status == 200, path);
}

void
net_post(struct net *n, const char *path, const char *body)
{
	struct pair header = { "content-type",
		"application/x-www-form-urlencoded" };
	struct http_reply r;

	request(n, "POST", path, body, &header, 1, &r);
	http_reply_free(&r);
}

void
net_put(struct net *n, const char *key, const char *body,
    const struct pair *header, size_t header_len)
{
	struct pair all[80] = { { "content-type", "text/plain" } };
	char path[4096], escaped[3200];
	struct http_reply r;

	need(sigv4_encode(key, strlen(key), false, escaped,
	    sizeof(escaped)) >= 0, "encoding");
	snprintf(path, sizeof(path), "put?bucket=bucket&mtime=1700000000"
	    "&key=%s", escaped);
	for (size_t i = 0; i < header_len; i++)
		all[i + 1] = header[i];
	request(n, "POST", path, body, all, header_len + 1, &r);
	http_reply_free(&r);
}

int
net_count(struct net *n, const char *name)
{
	struct http_reply r;
	json_t *o;
	int v;

	request(n, "GET", "counters", NULL, NULL, 0, &r);
	o = json_loadb((const char *)r.body.ptr, r.body.len, 0, NULL);
	need(json_is_integer(json_object_get(o, name)), name);
	v = (int)json_integer_value(json_object_get(o, name));
	json_decref(o);
	http_reply_free(&r);
	return v;
}

json_t *
net_log(struct net *n)
{
	struct http_reply r;
	json_t *o;

	request(n, "GET", "log?n=4096", NULL, NULL, 0, &r);
	o = json_loadb((const char *)r.body.ptr, r.body.len, 0, NULL);
	need(json_is_array(o), "journal");
	http_reply_free(&r);
	return o;
}

void
net_reset(struct net *n)
{
	net_post(n, "reset", "");
	net_post(n, "reset-counters", "");
}
