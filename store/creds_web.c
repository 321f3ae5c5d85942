/* A web identity is a token that somebody whom AWS trusts keeps writing into a
 * file: Kubernetes, a CI system, spiffe-helper. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/creds_providers.h"
#include "store/creds_role.h"
#include "store/sts.h"

#define TOKEN_MAX 20000 /* bytes, STS's own limit */

struct web {
	struct creds_setup setup;
	const char *profile;
	bool with_env;
};

static const char *
setting(const struct web *w, const char *env, const char *key)
{
	const char *v = w->with_env ? awsconf_env(w->setup.conf, env) : NULL;

	return v != NULL ? v : awsconf_get(w->setup.conf, w->profile, key);
}

/* The token, without the newline that an editor leaves. */
static int
read_token(const struct web *w, const char *setting_path, struct buf *ret,
    const char **ret_token, char why[CREDS_WHY_MAX])
{
	char *path = awsconf_path(w->setup.conf, setting_path), *s;
	int r = path != NULL ? buf_add_file(ret, path) : -ENOMEM;

	if (r == 0 && ret->len == 0)
		r = -ENODATA;
	if (r == 0 && (*ret_token = buf_str(ret)) == NULL)
		r = -ENOMEM;
	if (r < 0) {
		snprintf(why, CREDS_WHY_MAX, "%.160s: %s", setting_path,
		    r == -ENODATA ? "it is empty" : strerror(-r));
	} else {
		s = (char *)ret->ptr;
		while (ret->len > 0 && strchr(" \t\r\n", s[ret->len - 1]))
			s[--ret->len] = '\0';
	}
	free(path);
	/* It is configured: -ENOENT would mean that it is not. */
	return r == -ENOENT ? -EIO : r;
}

static int
assume(const struct web *w, const char *arn, const char *token,
    struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const char *name = setting(w, "AWS_ROLE_SESSION_NAME",
	    "role_session_name");
	char made[CREDS_ROLE_NAME_MAX];
	struct sts_opts o = { .region = w->setup.region,
		.endpoint_url = w->setup.sts_endpoint_url,
		.fips = w->setup.fips, .dual_stack = w->setup.dual_stack };
	struct sts_role role = { .arn = arn, .web_token = token };
	int r;

	creds_role_session_name(made);
	role.session_name = name != NULL ? name : made;
	if (o.region == NULL)
		o.region = CREDS_ROLE_REGION;
	if ((r = creds_role_duration(w->setup.conf, w->profile,
		 &role.duration_s, why)) < 0)
		return r;
	return sts_assume_role_with_web_identity(&o, w->setup.http,
	    w->setup.allow_http, &role, ret, why);
}

static int
web_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct web *w = arg;
	const char *path = setting(w, "AWS_WEB_IDENTITY_TOKEN_FILE",
	    "web_identity_token_file");
	const char *arn = setting(w, "AWS_ROLE_ARN", "role_arn");
	struct buf text = BUF_INIT(TOKEN_MAX);
	const char *token = "";
	int r;

	if (path == NULL) {
		snprintf(why, CREDS_WHY_MAX, "no token file is named");
		return -ENOENT;
	}
	if (arn == NULL) {
		snprintf(why, CREDS_WHY_MAX, "a token file is named, but no "
		    "role: AWS_ROLE_ARN, or role_arn of profile %.80s",
		    w->profile);
		return -EINVAL;
	}
	r = read_token(w, path, &text, &token, why);
	if (r == 0)
		r = assume(w, arn, token, ret, why);
	buf_free(&text);
	return r;
}

int
creds_web_provider(const struct creds_setup *setup, const char *profile,
    bool with_env, struct creds_provider *ret)
{
	struct web *w;

	if ((w = malloc(sizeof(*w))) == NULL)
		return -ENOMEM;
	*w = (struct web){ *setup, profile, with_env };
	*ret = (struct creds_provider){ .name = "web identity",
		.fetch = web_fetch, .free = free, .arg = w };
	return 0;
}
