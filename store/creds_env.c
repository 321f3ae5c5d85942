#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "store/creds_providers.h"

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

/* Copy a variable, and overwrite a secret one where it stands. One that is too
 * long is not taken at all. */
static void
take(const struct awsconf *conf, const char *name, char *ret, size_t size,
    bool is_secret)
{
	char *v = awsconf_env(conf, name);

	if (v == NULL)
		return;
	if (strlen(v) < size)
		strcpy(ret, v);
	if (is_secret)
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

	/* Wiped and locked by libsodium. */
	if ((v = sodium_malloc(sizeof(*v))) == NULL)
		return -ENOMEM;
	memset(v, 0, sizeof(*v));
	take(conf, "AWS_ACCESS_KEY_ID", v->key_id, sizeof(v->key_id), false);
	take(conf, "AWS_SECRET_ACCESS_KEY", v->secret, sizeof(v->secret),
	    true);
	take(conf, "AWS_SESSION_TOKEN", v->token, sizeof(v->token), true);
	*ret = (struct creds_provider){ "environment", env_fetch, env_free, v };
	return 0;
}
