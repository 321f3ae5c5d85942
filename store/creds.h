/* creds.h -- credentials, found by a chain of providers and kept fresh.
 *
 * The chain is asked in order; the first provider that is configured decides,
 * and from then on it alone is asked for new ones. What it returned rests in
 * locked memory and is handed out as copies, which the caller wipes.
 *
 * Credentials that expire are renewed by a thread five minutes early, or after
 * half of a life of less than ten minutes, with a random part so that a fleet
 * does not renew at once. Callers never wait for that. While it fails the old
 * ones serve as long as they are valid, and it is tried again after growing
 * times, at most a minute apart. Once they have expired callers share the next
 * attempt, and its failure. A failure is logged when it is not the one that was
 * logged last. Threads: any. Needs crypto_init() before. */
#ifndef SESFS_STORE_CREDS_H
#define SESFS_STORE_CREDS_H

#include "crypto/base.h"
#include "store/awsconf.h"

#define CREDS_KEY_ID_MAX 160 /* bytes with the zero */
#define CREDS_SECRET_MAX 256
#define CREDS_TOKEN_MAX 8192
#define CREDS_WHY_MAX 640
#define CREDS_NAME_MAX 96

struct creds;
struct http;

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
 * would be worse): -EACCES when it was refused, -ECANCELED when a person did
 * not answer, what http.h has for the network, -EPROTO for a malformed answer,
 * -EINVAL for a configuration that is wrong. `why` gets a reason, without
 * secrets, and what to do about it. It may block, and is never called by two
 * threads at once. */
struct creds_provider {
	char name[CREDS_NAME_MAX]; /* "environment" */
	int (*fetch)(void *arg, struct creds_value *ret,
	    char why[CREDS_WHY_MAX]);
	void (*free)(void *arg); /* or NULL */
	void *arg;
	bool may_ask; /* a person, at the terminal */
};

#define CREDS_PROVIDERS_MAX 16

struct creds_opts {
	const struct creds_provider *provider; /* copied; args are owned */
	size_t provider_len;
	int64_t (*now_unix)(void); /* NULL: the wall clock */
	/* No thread: renewed by the creds_get() that finds them old enough,
	 * which then waits. For those that another provider asks for. */
	bool is_lazy;
};

/* On failure the providers' args have been freed too. Returns 0; -EINVAL above
 * CREDS_PROVIDERS_MAX; -ENOMEM. Nothing is fetched yet. */
int creds_new(const struct creds_opts *o, struct creds **ret) MUST_CHECK;

/* Wait for a renewal in progress (http_stop() ends those that use the
 * network), wipe and free. */
void creds_free(struct creds *c);
DEFINE_FREEP(struct creds, creds_free)

/* The credentials to sign with now. Returns 0; -EACCES when no provider has
 * any, or the one that should have failed (logged, with all that was tried);
 * then *ret is zero. May block on the first call and after an expiry. */
int creds_get(struct creds *c, struct creds_value *ret) MUST_CHECK;

/* The last attempt to fetch: 0 when it brought some, or there was none; else
 * the provider's error, -ENOENT when none is configured, with whose it is and
 * why in `ret`. */
int creds_failure(struct creds *c, char ret[CREDS_WHY_MAX]);

/* AWS called these (by generation) expired or unknown: fetch anew with the
 * next creds_get(). Ignored when they have been replaced already, or are less
 * than ten seconds old. Returns whether a creds_get() may now bring others. */
bool creds_reject(struct creds *c, uint64_t generation) MUST_CHECK;

/* Name of the provider whose credentials are in use, or NULL. */
const char *creds_source(struct creds *c);

/* May the first fetch have to ask a person? Then it belongs where there is
 * one. */
bool creds_may_ask(const struct creds *c);

/* What the providers go by. All strings, conf and http outlive the creds. */
struct creds_setup {
	const struct awsconf *conf;
	struct http *http;
	const char *region;	      /* of STS; NULL: see creds_role.c */
	const char *sts_endpoint_url; /* NULL: AWS's own */
	bool fips, dual_stack;	      /* of STS */
	bool allow_http; /* plain HTTP elsewhere than to this machine */
};

/* The chain: environment, web identity, the profile (role, IAM Identity
 * Center, credentials file, credential_process, config file), container,
 * instance. A profile that was named explicitly beats the environment.
 * Overwrites the secrets in the environment strings that it takes in. Errors
 * as creds_new(). *setup is copied. */
int creds_new_default(const struct creds_setup *setup, struct creds **ret)
    MUST_CHECK;

#endif
