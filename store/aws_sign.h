/* aws_sign.h -- an aws_request made into a signed http_request.
 *
 * Used by aws.c. Derived signing keys are kept per service and region, in
 * locked memory. Threads: any. */
#ifndef SESFS_STORE_AWS_SIGN_H
#define SESFS_STORE_AWS_SIGN_H

#include "store/aws.h"

struct aws_signer;

int aws_signer_new(struct aws_signer **ret) MUST_CHECK;
void aws_signer_free(struct aws_signer *s); /* wipes */
DEFINE_FREEP(struct aws_signer, aws_signer_free)

#define AWS_SIGNED_HEADERS 24

/* The result: url, header and the strings behind them. */
struct aws_signed {
	char *url;
	struct pair header[AWS_SIGNED_HEADERS];
	size_t header_len;
	char *strings_; /* owns the header values made here, wiped */
	size_t strings_size_;
};

/* Returns 0; -EINVAL, -EMSGSIZE (too many headers, too long), -ENOMEM, -EIO.
 * The request and the credentials must outlive ret. */
int aws_sign(struct aws_signer *s, const struct aws_request *req,
    const struct creds_value *creds, int64_t at_unix,
    struct aws_signed *ret) MUST_CHECK;
void aws_signed_free(struct aws_signed *s);

#endif
