/* The roles there are, and who may have them. */
#include "identity.h"

#include "permit.h"
#include "stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFE_MIN 900
#define LIFE_MAX 43200
#define LIFE_CHAINED_MAX 3600 /* of a role assumed by a role */
#define LIFE_USUAL 3600
#define SESSION_NAME_MAX 64

static void
invalid(struct request *req, const char *what)
{
	sts_error(req, 400, "ValidationError", arena_fmt(&req->arena,
	    "1 validation error detected: %s", what));
}

static void
denied(struct cloud *c, struct request *req, const char *role)
{
	/* What a role asks for besides is refused with other words. */
	if (sts_form(req, "TokenCode") != NULL) {
		sts_error(req, 403, "AccessDenied", "MultiFactorAuthentication "
		    "failed with invalid MFA one time pass code.");
		return;
	}
	sts_error(req, 403, "AccessDenied", arena_fmt(&req->arena,
	    "User: %s is not authorized to perform: %s on resource: %s",
	    permit_caller(c, req), op_action(req->op), role));
}

/* The name in a role's ARN of this account; NULL when it is none. */
static const char *
role_name(struct cloud *c, struct request *req, const char *arn)
{
	const char *prefix = arena_fmt(&req->arena, "arn:aws:iam::%s:role/",
	    c->account);

	return strncmp(arn, prefix, strlen(prefix)) == 0
	    ? arn + strlen(prefix)
	    : NULL;
}

/* Does the role let this caller in? Codes are used up only by their role. */
static bool
is_trusted(struct cloud *c, struct request *req, const char *role)
{
	const char *id = sts_form(req, "ExternalId");
	const char *serial = sts_form(req, "SerialNumber");
	const char *mail = arena_fmt(&req->arena,
	    "arn:aws:sts::%s:assumed-role/mail/", c->account);

	if (strcmp(role, "mail") == 0)
		return true;
	if (strcmp(role, "chained") == 0)
		return req->caller != NULL &&
		    strncmp(req->caller, mail, strlen(mail)) == 0;
	if (strcmp(role, "external") == 0)
		return id != NULL && strcmp(id, "ext-42") == 0;
	if (strcmp(role, "mfa") == 0)
		return serial != NULL &&
		    strcmp(serial, arena_fmt(&req->arena,
			"arn:aws:iam::%s:mfa/test", c->account)) == 0 &&
		    identity_take_code(c->identity,
			sts_form(req, "TokenCode"));
	return false;
}

/* Seconds, or 0 after an error reply. */
static int64_t
life(struct cloud *c, struct request *req)
{
	const char *asked = sts_form(req, "DurationSeconds");
	long set = settings_get(&c->settings, SET_STS_LIFE), v = LIFE_USUAL;
	char *end;

	if (asked != NULL) {
		v = strtol(asked, &end, 10);
		if (end == asked || *end != '\0' || v < LIFE_MIN ||
		    v > LIFE_MAX) {
			invalid(req, "durationSeconds is out of range");
			return 0;
		}
	}
	if (req->caller != NULL && v > LIFE_CHAINED_MAX) {
		invalid(req, "DurationSeconds exceeds the 1 hour session limit "
		    "for roles assumed by role chaining");
		return 0;
	}
	return set > 0 ? set : v;
}

static bool
is_session_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-");

	return s[n] == '\0' && n >= 2 && n <= SESSION_NAME_MAX;
}

static void
answer(struct cloud *c, struct request *req, const char *role,
    const char *name, int64_t life_s)
{
	const char *op = req->op == OP_STS_WEB ? "AssumeRoleWithWebIdentity"
					       : "AssumeRole";
	char at[STAMP_LEN];
	struct session s;
	struct buf *b;

	auth_issue(c->auth, arena_fmt(&req->arena,
	    "arn:aws:sts::%s:assumed-role/%s/%s", c->account, role, name),
	    cloud_now(c), life_s, &s);
	stamp_iso(s.expires_unix, at);
	strcpy(strchr(at, '.'), "Z");
	b = sts_xml(req, 200);
	buf_fmt(b, "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/"
	    "2011-06-15/\">\n  <%sResult>\n    <AssumedRoleUser>", op, op);
	buf_element(b, "AssumedRoleId", "AROASESFSCLOUD0000000:x");
	buf_element(b, "Arn", s.arn);
	buf_str(b, "</AssumedRoleUser>\n    <Credentials>");
	buf_element(b, "AccessKeyId", s.access_key);
	buf_element(b, "SecretAccessKey", s.secret);
	buf_element(b, "SessionToken", s.token);
	buf_element(b, "Expiration", at);
	buf_fmt(b, "</Credentials>\n  </%sResult>\n  <ResponseMetadata>"
	    "<RequestId>%016llx</RequestId></ResponseMetadata>\n"
	    "</%sResponse>\n", op, (unsigned long long)req->serial, op);
}

/* Is the web identity believed? Leaves the error. */
static bool
is_web_identity(struct cloud *c, struct request *req, const char *role)
{
	const char *token = sts_form(req, "WebIdentityToken");

	if (token == NULL ||
	    !identity_is(c->identity, ID_WEB_TOKEN, token))
		sts_error(req, 400, "InvalidIdentityToken",
		    "Couldn't retrieve verification key from your identity "
		    "provider");
	else if (!identity_is(c->identity, ID_WEB_EXPIRED, "0"))
		sts_error(req, 400, "ExpiredTokenException",
		    "Token expired: current date/time must be before it");
	else if (strcmp(role, "web") != 0)
		sts_error(req, 403, "AccessDenied", "Not authorized to perform "
		    "sts:AssumeRoleWithWebIdentity");
	else
		return true;
	return false;
}

void
sts_assume(struct cloud *c, struct request *req)
{
	const char *arn = sts_form(req, "RoleArn");
	const char *name = sts_form(req, "RoleSessionName");
	const char *role = arn != NULL ? role_name(c, req, arn) : NULL;
	int64_t life_s;

	if (arn == NULL || strncmp(arn, "arn:", 4) != 0)
		invalid(req, "roleArn");
	else if (name == NULL || !is_session_name(name))
		invalid(req, "roleSessionName");
	else if ((life_s = life(c, req)) == 0)
		return;
	else if (role == NULL)
		denied(c, req, arn);
	else if (req->op == OP_STS_WEB) {
		if (is_web_identity(c, req, role))
			answer(c, req, role, name, life_s);
	} else if (!is_trusted(c, req, role))
		denied(c, req, arn);
	else
		answer(c, req, role, name, life_s);
}
