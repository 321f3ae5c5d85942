/* IAM Identity Center. `aws sso login` leaves a token in a file; with it the
 * portal gives credentials of one role in one account. A token of an
 * sso-session can be refreshed, an older one (sso_start_url in the profile)
 * lasts some hours and that is that. */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/sigv4.h"
#include "store/creds_http.h"
#include "store/creds_json.h"
#include "store/creds_providers.h"
#include "store/log.h"
#include "store/sso_token.h"
#include "store/stamp.h"

#define CACHE "~/.aws/sso/cache"
#define REFRESH_S 900 /* before the end of a token; as botocore */
#define ATTEMPTS 3
#define TIMEOUT_MS 10000
#define FORM_MAX 65536

struct sso {
	struct creds_setup setup;
	const char *profile;
	/* of the configuration, by each fetch */
	const char *session, *start_url, *region, *role, *account;
	char *path; /* of the token's file */
	struct sso_token *token;
	bool is_unsaved; /* token is newer than the file can become */
};

/* ---- configuration ---- */

static bool
has_session(const struct sso *s)
{
	static const char *const keys[] = { "sso_start_url", "sso_region" };

	for (size_t i = 0; i < NELEMS(keys); i++)
		if (awsconf_section_get(s->setup.conf, "sso-session",
			s->session, keys[i], NULL) != NULL)
			return true;
	return false;
}

/* A setting of the session if there is one, else of the profile; the profile
 * may repeat it, but not differ. Returns false with why. */
static bool
shared(const struct sso *s, const char *key, const char **ret,
    char why[CREDS_WHY_MAX])
{
	const char *own = awsconf_get(s->setup.conf, s->profile, key);

	*ret = s->session == NULL ? own : awsconf_section_get(s->setup.conf,
	    "sso-session", s->session, key, NULL);
	if (s->session != NULL && !has_session(s))
		snprintf(why, CREDS_WHY_MAX, "there is no [sso-session "
		    "%.80s] in %.200s; mend sso_session, or run: aws "
		    "configure sso-session", s->session,
		    awsconf_config_path(s->setup.conf));
	else if (*ret == NULL)
		snprintf(why, CREDS_WHY_MAX, "%s is not set%s%.80s", key,
		    s->session != NULL ? " in sso-session " : "",
		    s->session != NULL ? s->session : "");
	else if (own != NULL && strcmp(own, *ret) != 0)
		snprintf(why, CREDS_WHY_MAX, "%s differs from that of "
		    "sso-session %.80s", key, s->session);
	else
		return true;
	return false;
}

static int
configure(struct sso *s, char why[CREDS_WHY_MAX])
{
	const struct awsconf *conf = s->setup.conf;

	s->role = awsconf_get(conf, s->profile, "sso_role_name");
	s->account = awsconf_get(conf, s->profile, "sso_account_id");
	s->session = awsconf_get(conf, s->profile, "sso_session");
	if (s->role == NULL && s->account == NULL) {
		snprintf(why, CREDS_WHY_MAX, "it has no sso_role_name");
		return -ENOENT;
	}
	if (s->role == NULL || s->account == NULL) {
		snprintf(why, CREDS_WHY_MAX, "%s is not set",
		    s->role == NULL ? "sso_role_name" : "sso_account_id");
		return -EINVAL;
	}
	if (!shared(s, "sso_start_url", &s->start_url, why) ||
	    !shared(s, "sso_region", &s->region, why))
		return -EINVAL;
	return 0;
}

static int
find_file(struct sso *s)
{
	char *dir;
	int r;

	if (s->path != NULL)
		return 0;
	if ((dir = awsconf_path(s->setup.conf, CACHE)) == NULL)
		return -ENOMEM;
	r = sso_token_path(dir, s->session != NULL ? s->session :
	    s->start_url, &s->path);
	free(dir);
	return r;
}

/* ---- the two services ---- */

static int
locate(const struct sso *s, const char *service, const char *host,
    struct endpoint *ret, char why[CREDS_WHY_MAX])
{
	const char *url = awsconf_endpoint_url(s->setup.conf, service);
	int r = endpoint_choose(url, host, s->region,
	    endpoint_flags(s->setup.fips, s->setup.dual_stack), ret);

	if (r < 0) {
		snprintf(why, CREDS_WHY_MAX, "no proper sso_region or "
		    "endpoint URL");
		return r;
	}
	/* As for the services that a command line can name one for. */
	if (s->setup.fips && url != NULL && !endpoint_is_loopback(ret)) {
		snprintf(why, CREDS_WHY_MAX, "--fips chooses among AWS's own "
		    "endpoints; it cannot go with an endpoint URL of %s",
		    service);
		return -EINVAL;
	}
	return creds_http_may(ret, s->setup.allow_http, why);
}

static int
append(const char *text, size_t len, void *arg)
{
	return buf_add(arg, text, len) < 0 ? -1 : 0;
}

static int
refresh_form(const struct sso_token *t, struct buf *ret)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "clientId", t->client_id,
	    "clientSecret", t->client_secret, "grantType", "refresh_token",
	    "refreshToken", t->refresh);
	int r = o != NULL && json_dump_callback(o, append, ret,
	    JSON_COMPACT) == 0 ? 0 : -EPROTO;

	json_decref(o); /* wiped by the allocator of crypto_init() */
	return r;
}

static int
create_token(struct sso *s, char why[CREDS_WHY_MAX])
{
	const struct pair header = { "content-type", "application/json" };
	struct buf form = BUF_INIT(FORM_MAX);
	struct http_reply reply = { .status = 0 };
	struct endpoint e;
	struct creds_http c = { .http = s->setup.http, .endpoint = &e,
		.method = "POST", .path = "/token", .header = &header,
		.header_len = 1, .attempts = ATTEMPTS,
		.timeout_ms = TIMEOUT_MS };
	int r;

	if ((r = locate(s, "sso_oidc", "oidc", &e, why)) == 0 &&
	    (r = refresh_form(s->token, &form)) == 0) {
		c.body = (struct slice){ form.ptr, form.len };
		r = creds_http(&c, &reply, why);
		if (r == 0 && reply.status != 200)
			r = creds_http_refused(&reply, why);
		else if (r == 0 && (r = sso_token_take((struct slice){
		    reply.body.ptr, reply.body.len }, stamp_now_unix(),
		    s->token)) < 0)
			snprintf(why, CREDS_WHY_MAX, "a malformed token");
	}
	buf_free(&form);
	http_reply_free(&reply);
	return r;
}

static int
make_query(const struct sso *s, char *ret, size_t size)
{
	char role[256], account[128];
	int n;

	if (sigv4_encode(s->role, strlen(s->role), false, role,
		sizeof(role)) < 0 ||
	    sigv4_encode(s->account, strlen(s->account), false, account,
		sizeof(account)) < 0)
		return -EMSGSIZE;
	n = snprintf(ret, size, "/federation/credentials?role_name=%s"
	    "&account_id=%s", role, account);
	return n < (int)size ? 0 : -EMSGSIZE;
}

static int
say_login(const struct sso *s, const char *what, char why[CREDS_WHY_MAX])
{
	snprintf(why, CREDS_WHY_MAX, "%.140s; run: aws sso login "
	    "--profile %.60s", what, s->profile);
	return -EACCES;
}

static int
get_role_credentials(const struct sso *s, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	const struct pair header = { "x-amz-sso_bearer_token",
		s->token->access };
	struct http_reply reply = { .status = 0 };
	char path[512];
	struct endpoint e;
	const struct creds_http c = { .http = s->setup.http, .endpoint = &e,
		.method = "GET", .path = path, .header = &header,
		.header_len = 1, .attempts = ATTEMPTS,
		.timeout_ms = TIMEOUT_MS };
	int r;

	if ((r = locate(s, "sso", "portal.sso", &e, why)) == 0 &&
	    (r = make_query(s, path, sizeof(path))) == 0 &&
	    (r = creds_http(&c, &reply, why)) == 0) {
		if (reply.status == 401)
			r = say_login(s, "the login is no longer valid", why);
		else if (reply.status != 200)
			r = creds_http_refused(&reply, why);
		else
			r = creds_json_parse(CREDS_JSON_PORTAL, (struct slice){
			    reply.body.ptr, reply.body.len }, ret, why);
	}
	http_reply_free(&reply);
	return r;
}

/* ---- the token ---- */

static int
load(struct sso *s, char why[CREDS_WHY_MAX])
{
	int r;

	if (s->is_unsaved)
		return 0;
	r = sso_token_load(s->path, s->token);
	if (r == -ENOENT)
		return say_login(s, "nobody has logged in", why);
	if (r == -EPROTO)
		return say_login(s, "the cached login cannot be read", why);
	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "%.180s: %s", s->path,
		    strerror(-r));
	return r;
}

static bool
can_refresh(const struct sso *s, int64_t now)
{
	const struct sso_token *t = s->token;

	return s->session != NULL && t->refresh[0] != '\0' &&
	    t->client_id[0] != '\0' && t->client_secret[0] != '\0' &&
	    now < t->client_expires_unix;
}

/* A new token, of ours or of somebody else's making: awscli uses the same
 * file, and a refresh token is good once. */
static int
refresh(struct sso *s, char why[CREDS_WHY_MAX])
{
	int64_t had = s->token->expires_unix;
	int r = create_token(s, why);

	if (r < 0) {
		if (sso_token_load(s->path, s->token) < 0 ||
		    s->token->expires_unix <= had)
			return r;
		s->is_unsaved = false;
		return 0;
	}
	r = sso_token_save(s->path, s->token);
	if (r < 0 && !s->is_unsaved)
		log_warn(0, "creds: keep the login of profile %s: %s: %s",
		    s->profile, s->path, strerror(-r));
	s->is_unsaved = r < 0;
	return 0;
}

/* A token that is good now, be it that refreshing it early failed. */
static int
need_token(struct sso *s, char why[CREDS_WHY_MAX])
{
	int64_t now = stamp_now_unix();
	char reason[CREDS_WHY_MAX] = "", what[CREDS_WHY_MAX];
	int r = load(s, why);

	if (r < 0)
		return r;
	if (s->token->expires_unix - now < REFRESH_S && can_refresh(s, now))
		r = refresh(s, reason);
	if (s->token->expires_unix > now)
		return 0;
	s->is_unsaved = false; /* there may be another in the file */
	if (r < 0 && r != -EACCES && r != -EIO && r != -EPROTO) {
		memcpy(why, reason, CREDS_WHY_MAX); /* the network, say */
		return r;
	}
	snprintf(what, sizeof(what), "the login has expired%s%.100s",
	    reason[0] != '\0' ? ", " : "", reason);
	return say_login(s, what, why);
}

static int
sso_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct sso *s = arg;
	int r = configure(s, why);

	if (r < 0)
		return r;
	if (s->token == NULL && (s->token = sso_token_new()) == NULL)
		return -ENOMEM;
	if ((r = find_file(s)) == 0 && (r = need_token(s, why)) == 0)
		r = get_role_credentials(s, ret, why);
	if (!s->is_unsaved)
		sodium_memzero(s->token, sizeof(*s->token));
	return r == -ENOENT ? -EIO : r;
}

static void
sso_free(void *arg)
{
	struct sso *s = arg;

	sso_token_free(s->token);
	free(s->path);
	free(s);
}

int
creds_sso_provider(const struct creds_setup *setup, const char *profile,
    struct creds_provider *ret)
{
	struct sso *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	s->setup = *setup;
	s->profile = profile;
	*ret = (struct creds_provider){ .fetch = sso_fetch, .free = sso_free,
		.arg = s };
	snprintf(ret->name, sizeof(ret->name), "IAM Identity Center, profile "
	    "%.50s", profile);
	return 0;
}
