/* The listing part of a pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sync_priv.h"

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
	free(g->id);
	*g = (struct gone_list){ 0 };
	return r;
}

static int
merge_page(struct sync *s, const struct s3_page *page, const char *after)
{
	struct object_listed *l = calloc(page->n ? page->n : 1, sizeof(*l));
	struct index_merge_counts c = { 0 };
	struct gone_list gone = { 0 };
	size_t n = 0;
	int r;

	if (l == NULL)
		return -ENOMEM;
	/* What is no mail is as good as absent. */
	for (size_t i = 0; i < page->n; i++)
		if (source_key_is_mail(page->item[i].key))
			l[n++] = (struct object_listed){
				.key = page->item[i].key,
				.etag = page->item[i].etag,
				.size = page->item[i].size,
				.last_modified_unix =
				    page->item[i].last_modified_unix,
			};
	r = index_merge_page(s->o.index, s->o.prefix, after,
	    page->next_token != NULL && page->n > 0 ?
		page->item[page->n - 1].key : NULL,
	    l, n, remember_gone, &gone, &c);
	free(l);
	if (r == 0)
		r = tell_gone(s, &gone);
	free(gone.id);
	s->p.listed += n;
	s->p.added += c.added;
	s->p.replaced += c.replaced;
	s->p.removed += c.removed;
	return r;
}

/* What the next page needs of this one: where it goes on, and the last key
 * (an empty page moves nothing). */
static int
remember_page(const struct s3_page *page, char **token, char **after)
{
	free(*token);
	*token = NULL;
	if (page->next_token != NULL &&
	    (*token = strdup(page->next_token)) == NULL)
		return -ENOMEM;
	if (page->n == 0)
		return 0;
	free(*after);
	*after = strdup(page->item[page->n - 1].key);
	return *after == NULL ? -ENOMEM : 0;
}

int
sync_list(struct sync *s)
{
	char *token = NULL, *after = NULL;
	bool more = true;
	int r = 0;

	s->p.phase = SYNC_LISTING;
	while (more && r == 0) {
		struct s3_page page;

		if (atomic_load(&s->cancelled)) {
			r = -EINTR;
			break;
		}
		if ((r = s3_list(s->o.s3, s->o.prefix, NULL, token, 1000,
			 &page)) < 0)
			break;
		/* An empty page with a token has nothing to compare. */
		if (page.n > 0 || page.next_token == NULL)
			r = merge_page(s, &page, after);
		more = page.next_token != NULL;
		if (r == 0)
			r = remember_page(&page, &token, &after);
		s3_page_free(&page);
		sync_report(s, false);
	}
	free(token);
	free(after);
	return r;
}
