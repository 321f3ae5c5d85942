/* IAM Identity Center: the portal's GetRoleCredentials and OIDC's CreateToken
 * with a refresh token. */
#include "identity.h"

#include "stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROLE "Mail"

static void
get_role_credentials(struct cloud *c, struct request *req)
{
	const char *role = request_query(req, "role_name");
	const char *account = request_query(req, "account_id");
	const char *token = request_header(req, "x-amz-sso_bearer_token");
	struct session s;
	char *arn;

	if (role == NULL || account == NULL || token == NULL) {
		id_error(req, 400, "InvalidRequestException",
		    "a parameter is missing");
		return;
	}
	if (!identity_has_access(c->identity, token, cloud_now(c))) {
		id_error(req, 401, "UnauthorizedException",
		    "Session token not found or invalid");
		return;
	}
	if (strcmp(role, ROLE) != 0 || strcmp(account, c->account) != 0) {
		id_error(req, 403, "ForbiddenException", "No access");
		return;
	}
	arn = arena_fmt(&req->arena, "arn:aws:sts::%s:assumed-role/"
	    "AWSReservedSSO_%s_0123456789abcdef/alice", c->account, role);
	auth_issue(c->auth, arn, cloud_now(c),
	    settings_get(&c->settings, SET_SSO_LIFE), &s);
	id_answer(req, 200, json_pack("{s:{s:s, s:s, s:s, s:I}}",
	    "roleCredentials", "accessKeyId", s.access_key,
	    "secretAccessKey", s.secret, "sessionToken", s.token,
	    "expiration", (json_int_t)s.expires_unix * 1000));
}

static void
take(const json_t *in, const char *name, char ret[65])
{
	const char *s = json_string_value(json_object_get(in, name));

	snprintf(ret, 65, "%s", s != NULL ? s : "");
}

static void
create_token(struct cloud *c, struct request *req)
{
	json_t *in = json_loadb(req->body.p != NULL ? req->body.p : "",
	    req->body.len, JSON_REJECT_DUPLICATES, NULL);
	const char *grant = json_string_value(json_object_get(in,
	    "grantType"));
	long life = settings_get(&c->settings, SET_SSO_TOKEN_LIFE);
	struct id_login asked = { "" }, made;
	int r = -ENOTSUP;

	take(in, "clientId", asked.client_id);
	take(in, "clientSecret", asked.client_secret);
	take(in, "refreshToken", asked.refresh);
	if (grant != NULL && strcmp(grant, "refresh_token") == 0)
		r = identity_refresh(c->identity, &asked, cloud_now(c), life,
		    &made);
	json_decref(in);
	if (r == -ENOTSUP)
		id_error(req, 400, "unsupported_grant_type", "not known here");
	else if (r == -EPERM)
		id_error(req, 401, "invalid_client", "no such client");
	else if (r < 0)
		id_error(req, 400, "invalid_grant", "Invalid refresh token");
	else
		id_answer(req, 200, json_pack("{s:s, s:s, s:I, s:s}",
		    "accessToken", made.access, "tokenType", "Bearer",
		    "expiresIn", (json_int_t)life,
		    "refreshToken", made.refresh));
}

void
sso_handle(struct cloud *c, struct request *req)
{
	if (req->op == OP_SSO_CREDS)
		get_role_credentials(c, req);
	else
		create_token(c, req);
}

static int64_t
number(struct request *req, const char *name, int64_t otherwise)
{
	const char *v = request_query(req, name);

	return v != NULL ? strtoll(v, NULL, 10) : otherwise;
}

static json_t *
stamp(int64_t at_unix)
{
	char at[STAMP_LEN];

	stamp_iso(at_unix, at);
	strcpy(strchr(at, '.'), "Z");
	return json_string(at);
}

/* The file that awscli would now write. */
void
identity_admin_login(struct cloud *c, struct request *req)
{
	const char *url = request_query(req, "start_url");
	struct id_login l;
	json_t *o;

	identity_login(c->identity, cloud_now(c), number(req, "life", 3600),
	    number(req, "client_life", 86400), &l);
	o = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:s}",
	    "startUrl", url != NULL ? url : "https://example.awsapps.com/start",
	    "region", c->region, "accessToken", l.access,
	    "expiresAt", stamp(l.expires_unix),
	    "clientId", l.client_id, "clientSecret", l.client_secret,
	    "registrationExpiresAt", stamp(l.client_expires_unix),
	    "refreshToken", l.refresh);
	id_answer(req, 200, o);
}

void
identity_admin_logout(struct cloud *c, struct request *req)
{
	identity_logout(c->identity);
	id_answer(req, 200, json_object());
}
