/* creds.h -- credentials, found by a chain of providers and kept fresh.
 *
 * The chain is asked in order, the first provider that is configured decides.
 * What it returned rests in locked memory and is handed out as copies, which
 * the caller wipes. Credentials that expire are renewed in the background five
 * minutes early (less a random part, so that a fleet does not renew at once);
 * while that fails the old ones are used as long as they are valid. Once they
 * have expired callers wait for one shared attempt. Threads: any. Needs
 * crypto_init() before.
 *
 * Order, as botocore has it: environment, further providers (roles, sso), the
 * shared credentials file, credential_process, the config file, further
 * providers (container, instance). A profile that was named explicitly beats
 * the environment. */
#ifndef SESFS_STORE_CREDS_H
#define SESFS_STORE_CREDS_H

#include "crypto/base.h"
#include "store/awsconf.h"

#define CREDS_KEY_ID_MAX 160 /* bytes with the zero */
#define CREDS_SECRET_MAX 256
#define CREDS_TOKEN_MAX 8192
#define CREDS_WHY_MAX 256

struct creds;

struct creds_value {
	char key_id[CREDS_KEY_ID_MAX];
	char secret[CREDS_SECRET_MAX];
	char token[CREDS_TOKEN_MAX]; /* "" when there is none */
	int64_t expires_unix;	     /* 0 = never */
	uint64_t generation; /* counts what was fetched; set by creds */
};
void creds_value_wipe(struct creds_value *v); /* fit for CLEANUP() */

/* A source of credentials. fetch returns 0; -ENOENT when it is not configured
 * (the next one is asked); another error when it is, but failed (the chain
 * ends there, as in every SDK: falling through to someone else's credentials
 * would be worse). `why` gets a reason without secrets. It may block, and is
 * never called by two threads at once. */
struct creds_provider {
	const char *name; /* "environment" */
	int (*fetch)(void *arg, struct creds_value *ret,
	    char why[CREDS_WHY_MAX]);
	void (*free)(void *arg); /* or NULL */
	void *arg;
};

#define CREDS_PROVIDERS_MAX 16

struct creds_opts {
	const struct creds_provider *provider; /* copied; args are owned */
	size_t provider_len;
	int64_t (*now_unix)(void); /* NULL: the wall clock */
};

/* On failure the providers' args have been freed too. Returns 0; -EINVAL above
 * CREDS_PROVIDERS_MAX; -ENOMEM. Nothing is fetched yet. */
int creds_new(const struct creds_opts *o, struct creds **ret) MUST_CHECK;

/* Wait for a renewal in progress, wipe and free. */
void creds_free(struct creds *c);
DEFINE_FREEP(struct creds, creds_free)

/* The credentials to sign with now. Returns 0; -EACCES when no provider has
 * any, or the one that should have failed (logged, with all that was tried);
 * then *ret is zero. May block on the first call and after an expiry. */
int creds_get(struct creds *c, struct creds_value *ret) MUST_CHECK;

/* AWS called these (by generation) expired or unknown: fetch anew with the
 * next creds_get(). Ignored when they have been replaced already, or are less
 * than ten seconds old. Returns whether a creds_get() may now bring others. */
bool creds_reject(struct creds *c, uint64_t generation) MUST_CHECK;

/* Name of the provider whose credentials are in use, or NULL. */
const char *creds_source(struct creds *c);

/* The chain of this version over a configuration, see above. Overwrites the
 * secrets in the environment strings that it takes in. Errors as
 * creds_new(). conf must outlive it. */
int creds_new_default(const struct awsconf *conf, struct creds **ret)
    MUST_CHECK;

#endif
