/* awsconf.h -- the settings every AWS tool reads.
 *
 * ~/.aws/config and the environment, read once at the start: profile, region,
 * endpoint URLs and whatever else a profile says, but no secrets: secret keys
 * and session tokens are skipped here and read by creds when they are needed.
 * The environment comes through a function, so that tests are pure. Constant
 * after loading; any thread. */
#ifndef SESFS_STORE_AWSCONF_H
#define SESFS_STORE_AWSCONF_H

#include "crypto/base.h"
#include "store/ini.h"

struct awsconf;

typedef char *awsconf_getenv_fn(const char *name);

struct awsconf_opts {
	awsconf_getenv_fn *getenv; /* NULL: getenv(3) */
	const char *profile;	   /* --profile, or NULL */
};

/* Read AWS_CONFIG_FILE (~/.aws/config) and AWS_SHARED_CREDENTIALS_FILE
 * (~/.aws/credentials); files that do not exist are empty. Returns 0; -ENOENT
 * when the profile that was asked for, by option or AWS_PROFILE, is in
 * neither, or its services section nowhere; errors of ini_read(). All
 * logged. */
int awsconf_load(const struct awsconf_opts *o, struct awsconf **ret)
    MUST_CHECK;
void awsconf_free(struct awsconf *c);
DEFINE_FREEP(struct awsconf, awsconf_free)

/* The profile in use: the option, AWS_PROFILE, AWS_DEFAULT_PROFILE or
 * "default"; and was it the option? */
const char *awsconf_profile(const struct awsconf *c);
bool awsconf_has_explicit_profile(const struct awsconf *c);

/* The files, whether or not they exist. */
const char *awsconf_config_path(const struct awsconf *c);
const char *awsconf_credentials_path(const struct awsconf *c);

/* The environment as it was given; the string may be overwritten. Empty
 * counts as unset. */
char *awsconf_env(const struct awsconf *c, const char *name);

/* Is there a profile of that name, in either file? */
bool awsconf_has_profile(const struct awsconf *c, const char *profile);

/* A file name from a setting: "~" and "~/x" are below HOME. The caller frees
 * it; NULL when memory ran out. */
char *awsconf_path(const struct awsconf *c, const char *path) MUST_CHECK;

/* A setting of a profile; NULL profile: the one in use. The credentials
 * file's, else the config file's, as botocore has it. NULL when unset. */
const char *awsconf_get(const struct awsconf *c, const char *profile,
    const char *key);

/* A setting of another section of the config file: `[type name]`, for instance
 * "sso-session" or "services". subkey: NULL, or the nested one. */
const char *awsconf_section_get(const struct awsconf *c, const char *type,
    const char *name, const char *key, const char *subkey);

/* The endpoint URL configured for a service ("s3", "sts", "sso_oidc"), in
 * AWS's order: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's
 * services section, the profile's endpoint_url. NULL when none, or when
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (ignore_configured_endpoint_urls) is
 * true. */
const char *awsconf_endpoint_url(const struct awsconf *c,
    const char *service);

/* A boolean: the environment variable, else the profile's key. False when
 * neither is "true". */
bool awsconf_bool(const struct awsconf *c, const char *env, const char *key);

/* Does this section of a file belong to a profile? In the config file
 * `[default]` and `[profile NAME]`, in the credentials file `[NAME]`. */
bool awsconf_is_profile(struct slice section, bool is_config,
    const char *profile);

#endif
