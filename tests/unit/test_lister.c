/* A listing by several threads is the listing by one: over buckets of all
 * kinds, that change, that fail. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "store/lister.h"

#define PAGE 1000
#define MANY 40000

/* A bucket as S3 shows it. */
struct bucket {
	char **key; /* ascending */
	size_t n;
	pthread_mutex_t lock;
	unsigned requests, ranges, both; /* [lock] ranges: begun after a key;
					  * both: a key and a token */
	/* Numbers of requests, 0: none. */
	unsigned fail_at, cancel_at, empty_every, repeat_at, slow_at;
	bool ignores_start_after, waits_for_range;
	bool *is_absent; /* [lock] or NULL: all are there */
	unsigned pause_us;
	atomic_bool cancelled;
};

static uint64_t seed = 1;

static uint64_t
rnd(uint64_t below)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (seed >> 33) % below;
}

static size_t
first_after(const struct bucket *b, const char *after)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(b->key[mid], after) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Half of those that may come and go do so at each request. [lock] */
static void
stir(struct bucket *b)
{
	for (size_t i = 0; b->is_absent != NULL && i < b->n; i += 3)
		b->is_absent[i] = rnd(2);
}

/* Others get as long as they need to begin a range; for ever is a failure. */
static void
wait_for_range(struct bucket *b)
{
	bool is_over = false;

	for (int i = 0; i < 10000 && !is_over; i++) {
		usleep(1000);
		pthread_mutex_lock(&b->lock);
		is_over = b->ranges > 0;
		pthread_mutex_unlock(&b->lock);
	}
}

static int
fetch(void *arg, const char *start_after, const char *token,
    struct s3_page *ret)
{
	struct bucket *b = arg;
	const char *from = b->ignores_start_after ? NULL : start_after;
	const char *after = token != NULL ? token + 1 : from;
	size_t at = after != NULL ? first_after(b, after) : 0;
	bool is_empty, is_slow, must_wait;
	unsigned number;

	*ret = (struct s3_page){ .n = 0 };
	usleep(b->pause_us);
	pthread_mutex_lock(&b->lock);
	number = ++b->requests;
	must_wait = b->waits_for_range && token != NULL && b->ranges == 0 &&
	    number > 2 * LISTER_ALONE;
	pthread_mutex_unlock(&b->lock);
	if (must_wait)
		wait_for_range(b);
	pthread_mutex_lock(&b->lock);
	b->ranges += start_after != NULL && token == NULL;
	b->both += start_after != NULL && token != NULL;
	stir(b);
	is_slow = number == b->slow_at;
	is_empty = b->empty_every > 0 && number % b->empty_every == 0;
	if (number == b->fail_at) {
		pthread_mutex_unlock(&b->lock);
		return -ETIMEDOUT;
	}
	if (number == b->repeat_at)
		at = 0;
	if (number == b->cancel_at)
		atomic_store(&b->cancelled, true);
	ret->item = calloc(PAGE, sizeof(*ret->item));
	while (!is_empty && at < b->n && ret->n < PAGE) {
		if (b->is_absent == NULL || !b->is_absent[at])
			ret->item[ret->n++].key = b->key[at];
		at++;
	}
	pthread_mutex_unlock(&b->lock);
	if (is_slow)
		usleep(100 * 1000);
	if (at < b->n) {
		const char *last = ret->n > 0 ? ret->item[ret->n - 1].key :
		    after != NULL ? after : "";

		if (asprintf(&ret->next_token, "t%s", last) < 0)
			abort();
		ret->arena_ = ret->next_token;
		ret->is_truncated = true;
	}
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
bucket_sort(struct bucket *b)
{
	size_t n = 0;

	qsort(b->key, b->n, sizeof(*b->key), by_key);
	for (size_t i = 0; i < b->n; i++)
		if (n == 0 || strcmp(b->key[n - 1], b->key[i]) != 0)
			b->key[n++] = b->key[i];
		else
			free(b->key[i]);
	b->n = n;
}

/* The kinds of keys there are. */
enum kind { SES, DATES, NUMBERS, LONG, UNICODE, SLASHES, OUTLIER, MIXED,
	KINDS };

static char *
make_key(enum kind kind, size_t i)
{
	static const char *const word[] = { "\xe6\x97\xa5\xe6\x9c\xac",
		"\xc3\xbc-ber", "\xf0\x9f\x98\x80", "a+b", "%2F", "\x01\x02",
		"\xef\xbf\xbd", "~", " ", "\xed\x9f\xbf", "\xee\x80\x80" };
	static char lead[981];
	char id[33], *key;
	int r;

	for (size_t k = 0; k < 32; k++)
		id[k] = "0123456789abcdefghijklmnopqrstuv"[rnd(32)];
	id[32] = '\0';
	memset(lead, 'x', 980);
	switch (kind == MIXED ? (enum kind)rnd(MIXED) : kind) {
	case SES:
		r = asprintf(&key, "inbound/%s", id);
		break;
	case DATES:
		r = asprintf(&key, "mail/20%02d/%02d/%02d/%s", 19 + (int)rnd(8),
		    1 + (int)rnd(12), 1 + (int)rnd(28), id);
		break;
	case NUMBERS:
		r = asprintf(&key, "msg-%08zu", i);
		break;
	case LONG: /* a kilobyte, nearly all the same */
		r = asprintf(&key, "%s/%s", lead, id);
		break;
	case UNICODE:
		r = asprintf(&key, "%s%s%s%.8s", word[rnd(11)], word[rnd(11)],
		    word[rnd(11)], id);
		break;
	case SLASHES:
		r = asprintf(&key, "%.*s%.*s/%.6s", (int)(1 + rnd(40)),
		    "////////////////////////////////////////",
		    (int)rnd(3), id, id + 5);
		break;
	default: /* one that has nothing in common with the rest */
		r = i == 0 ? asprintf(&key, "zzzzzz") :
			     asprintf(&key, "aaaaaaaaaaaaaaaaaaaa/%s", id);
		break;
	}
	if (r < 0)
		abort();
	return key;
}

static void
bucket_fill(struct bucket *b, enum kind kind, size_t n)
{
	*b = (struct bucket){ .n = n,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	b->key = calloc(n > 0 ? n : 1, sizeof(*b->key));
	for (size_t i = 0; i < n; i++)
		b->key[i] = make_key(kind, i);
	bucket_sort(b);
}

static void
bucket_free(struct bucket *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->key[i]);
	free(b->key);
	free(b->is_absent);
}

/* All pages of a listing, in order. */
struct pages {
	struct lister_page *p;
	size_t n;
};

static int
by_after(const void *a, const void *b)
{
	const struct lister_page *x = a, *y = b;
	const char *s = x->after != NULL ? x->after : "";
	const char *t = y->after != NULL ? y->after : "";

	return strcmp(s, t);
}

static int
list(struct bucket *b, unsigned threads, const char *const *cut, size_t cuts,
    struct pages *ret)
{
	CLEANUP(lister_freep) struct lister *l = NULL;
	struct lister_opts o = { .fetch = fetch, .arg = b, .threads = threads,
		.cut = cut, .cuts = cuts, .cancelled = &b->cancelled };
	uint64_t asked;
	int r;

	*ret = (struct pages){ .n = 0 };
	CHECK_EQ(lister_new(&o, &l), 0);
	for (;;) {
		ret->p = reallocarray(ret->p, ret->n + 3, sizeof(*ret->p));
		if ((r = lister_next(l, ret->p + ret->n, 3)) <= 0)
			break;
		ret->n += (size_t)r;
	}
	if (!b->ignores_start_after)
		CHECK(!lister_is_undivided(l));
	/* After an error some are still under way. */
	asked = lister_requests(l);
	lister_free(TAKE(l));
	CHECK_EQ(asked, b->requests);
	CHECK_EQ(b->both, 0);
	qsort(ret->p, ret->n, sizeof(*ret->p), by_after);
	return r;
}

static void
pages_free(struct pages *all)
{
	for (size_t i = 0; i < all->n; i++)
		lister_page_clear(&all->p[i]);
	free(all->p);
}

/* The ranges of the pages are one behind the other, from the first key to the
 * last, and what is in a page is in its range. Counts the keys. */
static size_t
check_ranges(size_t row, const struct pages *all)
{
	size_t keys = 0;

	CHECK_AT(row, all->n > 0);
	for (size_t i = 0; i < all->n; i++) {
		const struct lister_page *p = &all->p[i];

		if (i == 0)
			CHECK_AT(row, p->after == NULL);
		else if (p->after != NULL && all->p[i - 1].last != NULL)
			CHECK_STR_AT(row, p->after, all->p[i - 1].last);
		else
			CHECK_AT(row, false);
		CHECK_AT(row, (p->last == NULL) == (i == all->n - 1));
		for (size_t k = 0; k < p->n; k++) {
			const char *key = p->page.item[k].key;

			CHECK_AT(row, p->after == NULL ||
			    strcmp(key, p->after) > 0);
			CHECK_AT(row, p->last == NULL ||
			    strcmp(key, p->last) <= 0);
		}
		keys += p->n;
	}
	return keys;
}

static void
check_same(size_t row, const struct bucket *b, const struct pages *all)
{
	size_t at = 0;

	CHECK_EQ_AT(row, check_ranges(row, all), b->n);
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->p[i].n && at < b->n; k++)
			CHECK_STR_AT(row, all->p[i].page.item[k].key,
			    b->key[at++]);
}

static unsigned
pages_of(const struct bucket *b)
{
	return b->n == 0 ? 1 : (unsigned)((b->n + PAGE - 1) / PAGE);
}

/* Small ones cost what they always did. */
static void
test_small(void)
{
	static const size_t sizes[] = { 0, 1, 999, 1000, 1001, 2000, 3500,
		4000 };

	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < NELEMS(sizes); i++) {
			struct bucket b;
			struct pages all;

			bucket_fill(&b, (enum kind)kind, sizes[i]);
			CHECK_EQ_AT(i, list(&b, 16, NULL, 0, &all), 0);
			check_same(i, &b, &all);
			CHECK_EQ_AT(i, b.requests, pages_of(&b));
			pages_free(&all);
			bucket_free(&b);
		}
}

static void
test_kinds(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct bucket b;
		struct pages all;

		bucket_fill(&b, (enum kind)kind, MANY);
		b.pause_us = 300;
		b.waits_for_range = kind != SLASHES;
		CHECK_EQ_AT(kind, list(&b, 16, NULL, 0, &all), 0);
		check_same((size_t)kind, &b, &all);
		/* A tenth more, and divided, but where each page has a
		 * beginning of its own. */
		CHECK_AT(kind, b.requests <= pages_of(&b) * 11 / 10 + 1);
		CHECK_AT(kind, b.ranges > 0 || kind == SLASHES);
		pages_free(&all);
		bucket_free(&b);
	}
}

/* What is known is divided from the start, at no cost. */
static void
test_cuts(void)
{
	const char *cut[9];
	struct bucket b;
	struct pages all;

	bucket_fill(&b, SES, MANY);
	for (size_t i = 0; i < NELEMS(cut); i++)
		cut[i] = b.key[(i + 1) * 4 * PAGE - 1];
	CHECK_EQ(list(&b, 5, cut, NELEMS(cut), &all), 0);
	check_same(0, &b, &all);
	CHECK_EQ(b.requests, pages_of(&b));
	CHECK_EQ(b.ranges, NELEMS(cut));
	pages_free(&all);
	/* Nothing is there any more: each range says so. */
	b.n = 0;
	b.requests = 0;
	CHECK_EQ(list(&b, 5, cut, NELEMS(cut), &all), 0);
	CHECK_EQ(check_ranges(1, &all), 0);
	CHECK_EQ(all.n, NELEMS(cut) + 1);
	CHECK_EQ(b.requests, NELEMS(cut) + 1);
	pages_free(&all);
	b.n = MANY;
	bucket_free(&b);
}

/* Every third key may come and go meanwhile; the others are all there, once. */
static void
test_changing(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct bucket b;
		struct pages all;
		size_t at = 0;

		bucket_fill(&b, (enum kind)kind, MANY / 2);
		b.is_absent = calloc(b.n, sizeof(*b.is_absent));
		CHECK_EQ_AT(kind, list(&b, 16, NULL, 0, &all), 0);
		(void)check_ranges((size_t)kind, &all);
		for (size_t i = 0; i < all.n; i++)
			for (size_t k = 0; k < all.p[i].n; k++) {
				const char *key = all.p[i].page.item[k].key;

				if (at < b.n && at % 3 == 0 &&
				    strcmp(b.key[at], key) != 0)
					at++;
				if (at < b.n)
					CHECK_STR_AT(kind, key, b.key[at++]);
			}
		CHECK_AT(kind, at >= b.n - 1);
		pages_free(&all);
		bucket_free(&b);
	}
}

/* S3 may send a page with nothing but a token. */
static void
test_empty_pages(void)
{
	struct bucket b;
	struct pages all;

	bucket_fill(&b, SES, MANY / 2);
	b.empty_every = 3;
	CHECK_EQ(list(&b, 16, NULL, 0, &all), 0);
	check_same(0, &b, &all);
	pages_free(&all);
	bucket_free(&b);
}

/* Some servers list from the start whatever they are asked: one thread goes on,
 * and all is there, once. */
static void
test_from_start(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct bucket b;
		struct pages all;

		bucket_fill(&b, (enum kind)kind, MANY);
		b.ignores_start_after = true;
		b.pause_us = 300;
		b.empty_every = kind % 2 == 0 ? 0 : 3;
		CHECK_EQ_AT(kind, list(&b, 16, NULL, 0, &all), 0);
		check_same((size_t)kind, &b, &all);
		/* The one that goes on has got half way, if it was fast. */
		if (b.empty_every == 0)
			CHECK_AT(kind, b.requests <= 2 * pages_of(&b));
		CHECK_AT(kind, b.ranges > 0 || kind == SLASHES);
		pages_free(&all);
		bucket_free(&b);
	}
}

/* The same with ranges from the start of it: that before may have ended when
 * one shows, or none of the keys is before it. */
static void
test_cuts_from_start(void)
{
	static const struct {
		unsigned threads, slow_at;
		size_t gone; /* of the first keys */
	} rows[] = { { 16, 0, 0 }, { 5, 0, 0 }, { 1, 0, 0 }, { 2, 1, 0 },
		{ 5, 2, 0 }, { 16, 3, 9500 }, { 3, 1, 9500 }, { 1, 0, 39999 },
		{ 16, 0, MANY } };
	const char *cut[9];

	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct bucket b, left;
		struct pages all;

		bucket_fill(&b, SES, MANY);
		for (size_t k = 0; k < NELEMS(cut); k++)
			cut[k] = b.key[(k + 1) * 4 * PAGE - 1];
		left = b;
		left.key += rows[i].gone;
		left.n -= rows[i].gone;
		left.ignores_start_after = true;
		left.slow_at = rows[i].slow_at;
		left.pause_us = 300;
		CHECK_EQ_AT(i, list(&left, rows[i].threads, cut,
		    NELEMS(cut), &all), 0);
		check_same(i, &left, &all);
		/* One that is alone lists its first range twice. */
		if (rows[i].threads == 1)
			CHECK_AT(i, left.requests <= pages_of(&left) + 4 +
			    NELEMS(cut));
		pages_free(&all);
		bucket_free(&b);
	}
}

/* The first error is what the caller gets, and so is the end that they asked
 * for; all threads end. */
static void
test_ends(void)
{
	static const unsigned at[] = { 1, 2, 7, 20, 35 };

	for (size_t i = 0; i < NELEMS(at); i++) {
		struct bucket b;
		struct pages all;

		bucket_fill(&b, SES, MANY);
		b.fail_at = at[i];
		CHECK_EQ_AT(i, list(&b, 16, NULL, 0, &all), -ETIMEDOUT);
		pages_free(&all);
		b.fail_at = b.requests = 0;
		b.cancel_at = at[i];
		CHECK_EQ_AT(i, list(&b, 16, NULL, 0, &all), -EINTR);
		/* Those under way end, no other begins. */
		CHECK_AT(i, b.requests < at[i] + 16);
		pages_free(&all);
		/* A server that begins again would never end. */
		b.cancel_at = b.requests = 0;
		atomic_store(&b.cancelled, false);
		b.repeat_at = 3;
		CHECK_EQ_AT(i, list(&b, 16, NULL, 0, &all), -EPROTO);
		pages_free(&all);
		bucket_free(&b);
	}
}

/* Nobody takes the pages: listers wait, and are let go. */
static void
test_abandoned(void)
{
	struct bucket b;
	struct lister *l;
	struct lister_page p;

	bucket_fill(&b, SES, MANY);
	CHECK_EQ(lister_new(&(struct lister_opts){ .fetch = fetch, .arg = &b,
	    .threads = 16, .cancelled = &b.cancelled }, &l), 0);
	CHECK_EQ(lister_next(l, &p, 1), 1);
	lister_page_clear(&p);
	lister_free(l);
	lister_free(NULL);
	CHECK(b.requests <= 40);
	bucket_free(&b);
}

static atomic_int threads; /* begun and not joined */

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);
int __real_pthread_join(pthread_t t, void **ret);
int __wrap_pthread_join(pthread_t t, void **ret);

int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg)
{
	int r = __real_pthread_create(t, attr, run, arg);

	if (r == 0)
		atomic_fetch_add(&threads, 1);
	return r;
}

int
__wrap_pthread_join(pthread_t t, void **ret)
{
	atomic_fetch_sub(&threads, 1);
	return __real_pthread_join(t, ret);
}

/* It is freed while the page is on its way with which another thread would
 * begin. That would be nobody's, and use what is freed. */
static void
test_freed_before_division(void)
{
	struct bucket b;
	struct lister *l;
	struct lister_page p;

	bucket_fill(&b, SES, MANY);
	b.slow_at = LISTER_ALONE;
	CHECK_EQ(lister_new(&(struct lister_opts){ .fetch = fetch, .arg = &b,
	    .threads = 16, .cancelled = &b.cancelled }, &l), 0);
	for (unsigned i = 1; i < LISTER_ALONE; i++) {
		CHECK_EQ(lister_next(l, &p, 1), 1);
		lister_page_clear(&p);
	}
	lister_free(l);
	CHECK_EQ(atomic_load(&threads), 0);
	bucket_free(&b);
}

int
main(void)
{
	test_small();
	test_kinds();
	test_cuts();
	test_changing();
	test_empty_pages();
	test_from_start();
	test_cuts_from_start();
	test_ends();
	test_abandoned();
	test_freed_before_division();
	return check_done();
}
