/* sso_token.h -- what `aws sso login` leaves in ~/.aws/sso/cache.
 *
 * Read as awscli writes it, and written back in place when a token was
 * refreshed, so that both go on with one login. A token is secret: it lives in
 * locked memory and is wiped. Threads: one owner. */
#ifndef SESFS_STORE_SSO_TOKEN_H
#define SESFS_STORE_SSO_TOKEN_H

#include "store/buf.h"

#define SSO_TOKEN_MAX 8192 /* bytes of each with the zero */

struct sso_token {
	char access[SSO_TOKEN_MAX];
	int64_t expires_unix;
	/* What it takes to refresh it; "" when it cannot be. */
	char refresh[SSO_TOKEN_MAX];
	char client_id[SSO_TOKEN_MAX], client_secret[SSO_TOKEN_MAX];
	int64_t client_expires_unix;
};

/* In locked memory, all zero; NULL when there is none. */
struct sso_token *sso_token_new(void) MUST_CHECK;
void sso_token_free(struct sso_token *t); /* wipes */
DEFINE_FREEP(struct sso_token, sso_token_free)

/* Pure. The text of a cache file. Returns 0; -EPROTO; then *ret is all
 * zero. */
int sso_token_parse(struct slice json, struct sso_token *ret) MUST_CHECK;

/* Pure. The answer of CreateToken, at `now_unix`: a new access token and
 * perhaps refresh token in *t. Returns 0; -EPROTO; then *t is as it was. */
int sso_token_take(struct slice json, int64_t now_unix, struct sso_token *t)
    MUST_CHECK;

/* The text of a cache file `json` with the token replaced; what else is in it
 * stays. Returns 0; -EPROTO, -ENOMEM, -EMSGSIZE. */
int sso_token_format(struct slice json, const struct sso_token *t,
    struct buf *ret) MUST_CHECK;

/* The file's name, by the session's name or the start URL. Returns 0; -EIO;
 * -ENOMEM. The caller frees it. */
int sso_token_path(const char *dir, const char *name, char **ret) MUST_CHECK;

/* Read a file. Returns 0; -ENOENT; -EPROTO; errors of open(2) and read(2). */
int sso_token_load(const char *path, struct sso_token *ret) MUST_CHECK;

/* Replace the token in a file that is there, atomically, mode 0600. Returns 0;
 * errors as sso_token_load(), and of writing. */
int sso_token_save(const char *path, const struct sso_token *t) MUST_CHECK;

#endif
