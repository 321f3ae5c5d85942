#include "identity.h"

#include "digest.h"
#include "rng.h"
#include "stamp.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define IMDS_TOKENS 256 /* that are remembered */
#define ACCESS_TOKENS 64

static const struct {
	const char *name, *standard;
} texts[ID_TEXTS] = {
	[ID_WEB_TOKEN] = { "web_token", "web-identity-token" },
	[ID_WEB_EXPIRED] = { "web_token_expired", "0" },
	[ID_CONTAINER_TOKEN] = { "container_token", "container-token" },
	[ID_MFA_CODE] = { "mfa_code", "123456" },
};

struct token {
	char text[65];
	int64_t until_unix;
};

struct identity {
	pthread_mutex_t lock;
	char text[ID_TEXTS][ID_TEXT_MAX]; /* [lock], as all below */
	uint64_t serial; /* of tokens made */
	struct token imds[IMDS_TOKENS];
	struct token access[ACCESS_TOKENS];
	uint64_t imds_next, access_next;
	struct id_login login; /* the last; its client and refresh token */
};

struct identity *
identity_new(void)
{
	struct identity *id = xcalloc(1, sizeof *id);

	pthread_mutex_init(&id->lock, NULL);
	identity_reset(id);
	return id;
}

void
identity_free(struct identity *id)
{
	if (id == NULL)
		return;
	pthread_mutex_destroy(&id->lock);
	free(id);
}

bool
identity_set(struct identity *id, const char *name, const char *value)
{
	for (size_t i = 0; i < ID_TEXTS; i++) {
		if (strcmp(name, texts[i].name) != 0 ||
		    strlen(value) >= ID_TEXT_MAX)
			continue;
		pthread_mutex_lock(&id->lock);
		strcpy(id->text[i], value);
		pthread_mutex_unlock(&id->lock);
		return true;
	}
	return false;
}

void
identity_reset(struct identity *id)
{
	for (size_t i = 0; i < ID_TEXTS; i++)
		identity_set(id, texts[i].name, texts[i].standard);
}

bool
identity_is(struct identity *id, enum id_text which, const char *value)
{
	bool ret;

	pthread_mutex_lock(&id->lock);
	ret = value != NULL && strcmp(id->text[which], value) == 0;
	pthread_mutex_unlock(&id->lock);
	return ret;
}

bool
identity_take_code(struct identity *id, const char *code)
{
	char *have = id->text[ID_MFA_CODE];
	bool ret;

	pthread_mutex_lock(&id->lock);
	ret = code != NULL && *have != '\0' && strcmp(have, code) == 0;
	if (ret)
		*have = '\0';
	pthread_mutex_unlock(&id->lock);
	return ret;
}

/* 64 digits, never the same twice. */
static void
make_locked(struct identity *id, char ret[65])
{
	uint64_t n[2] = { 0x1de7717, id->serial++ };

	digest_sha256_hex(n, sizeof n, ret);
}

static void
remember_locked(struct token *ring, size_t size, uint64_t *next,
    const char *text, int64_t until_unix)
{
	struct token *t = &ring[(*next)++ % size];

	strcpy(t->text, text);
	t->until_unix = until_unix;
}

static bool
has(struct identity *id, const struct token *ring, size_t size,
    const char *text, int64_t now_unix)
{
	bool ret = false;

	if (text == NULL || *text == '\0')
		return false;
	pthread_mutex_lock(&id->lock);
	for (size_t i = 0; i < size; i++)
		ret = ret || (strcmp(ring[i].text, text) == 0 &&
				 now_unix < ring[i].until_unix);
	pthread_mutex_unlock(&id->lock);
	return ret;
}

void
identity_add_imds(struct identity *id, int64_t until_unix, char ret[65])
{
	pthread_mutex_lock(&id->lock);
	make_locked(id, ret);
	remember_locked(id->imds, IMDS_TOKENS, &id->imds_next, ret,
	    until_unix);
	pthread_mutex_unlock(&id->lock);
}

bool
identity_has_imds(struct identity *id, const char *token, int64_t now_unix)
{
	return has(id, id->imds, IMDS_TOKENS, token, now_unix);
}

bool
identity_has_access(struct identity *id, const char *token, int64_t now_unix)
{
	return has(id, id->access, ACCESS_TOKENS, token, now_unix);
}

static void
login_locked(struct identity *id, int64_t now_unix, int64_t life_s)
{
	struct id_login *l = &id->login;

	make_locked(id, l->access);
	make_locked(id, l->refresh);
	l->expires_unix = now_unix + life_s;
	remember_locked(id->access, ACCESS_TOKENS, &id->access_next,
	    l->access, l->expires_unix);
}

void
identity_login(struct identity *id, int64_t now_unix, int64_t life_s,
    int64_t client_life_s, struct id_login *ret)
{
	pthread_mutex_lock(&id->lock);
	memset(id->access, 0, sizeof id->access);
	make_locked(id, id->login.client_id);
	make_locked(id, id->login.client_secret);
	id->login.client_expires_unix = now_unix + client_life_s;
	login_locked(id, now_unix, life_s);
	*ret = id->login;
	pthread_mutex_unlock(&id->lock);
}

void
identity_logout(struct identity *id)
{
	pthread_mutex_lock(&id->lock);
	memset(id->access, 0, sizeof id->access);
	memset(&id->login, 0, sizeof id->login);
	pthread_mutex_unlock(&id->lock);
}

int
identity_refresh(struct identity *id, const struct id_login *asked,
    int64_t now_unix, int64_t life_s, struct id_login *ret)
{
	const struct id_login *l = &id->login;
	int r = 0;

	pthread_mutex_lock(&id->lock);
	if (*l->client_id == '\0' ||
	    strcmp(asked->client_id, l->client_id) != 0 ||
	    strcmp(asked->client_secret, l->client_secret) != 0 ||
	    now_unix >= l->client_expires_unix)
		r = -EPERM;
	else if (strcmp(asked->refresh, l->refresh) != 0)
		r = -EINVAL;
	if (r == 0) {
		login_locked(id, now_unix, life_s);
		*ret = *l;
	}
	pthread_mutex_unlock(&id->lock);
	return r;
}

void
identity_help(struct buf *b)
{
	buf_str(b, "    AssumeRole: roles mail; chained (to a session of mail); "
	    "external\n    (ExternalId ext-42); mfa (SerialNumber "
	    "arn:aws:iam::ACCOUNT:mfa/test).\n"
	    "    AssumeRoleWithWebIdentity: role web.\n"
	    "    IMDSv2: /latest/, role instance. Container: /_container/open,"
	    "\n    /_container/locked (Authorization). SSO: "
	    "/federation/credentials,\n    role Mail; OIDC: /token.\n"
	    "    Texts to set (default):\n");
	for (size_t i = 0; i < ID_TEXTS; i++)
		buf_fmt(b, "    %-17s (%s)\n", texts[i].name,
		    texts[i].standard);
}

/* ---- what the services share ---- */

void
id_answer(struct request *req, int status, json_t *o)
{
	char *s = json_dumps(o, JSON_COMPACT);

	reply_reset(req, status);
	reply_header(req, "Content-Type", "application/json");
	buf_str(&req->reply.body, s);
	free(s);
	json_decref(o);
}

void
id_error(struct request *req, int status, const char *code,
    const char *message)
{
	json_t *o = json_object();

	/* OIDC's form is that of RFC 6749, the others' AWS's. */
	if (req->op == OP_OIDC_TOKEN) {
		json_object_set_new(o, "error", json_string(code));
		json_object_set_new(o, "error_description",
		    json_string(message));
	} else {
		json_object_set_new(o, "code", json_string(code));
		json_object_set_new(o, "message", json_string(message));
	}
	id_answer(req, status, o);
	reply_header(req, "x-amzn-ErrorType", code);
}

json_t *
id_credentials(struct cloud *c, const char *role, int64_t life_s)
{
	struct session s;
	char at[STAMP_LEN];
	char *arn;
	struct arena a = { 0 };
	json_t *o = json_object();

	arn = arena_fmt(&a, "arn:aws:sts::%s:assumed-role/%s/i-0123456789",
	    c->account, role);
	auth_issue(c->auth, arn, cloud_now(c), life_s, &s);
	arena_free(&a);
	stamp_iso(s.expires_unix, at);
	strcpy(strchr(at, '.'), "Z"); /* whole seconds there */
	json_object_set_new(o, "AccessKeyId", json_string(s.access_key));
	json_object_set_new(o, "SecretAccessKey", json_string(s.secret));
	json_object_set_new(o, "Token", json_string(s.token));
	json_object_set_new(o, "Expiration", json_string(at));
	return o;
}

/* ---- who is asked ---- */

static bool
is_below(const char *path, const char *folder)
{
	return strncmp(path, folder, strlen(folder)) == 0;
}

enum service
id_unsigned(struct request *req)
{
	return is_below(req->path, "/latest/") ||
	    is_below(req->path, "/_container/") ||
	    strcmp(req->path, "/federation/credentials") == 0 ||
	    (strcmp(req->path, "/token") == 0 &&
		strcmp(req->method, "POST") == 0) ? SERVICE_ID : SERVICE_NONE;
}

void
id_route(struct request *req)
{
	static const char roles[] =
	    "/latest/meta-data/iam/security-credentials/";
	const char *p = req->path != NULL ? req->path : "";
	bool is_get = strcmp(req->method, "GET") == 0;

	req->op = OP_ID_OTHER;
	if (strcmp(p, "/latest/api/token") == 0 && !is_get)
		req->op = OP_IMDS_TOKEN;
	else if (is_get && strcmp(p, roles) == 0)
		req->op = OP_IMDS_ROLE;
	else if (is_get && is_below(p, roles))
		req->op = OP_IMDS_CREDS;
	else if (is_get && strcmp(p, "/latest/meta-data/placement/region") == 0)
		req->op = OP_IMDS_REGION;
	else if (is_get && is_below(p, "/_container/"))
		req->op = OP_CONTAINER;
	else if (is_get && strcmp(p, "/federation/credentials") == 0)
		req->op = OP_SSO_CREDS;
	else if (strcmp(p, "/token") == 0)
		req->op = OP_OIDC_TOKEN;
}

void
id_handle(struct cloud *c, struct request *req)
{
	if (settings_is_denied(&c->settings, req->op)) {
		req->fault = "denied";
		id_error(req, 403, "ForbiddenException", "No access");
		return;
	}
	switch (req->op) {
	case OP_CONTAINER:
		container_handle(c, req);
		break;
	case OP_SSO_CREDS:
	case OP_OIDC_TOKEN:
		sso_handle(c, req);
		break;
	default:
		imds_handle(c, req);
	}
}
