/* The commands under /_cloud/, for tests with plain curl: not signed, so only
 * for loopback, where the server listens. */
#include "admin.h"

#include "identity.h"
#include "kms.h"
#include "permit.h"
#include "sqs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
admin_say(struct request *req, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	reply_reset(req, status);
	reply_header(req, "Content-Type", "text/plain");
	buf_fmt(&req->reply.body, "%s\n", text);
}

const char *
admin_need(struct request *req, const char *name)
{
	const char *v = request_query(req, name);

	if (v == NULL)
		admin_say(req, 400, "%s: needed", name);
	return v;
}

static struct buf *
say_json(struct request *req)
{
	reply_reset(req, 200);
	reply_header(req, "Content-Type", "application/json");
	return &req->reply.body;
}

static void
help(struct cloud *c, struct request *req)
{
	admin_say(req, 200, "sesfs-cloud");
	admin_help(&req->reply.body);
}

/* Credentials are settings too, but not numbers. */
static bool
set_credential(struct cloud *c, const char *name, const char *value)
{
	if (strcmp(name, "access_key") == 0)
		auth_set(c->auth, value, NULL, NULL);
	else if (strcmp(name, "secret_key") == 0)
		auth_set(c->auth, NULL, value, NULL);
	else if (strcmp(name, "session_token") == 0)
		auth_set(c->auth, NULL, NULL, value);
	else if (strcmp(name, "token_expired") == 0)
		auth_set_expired(c->auth, strcmp(value, "0") != 0);
	else if (strcmp(name, "end_sessions") == 0)
		auth_end_sessions(c->auth, cloud_now(c));
	else
		return identity_set(c->identity, name, value);
	return true;
}

static bool
set_pairs(struct cloud *c, struct request *req, const struct pair *p, size_t n)
{
	char why[128];

	for (size_t i = 0; i < n; i++) {
		if (!set_credential(c, p[i].name, p[i].value) &&
		    settings_set(&c->settings, p[i].name, p[i].value, why) <
			0) {
			admin_say(req, 400, "%s", why);
			return false;
		}
	}
	return true;
}

static void
set(struct cloud *c, struct request *req)
{
	struct request *form;
	struct buf target = { 0 };

	buf_str(&target, "/?");
	buf_add(&target, req->body.p, req->body.len);
	form = request_new(target.p);
	buf_free(&target);
	if (form->path == NULL)
		admin_say(req, 400, "the form is malformed");
	else if (set_pairs(c, req, req->query, req->nquery) &&
	    set_pairs(c, req, form->query, form->nquery))
		settings_json(&c->settings, say_json(req));
	request_free(form);
}

static void
settings(struct cloud *c, struct request *req)
{
	settings_json(&c->settings, say_json(req));
}

static void
reset(struct cloud *c, struct request *req)
{
	settings_reset(&c->settings);
	auth_set_expired(c->auth, false);
	identity_reset(c->identity);
	permits_reset(c->permits);
	settings(c, req);
}

static void
counters(struct cloud *c, struct request *req)
{
	journal_counters(c->journal, say_json(req));
}

static void
reset_counters(struct cloud *c, struct request *req)
{
	journal_reset(c->journal);
	admin_say(req, 200, "ok");
}

static void
show_log(struct cloud *c, struct request *req)
{
	const char *n = request_query(req, "n");

	journal_log(c->journal, n != NULL ? strtoul(n, NULL, 10) : 100,
	    say_json(req));
}

static bool
fits(struct request *req, const char *name, char *to, size_t size)
{
	const char *v = request_query(req, name);

	if (v == NULL)
		return true;
	if (strlen(v) >= size) {
		admin_say(req, 400, "%s: too long", name);
		return false;
	}
	strcpy(to, v);
	return true;
}

static void
bucket(struct cloud *c, struct request *req)
{
	const char *name = admin_need(req, "bucket");
	const char *pays = request_query(req, "requester_pays");
	struct bucket_info info;

	if (name == NULL)
		return;
	cloud_need_bucket(c, name);
	if (store_info(c->store, name, &info) < 0) {
		admin_say(req, 400, "bucket: no name for one");
		return;
	}
	if (!fits(req, "region", info.region, sizeof info.region) ||
	    !fits(req, "owner", info.owner, sizeof info.owner) ||
	    !fits(req, "access_point", info.access_point,
		sizeof info.access_point))
		return;
	if (pays != NULL)
		info.requester_pays = strcmp(pays, "0") != 0;
	if (store_alter(c->store, &info) < 0)
		admin_say(req, 404, "no such bucket");
	else
		admin_say(req, 200, "%s region=%s owner=%s requester_pays=%d",
		    info.name, info.region, info.owner, info.requester_pays);
}

static void
kms(struct cloud *c, struct request *req)
{
	const char *key = request_query(req, "key");
	const char *enabled = request_query(req, "enabled");
	const char *alias = request_query(req, "alias");
	const char *usage = request_query(req, "usage");

	if (key != NULL && (kms_add_key(c->kms, key) < 0 ||
			       (enabled != NULL && kms_enable(c->kms, key,
				    strcmp(enabled, "0") != 0) < 0) ||
			       (usage != NULL &&
				   kms_set_usage(c->kms, key, usage) < 0) ||
			       (alias != NULL &&
				   kms_add_alias(c->kms, alias, key) < 0))) {
		admin_say(req, 400, "key: no key ARN, or too many; or alias: "
		    "no alias");
		return;
	}
	admin_say(req, 200, "keys:");
	kms_list(c->kms, &req->reply.body);
}

static void
policy(struct cloud *c, struct request *req)
{
	const char *principal = request_query(req, "principal");
	char why[IAM_WHY_MAX];

	if (permits_set(c->permits, principal != NULL ? principal : "user/test",
		req->body.p != NULL ? req->body.p : "", req->body.len,
		why) < 0)
		admin_say(req, 400, "policy: %s", why);
	else
		admin_say(req, 200, "ok");
}

static const struct {
	const char *name;
	bool changes; /* so it must be POST */
	void (*run)(struct cloud *c, struct request *req);
	const char *help;
} commands[] = {
	{ "help", false, help, "" },
	{ "settings", false, settings, "all settings, JSON" },
	{ "set", true, set, "NAME=VALUE&... -- settings, deny=ACTION, "
	    "allow=ACTION, access_key=, secret_key=, session_token=, "
	    "token_expired=0|1, end_sessions=1 (all temporary ones are expired), "
	    "texts (see below)" },
	{ "reset", true, reset, "all settings to their defaults, "
	    "and no policies" },
	{ "counters", false, counters, "requests by operation, JSON" },
	{ "reset-counters", true, reset_counters, "counters and log to zero" },
	{ "log", false, show_log, "n= -- the last requests, JSON" },
	{ "bucket", true, bucket,
	    "bucket=&region=&owner=&requester_pays=0|1&access_point=NAME-ACCOUNT"
	    " -- make or change" },
	{ "kms", true, kms,
	    "key=ARN&enabled=0|1&alias=&usage= -- make, change; list all" },
	{ "queue", true, sqs_admin_queue, "queue=&region=&policy=&visibility="
	    "&waiting=&hidden=&kms_key= -- make or change" },
	{ "policy", true, policy, "principal=user/test -- the body is the "
	    "IAM policy of the user, or of role/NAME; without one, all is "
	    "allowed" },
	{ "put", true, admin_put, "bucket=&key=&mtime= -- the body; "
	    "x-amz-meta-*, x-amz-storage-class, content-type and "
	    "last-modified headers" },
	{ "delete", true, admin_delete, "bucket=&key=" },
	{ "touch", true, admin_touch,
	    "bucket=&key=&mtime= -- as if written again" },
	{ "flip", true, admin_flip,
	    "bucket=&key=&offset= -- turn over the low bit of a byte" },
	{ "truncate", true, admin_truncate,
	    "bucket=&key=&size= -- keep the first bytes" },
	{ "meta", true, admin_meta,
	    "bucket=&key=&name=&value= -- set metadata; no value: remove" },
	{ "body", false, admin_body, "bucket=&key= -- what is stored" },
	{ "plain", false, admin_plain,
	    "bucket=&key= -- what it must decrypt to" },
	{ "manifest", false, admin_manifest, "bucket=&prefix=&after=&limit="
	    "&sha256=0|1 -- objects, JSON" },
	{ "generate", true, admin_generate, "see below" },
	{ "sso-login", true, identity_admin_login, "start_url=&life="
	    "&client_life= -- the JSON that awscli caches then" },
	{ "sso-logout", true, identity_admin_logout, "every token ends" },
	{ "vectors", true, admin_vectors, "path= -- load a file or folder" },
};

void
admin_help(struct buf *b)
{
	for (size_t i = 0; i < NELEMS(commands); i++)
		buf_fmt(b, "    %-4s %-14s %s\n",
		    commands[i].changes ? "POST" : "GET", commands[i].name,
		    commands[i].help);
}

void
admin_handle(struct cloud *c, struct request *req)
{
	const char *name = req->path != NULL ? req->path + strlen("/_cloud/")
					     : "";

	for (size_t i = 0; i < NELEMS(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (commands[i].changes && strcmp(req->method, "POST") != 0)
			admin_say(req, 405, "%s: use POST", name);
		else
			commands[i].run(c, req);
		return;
	}
	admin_say(req, 400, "no such command: %.100s", name);
	admin_help(&req->reply.body);
}
