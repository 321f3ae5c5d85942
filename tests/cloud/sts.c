/* The STS service: GetCallerIdentity, and the ways to a role. */
#include "identity.h"
#include "permit.h"

#include <string.h>

#define STS_NS "https://sts.amazonaws.com/doc/2011-06-15/"

struct buf *
sts_xml(struct request *req, int status)
{
	reply_reset(req, status);
	reply_header(req, "Content-Type", "text/xml");
	return &req->reply.body;
}

void
sts_error(struct request *req, int status, const char *code,
    const char *message)
{
	struct buf *b = sts_xml(req, status);

	buf_str(b, "<ErrorResponse xmlns=\"" STS_NS "\"><Error><Type>Sender"
	    "</Type>");
	buf_element(b, "Code", code);
	buf_element(b, "Message", message);
	buf_fmt(b, "</Error><RequestId>%016llx</RequestId></ErrorResponse>",
	    (unsigned long long)req->serial);
}

void
sts_auth_error(struct request *req, const struct auth_result *why)
{
	static const struct {
		int status;
		const char *code;
	} errors[] = {
		[AUTH_ANONYMOUS] = { 403, "MissingAuthenticationToken" },
		[AUTH_MALFORMED] = { 400, "IncompleteSignature" },
		[AUTH_UNKNOWN_KEY] = { 403, "InvalidClientTokenId" },
		[AUTH_BAD_SIGNATURE] = { 403, "SignatureDoesNotMatch" },
		[AUTH_UNSIGNED_HEADERS] = { 403, "SignatureDoesNotMatch" },
		[AUTH_SKEWED] = { 403, "SignatureDoesNotMatch" },
		[AUTH_URL_EXPIRED] = { 400, "RequestExpired" },
		[AUTH_BAD_TOKEN] = { 403, "InvalidClientTokenId" },
		[AUTH_TOKEN_EXPIRED] = { 403, "ExpiredToken" },
		[AUTH_NO_PAYLOAD_HASH] = { 400, "IncompleteSignature" },
		[AUTH_PAYLOAD_MISMATCH] = { 403, "SignatureDoesNotMatch" },
	};

	sts_error(req, errors[why->verdict].status, errors[why->verdict].code,
	    why->verdict == AUTH_SKEWED
		? "Signature expired: the clocks are too far apart"
		: "The request was not accepted as signed");
}

const char *
sts_form(struct request *req, const char *name)
{
	const char *s = req->body.p != NULL ? req->body.p : "";
	size_t len, name_len = strlen(name);

	for (; *s != '\0'; s += len + (s[len] != '\0')) {
		len = strcspn(s, "&");
		if (len > name_len && s[name_len] == '=' &&
		    memcmp(s, name, name_len) == 0)
			return buf_unescape(&req->arena, s + name_len + 1,
			    len - name_len - 1, true);
	}
	return request_query(req, name);
}

static enum op
op_of(struct request *req)
{
	static const struct {
		const char *name;
		enum op op;
	} actions[] = {
		{ "GetCallerIdentity", OP_STS_IDENTITY },
		{ "AssumeRole", OP_STS_ASSUME },
		{ "AssumeRoleWithWebIdentity", OP_STS_WEB },
	};
	const char *action = sts_form(req, "Action");
	const char *version = sts_form(req, "Version");

	for (size_t i = 0; i < NELEMS(actions) && action != NULL; i++)
		if (strcmp(action, actions[i].name) == 0 && version != NULL &&
		    strcmp(version, "2011-06-15") == 0)
			return actions[i].op;
	return OP_STS_OTHER;
}

void
sts_route(struct request *req)
{
	req->op = op_of(req);
}

/* The one operation that needs no signature. */
enum service
sts_unsigned(struct request *req)
{
	return strcmp(req->path, "/") == 0 && op_of(req) == OP_STS_WEB
	    ? SERVICE_STS
	    : SERVICE_NONE;
}

static void
identity(struct cloud *c, struct request *req)
{
	struct buf *b = sts_xml(req, 200);

	buf_str(b, "<GetCallerIdentityResponse xmlns=\"" STS_NS "\">"
	    "<GetCallerIdentityResult>");
	buf_element(b, "Arn", permit_caller(c, req));
	buf_fmt(b, "<UserId>AIDASESFSCLOUDTEST000</UserId><Account>%s</Account>"
	    "</GetCallerIdentityResult><ResponseMetadata><RequestId>%016llx"
	    "</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
	    c->account, (unsigned long long)req->serial);
}

/* Why not, or NULL. Who one is may be asked without any permission, unless a
 * setting denies it; a web identity is nobody yet. */
static const char *
denied(struct cloud *c, struct request *req)
{
	const char *role = sts_form(req, "RoleArn");
	const struct iam_ask ask = { .action = op_action(req->op),
		.resource = role != NULL ? role : "*" };

	if (req->op == OP_STS_ASSUME)
		return permit_refuses(c, req, &ask, ask.resource);
	if (!settings_is_denied(&c->settings, req->op))
		return NULL;
	req->fault = "denied";
	return "Access denied";
}

void
sts_handle(struct cloud *c, struct request *req)
{
	const char *why;

	if (req->op == OP_STS_OTHER) {
		sts_error(req, 400, "InvalidAction",
		    "Could not find the operation");
		return;
	}
	if ((why = denied(c, req)) != NULL) {
		sts_error(req, 403, "AccessDenied", why);
		return;
	}
	if (req->op == OP_STS_IDENTITY)
		identity(c, req);
	else
		sts_assume(c, req);
}
