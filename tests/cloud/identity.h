/* identity.h -- who is believed to be whom: what the sources of temporary
 * credentials go by. Threads: any. */
#ifndef CLOUD_IDENTITY_H
#define CLOUD_IDENTITY_H

#include "cloud.h"

#include <jansson.h>

#define ID_TEXT_MAX 2048 /* bytes with the NUL */

/* What tests may set, by name: POST /_cloud/set?web_token=... */
enum id_text {
	ID_WEB_TOKEN,	    /* the token that AssumeRoleWithWebIdentity takes */
	ID_WEB_EXPIRED,	    /* "1": it has expired */
	ID_CONTAINER_TOKEN, /* Authorization of /_container/locked */
	ID_MFA_CODE,	    /* the next one-time code; good once */
	ID_TEXTS
};

struct identity *identity_new(void) MUST_CHECK;
void identity_free(struct identity *id);

/* Is it one of those names? Then set it. */
bool identity_set(struct identity *id, const char *name, const char *value);
void identity_reset(struct identity *id);

/* Is the text this? */
bool identity_is(struct identity *id, enum id_text which, const char *value);

/* Is it the one-time code? Then it is used up. */
bool identity_take_code(struct identity *id, const char *code);

/* A token of IMDSv2, good until then; and is it one? */
void identity_add_imds(struct identity *id, int64_t until_unix, char ret[65]);
bool identity_has_imds(struct identity *id, const char *token,
    int64_t now_unix);

/* What `aws sso login` leaves. */
struct id_login {
	char access[65], refresh[65], client_id[65], client_secret[65];
	int64_t expires_unix, client_expires_unix;
};

/* Log in: all tokens of an earlier login end. */
void identity_login(struct identity *id, int64_t now_unix, int64_t life_s,
    int64_t client_life_s, struct id_login *ret);
void identity_logout(struct identity *id);

/* Is this access token good? */
bool identity_has_access(struct identity *id, const char *token,
    int64_t now_unix);

/* New tokens for a refresh token, which is used up. 0; -EPERM no such client,
 * or it has expired; -EINVAL no such refresh token. */
int identity_refresh(struct identity *id, const struct id_login *asked,
    int64_t now_unix, int64_t life_s, struct id_login *ret) MUST_CHECK;

/* POST /_cloud/sso-login and sso-logout. */
void identity_admin_login(struct cloud *c, struct request *req);
void identity_admin_logout(struct cloud *c, struct request *req);

/* Lines of help: roles, paths. */
void identity_help(struct buf *b);

/* The services behind id_handle(). */
void imds_handle(struct cloud *c, struct request *req);
void container_handle(struct cloud *c, struct request *req);
void sso_handle(struct cloud *c, struct request *req);

/* A JSON reply; takes over `o`. */
void id_answer(struct request *req, int status, json_t *o);

/* Credentials as IMDS and the container endpoint write them, of a session of
 * `role`. */
json_t *id_credentials(struct cloud *c, const char *role, int64_t life_s);

/* A parameter of an STS request, from the form or the query. */
const char *sts_form(struct request *req, const char *name);
struct buf *sts_xml(struct request *req, int status);

/* AssumeRole and AssumeRoleWithWebIdentity. */
void sts_assume(struct cloud *c, struct request *req);

#endif
