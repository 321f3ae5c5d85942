/* cloud.h -- the emulator as its parts see it: one of each.
 *
 * Made by main.c, constant while the server runs; each part locks itself. */
#ifndef CLOUD_CLOUD_H
#define CLOUD_CLOUD_H

#include "auth.h"
#include "journal.h"
#include "objects.h"
#include "settings.h"

struct identity;
struct kms;
struct permits;
struct sqs;

struct cloud {
	const char *region; /* of the endpoint */
	const char *account; /* of the caller */
	struct settings settings;
	struct auth *auth;
	struct store *store;
	struct kms *kms;
	struct sqs *sqs;
	struct identity *identity;
	struct permits *permits;
	struct journal *journal;
	uint64_t serial; /* atomic: requests seen */
	uint64_t kms_window; /* atomic: see faults.c */
};

/* Our clock, with its offset. */
int64_t cloud_now(const struct cloud *c);

/* Make a bucket of the caller's, in the endpoint's region, unless it is
 * there. */
void cloud_need_bucket(struct cloud *c, const char *name);

/* What each service does with a request. The reply is left in it. */
void s3_handle(struct cloud *c, struct request *req);
void kms_handle(struct cloud *c, struct request *req);
void sts_handle(struct cloud *c, struct request *req);
void sqs_handle(struct cloud *c, struct request *req);
void id_handle(struct cloud *c, struct request *req);
void admin_handle(struct cloud *c, struct request *req);

/* Set req->op (and bucket and key) from what is asked, before anything is
 * judged. */
void s3_route(struct cloud *c, struct request *req);
void kms_route(struct request *req);
void sts_route(struct request *req);
void sqs_route(struct request *req);
void id_route(struct request *req);

/* Answer with an error in the service's own form. */
void s3_error(struct request *req, int status, const char *code,
    const char *message);
void kms_error(struct request *req, int status, const char *code,
    const char *message);
void sts_error(struct request *req, int status, const char *code,
    const char *message);
void sqs_error(struct request *req, int status, const char *code,
    const char *message);
void id_error(struct request *req, int status, const char *code,
    const char *message);

/* What a request that is not signed asks for, as far as it may: SERVICE_STS,
 * SERVICE_ID or SERVICE_NONE. */
enum service sts_unsigned(struct request *req);
enum service id_unsigned(struct request *req);

/* The reply to a request that auth_check() refused. */
void s3_auth_error(struct cloud *c, struct request *req,
    const struct auth_result *why);
void kms_auth_error(struct request *req, const struct auth_result *why);
void sts_auth_error(struct request *req, const struct auth_result *why);

#endif
