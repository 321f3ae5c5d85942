/* blobold.h -- the layout of the blob cache before there were segments.
 *
 * blobs/xx/<id>, a file for each body. What it had is fetched again when it is
 * wanted; the files are removed, so that their space is not lost. */
#ifndef SESFS_STORE_BLOBOLD_H
#define SESFS_STORE_BLOBOLD_H

#include <stdatomic.h>

#include "crypto/base.h"

/* "00" to "ff". */
bool blobold_is_shard(const char *name);

/* Remove all of them. Ends early when *is_stopping. */
void blobold_remove(int dirfd, const atomic_bool *is_stopping);

#endif
