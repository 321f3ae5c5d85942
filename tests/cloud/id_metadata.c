/* What an instance and a container are told: IMDSv2 (never version 1) and the
 * endpoint of ECS and EKS. */
#include "identity.h"

#include <stdlib.h>
#include <string.h>

#define ROLE "instance"
#define TTL_MAX 21600 /* seconds */

/* IMDS answers in text. */
static void
say(struct request *req, int status, const char *text)
{
	reply_reset(req, status);
	reply_header(req, "Content-Type",
	    status == 200 ? "text/plain" : "text/html");
	buf_str(&req->reply.body, text);
}

static void
imds_token(struct cloud *c, struct request *req)
{
	const char *ttl = request_header(req,
	    "x-aws-ec2-metadata-token-ttl-seconds");
	long life = settings_get(&c->settings, SET_IMDS_TOKEN_LIFE), asked;
	char token[65], *end;

	if (strcmp(req->method, "PUT") != 0) {
		say(req, 405, "Method Not Allowed");
		return;
	}
	/* Behind somebody's proxy it is not the instance that asks. */
	if (request_header(req, "x-forwarded-for") != NULL) {
		say(req, 403, "Forbidden");
		return;
	}
	asked = ttl != NULL ? strtol(ttl, &end, 10) : 0;
	if (ttl == NULL || *end != '\0' || asked < 1 || asked > TTL_MAX) {
		say(req, 400, "Bad Request");
		return;
	}
	identity_add_imds(c->identity, cloud_now(c) +
	    (life > 0 ? life : asked), token);
	say(req, 200, token);
	reply_header(req, "x-aws-ec2-metadata-token-ttl-seconds", ttl);
}

static void
imds_credentials(struct cloud *c, struct request *req)
{
	json_t *o;

	if (strcmp(strrchr(req->path, '/'), "/" ROLE) != 0) {
		say(req, 404, "Not Found");
		return;
	}
	o = id_credentials(c, ROLE, settings_get(&c->settings, SET_IMDS_LIFE));
	json_object_set_new(o, "Code", json_string("Success"));
	json_object_set_new(o, "Type", json_string("AWS-HMAC"));
	id_answer(req, 200, o);
}

void
imds_handle(struct cloud *c, struct request *req)
{
	bool has_role = settings_get(&c->settings, SET_IMDS_ROLE) != 0;

	if (req->op == OP_IMDS_TOKEN)
		imds_token(c, req);
	else if (!identity_has_imds(c->identity,
		     request_header(req, "x-aws-ec2-metadata-token"),
		     cloud_now(c)))
		say(req, 401, "Unauthorized");
	else if (req->op == OP_IMDS_REGION)
		say(req, 200, c->region);
	else if (req->op == OP_IMDS_ROLE && has_role)
		say(req, 200, ROLE);
	else if (req->op == OP_IMDS_CREDS && has_role)
		imds_credentials(c, req);
	else
		say(req, 404, "Not Found");
}

void
container_handle(struct cloud *c, struct request *req)
{
	const char *token = request_header(req, "authorization");
	bool is_locked = strcmp(req->path, "/_container/locked") == 0;

	if (!is_locked && strcmp(req->path, "/_container/open") != 0)
		id_error(req, 404, "NotFound", "no such credentials");
	else if (is_locked &&
	    !identity_is(c->identity, ID_CONTAINER_TOKEN, token))
		id_error(req, 401, "Unauthorized", "Authorization is wrong");
	else
		id_answer(req, 200, id_credentials(c, "container",
		    settings_get(&c->settings, SET_CONTAINER_LIFE)));
}
