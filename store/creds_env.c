#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/creds_providers.h"
#include "store/stamp.h"

static int
env_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct creds_value *v = arg;

	if (v->key_id[0] == '\0') {
		snprintf(why, CREDS_WHY_MAX, "AWS_ACCESS_KEY_ID is not set");
		return -ENOENT;
	}
	if (v->secret[0] == '\0') {
		snprintf(why, CREDS_WHY_MAX, "AWS_ACCESS_KEY_ID is set, but "
		    "no AWS_SECRET_ACCESS_KEY of proper length");
		return -EINVAL;
	}
	*ret = *v;
	return 0;
}

/* Copy a variable. One that is too long is not taken at all. */
static char *
copy(const struct awsconf *conf, const char *name, char *ret, size_t size)
{
	char *v = awsconf_env(conf, name);

	ret[0] = '\0';
	if (v != NULL && strlen(v) < size)
		strcpy(ret, v);
	return v;
}

void
creds_env_take(const struct awsconf *conf, const char *name, char *ret,
    size_t size)
{
	char *v = copy(conf, name, ret, size);

	if (v != NULL)
		sodium_memzero(v, strlen(v));
}

static void
env_free(void *arg)
{
	sodium_free(arg);
}

int
creds_env_provider(const struct awsconf *conf, struct creds_provider *ret)
{
	struct creds_value *v;
	char expires[64];

	/* Wiped and locked by libsodium. */
	if ((v = sodium_malloc(sizeof(*v))) == NULL)
		return -ENOMEM;
	memset(v, 0, sizeof(*v));
	copy(conf, "AWS_ACCESS_KEY_ID", v->key_id, sizeof(v->key_id));
	creds_env_take(conf, "AWS_SECRET_ACCESS_KEY", v->secret,
	    sizeof(v->secret));
	creds_env_take(conf, "AWS_SESSION_TOKEN", v->token, sizeof(v->token));
	/* As botocore has it, for those who export what they were given. */
	copy(conf, "AWS_CREDENTIAL_EXPIRATION", expires, sizeof(expires));
	if (expires[0] != '\0' &&
	    stamp_parse_iso(expires, &v->expires_unix) < 0)
		v->expires_unix = 0;
	*ret = (struct creds_provider){ .name = "environment",
		.fetch = env_fetch, .free = env_free, .arg = v };
	return 0;
}
