/* creds_json.h -- credentials as JSON writes them.
 *
 * Pure, and fuzzed. What jansson allocates is wiped by crypto_init()'s
 * allocator. */
#ifndef SESFS_STORE_CREDS_JSON_H
#define SESFS_STORE_CREDS_JSON_H

#include <jansson.h>

#include "store/creds.h"

enum creds_json {
	CREDS_JSON_PROCESS,  /* credential_process: Version 1, may not expire */
	CREDS_JSON_METADATA, /* IMDS and the container endpoint */
	CREDS_JSON_PORTAL,   /* GetRoleCredentials of IAM Identity Center */
};

/* Returns 0; -EPROTO with the reason in `why`; then *ret is all zero. */
int creds_json_parse(enum creds_json form, struct slice json,
    struct creds_value *ret, char why[CREDS_WHY_MAX]) MUST_CHECK;

/* A string member; absent or null is "". False when it is no string, has a zero
 * within, or takes more than `size` bytes with its zero; then ret is "". */
bool creds_json_string(const json_t *o, const char *name, char *ret,
    size_t size) MUST_CHECK;

/* "Code: Message" of an error reply in any of the spellings of these services
 * and of RFC 6749; "" when there is none. */
void creds_json_error(struct slice json, char *ret, size_t size);

#endif
