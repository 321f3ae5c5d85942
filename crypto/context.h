/* context.h -- a KMS encryption context as JSON text.
 *
 * Private to crypto/. Pure; any thread. */
#ifndef SESFS_CRYPTO_CONTEXT_H
#define SESFS_CRYPTO_CONTEXT_H

#include "crypto/base.h"

/* Parse a JSON object whose values are all strings, without duplicate names,
 * in UTF-8, of at most ENVELOPE_CONTEXT_MAX pairs, in the order of the text.
 * Escapes are decoded, nothing else is changed. Returns 0 with *ret (free:
 * context_free; NULL for an empty object) and *ret_len; -EBADMSG; -ENOMEM. */
int context_parse(const char *text, struct pair **ret,
    size_t *ret_len) MUST_CHECK;

/* Free `len` pairs and their strings. */
void context_free(struct pair *context, size_t len);

/* Value of a name, or NULL. */
const char *context_get(const struct pair *context, size_t len,
    const char *name);

#endif
