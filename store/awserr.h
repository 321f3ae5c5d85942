/* awserr.h -- what an AWS error reply says and what it means.
 *
 * Reads the XML of S3, STS and SQS and the JSON of KMS. Pure. */
#ifndef SESFS_STORE_AWSERR_H
#define SESFS_STORE_AWSERR_H

#include "crypto/base.h"
#include "store/http.h"
#include "store/retry.h"

#define AWSERR_ID_MAX 80 /* bytes with the zero */

struct awserr {
	int status; /* HTTP, 0 when there was no reply */
	char code[80];	    /* "NoSuchKey"; "HTTP 403" without a body */
	char message[512];  /* may be cut */
	char region[32];    /* the bucket's, when the reply tells; else "" */
	char request_id[AWSERR_ID_MAX];
	char host_id[128]; /* of S3, which AWS wants to know as well; else "" */
};

/* Read any reply's body and headers; the code is empty for 2xx. */
void awserr_parse(const struct http_reply *r, struct awserr *ret);

/* The parts of it that need no headers: fill code, message, region
 * and the ids as far as the body has them. Returns whether it has a code. */
bool awserr_parse_body(struct slice body, struct awserr *ret);

/* The request id in a reply's headers, "" when it has none. */
void awserr_request_id(const struct http_reply *r, char ret[AWSERR_ID_MAX]);

/* S3 may say 200, send blanks to keep the line alive and then fail: is the
 * document element of this body <Error>? */
bool awserr_is_error_xml(struct slice body);

/* What to do about it. */
enum awserr_cure {
	AWSERR_NO_CURE,
	AWSERR_CLOCK, /* our clock is off: correct by the Date header */
	AWSERR_CREDS, /* expired or replaced credentials: fetch anew */
};

struct awserr_verdict {
	struct retry_failure failure; /* err as in s3.h */
	enum awserr_cure cure;
};

/* status is not 2xx (or code is not empty). */
struct awserr_verdict awserr_judge(const struct awserr *e);

/* Is it policy that says no, rather than a key, a signature or a clock? Then
 * `ret` (AWSERR_ACTION_MAX bytes) is the IAM action that would have to be
 * allowed: the one AWS's message names (for an object that is not there it may
 * be another than the one asked for), else `asked`. */
#define AWSERR_ACTION_MAX 64
bool awserr_is_denied(const struct awserr *e, const char *asked,
    char ret[AWSERR_ACTION_MAX]);

/* How long the server asks us to wait, ms, from x-amz-retry-after
 * (milliseconds) or Retry-After (seconds); -1 when it does not. */
int64_t awserr_retry_after_ms(const struct http_reply *r);

#endif
