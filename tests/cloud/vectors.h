/* vectors.h -- loads published test vectors: objects that official encryption
 * clients wrote, and the KMS answers that go with them. */
#ifndef CLOUD_VECTORS_H
#define CLOUD_VECTORS_H

#include "cloud.h"

/* Load one JSON file: its object (and instruction file) into the bucket
 * v-<name>, positives also into `vectors-positive` unless the key is taken. A
 * file of another shape is skipped. 0, or -EINVAL with the reason. */
int vectors_load_file(struct cloud *c, const char *path,
    char why[128]) MUST_CHECK;

/* Load every *.json of `dir`, `dir`/positive and `dir`/negative. Returns how
 * many, or -EINVAL. */
int vectors_load(struct cloud *c, const char *dir, char why[128]) MUST_CHECK;

#endif
