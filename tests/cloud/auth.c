#include "auth.h"

#include "chunked.h"
#include "digest.h"
#include "stamp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SEALED "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define KEYS 16 /* derived signing keys kept: date x region x service */

struct cached_key {
	char scope[160]; /* access key/date/region/service */
	uint8_t key[SIGV4_KEY_LEN];
};

struct auth {
	pthread_mutex_t lock;
	char *access_key, *secret_key, *session_token; /* [lock] */
	bool expired; /* [lock] */
	struct sessions *sessions; /* constant */
	struct cached_key keys[KEYS]; /* [lock] */
	size_t next; /* [lock] slot to reuse */
};

struct auth *
auth_new(const char *access_key, const char *secret_key,
    const char *session_token)
{
	struct auth *auth = xcalloc(1, sizeof *auth);

	pthread_mutex_init(&auth->lock, NULL);
	auth->sessions = sessions_new();
	auth_set(auth, access_key, secret_key,
	    session_token != NULL ? session_token : "");
	return auth;
}

void
auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	pthread_mutex_destroy(&auth->lock);
	sessions_free(auth->sessions);
	free(auth->access_key);
	free(auth->secret_key);
	free(auth->session_token);
	free(auth);
}

static void
replace(char **p, const char *value)
{
	if (value == NULL)
		return;
	free(*p);
	*p = xstrdup(value);
}

void
auth_set(struct auth *auth, const char *access_key, const char *secret_key,
    const char *session_token)
{
	pthread_mutex_lock(&auth->lock);
	replace(&auth->access_key, access_key);
	replace(&auth->secret_key, secret_key);
	replace(&auth->session_token, session_token);
	memset(auth->keys, 0, sizeof auth->keys);
	pthread_mutex_unlock(&auth->lock);
}

void
auth_set_expired(struct auth *auth, bool expired)
{
	pthread_mutex_lock(&auth->lock);
	auth->expired = expired;
	pthread_mutex_unlock(&auth->lock);
}

void
auth_issue(struct auth *auth, const char *arn, int64_t now_unix,
    int64_t life_s, struct session *ret)
{
	sessions_issue(auth->sessions, arn, now_unix + life_s, ret);
}

void
auth_end_sessions(struct auth *auth, int64_t now_unix)
{
	sessions_end(auth->sessions, now_unix);
}

/* The signing key, from the cache when it is there. */
static void
key_locked(struct auth *auth, const struct sigv4_scope *scope,
    const char *secret, const char *name, uint8_t ret[SIGV4_KEY_LEN])
{
	struct cached_key *slot;

	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(auth->keys[i].scope, name) == 0) {
			memcpy(ret, auth->keys[i].key, SIGV4_KEY_LEN);
			return;
		}
	}
	sigv4_key(secret, scope, ret);
	if (strlen(name) >= sizeof slot->scope)
		return;
	slot = &auth->keys[auth->next++ % KEYS];
	strcpy(slot->scope, name);
	memcpy(slot->key, ret, SIGV4_KEY_LEN);
}

/* What is checked, gathered from the header or the query. */
struct claim {
	struct sigv4_auth sig;
	const char *amz_date;
	const char *token; /* NULL when none */
	const char *expires; /* seconds; presigned only */
	const char *payload;
	int64_t at_unix;
};

static enum auth_verdict
claim_from_query(struct request *req, struct claim *c)
{
	const char *cred = request_query(req, "X-Amz-Credential");

	c->sig.signed_headers = request_query(req, "X-Amz-SignedHeaders");
	c->sig.signature = request_query(req, "X-Amz-Signature");
	c->amz_date = request_query(req, "X-Amz-Date");
	c->expires = request_query(req, "X-Amz-Expires");
	c->token = request_query(req, "X-Amz-Security-Token");
	c->payload = "UNSIGNED-PAYLOAD";
	if (cred == NULL || c->sig.signed_headers == NULL ||
	    c->sig.signature == NULL || c->amz_date == NULL ||
	    c->expires == NULL ||
	    sigv4_parse_credential(&req->arena, cred, &c->sig) < 0)
		return AUTH_MALFORMED;
	return AUTH_OK;
}

static enum auth_verdict
claim_from_header(struct request *req, struct claim *c)
{
	const char *value = request_header(req, "authorization");
	char *amz_date;
	int64_t at;

	if (value == NULL)
		return AUTH_ANONYMOUS;
	if (sigv4_parse(&req->arena, value, &c->sig) < 0)
		return AUTH_MALFORMED;
	c->token = request_header(req, "x-amz-security-token");
	c->payload = request_header(req, "x-amz-content-sha256");
	c->amz_date = request_header(req, "x-amz-date");
	if (c->amz_date == NULL) {
		value = request_header(req, "date");
		if (value == NULL || stamp_parse_http(value, &at) < 0)
			return AUTH_MALFORMED;
		amz_date = arena_alloc(&req->arena, STAMP_LEN);
		stamp_amz(at, amz_date);
		c->amz_date = amz_date;
	}
	return AUTH_OK;
}

static enum auth_verdict
claim_read(struct request *req, struct claim *c)
{
	enum auth_verdict v;

	v = request_query(req, "X-Amz-Algorithm") != NULL
	    ? claim_from_query(req, c)
	    : claim_from_header(req, c);
	if (v != AUTH_OK)
		return v;
	if (stamp_parse_amz(c->amz_date, &c->at_unix) < 0 ||
	    strncmp(c->amz_date, c->sig.scope.date, 8) != 0)
		return AUTH_MALFORMED;
	return AUTH_OK;
}

void
auth_scope(struct request *req)
{
	static const struct {
		const char *name;
		enum service service;
	} services[] = {
		{ "s3", SERVICE_S3 },
		{ "kms", SERVICE_KMS },
		{ "sts", SERVICE_STS },
		{ "sqs", SERVICE_SQS },
	};
	struct claim c = { 0 };

	req->service = SERVICE_NONE;
	if (claim_read(req, &c) != AUTH_OK)
		return;
	req->region = c.sig.scope.region;
	for (size_t i = 0; i < NELEMS(services); i++)
		if (strcmp(c.sig.scope.service, services[i].name) == 0)
			req->service = services[i].service;
}

/* The same for credentials that were handed out. */
static enum auth_verdict
check_session(struct auth *auth, struct request *req, const struct claim *c,
    const struct session *have, int64_t now_unix, const char *scope,
    uint8_t key[SIGV4_KEY_LEN])
{
	if (c->token == NULL)
		return AUTH_UNKNOWN_KEY;
	if (strcmp(c->token, have->token) != 0)
		return AUTH_BAD_TOKEN;
	if (now_unix >= have->expires_unix)
		return AUTH_TOKEN_EXPIRED;
	req->caller = arena_fmt(&req->arena, "%s", have->arn);
	pthread_mutex_lock(&auth->lock);
	key_locked(auth, &c->sig.scope, have->secret, scope, key);
	pthread_mutex_unlock(&auth->lock);
	return AUTH_OK;
}

/* Is the key ours, and the token that goes with it? Fetches the signing key. */
static enum auth_verdict
check_caller(struct auth *auth, struct request *req, const struct claim *c,
    int64_t now_unix, uint8_t key[SIGV4_KEY_LEN])
{
	const struct sigv4_scope *s = &c->sig.scope;
	enum auth_verdict v = AUTH_OK;
	char *scope = arena_fmt(&req->arena, "%s/%s/%s/%s", c->sig.access_key,
	    s->date, s->region, s->service);
	struct session have;
	bool temporary;

	if (sessions_find(auth->sessions, c->sig.access_key, &have) == 0)
		return check_session(auth, req, c, &have, now_unix, scope,
		    key);

	pthread_mutex_lock(&auth->lock);
	temporary = *auth->session_token != '\0';
	if (strcmp(c->sig.access_key, auth->access_key) != 0 ||
	    (temporary && c->token == NULL))
		v = AUTH_UNKNOWN_KEY;
	else if (auth->expired)
		v = AUTH_TOKEN_EXPIRED;
	else if (c->token != NULL && strcmp(c->token, auth->session_token) != 0)
		v = AUTH_BAD_TOKEN;
	else
		key_locked(auth, s, auth->secret_key, scope, key);
	pthread_mutex_unlock(&auth->lock);
	return v;
}

static enum auth_verdict
check_time(const struct claim *c, int64_t now_unix)
{
	int64_t age = now_unix - c->at_unix;

	if (c->expires != NULL)
		return age < -AUTH_SKEW_MAX ? AUTH_SKEWED
		    : age > strtoll(c->expires, NULL, 10) ? AUTH_URL_EXPIRED
							  : AUTH_OK;
	return age > AUTH_SKEW_MAX || age < -AUTH_SKEW_MAX ? AUTH_SKEWED
							    : AUTH_OK;
}

static bool
is_signed(const char *signed_headers, const char *name)
{
	size_t len;

	for (const char *s = signed_headers;; s += len + 1) {
		len = strcspn(s, ";");
		if (strlen(name) == len && memcmp(s, name, len) == 0)
			return true;
		if (s[len] == '\0')
			return false;
	}
}

static bool
all_signed(const struct request *req, const char *signed_headers)
{
	if (!is_signed(signed_headers, "host"))
		return false;
	for (size_t i = 0; i < req->nheaders; i++)
		if (strncmp(req->headers[i].name, "x-amz-", 6) == 0 &&
		    !is_signed(signed_headers, req->headers[i].name))
			return false;
	return true;
}

static enum auth_verdict
check_signature(struct request *req, const struct claim *c,
    const uint8_t key[SIGV4_KEY_LEN], struct auth_result *ret)
{
	struct sigv4_message m = { req->method, req->path, req->query,
		req->nquery, req->headers, req->nheaders, c->payload };
	struct buf canonical = { 0 }, to_sign = { 0 };
	char want[SIGV4_HEX_LEN + 1] = "";
	enum auth_verdict v = AUTH_OK;

	if (sigv4_canonical(&m, c->sig.signed_headers, &canonical) == 0) {
		sigv4_string_to_sign(c->amz_date, &c->sig.scope, &canonical,
		    &to_sign);
		sigv4_signature(key, &to_sign, want);
	}
	if (strcmp(want, c->sig.signature) != 0) {
		v = AUTH_BAD_SIGNATURE;
		ret->canonical = arena_str(&req->arena, canonical.p,
		    canonical.len);
		ret->string_to_sign = arena_str(&req->arena, to_sign.p,
		    to_sign.len);
	}
	buf_free(&canonical);
	buf_free(&to_sign);
	return v;
}

/* A body in signed or unsigned chunks is replaced by what it carries. */
static enum auth_verdict
check_chunks(struct request *req, const struct claim *c,
    const uint8_t key[SIGV4_KEY_LEN])
{
	struct chunk_seal seal = { key, c->amz_date, &c->sig.scope,
		c->sig.signature };
	bool is_sealed = strncmp(c->payload, SEALED, strlen(SEALED)) == 0;
	const char *len = request_header(req, "x-amz-decoded-content-length");
	struct buf plain = { 0 };
	bool ok;

	ok = chunked_decode(&req->body, is_sealed ? &seal : NULL,
		 &plain) == 0 &&
	    len != NULL && strtoull(len, NULL, 10) == plain.len;
	buf_free(&req->body);
	req->body = plain;
	return ok ? AUTH_OK : AUTH_BAD_SIGNATURE;
}

static enum auth_verdict
check_payload(struct request *req, const struct claim *c,
    const uint8_t key[SIGV4_KEY_LEN])
{
	char sum[2 * SHA256_LEN + 1];

	if (strncmp(c->payload, "STREAMING-", 10) == 0)
		return check_chunks(req, c, key);
	if (strcmp(c->payload, "UNSIGNED-PAYLOAD") == 0)
		return AUTH_OK;
	digest_sha256_hex(req->body.p, req->body.len, sum);
	return strcmp(sum, c->payload) == 0 ? AUTH_OK : AUTH_PAYLOAD_MISMATCH;
}

static enum auth_verdict
judge(struct auth *auth, struct request *req, int64_t now_unix,
    struct auth_result *ret)
{
	uint8_t key[SIGV4_KEY_LEN];
	struct claim c = { 0 };
	enum auth_verdict v;
	char *sum;

	v = claim_read(req, &c);
	ret->access_key = c.sig.access_key != NULL ? c.sig.access_key : "";
	if (v != AUTH_OK || (v = check_caller(auth, req, &c, now_unix, key)) != AUTH_OK ||
	    (v = check_time(&c, now_unix)) != AUTH_OK)
		return v;
	if (!all_signed(req, c.sig.signed_headers))
		return AUTH_UNSIGNED_HEADERS;
	if (c.payload == NULL && req->service == SERVICE_S3)
		return AUTH_NO_PAYLOAD_HASH;
	if (c.payload == NULL) {
		sum = arena_alloc(&req->arena, 2 * SHA256_LEN + 1);
		digest_sha256_hex(req->body.p, req->body.len, sum);
		c.payload = sum;
	}
	if ((v = check_signature(req, &c, key, ret)) != AUTH_OK)
		return v;
	return check_payload(req, &c, key);
}

void
auth_check(struct auth *auth, struct request *req, int64_t now_unix,
    struct auth_result *ret)
{
	*ret = (struct auth_result){ AUTH_OK, "", "", "" };
	ret->verdict = judge(auth, req, now_unix, ret);
}
