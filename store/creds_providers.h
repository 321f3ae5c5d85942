/* creds_providers.h -- the sources of credentials of creds_new_default().
 *
 * Each makes a struct creds_provider; see creds.h for what a provider does.
 * profile: a name that outlives it. All return 0 or -ENOMEM. */
#ifndef SESFS_STORE_CREDS_PROVIDERS_H
#define SESFS_STORE_CREDS_PROVIDERS_H

#include "store/creds.h"

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, read now; the
 * last two are overwritten where they stand, so that neither
 * /proc/PID/environ nor a child shows them. */
int creds_env_provider(const struct awsconf *conf,
    struct creds_provider *ret) MUST_CHECK;

/* Take a variable and overwrite it where it stands, when it is shorter than
 * size. "" when it is not set. */
void creds_env_take(const struct awsconf *conf, const char *name, char *ret,
    size_t size);

/* Static keys of a profile in the shared credentials file, or in the config
 * file; the file is read at each fetch, so that a changed file is taken up. */
int creds_file_provider(const struct awsconf *conf, const char *profile,
    bool is_config, struct creds_provider *ret) MUST_CHECK;

/* The profile's credential_process, run by /bin/sh -c. */
int creds_process_provider(const struct awsconf *conf, const char *profile,
    struct creds_provider *ret) MUST_CHECK;

/* AssumeRoleWithWebIdentity with the token in a file, which is read at each
 * fetch. with_env: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN and
 * AWS_ROLE_SESSION_NAME come before the profile's settings. */
int creds_web_provider(const struct creds_setup *setup, const char *profile,
    bool with_env, struct creds_provider *ret) MUST_CHECK;

/* A profile whose role is assumed with another's credentials, or with its own
 * keys. `for_whom` is the role that asks for these credentials as its own
 * source, and NULL at the end of the chain: going in a circle is an error of
 * fetch. */
struct creds_role;
int creds_role_provider(const struct creds_setup *setup, const char *profile,
    const struct creds_role *for_whom, struct creds_provider *ret) MUST_CHECK;

/* Is it a profile whose role is assumed so? */
bool creds_role_is(const struct awsconf *conf, const char *profile);

/* IAM Identity Center: sso_session, or the older sso_start_url. */
int creds_sso_provider(const struct creds_setup *setup, const char *profile,
    struct creds_provider *ret) MUST_CHECK;

/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, of ECS and EKS. */
int creds_container_provider(const struct creds_setup *setup,
    struct creds_provider *ret) MUST_CHECK;

/* The role of an EC2 instance. must_be: it was named as the source, so that
 * its absence is an error. */
int creds_imds_provider(const struct creds_setup *setup, bool must_be,
    struct creds_provider *ret) MUST_CHECK;

/* What a role's source_profile gives: the sources of one profile, without the
 * environment. */
int creds_new_profile(const struct creds_setup *setup, const char *profile,
    const struct creds_role *for_whom, struct creds **ret) MUST_CHECK;

#endif
