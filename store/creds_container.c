/* ECS, EKS Pod Identity and whatever else serves credentials at a URL that the
 * environment names. A token for it comes from the environment, or from a file
 * that is read each time, since it is replaced there. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/creds_http.h"
#include "store/creds_json.h"
#include "store/creds_providers.h"

#define ECS "http://169.254.170.2"
#define TOKEN_MAX 8192
#define ATTEMPTS 3
#define TIMEOUT_MS 2000

struct container {
	struct creds_setup setup;
	char *token; /* of the environment; locked memory */
};

/* Divide a URL into the endpoint and what is asked of it. */
static int
divide(const char *url, struct endpoint *ret, const char **ret_path,
    char why[CREDS_WHY_MAX])
{
	const char *host = strstr(url, "://"), *fault;
	size_t n = host == NULL ? strlen(url) :
	    (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
	char *base = strndup(url, n);
	int r;

	if (base == NULL)
		return -ENOMEM;
	if ((r = endpoint_parse(base, ret, &fault)) < 0)
		snprintf(why, CREDS_WHY_MAX,
		    "AWS_CONTAINER_CREDENTIALS_FULL_URI %s", fault);
	*ret_path = url[n] == '\0' ? "/" : url + n;
	free(base);
	if (r == 0 && ((*ret_path)[0] != '/' ||
	    (*ret_path)[strcspn(*ret_path, " \t\r\n#")] != '\0')) {
		snprintf(why, CREDS_WHY_MAX, "the path of the container's "
		    "endpoint cannot be used");
		r = -EINVAL;
	}
	return r;
}

/* Not --allow-http: whoever can set the environment of a daemon must not be
 * able to have its token sent about in the clear. */
static int
locate(const struct creds_setup *s, struct endpoint *ret,
    const char **ret_path, char why[CREDS_WHY_MAX])
{
	const char *relative = awsconf_env(s->conf,
	    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = awsconf_env(s->conf,
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	int r;

	if (relative == NULL && full == NULL) {
		snprintf(why, CREDS_WHY_MAX, "this is none");
		return -ENOENT;
	}
	if (relative == NULL) {
		r = divide(full, ret, ret_path, why);
	} else if ((r = divide(ECS, ret, ret_path, why)) == 0) {
		*ret_path = relative;
		if (relative[0] != '/' ||
		    relative[strcspn(relative, " \t\r\n#")] != '\0') {
			snprintf(why, CREDS_WHY_MAX, "AWS_CONTAINER_"
			    "CREDENTIALS_RELATIVE_URI is no path");
			r = -EINVAL;
		}
	}
	if (r == 0 && !ret->is_tls && !endpoint_is_loopback(ret) &&
	    strncmp(ret->host, "169.254.170.", 12) != 0 &&
	    strcmp(ret->host, "[fd00:ec2::23]") != 0) {
		snprintf(why, CREDS_WHY_MAX, "%.80s: http:// only to this "
		    "machine or a container service's address", ret->host);
		return -EPERM;
	}
	if (r == 0)
		r = creds_http_may(ret, false, why);
	return r;
}

/* The Authorization header; "" for none. */
static int
get_token(const struct container *k, struct buf *ret, const char **ret_token,
    char why[CREDS_WHY_MAX])
{
	const char *path = awsconf_env(k->setup.conf,
	    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	int r = path != NULL ? buf_add_file(ret, path) :
	    buf_add_str(ret, k->token);

	if (r == 0 && (*ret_token = buf_str(ret)) == NULL)
		r = -ENOMEM;
	if (r < 0) {
		snprintf(why, CREDS_WHY_MAX, "%.160s: %s",
		    path != NULL ? path : "token", strerror(-r));
		return r == -ENOENT ? -EIO : r;
	}
	if (strlen(*ret_token) != ret->len ||
	    (*ret_token)[strcspn(*ret_token, "\r\n")] != '\0') {
		snprintf(why, CREDS_WHY_MAX, "the authorization token is more "
		    "than one line");
		return -EINVAL;
	}
	return 0;
}

static void
advise(char why[CREDS_WHY_MAX])
{
	size_t len = strlen(why);

	snprintf(why + len, CREDS_WHY_MAX - len, "; give the token that it "
	    "wants: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, or the variable "
	    "without _FILE");
}

static int
ask_endpoint(const struct container *k, const struct endpoint *e,
    const char *path, const char *token, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	const struct pair header[] = {
		{ "accept", "application/json" },
		{ "authorization", token },
	};
	const struct creds_http c = {
		.http = k->setup.http,
		.endpoint = e,
		.is_direct = creds_http_is_link_local(e),
		.method = "GET",
		.path = path,
		.header = header,
		.header_len = token[0] != '\0' ? 2 : 1,
		.attempts = ATTEMPTS,
		.timeout_ms = TIMEOUT_MS,
	};
	struct http_reply reply;
	int r = creds_http(&c, &reply, why);

	if (r == 0 && reply.status != 200) {
		r = creds_http_refused(&reply, why);
		if (r == -EACCES)
			advise(why);
	} else if (r == 0) {
		r = creds_json_parse(CREDS_JSON_METADATA, (struct slice){
		    reply.body.ptr, reply.body.len }, ret, why);
	}
	http_reply_free(&reply);
	return r;
}

static int
container_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct container *k = arg;
	struct buf text = BUF_INIT(TOKEN_MAX);
	const char *path, *token = "";
	struct endpoint e;
	int r;

	if ((r = locate(&k->setup, &e, &path, why)) < 0)
		return r;
	if ((r = get_token(k, &text, &token, why)) == 0)
		r = ask_endpoint(k, &e, path, token, ret, why);
	buf_free(&text);
	return r;
}

static void
container_free(void *arg)
{
	struct container *k = arg;

	sodium_free(k->token);
	free(k);
}

int
creds_container_provider(const struct creds_setup *setup,
    struct creds_provider *ret)
{
	struct container *k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return -ENOMEM;
	k->setup = *setup;
	if ((k->token = sodium_malloc(TOKEN_MAX)) == NULL) {
		free(k);
		return -ENOMEM;
	}
	creds_env_take(setup->conf, "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	    k->token, TOKEN_MAX);
	*ret = (struct creds_provider){ .name = "container",
		.fetch = container_fetch, .free = container_free, .arg = k };
	return 0;
}
