/* check.h -- the findings of `sesfs check`.
 *
 * Everything that a mount needs is tried by itself and reported at once. What
 * fails does not end the rest; what cannot be tried without it is reported as
 * skipped, with the reason. A finding names what was tried, how it went, what
 * AWS answered, and what mends it. One thread. */
#ifndef SESFS_FS_CHECK_H
#define SESFS_FS_CHECK_H

#include <jansson.h>

#include "fs/graph.h"

#define CHECK_PEERS_MAX 16 /* hosts that are tried */
#define CHECK_FIX_MAX 512  /* bytes that do for what to do */

enum check_result {
	CHECK_OK,
	CHECK_WARN,    /* a mount works, but not as well as it could */
	CHECK_MISSING, /* a mount fails, or some of it will */
	CHECK_SKIP,    /* not tried */
};

/* A host that was connected to. */
struct check_peer {
	char host[ENDPOINT_HOST_MAX + 8];
	bool is_there;
};

struct check {
	const struct config *c;
	struct graph g;	   /* cloud part */
	json_t *list;	   /* findings, for --json */
	bool has_colour;
	unsigned missing;
	struct check_peer peer[CHECK_PEERS_MAX];
	size_t peers;
	bool has_skew;
	int64_t skew_s;	   /* AWS's clock is ahead of ours by */
	bool has_creds;
	char account[16];  /* the caller's; "" when not known */
	struct s3_object sample; /* one object that was fetched */
	char sample_key[S3_KEY_MAX + 1];
	struct envelope *envelope; /* of the sample; NULL: there is none */
};

/* ---- reporting (cmd_check.c) ---- */

/* All is well, and what is known. */
void check_ok(struct check *k, const char *name, const char *fmt, ...)
    PRINTF(3, 4);
/* Not tried, and why. */
void check_skip(struct check *k, const char *name, const char *fmt, ...)
    PRINTF(3, 4);

/* What is wrong beside its text. */
struct check_finding {
	const char *name;	  /* what was tried: "bucket" */
	enum check_result result; /* CHECK_WARN or CHECK_MISSING */
	const char *cause;	  /* a word for programs: "denied" */
	const char *missing;	  /* the IAM action that is needed, or NULL */
	const char *fix;	  /* what to do, or NULL */
};
void check_note(struct check *k, const struct check_finding *f,
    const char *fmt, ...) PRINTF(3, 4);

/* The same with a line of the log or of http.h, which may end with "; " and what
 * to do: that becomes the fix, instead of f->fix. before: what was tried. */
void check_quote(struct check *k, const struct check_finding *f,
    const char *before, const char *line);

/* A call of AWS failed with err, as aws_outcome() has it: cause and fix are
 * worked out. fmt names what was asked for. */
struct check_call {
	const char *name;
	enum check_result result;
	const char *action; /* IAM's name of the call */
	const char *on;	    /* what it must be allowed on: "the bucket" */
	const char *fix;    /* NULL: as the cause has it */
};
void check_failed(struct check *k, const struct check_call *call, int err,
    const char *fmt, ...) PRINTF(4, 5);

/* ---- the causes (check_cause.c) ---- */

struct check_cause {
	const char *cause; /* "denied", "expired", ...; see sesfs(1) */
	const char *fix;   /* NULL: allow the action */
};
/* Why a call of AWS failed. err as of s3.h, kms.h; e: what AWS answered. Pure.
 */
struct check_cause check_cause(int err, const struct awserr *e);
/* Why a host could not be connected to: err and why of http.h. Pure. */
struct check_cause check_cause_of_network(int err, bool is_tls,
    const char *why);

/* ---- the parts, in the order in which they run ---- */

void check_state(struct check *k);   /* the state directory */
void check_machine(struct check *k); /* FUSE, locked memory, core dumps */
void check_audit(struct check *k);   /* where its lines go */
/* The rest needs k->g, the cloud part. */
void check_net(struct check *k);     /* region, each service's host, clock */
void check_bucket(struct check *k);  /* identity, bucket, listing, reading */
/* Fetch messages of a page until one is not refused: check_keys() opens it. */
void check_get(struct check *k, const struct s3_page *page);
void check_keys(struct check *k);    /* KMS keys, decrypting, sealing */
void check_queue(struct check *k);

/* Can the host be connected to? Tries it, and reports, when it has not been
 * tried before. name: the service, for the report. */
bool check_reach(struct check *k, const char *name, const struct endpoint *e,
    enum check_result if_not);

#endif
