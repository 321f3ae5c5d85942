/* admin.h -- the parts of /_cloud/, between themselves. */
#ifndef CLOUD_ADMIN_H
#define CLOUD_ADMIN_H

#include "cloud.h"

/* A text reply, "message\n". */
void admin_say(struct request *req, int status, const char *fmt, ...)
    PRINTF(3, 4);

/* A query parameter, or NULL and a reply of 400. */
const char *admin_need(struct request *req, const char *name) MUST_CHECK;

/* Commands about objects; each leaves its reply. */
void admin_put(struct cloud *c, struct request *req);
void admin_delete(struct cloud *c, struct request *req);
void admin_touch(struct cloud *c, struct request *req);
void admin_flip(struct cloud *c, struct request *req);
void admin_truncate(struct cloud *c, struct request *req);
void admin_meta(struct cloud *c, struct request *req);
void admin_body(struct cloud *c, struct request *req);
void admin_plain(struct cloud *c, struct request *req);
void admin_manifest(struct cloud *c, struct request *req);
void admin_generate(struct cloud *c, struct request *req);
void admin_vectors(struct cloud *c, struct request *req);

/* One line of help per command. */
void admin_help(struct buf *b);

#endif
