/* lister.h -- a long listing, by several threads at once.
 *
 * ListObjectsV2 goes from page to page: each must be there before the next can
 * be asked for. Ranges of keys can be listed side by side, however, as every
 * listing may begin after any key. One thread begins; when it becomes clear
 * that many pages are left, others take the farther half of what the busiest of
 * them has to do. Ranges that are done end at the key where the next one
 * begins, so that all of them together are the whole listing, each key once.
 *
 * A division costs up to one request (the pages of two ranges are rounded up,
 * not those of one) and requests cost money: those are at most about a tenth
 * more than there are pages, and as many as those for up to LISTER_ALONE pages.
 * Where to divide is a guess (keyspace.h) that later pages correct.
 *
 * A server that is like S3 but ignores where a range should begin is listed
 * from page to page by one thread, as soon as it shows (logged once).
 *
 * Threads: one makes, asks and frees. */
#ifndef SESFS_STORE_LISTER_H
#define SESFS_STORE_LISTER_H

#include <stdatomic.h>

#include "store/s3.h"

#define LISTER_THREADS_MAX 16
#define LISTER_ALONE 4 /* pages before the first division */

struct lister;

struct lister_opts {
	/* One page after a key (or token, when there is one; both NULL: from
	 * the start), as s3_list. Called by several threads at once. */
	int (*fetch)(void *arg, const char *start_after, const char *token,
	    struct s3_page *ret);
	void *arg;
	unsigned threads; /* at most; 1 .. LISTER_THREADS_MAX */
	/* Keys where to divide from the start, ascending; copied. */
	const char *const *cut;
	size_t cuts;
	/* Ends the listing with -EINTR before the next request. */
	const atomic_bool *cancelled;
};

/* Begin. -ENOMEM, -EAGAIN (no thread). */
int lister_new(const struct lister_opts *o, struct lister **ret) MUST_CHECK;
/* Wait for the requests under way, drop what was not asked for. */
void lister_free(struct lister *l);
DEFINE_FREEP(struct lister, lister_free)

/* The first n items of `page` are all keys k with after < k <= last. */
struct lister_page {
	struct s3_page page;
	size_t n;
	char *after; /* NULL: from the first key */
	char *last;  /* NULL: to the last key */
};
void lister_page_clear(struct lister_page *p);

/* Wait for pages, in any order: up to max of them. Returns how many, 0 at the
 * end of the listing; an error of `fetch` once all pages that came are handed
 * out; -EPROTO for keys out of order; -EINTR; -ENOMEM. */
int lister_next(struct lister *l, struct lister_page *ret, size_t max)
    MUST_CHECK;

/* Did the server ignore where a range should begin? Then another listing of it
 * takes fewer requests with one thread and no cuts. */
bool lister_is_undivided(struct lister *l);

/* Pages asked for so far. */
uint64_t lister_requests(struct lister *l);

#endif
