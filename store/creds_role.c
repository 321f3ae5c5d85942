/* A profile with a role says whose credentials it is assumed with: those of
 * another profile, which may have a role itself, its own static keys, or those
 * of a place (credential_source). Each step has credentials of its own, kept
 * while they last, so that a renewal asks only for what has run out. The region
 * of STS is the one in use; on an instance without any the instance's;
 * else us-east-1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ask.h"
#include "store/creds_providers.h"
#include "store/creds_role.h"
#include "store/imds.h"
#include "store/stamp.h"
#include "store/sts.h"

#define DURATION_MIN 900
#define DURATION_MAX 43200
#define DEADLINE_MS 30000

struct creds_role {
	struct creds_setup setup;
	const char *profile;
	const struct creds_role *for_whom; /* who asks for it, or NULL */
	struct creds *source; /* made by the first fetch, as is: */
	struct aws *aws;
	char region[ENDPOINT_REGION_MAX];
};

bool
creds_role_is(const struct awsconf *conf, const char *profile)
{
	return awsconf_get(conf, profile, "role_arn") != NULL &&
	    awsconf_get(conf, profile, "web_identity_token_file") == NULL;
}

void
creds_role_session_name(char ret[CREDS_ROLE_NAME_MAX])
{
	snprintf(ret, CREDS_ROLE_NAME_MAX, "sesfs-%lld",
	    (long long)stamp_now_unix());
}

int
creds_role_duration(const struct awsconf *conf, const char *profile,
    unsigned *ret, char why[CREDS_WHY_MAX])
{
	const char *v = awsconf_get(conf, profile, "duration_seconds");
	char *end;
	long n;

	*ret = 0;
	if (v == NULL)
		return 0;
	n = strtol(v, &end, 10);
	if (end == v || *end != '\0' || n < DURATION_MIN || n > DURATION_MAX) {
		snprintf(why, CREDS_WHY_MAX, "profile %.80s: duration_seconds "
		    "is not a number from %d to %d", profile, DURATION_MIN,
		    DURATION_MAX);
		return -EINVAL;
	}
	*ret = (unsigned)n;
	return 0;
}

/* ---- the source ---- */

static bool
has_keys(const struct awsconf *conf, const char *profile)
{
	return awsconf_get(conf, profile, "aws_access_key_id") != NULL;
}

/* Has the chain been at this profile? Its own keys are no step. */
static bool
is_circle(const struct creds_role *role, const char *source)
{
	if (strcmp(role->profile, source) == 0)
		return !has_keys(role->setup.conf, source);
	for (const struct creds_role *r = role; r != NULL; r = r->for_whom)
		if (strcmp(r->profile, source) == 0)
			return true;
	return false;
}

static int
refuse_circle(const struct creds_role *role, const char *source,
    char why[CREDS_WHY_MAX])
{
	char list[CREDS_WHY_MAX], more[CREDS_WHY_MAX];

	snprintf(list, sizeof(list), "%.60s", source);
	for (const struct creds_role *r = role; r != NULL; r = r->for_whom) {
		snprintf(more, sizeof(more), "%.60s, %.120s", r->profile, list);
		memcpy(list, more, sizeof(list));
	}
	snprintf(why, CREDS_WHY_MAX, "source_profile goes in a circle: %.200s",
	    list);
	return -EINVAL;
}

/* The places that credential_source may name, as botocore spells them. */
static int
source_of_place(struct creds_role *role, const char *place,
    char why[CREDS_WHY_MAX])
{
	struct creds_provider p;
	int r;

	if (strcmp(place, "Environment") == 0) {
		r = creds_env_provider(role->setup.conf, &p);
	} else if (strcmp(place, "EcsContainer") == 0) {
		r = creds_container_provider(&role->setup, &p);
	} else if (strcmp(place, "Ec2InstanceMetadata") == 0) {
		r = creds_imds_provider(&role->setup, true, &p);
	} else {
		snprintf(why, CREDS_WHY_MAX, "credential_source is none of "
		    "Environment, EcsContainer and Ec2InstanceMetadata");
		return -EINVAL;
	}
	return r < 0 ? r : creds_new(&(struct creds_opts){ .provider = &p,
	    .provider_len = 1, .is_lazy = true }, &role->source);
}

static int
source_of_profile(struct creds_role *role, const char *source,
    char why[CREDS_WHY_MAX])
{
	if (is_circle(role, source))
		return refuse_circle(role, source, why);
	if (!awsconf_has_profile(role->setup.conf, source)) {
		snprintf(why, CREDS_WHY_MAX, "its source_profile %.80s is not "
		    "there", source);
		return -EINVAL;
	}
	return creds_new_profile(&role->setup, source, role, &role->source);
}

static int
open_source(struct creds_role *role, char why[CREDS_WHY_MAX])
{
	const struct awsconf *conf = role->setup.conf;
	const char *source = awsconf_get(conf, role->profile,
	    "source_profile");
	const char *place = awsconf_get(conf, role->profile,
	    "credential_source");

	if ((source != NULL) == (place != NULL)) {
		snprintf(why, CREDS_WHY_MAX, "it has %s source_profile %s "
		    "credential_source", source != NULL ? "both" : "neither",
		    source != NULL ? "and" : "nor");
		return -EINVAL;
	}
	return source != NULL ? source_of_profile(role, source, why) :
	    source_of_place(role, place, why);
}

static void
settle_region(struct creds_role *role)
{
	const char *place = awsconf_get(role->setup.conf, role->profile,
	    "credential_source");
	char why[CREDS_WHY_MAX];

	if (role->setup.region != NULL)
		snprintf(role->region, sizeof(role->region), "%s",
		    role->setup.region);
	else if (place == NULL || strcmp(place, "Ec2InstanceMetadata") != 0 ||
	    imds_region(&role->setup, role->region, why) < 0)
		strcpy(role->region, CREDS_ROLE_REGION);
}

static int
prepare(struct creds_role *role, char why[CREDS_WHY_MAX])
{
	struct aws_opts o = { .http = role->setup.http,
		.deadline_ms = DEADLINE_MS,
		.allow_http = role->setup.allow_http };
	int r;

	if (role->source == NULL && (r = open_source(role, why)) < 0)
		return r;
	if (role->region[0] == '\0')
		settle_region(role);
	o.creds = role->source;
	return role->aws != NULL ? 0 : aws_new(&o, &role->aws);
}

/* ---- the role ---- */

static int
ask_code(const struct creds_role *role, const char *serial,
    char ret[ASK_MAX], char why[CREDS_WHY_MAX])
{
	char prompt[256];

	snprintf(prompt, sizeof(prompt), "MFA code for %.160s: ", serial);
	return ask(role->setup.conf, prompt, ret, why);
}

static int
assume(const struct creds_role *role, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	const struct creds_setup *s = &role->setup;
	const struct sts_opts o = { .aws = role->aws, .region = role->region,
		.endpoint_url = s->sts_endpoint_url, .fips = s->fips,
		.dual_stack = s->dual_stack };
	const char *name = awsconf_get(s->conf, role->profile,
	    "role_session_name");
	char made[CREDS_ROLE_NAME_MAX], code[ASK_MAX] = "";
	struct sts_role r = {
		.arn = awsconf_get(s->conf, role->profile, "role_arn"),
		.external_id = awsconf_get(s->conf, role->profile,
		    "external_id"),
		.mfa_serial = awsconf_get(s->conf, role->profile,
		    "mfa_serial"),
	};
	int err;

	creds_role_session_name(made);
	r.session_name = name != NULL ? name : made;
	if ((err = creds_role_duration(s->conf, role->profile, &r.duration_s,
		 why)) < 0 ||
	    (r.mfa_serial != NULL &&
		(err = ask_code(role, r.mfa_serial, code, why)) < 0))
		return err;
	r.mfa_code = r.mfa_serial != NULL ? code : NULL;
	return sts_assume_role(&o, &r, ret, why);
}

/* Why the source has none is the reason that this has none. */
static int
check_source(struct creds_role *role, char why[CREDS_WHY_MAX])
{
	struct creds_value v;
	char reason[CREDS_WHY_MAX];
	int r = creds_get(role->source, &v);

	creds_value_wipe(&v);
	if (r == 0)
		return 0;
	r = creds_failure(role->source, reason);
	snprintf(why, CREDS_WHY_MAX, "its source: %.*s",
	    CREDS_WHY_MAX - 16, reason);
	return r == -ENOENT || r == 0 ? -EACCES : r;
}

static int
role_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct creds_role *role = arg;
	int r;

	if (!creds_role_is(role->setup.conf, role->profile)) {
		snprintf(why, CREDS_WHY_MAX, "it has no role_arn");
		return -ENOENT;
	}
	if ((r = prepare(role, why)) < 0 ||
	    (r = check_source(role, why)) < 0)
		return r == -ENOENT ? -EINVAL : r;
	r = assume(role, ret, why);
	return r == -ENOENT ? -EIO : r;
}

static void
role_free(void *arg)
{
	struct creds_role *role = arg;

	aws_free(role->aws);
	creds_free(role->source);
	free(role);
}

/* Does any step from here on want a code? */
static bool
wants_code(const struct awsconf *conf, const char *profile)
{
	for (int i = 0; i < CREDS_PROVIDERS_MAX && profile != NULL &&
	     creds_role_is(conf, profile); i++) {
		if (awsconf_get(conf, profile, "mfa_serial") != NULL)
			return true;
		profile = awsconf_get(conf, profile, "source_profile");
	}
	return false;
}

int
creds_role_provider(const struct creds_setup *setup, const char *profile,
    const struct creds_role *for_whom, struct creds_provider *ret)
{
	struct creds_role *role;

	if ((role = calloc(1, sizeof(*role))) == NULL)
		return -ENOMEM;
	role->setup = *setup;
	role->profile = profile;
	role->for_whom = for_whom;
	*ret = (struct creds_provider){ .fetch = role_fetch, .free = role_free,
		.arg = role,
		.may_ask = wants_code(setup->conf, profile) };
	snprintf(ret->name, sizeof(ret->name), "role of profile %.60s",
	    profile);
	return 0;
}
