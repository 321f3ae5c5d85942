/* auth.h -- who may ask: the caller's credentials and the check of signatures.
 *
 * Knows no service's error codes: each service puts the verdict into its own
 * words. Threads: any. */
#ifndef CLOUD_AUTH_H
#define CLOUD_AUTH_H

#include "request.h"
#include "sessions.h"
#include "sigv4.h"

#define AUTH_SKEW_MAX (15 * 60) /* seconds */

enum auth_verdict {
	AUTH_OK,
	AUTH_ANONYMOUS, /* not signed at all */
	AUTH_MALFORMED, /* Authorization, credential or date unreadable */
	AUTH_UNKNOWN_KEY,
	AUTH_BAD_SIGNATURE,
	AUTH_UNSIGNED_HEADERS, /* host or an x-amz-* header is not signed */
	AUTH_SKEWED, /* more than AUTH_SKEW_MAX from our clock */
	AUTH_URL_EXPIRED,
	AUTH_BAD_TOKEN,
	AUTH_TOKEN_EXPIRED,
	AUTH_NO_PAYLOAD_HASH, /* S3 only */
	AUTH_PAYLOAD_MISMATCH, /* the body is not the one that was signed */
};

/* The verdict and what an error message may want to show. */
struct auth_result {
	enum auth_verdict verdict;
	const char *access_key; /* "" when unknown; in the request's arena */
	const char *canonical; /* on AUTH_BAD_SIGNATURE, else "" */
	const char *string_to_sign;
};

struct auth;

/* `session_token` is NULL for long-lived credentials. */
struct auth *auth_new(const char *access_key, const char *secret_key,
    const char *session_token);
void auth_free(struct auth *auth);

/* Replace the credentials; NULL leaves a part as it is, "" as session token
 * means none. */
void auth_set(struct auth *auth, const char *access_key,
    const char *secret_key, const char *session_token);

/* Declare the session token expired, or valid again. */
void auth_set_expired(struct auth *auth, bool expired);

/* Find out which service the credential scope of `req` names, without judging
 * the signature, and set req->service and req->region. */
void auth_scope(struct request *req);

/* Hand out temporary credentials of `arn` for `life_s` seconds from now on. */
void auth_issue(struct auth *auth, const char *arn, int64_t now_unix,
    int64_t life_s, struct session *ret);

/* Let all that were handed out be expired. */
void auth_end_sessions(struct auth *auth, int64_t now_unix);

/* Judge `req`, at `now_unix`; sets req->caller. */
void auth_check(struct auth *auth, struct request *req, int64_t now_unix,
    struct auth_result *ret);

#endif
