#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/creds_http.h"
#include "store/creds_json.h"
#include "store/imds.h"

#define IPV4 "http://169.254.169.254"
#define IPV6 "http://[fd00:ec2::254]"
#define ROLES "/latest/meta-data/iam/security-credentials/"
#define REGION "/latest/meta-data/placement/region"
#define TTL "21600" /* seconds, the longest */
#define TOKEN_MAX 256
#define ROLE_MAX 64
#define TIMEOUT_S 1
#define ATTEMPTS 2
#define GET_TIMEOUT_MS 5000 /* once it is known to be there */
#define GET_ATTEMPTS 3

struct imds {
	const struct creds_setup *setup;
	struct endpoint endpoint;
	bool is_configured; /* the address was */
	char token[TOKEN_MAX];
};

static long
number(const struct creds_setup *s, const char *env, const char *key,
    long otherwise, long max)
{
	const char *v = awsconf_env(s->conf, env);
	char *end;
	long n;

	if (v == NULL)
		v = awsconf_get(s->conf, NULL, key);
	if (v == NULL)
		return otherwise;
	n = strtol(v, &end, 10);
	return end != v && *end == '\0' && n >= 1 && n <= max ? n : otherwise;
}

static const char *
setting(const struct creds_setup *s, const char *env, const char *key)
{
	const char *v = awsconf_env(s->conf, env);

	return v != NULL ? v : awsconf_get(s->conf, NULL, key);
}

static int
find(const struct creds_setup *s, struct imds *ret, char why[CREDS_WHY_MAX])
{
	const char *off = awsconf_env(s->conf, "AWS_EC2_METADATA_DISABLED");
	const char *url = setting(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
	    "ec2_metadata_service_endpoint");
	const char *mode = setting(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	    "ec2_metadata_service_endpoint_mode");
	const char *fault;

	*ret = (struct imds){ .setup = s, .is_configured = url != NULL };
	if (off != NULL && strcasecmp(off, "true") == 0) {
		snprintf(why, CREDS_WHY_MAX, "AWS_EC2_METADATA_DISABLED");
		return -ENOENT;
	}
	if (mode != NULL && strcasecmp(mode, "IPv4") != 0 &&
	    strcasecmp(mode, "IPv6") != 0) {
		snprintf(why, CREDS_WHY_MAX, "AWS_EC2_METADATA_SERVICE_"
		    "ENDPOINT_MODE is neither IPv4 nor IPv6");
		return -EINVAL;
	}
	if (url == NULL)
		url = mode != NULL && strcasecmp(mode, "IPv6") == 0 ? IPV6 :
		    IPV4;
	if (endpoint_parse(url, &ret->endpoint, &fault) < 0) {
		snprintf(why, CREDS_WHY_MAX, "AWS_EC2_METADATA_SERVICE_"
		    "ENDPOINT %s", fault);
		return -EINVAL;
	}
	return creds_http_may(&ret->endpoint, s->allow_http, why);
}

/* The body is one line of printable text. */
static int
copy_line(const struct http_reply *r, char *ret, size_t size,
    char why[CREDS_WHY_MAX])
{
	size_t n = r->body.len;
	const char *s = (const char *)r->body.ptr;

	while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
		n--;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			n = 0;
	if (n == 0 || n >= size) {
		snprintf(why, CREDS_WHY_MAX, "a malformed answer");
		return -EPROTO;
	}
	memcpy(ret, s, n);
	ret[n] = '\0';
	return 0;
}

/* Nobody there: either this is no instance, or a container behind one hop
 * more than the instance lets the answer go. */
static int
nobody(const struct imds *m, int err, char why[CREDS_WHY_MAX])
{
	char what[CREDS_WHY_MAX];

	memcpy(what, why, sizeof(what));
	snprintf(why, CREDS_WHY_MAX, "%.120s%s", what, err == -ETIMEDOUT ?
	    " (in a container: the instance's hop limit must be 2)" : "");
	return m->is_configured || err == -ECANCELED ? err : -ENOENT;
}

/* It answers 403 to everybody when it is switched off. */
static int
refused(const struct http_reply *r, char why[CREDS_WHY_MAX])
{
	int err = creds_http_refused(r, why);
	size_t len = strlen(why);

	if (r->status == 403)
		snprintf(why + len, CREDS_WHY_MAX - len, "; the metadata "
		    "service of the instance is switched off: aws ec2 "
		    "modify-instance-metadata-options --http-endpoint enabled");
	return err;
}

static int
get_token(struct imds *m, char why[CREDS_WHY_MAX])
{
	const struct pair header = {
		"x-aws-ec2-metadata-token-ttl-seconds", TTL };
	const struct creds_http c = {
		.http = m->setup->http,
		.endpoint = &m->endpoint,
		.is_direct = true,
		.method = "PUT",
		.path = "/latest/api/token",
		.header = &header,
		.header_len = 1,
		.attempts = (unsigned)number(m->setup,
		    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
		    "metadata_service_num_attempts", ATTEMPTS, 10),
		.timeout_ms = 1000 * number(m->setup,
		    "AWS_METADATA_SERVICE_TIMEOUT",
		    "metadata_service_timeout", TIMEOUT_S, 60),
	};
	struct http_reply reply;
	int r = creds_http(&c, &reply, why);

	if (r < 0)
		r = r == -EAGAIN ? r : nobody(m, r, why);
	else if (reply.status == 200)
		r = copy_line(&reply, m->token, sizeof(m->token), why);
	else
		r = refused(&reply, why);
	http_reply_free(&reply);
	return r;
}

static int
get(const struct imds *m, const char *path, struct http_reply *ret,
    char why[CREDS_WHY_MAX])
{
	const struct pair header = { "x-aws-ec2-metadata-token", m->token };
	const struct creds_http c = {
		.http = m->setup->http,
		.endpoint = &m->endpoint,
		.is_direct = true,
		.method = "GET",
		.path = path,
		.header = &header,
		.header_len = 1,
		.attempts = GET_ATTEMPTS,
		.timeout_ms = GET_TIMEOUT_MS,
	};
	int r = creds_http(&c, ret, why);

	if (r == 0 && ret->status == 404) {
		snprintf(why, CREDS_WHY_MAX, "the instance has none");
		r = -ENOENT;
	} else if (r == 0 && ret->status != 200) {
		r = creds_http_refused(ret, why);
	}
	if (r < 0)
		http_reply_free(ret);
	return r;
}

static int
get_line(const struct imds *m, const char *path, char *ret, size_t size,
    char why[CREDS_WHY_MAX])
{
	struct http_reply reply;
	int r = get(m, path, &reply, why);

	if (r == 0) {
		r = copy_line(&reply, ret, size, why);
		http_reply_free(&reply);
	}
	return r;
}

static int
begin(const struct creds_setup *s, struct imds *ret, char why[CREDS_WHY_MAX])
{
	int r = find(s, ret, why);

	return r < 0 ? r : get_token(ret, why);
}

bool
imds_is_role(struct slice name)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-";

	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == '\0' || strchr(set, name.ptr[i]) == NULL)
			return false;
	return name.len > 0 && name.len <= ROLE_MAX;
}

static int
get_credentials(const struct imds *m, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	char role[ROLE_MAX + 1], path[sizeof(ROLES) + ROLE_MAX];
	struct http_reply reply;
	int r = get_line(m, ROLES, role, sizeof(role), why);

	if (r == -ENOENT)
		snprintf(why, CREDS_WHY_MAX, "no role is attached to the "
		    "instance");
	if (r < 0)
		return r;
	if (!imds_is_role((struct slice){ (const uint8_t *)role,
		strlen(role) })) {
		snprintf(why, CREDS_WHY_MAX, "a malformed name of a role");
		return -EPROTO;
	}
	snprintf(path, sizeof(path), ROLES "%s", role);
	if ((r = get(m, path, &reply, why)) < 0)
		return r;
	r = creds_json_parse(CREDS_JSON_METADATA, (struct slice){
	    reply.body.ptr, reply.body.len }, ret, why);
	http_reply_free(&reply);
	return r;
}

int
imds_credentials(const struct creds_setup *s, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	struct imds m;
	int r = begin(s, &m, why);

	if (r == 0)
		r = get_credentials(&m, ret, why);
	sodium_memzero(&m, sizeof(m));
	return r;
}

int
imds_region(const struct creds_setup *s, char ret[ENDPOINT_REGION_MAX],
    char why[CREDS_WHY_MAX])
{
	struct imds m;
	int r = begin(s, &m, why);

	ret[0] = '\0';
	if (r == 0)
		r = get_line(&m, REGION, ret, ENDPOINT_REGION_MAX, why);
	if (r == 0 && !endpoint_is_region(ret)) {
		snprintf(why, CREDS_WHY_MAX, "a malformed region");
		r = -EPROTO;
	}
	if (r < 0)
		ret[0] = '\0';
	sodium_memzero(&m, sizeof(m));
	return r;
}
