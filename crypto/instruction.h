/* instruction.h -- the JSON file beside an object that holds its envelope.
 *
 * Private to crypto/. Pure; not for two threads at once. */
#ifndef SESFS_CRYPTO_INSTRUCTION_H
#define SESFS_CRYPTO_INSTRUCTION_H

#include <jansson.h>

#include "crypto/fields.h"

struct instruction {
	json_t *root;		     /* owns the values of `fields` */
	char number[2][24];	     /* those that were JSON numbers */
	struct fields fields;
};

/* Read a file: one flat JSON object in UTF-8 without duplicate names, values
 * strings (for tag-len and unencrypted-content-length also integers, which
 * old clients wrote), names only those of fields.h. Returns 0 (free:
 * instruction_drop); -EBADMSG when it is anything else. */
int instruction_parse(struct slice file, struct instruction *ret) MUST_CHECK;

/* Free what it holds. Harmless on an all-zero struct. */
void instruction_drop(struct instruction *in);

#endif
