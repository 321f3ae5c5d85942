/* blobwork.h -- giving space of the blob cache back to the file system.
 *
 * Whole blocks are punched out of a segment that lives on, and a dead segment
 * is unlinked. Where the file system cannot punch, that is found out here.
 * Called without blobcache.lock. Threads: any. */
#ifndef SESFS_STORE_BLOBWORK_H
#define SESFS_STORE_BLOBWORK_H

#include "store/blobspace.h"

/* Do the work, neighbours at once, and empty it. */
void blobwork_run(struct blobsegs *s, struct blobwork *w);

/* Punch out whatever no record of a segment touches. */
void blobwork_trim(struct blobsegs *s, struct blobseg_use *u);

#endif
