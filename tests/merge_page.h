/* merge_page.h -- one page of a listing, merged into an index. */
#ifndef SESFS_TESTS_MERGE_PAGE_H
#define SESFS_TESTS_MERGE_PAGE_H

#include "store/index.h"

/* As index_merge_pages(); counts may be NULL. */
static inline int
merge_page(struct index *ix, const char *prefix, const char *after,
    const char *last, const struct object_listed *page, size_t n,
    index_gone_fn *gone, void *arg, struct index_merge_counts *counts)
{
	struct index_page one = { .after = after, .last = last,
		.object = page, .n = n };
	int r = index_merge_pages(ix, prefix, &one, 1, gone, arg);

	if (counts != NULL)
		*counts = one.counts;
	return r;
}

#endif
