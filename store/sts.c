#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypto/sigv4.h"
#include "store/awscause.h"
#include "store/creds_http.h"
#include "store/log.h"
#include "store/stamp.h"
#include "store/sts.h"
#include "store/xmltext.h"

#define FORM_MAX 65536 /* bytes of a request */
#define ATTEMPTS 3
#define TIMEOUT_MS 10000

static const struct pair form_header[] = {
	{ "content-type", "application/x-www-form-urlencoded" },
};

int
sts_endpoint(const struct sts_opts *o, struct endpoint *ret)
{
	return endpoint_choose(o->endpoint_url, "sts", o->region,
	    endpoint_flags(o->fips, o->dual_stack), ret);
}

static int
parse_identity(const struct http_reply *h, struct sts_identity *ret)
{
	const struct xmltext_want want[] = {
		{ "Account", ret->account, sizeof(ret->account) },
		{ "Arn", ret->arn, sizeof(ret->arn) },
	};
	int r = xmltext_get((struct slice){ h->body.ptr, h->body.len },
	    "GetCallerIdentityResponse", want, NELEMS(want));

	if (r == 0 && (strlen(ret->account) != 12 ||
	    strspn(ret->account, "0123456789") != 12 || ret->arn[0] == '\0'))
		r = -EPROTO;
	return r;
}

/* POST a form, signed. */
static int
call(const struct sts_opts *o, struct slice form, struct aws_reply *ret)
{
	struct endpoint e;
	const struct aws_request req = { .method = "POST", .endpoint = &e,
		.service = "sts", .region = o->region, .path = "/",
		.header = form_header, .header_len = NELEMS(form_header),
		.body = form, .op = AWS_STS, .max_body = 65536 };
	int r = sts_endpoint(o, &e);

	*ret = (struct aws_reply){ .http.status = 0 };
	if (r < 0)
		snprintf(ret->http.why, sizeof(ret->http.why),
		    "no proper endpoint or region");
	return r < 0 ? r : aws_call(o->aws, &req, ret);
}

int
sts_get_caller_identity(const struct sts_opts *o, struct sts_identity *ret)
{
	static const char body[] = "Action=GetCallerIdentity&"
				   "Version=2011-06-15";
	struct aws_reply reply;
	char why[AWS_WHY_MAX];
	int r;

	*ret = (struct sts_identity){ .account = "" };
	r = call(o, (struct slice){ (const uint8_t *)body, sizeof(body) - 1 },
	    &reply);
	if (r < 0)
		log_err(r, "sts: get caller identity: %s%s",
		    aws_why_not(&reply, "sts:GetCallerIdentity", why,
			sizeof(why)), endpoint_doubt(r,
		    endpoint_flags(o->fips, o->dual_stack)));
	else if ((r = parse_identity(&reply.http, ret)) < 0)
		log_err(r, "sts: get caller identity: malformed reply "
		    "(request %s)", reply.error.request_id);
	aws_reply_free(&reply);
	return r;
}

/* ---- roles ---- */

static int
add(struct buf *form, const char *name, const char *value)
{
	size_t room;
	int64_t n;
	int r;

	if (value == NULL)
		return 0;
	room = 3 * strlen(value) + 1;
	if ((r = buf_printf(form, "&%s=", name)) < 0 ||
	    (r = buf_reserve(form, room)) < 0)
		return r;
	n = sigv4_encode(value, strlen(value), false,
	    (char *)form->ptr + form->len, room);
	if (n < 0)
		return (int)n;
	form->len += (size_t)n;
	return 0;
}

static int
make_form(const struct sts_role *role, struct buf *form)
{
	char duration[16];
	int r;

	snprintf(duration, sizeof(duration), "%u", role->duration_s);
	if ((r = buf_printf(form, "Action=AssumeRole%s&Version=2011-06-15",
		 role->web_token != NULL ? "WithWebIdentity" : "")) < 0 ||
	    (r = add(form, "RoleArn", role->arn)) < 0 ||
	    (r = add(form, "RoleSessionName", role->session_name)) < 0 ||
	    (r = add(form, "ExternalId", role->external_id)) < 0 ||
	    (r = add(form, "SerialNumber", role->mfa_serial)) < 0 ||
	    (r = add(form, "TokenCode", role->mfa_code)) < 0 ||
	    (r = add(form, "WebIdentityToken", role->web_token)) < 0)
		return r;
	return role->duration_s == 0 ? 0 :
	    add(form, "DurationSeconds", duration);
}

/* xmltext_get() cuts what is too long: that is no secret of use. */
static bool
is_whole(const char *s, size_t size)
{
	return s[0] != '\0' && strlen(s) < size - 1;
}

int
sts_parse_credentials(struct slice xml, struct creds_value *ret)
{
	char expires[64] = "";
	const struct xmltext_want want[] = {
		{ "AccessKeyId", ret->key_id, sizeof(ret->key_id) },
		{ "SecretAccessKey", ret->secret, sizeof(ret->secret) },
		{ "SessionToken", ret->token, sizeof(ret->token) },
		{ "Expiration", expires, sizeof(expires) },
	};

	memset(ret, 0, sizeof(*ret));
	if ((xmltext_get(xml, "AssumeRoleResponse", want, NELEMS(want)) == 0 ||
		xmltext_get(xml, "AssumeRoleWithWebIdentityResponse", want,
		    NELEMS(want)) == 0) &&
	    is_whole(ret->key_id, sizeof(ret->key_id)) &&
	    is_whole(ret->secret, sizeof(ret->secret)) &&
	    is_whole(ret->token, sizeof(ret->token)) &&
	    stamp_parse_iso(expires, &ret->expires_unix) == 0 &&
	    ret->expires_unix > 0)
		return 0;
	creds_value_wipe(ret);
	return -EPROTO;
}

static int
take_credentials(const struct http_reply *h, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	int r = sts_parse_credentials((struct slice){ h->body.ptr,
	    h->body.len }, ret);

	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "a malformed answer of STS");
	return r;
}

/* What to do about a role that STS does not give. */
static const char *
role_advice(const struct awserr *e, bool is_web)
{
	const struct awscause *c = awscause_of(e->code);

	if (is_web && strcmp(e->code, "ExpiredTokenException") == 0)
		return "have the token in its file renewed";
	if (strcmp(e->code, "InvalidIdentityToken") == 0)
		return "IAM must know the identity provider that made the "
		    "token, and its audience";
	if (strstr(e->message, "MultiFactorAuthentication") != NULL)
		return "give the code that the device of mfa_serial shows "
		    "now; each is good once";
	if (strcmp(e->code, "AccessDenied") == 0)
		return is_web ? "the role's trust policy must allow "
		    "sts:AssumeRoleWithWebIdentity to this provider, audience "
		    "and subject" : "allow sts:AssumeRole on the role, and "
		    "see its trust policy: whom it trusts, with which "
		    "external_id, whether with mfa_serial";
	return c != NULL ? c->advice : NULL;
}

static void
advise(const struct awserr *e, bool is_web, char why[CREDS_WHY_MAX])
{
	const char *advice = role_advice(e, is_web);
	size_t len = strlen(why);

	if (advice != NULL)
		snprintf(why + len, CREDS_WHY_MAX - len, "; %s", advice);
}

static void
explain(const struct aws_reply *reply, char why[CREDS_WHY_MAX])
{
	const struct awserr *e = &reply->error;

	if (e->status == 0)
		snprintf(why, CREDS_WHY_MAX, "STS: %.240s", reply->http.why);
	else
		snprintf(why, CREDS_WHY_MAX, "STS: %s: %.300s (request %s)",
		    e->code, e->message, e->request_id);
	advise(e, false, why);
}

int
sts_assume_role(const struct sts_opts *o, const struct sts_role *role,
    struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct buf form = BUF_INIT(FORM_MAX);
	struct aws_reply reply = { .http.status = 0 };
	int r = make_form(role, &form);

	if (r == 0) {
		r = call(o, (struct slice){ form.ptr, form.len }, &reply);
		if (r < 0)
			explain(&reply, why);
		else
			r = take_credentials(&reply.http, ret, why);
	}
	buf_free(&form);
	aws_reply_free(&reply);
	return r;
}

int
sts_assume_role_with_web_identity(const struct sts_opts *o, struct http *http,
    bool allow_http, const struct sts_role *role, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	struct buf form = BUF_INIT(FORM_MAX);
	struct http_reply reply = { .status = 0 };
	struct awserr error;
	struct endpoint e;
	struct creds_http c = { .http = http, .endpoint = &e, .method = "POST",
		.path = "/", .header = form_header,
		.header_len = NELEMS(form_header), .attempts = ATTEMPTS,
		.timeout_ms = TIMEOUT_MS };
	int r;

	if ((r = sts_endpoint(o, &e)) == 0 &&
	    (r = creds_http_may(&e, allow_http, why)) == 0 &&
	    (r = make_form(role, &form)) == 0) {
		c.body = (struct slice){ form.ptr, form.len };
		r = creds_http(&c, &reply, why);
		if (r == 0 && reply.status != 200) {
			r = creds_http_refused(&reply, why);
			awserr_parse(&reply, &error);
			advise(&error, true, why);
		} else if (r == 0) {
			r = take_credentials(&reply, ret, why);
		}
	}
	buf_free(&form);
	http_reply_free(&reply);
	return r;
}
