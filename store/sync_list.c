/* The listing part of a pass: pages of the bucket, merged as they come.
 *
 * The listing is divided by what the index knows, when that is much, else as
 * lister.h does, or not at all where it cannot be. Nothing is looked at before
 * all of it is there: an object's inode tells when it arrived, and who arrived
 * first is known only then. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/http.h"
#include "store/lister.h"
#include "store/sync_priv.h"

#define TOGETHER 4	/* pages merged in one transaction */
#define CUTS_MAX 63
#define PART_PAGES 16	/* at least, in a part that the index makes out */
#define PAGE_KEYS 1000

struct gone_list {
	int64_t *id;
	size_t n, cap;
};

static void
remember_gone(void *arg, int64_t id)
{
	struct gone_list *g = arg;

	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 64;
		int64_t *p = realloc(g->id, cap * sizeof(*p));

		if (p == NULL)
			return; /* the next listing finds it again */
		g->id = p;
		g->cap = cap;
	}
	g->id[g->n++] = id;
}

static int
tell_gone(struct sync *s, struct gone_list *g)
{
	int r = 0;

	for (size_t i = 0; i < g->n && r == 0; i++)
		if ((r = s->o.gone(s->o.arg, g->id[i])) == -ENOENT)
			r = 0;
	return r;
}

/* The mail of one page; what is no mail is as good as absent. */
static size_t
take_mail(const struct lister_page *p, struct object_listed *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct s3_item *it = &p->page.item[i];

		if (source_key_is_mail(it->key))
			ret[n++] = (struct object_listed){ .key = it->key,
				.etag = it->etag, .size = it->size,
				.last_modified_unix = it->last_modified_unix };
	}
	return n;
}

static int
merge(struct sync *s, struct index_page *page, size_t n)
{
	struct gone_list gone = { 0 };
	int r = index_merge_pages(s->o.index, s->o.prefix, page, n,
	    remember_gone, &gone);

	for (size_t i = 0; i < n && r == 0; i++) {
		s->p.listed += page[i].n;
		s->p.added += page[i].counts.added;
		s->p.replaced += page[i].counts.replaced;
		s->p.removed += page[i].counts.removed;
	}
	if (r == 0)
		r = tell_gone(s, &gone);
	free(gone.id);
	return r;
}

static int
merge_pages(struct sync *s, const struct lister_page *p, size_t n)
{
	struct index_page page[TOGETHER];
	struct object_listed *all, *at;
	size_t sum = 1;
	int r;

	for (size_t i = 0; i < n; i++)
		sum += p[i].n;
	if ((at = all = calloc(sum, sizeof(*all))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		page[i] = (struct index_page){ .after = p[i].after,
			.last = p[i].last, .object = at,
			.n = take_mail(&p[i], at) };
		at += page[i].n;
	}
	r = merge(s, page, n);
	free(all);
	return r;
}

static int
fetch(void *arg, const char *start_after, const char *token,
    struct s3_page *ret)
{
	struct sync *s = arg;

	http_set_thread_prio(HTTP_BACKGROUND); /* readers go first */
	return s3_list(s->o.s3, s->o.prefix, start_after, token, PAGE_KEYS,
	    ret);
}

/* Where to divide what the index knows: into parts of so many whole pages that
 * a bucket which did not change takes no request more than its pages. */
static int
find_cuts(struct sync *s, char **ret, size_t *ret_n)
{
	struct index_counts c;
	uint64_t pages, parts, each;
	int r;

	*ret_n = 0;
	if ((r = index_counts(s->o.index, &c)) < 0)
		return r;
	pages = (c.ready + c.pending + c.refused) / PAGE_KEYS;
	parts = pages / PART_PAGES;
	if (parts > CUTS_MAX + 1)
		parts = CUTS_MAX + 1;
	if (parts < 2)
		return 0;
	each = (pages + parts - 1) / parts;
	if ((r = index_cuts(s->o.index, s->o.prefix, each * PAGE_KEYS, ret,
		 parts - 1)) > 0)
		*ret_n = (size_t)r;
	return r < 0 ? r : 0;
}

static int
merge_all(struct sync *s, struct lister *l)
{
	struct lister_page p[TOGETHER];
	int n, r = 0;

	while (r == 0 && (n = lister_next(l, p, TOGETHER)) != 0) {
		r = n < 0 ? n : merge_pages(s, p, (size_t)n);
		for (int i = 0; i < n; i++)
			lister_page_clear(&p[i]);
		sync_report(s, false);
	}
	return r;
}

int
sync_list(struct sync *s)
{
	CLEANUP(lister_freep) struct lister *l = NULL;
	char *cut[CUTS_MAX];
	struct lister_opts o = {
		.fetch = fetch,
		.arg = s,
		.threads = s->o.jobs,
		.cancelled = &s->cancelled,
		.cut = (const char *const *)cut,
	};
	int r;

	s->p.phase = SYNC_LISTING;
	if (s->is_undivided)
		o.threads = 1;
	else if ((r = find_cuts(s, cut, &o.cuts)) < 0)
		return r;
	r = lister_new(&o, &l);
	for (size_t i = 0; i < o.cuts; i++)
		free(cut[i]);
	if (r == 0 && (r = merge_all(s, l)) == 0)
		s->lists = lister_requests(l);
	s->is_undivided |= l != NULL && lister_is_undivided(l);
	return r;
}
