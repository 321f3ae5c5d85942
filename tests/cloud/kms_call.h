/* kms_call.h -- a KMS request being answered, for kms.c and kms_ops.c. */
#ifndef CLOUD_KMS_CALL_H
#define CLOUD_KMS_CALL_H

#include "cloud.h"
#include "kms.h"

/* A request body, and what all operations take from it. */
struct kms_call {
	struct cloud *c;
	struct request *req;
	json_t *in;
	const char *key_id; /* NULL when not given */
	char arn[KMS_ARN_MAX]; /* what key_id means; "" when not given */
	struct buf context; /* canonical */
};

/* Reply with `o`, which is taken over. */
void kms_answer(struct request *req, json_t *o);

/* ValidationException, and NotFoundException about call->key_id. */
void kms_invalid(struct kms_call *call, const char *message);
void kms_not_found(struct kms_call *call);

/* May the caller do this to the key? Else AccessDeniedException. */
bool kms_may(struct kms_call *call, const char *arn) MUST_CHECK;

/* Base64 of the named member; false, and an error, when it is not there. */
bool kms_take_bytes(struct kms_call *call, const char *name,
    struct buf *ret) MUST_CHECK;

/* The operations; each leaves its reply. */
void kms_decrypt(struct kms_call *call);
void kms_encrypt(struct kms_call *call);
void kms_generate(struct kms_call *call);
void kms_describe(struct kms_call *call);
void kms_list_keys(struct kms_call *call);
void kms_create_key(struct kms_call *call);
void kms_create_alias(struct kms_call *call);
void kms_set_enabled(struct kms_call *call, bool enabled);

#endif
