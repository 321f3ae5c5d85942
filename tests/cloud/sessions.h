/* sessions.h -- the temporary credentials that were handed out.
 *
 * The last SESSIONS of them are remembered; older ones are unknown, as if AWS
 * had forgotten them. Threads: any. */
#ifndef CLOUD_SESSIONS_H
#define CLOUD_SESSIONS_H

#include "base.h"

#define SESSIONS 1024
#define SESSION_TOKEN_LEN 456 /* a length that is usual */

struct session {
	char access_key[24], secret[48], token[SESSION_TOKEN_LEN + 1];
	char arn[256]; /* of whom they stand for */
	int64_t expires_unix;
};

struct sessions;
struct sessions *sessions_new(void) MUST_CHECK;
void sessions_free(struct sessions *s);

/* Make and remember new ones. */
void sessions_issue(struct sessions *s, const char *arn, int64_t expires_unix,
    struct session *ret);

/* Whose key is it? 0, or -ENOENT. */
int sessions_find(struct sessions *s, const char *access_key,
    struct session *ret) MUST_CHECK;

/* Let all that there are have ended at `at_unix`. */
void sessions_end(struct sessions *s, int64_t at_unix);

#endif
