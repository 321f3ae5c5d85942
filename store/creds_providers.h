/* creds_providers.h -- the sources of credentials of creds_new_default().
 *
 * Each fills a struct creds_provider; see creds.h for what a provider does.
 * conf must outlive them. All return 0 or -ENOMEM. */
#ifndef SESFS_STORE_CREDS_PROVIDERS_H
#define SESFS_STORE_CREDS_PROVIDERS_H

#include "store/creds.h"

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, read now; the
 * last two are overwritten where they stand, so that neither
 * /proc/PID/environ nor a child shows them. */
int creds_env_provider(const struct awsconf *conf,
    struct creds_provider *ret) MUST_CHECK;

/* Static keys of the profile in the shared credentials file, or in the config
 * file; the file is read at each fetch, so that a changed file is taken up. */
int creds_file_provider(const struct awsconf *conf, bool is_config,
    struct creds_provider *ret) MUST_CHECK;

/* The profile's credential_process, run by /bin/sh -c. */
int creds_process_provider(const struct awsconf *conf,
    struct creds_provider *ret) MUST_CHECK;

/* Pure: the JSON that such a process prints. Returns 0; -EINVAL with the
 * reason in `why`. */
int creds_process_parse(struct slice json, struct creds_value *ret,
    char why[CREDS_WHY_MAX]) MUST_CHECK;

#endif
