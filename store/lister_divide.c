/* How the work is divided: what is left where, and who should get it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/lister_priv.h"

#define WORTHWHILE 6	  /* pages left in a range that is divided */
#define PER_DIVISION 12	  /* pages listed for each further division */
#define SAMPLES 32	  /* keys of a page that are learnt from */
#define UNKNOWN_PAGES 1e6 /* as many as there could be */
#define PAGE_KEYS 1000

/* [lock] */
static bool
may_divide_locked(const struct lister *l)
{
	return !l->is_undivided && l->pages >= LISTER_ALONE &&
	    l->divisions < 1 + l->pages / PER_DIVISION;
}

/* The bytes that all keys of what is left of a range share, and where it ends
 * among those: NULL when that is where they end, as far as anybody knows. What
 * lies beyond the keys seen is not guessed at. [lock] */
static size_t
frame_of_locked(const struct lister *l, const char *after, const char **until)
{
	size_t seen = l->first != NULL ? keyspace_common(l->first, after) : 0;
	size_t known = *until != NULL ? keyspace_common(after, *until) : 0;

	if (seen > known)
		*until = NULL;
	return seen > known ? seen : known;
}

double
lister_guess_locked(const struct lister *l, const struct range *r,
    const char *from, size_t n)
{
	const char *until = r->until;
	size_t frame = frame_of_locked(l, r->after, &until);
	size_t shared = keyspace_common(from, r->after);
	double at, left, part;

	if (shared < frame) {
		frame = shared;
		until = r->until != NULL &&
			keyspace_common(r->after, r->until) >= frame ?
		    r->until : NULL;
	}
	at = keyspace_at(&l->space, r->after, frame);
	left = (until != NULL ? keyspace_at(&l->space, until, frame) : 1) - at;
	part = at - keyspace_at(&l->space, from, frame);
	if (left <= 0 || part <= left / UNKNOWN_PAGES)
		return left <= 0 ? 0 : UNKNOWN_PAGES;
	return left / part * (double)n / PAGE_KEYS;
}

/* [lock] */
static struct range *
largest_locked(struct lister *l)
{
	struct range *most = NULL;

	for (unsigned i = 0; i < l->begun; i++) {
		struct range *r = &l->range[i];

		if (r->is_open && r->after != NULL && r->left >= WORTHWHILE &&
		    (most == NULL || r->left > most->left))
			most = r;
	}
	return most;
}

int
lister_divide_locked(struct lister *l, struct range *to)
{
	struct range *r = may_divide_locked(l) ? largest_locked(l) : NULL;
	char middle[S3_KEY_MAX + 1];
	const char *until;
	size_t frame;

	if (r == NULL)
		return -ENOENT;
	until = r->until;
	frame = frame_of_locked(l, r->after, &until);
	/* Perhaps after its next page. */
	if (keyspace_middle(&l->space, r->after, until, frame, middle) < 0 ||
	    (r->until != NULL && strcmp(middle, r->until) >= 0)) {
		r->left = 0;
		return -ENOENT;
	}
	if ((to->after = strdup(middle)) == NULL)
		return -ENOMEM;
	to->until = r->until;
	if ((r->until = strdup(middle)) == NULL) {
		r->until = TAKE(to->until);
		free(TAKE(to->after));
		return -ENOMEM;
	}
	r->left /= 2;
	l->divisions++;
	return 0;
}

int
lister_begin_next_locked(struct lister *l, struct range *to)
{
	size_t i = l->next_cut;

	if (l->has_begun_all)
		return -ENOENT;
	if (i > 0 && (to->after = strdup(l->cut[i - 1])) == NULL)
		return -ENOMEM;
	if (i < l->o.cuts && (to->until = strdup(l->cut[i])) == NULL) {
		free(TAKE(to->after));
		return -ENOMEM;
	}
	l->has_begun_all = i == l->o.cuts;
	l->next_cut++;
	return 0;
}

/* The range that ends where another begins. [lock] */
static struct range *
before_locked(struct lister *l, const char *after)
{
	for (unsigned i = 0; i < l->begun; i++) {
		struct range *r = &l->range[i];

		if (r->is_open && r->until != NULL &&
		    strcmp(r->until, after) == 0)
			return r;
	}
	return NULL;
}

/* What nobody has begun is one range: the last one's, when that goes on. [lock]
 */
static void
join_rest_locked(struct lister *l)
{
	struct range *last = before_locked(l, l->cut[l->next_cut - 1]);

	if (last != NULL) {
		free(TAKE(last->until));
		l->has_begun_all = true;
	}
	while (l->o.cuts > l->next_cut)
		free(l->cut[--l->o.cuts]);
}

bool
lister_undivide_locked(struct lister *l, struct range *r)
{
	struct range *before;

	if (!l->has_begun_all)
		join_rest_locked(l);
	l->is_undivided = true;
	if ((before = before_locked(l, r->after)) == NULL)
		return false;
	free(before->until);
	before->until = TAKE(r->until);
	return true;
}

bool
lister_has_work_locked(struct lister *l)
{
	return !l->has_begun_all ||
	    (may_divide_locked(l) && largest_locked(l) != NULL);
}

void
lister_learn_locked(struct lister *l, const struct s3_page *p)
{
	const char *first, *last;
	size_t step = p->n / SAMPLES + 1, frame;

	if (p->n == 0)
		return;
	first = p->item[0].key;
	last = p->item[p->n - 1].key;
	frame = keyspace_common(first, last);
	for (size_t i = 0; i < p->n; i += step)
		keyspace_learn(&l->space, p->item[i].key, frame);
	if (l->first == NULL || strcmp(first, l->first) < 0) {
		free(l->first);
		l->first = strdup(first); /* NULL: a poorer guess */
	}
}
