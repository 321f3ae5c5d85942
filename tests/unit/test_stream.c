#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/stream.h"

#define MAILS 4096
#define WINDOW 64u
#define SIZE 10000u
#define UNREAD_MAX (UINT64_C(4) * WINDOW * SIZE)

/* A directory of messages: entry i has inode ino[i]; others' inodes lie
 * between. What is fetched is noted. */
struct dir {
	int64_t ino[MAILS];
	uint64_t size;
	int64_t fetched[16 * MAILS];
	bool is_forgotten[16 * MAILS];
	size_t n;
	unsigned queries;
	bool is_full; /* fetch says no */
	bool is_here; /* fetch says that there is no need */
};

static int64_t
nth_ino(size_t i)
{
	return 100 + 3 * (int64_t)i;
}

static struct index_place
place_of(const struct dir *d, size_t i)
{
	return (struct index_place){ .parent = 7,
		.at = { [PLACE_ENTRY] = (int64_t)i + 1,
		    [PLACE_INO] = d->ino[i] },
		.object_id = d->ino[i] * 10,
		.size = d->size };
}

static int
fake_place(void *arg, int64_t ino, int64_t parent, struct index_place *ret)
{
	struct dir *d = arg;

	d->queries++;
	for (size_t i = 0; i < MAILS; i++)
		if (d->ino[i] == ino) {
			*ret = place_of(d, i);
			return 0;
		}
	return -ENOENT;
}

static int
by_distance(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Slow and plain: sort all that lies that way. */
static int
fake_places(void *arg, enum place_order order, bool is_backward,
    int64_t parent, int64_t from, struct index_place *ret, size_t n)
{
	static int64_t key[MAILS][2];
	struct dir *d = arg;
	size_t m = 0;

	d->queries++;
	CHECK_EQ(parent, 7);
	for (size_t i = 0; i < MAILS; i++) {
		int64_t delta = place_of(d, i).at[order] - from;

		if (is_backward ? delta < 0 : delta > 0) {
			key[m][0] = delta < 0 ? -delta : delta;
			key[m++][1] = (int64_t)i;
		}
	}
	qsort(key, m, sizeof(key[0]), by_distance);
	for (size_t i = 0; i < m && i < n; i++)
		ret[i] = place_of(d, (size_t)key[i][1]);
	return (int)(m < n ? m : n);
}

static void *
fake_fetch(void *arg, const struct index_place *p, bool *ret_here)
{
	struct dir *d = arg;

	*ret_here = d->is_here;

	if (d->is_full)
		return NULL;
	CHECK_EQ(p->object_id, p->at[PLACE_INO] * 10);
	d->fetched[d->n] = p->at[PLACE_INO];
	return &d->fetched[d->n++];
}

/* Each once. */
static void
fake_forget(void *arg, void *fetched)
{
	struct dir *d = arg;
	size_t i = (size_t)((int64_t *)fetched - d->fetched);

	CHECK(i < d->n);
	CHECK(!d->is_forgotten[i]);
	d->is_forgotten[i] = true;
}

/* At the end nothing is kept that was fetched. */
static void
finish(struct streams *s, struct dir *d)
{
	streams_free(s);
	for (size_t i = 0; i < d->n; i++)
		CHECK(d->is_forgotten[i]);
	free(d);
}

static struct dir *
new_dir(void)
{
	struct dir *d = calloc(1, sizeof(*d));

	for (size_t i = 0; i < MAILS; i++)
		d->ino[i] = nth_ino(i);
	d->size = SIZE;
	return d;
}

static struct streams *
new_streams(struct dir *d)
{
	const struct stream_opts o = { .window = WINDOW,
		.unread_max = UNREAD_MAX,
		.place = fake_place,
		.places = fake_places,
		.fetch = fake_fetch,
		.forget = fake_forget,
		.arg = d };
	struct streams *s = NULL;

	CHECK_EQ(streams_new(&o, &s), 0);
	return s;
}

static bool
was_fetched(const struct dir *d, int64_t ino)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->fetched[i] == ino)
			return true;
	return false;
}

static bool
is_unique(const struct dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < i; j++)
			if (d->fetched[i] == d->fetched[j])
				return false;
	return true;
}

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Entries in an order that has nothing to do with inodes. */
static void
shuffle(struct dir *d)
{
	uint32_t state = 1;

	for (size_t i = MAILS - 1; i > 0; i--) {
		size_t j = next_random(&state) % (i + 1);
		int64_t t = d->ino[i];

		d->ino[i] = d->ino[j];
		d->ino[j] = t;
	}
}

enum way { BY_ENTRY, BY_INO, BY_ENTRY_BACK, BY_INO_BACK, WAYS };

static int64_t
step_of(const struct dir *d, enum way way, size_t i)
{
	switch (way) {
	case BY_ENTRY:
		return d->ino[i];
	case BY_INO:
		return nth_ino(i);
	case BY_ENTRY_BACK:
		return d->ino[MAILS - 1 - i];
	default:
		return nth_ino(MAILS - 1 - i);
	}
}

/* Any order is found at its second step; then all but the first two were there
 * before they were read, each once. */
static void
test_ways(void)
{
	for (int w = 0; w < WAYS; w++) {
		struct dir *d = new_dir();
		struct streams *s = new_streams(d);
		struct stream_stats st;
		size_t late = 0, steps = 600;

		shuffle(d);
		for (size_t i = 0; i < steps; i++) {
			int64_t ino = step_of(d, (enum way)w, i);

			late += !was_fetched(d, ino);
			streams_read(s, ino, false);
		}
		CHECK_EQ(late, 2);
		CHECK(is_unique(d));
		streams_get_stats(s, &st);
		CHECK_EQ(st.hits, steps - 2);
		CHECK_EQ(st.fetched, d->n);
		CHECK(st.fetched <= steps - 2 + WINDOW);
		CHECK_EQ(st.fetched_bytes, d->n * SIZE);
		CHECK_EQ(st.unread_bytes, (d->n - (steps - 2)) * SIZE);
		finish(s, d);
	}
}

/* To the very end of the directory, and nothing beyond. */
static void
test_end(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	struct stream_stats st;

	for (size_t i = 0; i < MAILS; i++)
		streams_read(s, d->ino[i], false);
	CHECK_EQ(d->n, MAILS - 2);
	streams_get_stats(s, &st);
	CHECK_EQ(st.unread_bytes, 0);
	finish(s, d);
}

/* The reader stops: what was fetched in vain is within what it read. */
static void
test_stop(void)
{
	for (size_t steps = 0; steps < 100; steps++) {
		struct dir *d = new_dir();
		struct streams *s = new_streams(d);

		for (size_t i = 0; i < steps; i++)
			streams_read(s, d->ino[i], false);
		CHECK(steps >= 2 || d->n == 0);
		CHECK(d->n <= steps + 2 * steps + STREAM_FIRST);
		CHECK(d->n <= steps + WINDOW);
		finish(s, d);
	}
}

/* Who reads at random gets (next to) nothing fetched ahead. */
static void
test_random(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	uint32_t state = 7;

	for (size_t i = 0; i < 1000; i++)
		streams_read(s, d->ino[next_random(&state) % MAILS], false);
	CHECK(d->n <= 200);
	CHECK(d->queries <= 1000 * 3);
	finish(s, d);
}

/* Several at once, also when they read a little out of order, as those with
 * several threads do. */
static void
test_several(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	size_t late = 0;

	for (size_t i = 0; i < 400; i++) {
		const int64_t ino[] = { d->ino[(i / 4) * 4 + (3 - i % 4)],
			d->ino[(1000 + i) ^ 1], d->ino[4000 - i] };

		for (size_t k = 0; k < NELEMS(ino); k++) {
			late += !was_fetched(d, ino[k]);
			streams_read(s, ino[k], false);
		}
	}
	CHECK(late <= 30);
	finish(s, d);
}

/* More walks than are followed, one after another and all at once: the table
 * stays right, bytes within bounds. */
static void
test_many(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	struct stream_stats st;

	for (size_t w = 0; w < 40; w++)
		for (size_t i = 0; i < 30; i++)
			streams_read(s, d->ino[100 * w + i], false);
	streams_get_stats(s, &st);
	CHECK_EQ(st.fetched_bytes,
	    st.unread_bytes + st.wasted_bytes + st.hits * SIZE);
	CHECK(st.wasted_bytes > 0);
	for (size_t i = 0; i < 30; i++)
		for (size_t w = 0; w < 40; w++) {
			streams_read(s, d->ino[100 * w + 50 + i], false);
			streams_get_stats(s, &st);
			CHECK(st.unread_bytes <= UNREAD_MAX);
		}
	CHECK_EQ(st.fetched_bytes,
	    st.unread_bytes + st.wasted_bytes + st.hits * SIZE);
	finish(s, d);
}

/* Large messages: bytes bound it, and one beyond all bounds is left to its
 * reader, behind whom the walk goes on. */
static void
test_large(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	struct stream_stats st;

	d->size = UNREAD_MAX / 3;
	for (size_t i = 0; i < 50; i++) {
		streams_read(s, d->ino[i], false);
		streams_get_stats(s, &st);
		CHECK(st.unread_bytes <= UNREAD_MAX);
	}
	CHECK_EQ(st.hits, 48);
	d->size = UNREAD_MAX + 1;
	for (size_t i = 50; i < 60; i++)
		streams_read(s, d->ino[i], false);
	CHECK(!was_fetched(d, d->ino[59]));
	d->size = SIZE;
	for (size_t i = 60; i < 80; i++)
		streams_read(s, d->ino[i], false);
	CHECK(was_fetched(d, d->ino[79]));
	finish(s, d);
}

/* When nothing can be fetched now, it is asked for again later. */
static void
test_full(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);

	d->is_full = true;
	for (size_t i = 0; i < 20; i++)
		streams_read(s, d->ino[i], false);
	CHECK_EQ(d->n, 0);
	d->is_full = false;
	for (size_t i = 20; i < 40; i++)
		streams_read(s, d->ino[i], false);
	CHECK(was_fetched(d, d->ino[39]));
	streams_read(s, 5, false); /* no message of any directory */
	finish(s, d);
}

/* What was at hand begins no walk and asks nobody; what was fetched ahead
 * continues one. */
static void
test_local(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	struct stream_stats st;

	for (size_t i = 0; i < 50; i++)
		streams_read(s, d->ino[i], true);
	CHECK_EQ(d->queries, 0);
	CHECK_EQ(d->n, 0);
	streams_read(s, d->ino[50], false);
	streams_read(s, d->ino[51], false);
	for (size_t i = 52; i < 100; i++)
		streams_read(s, d->ino[i], true);
	streams_get_stats(s, &st);
	CHECK_EQ(st.hits, 48);
	finish(s, d);
}

/* What is here already leads on to what is not, and is in no figure. */
static void
test_here(void)
{
	struct dir *d = new_dir();
	struct streams *s = new_streams(d);
	struct stream_stats st;

	d->is_here = true;
	for (size_t i = 0; i < 100; i++)
		streams_read(s, d->ino[i], i >= 2);
	CHECK(was_fetched(d, d->ino[100]));
	streams_get_stats(s, &st);
	CHECK_EQ(st.fetched, 0);
	CHECK_EQ(st.fetched_bytes, 0);
	CHECK_EQ(st.hits, 0);
	CHECK_EQ(st.unread_bytes, 0);
	d->is_here = false;
	for (size_t i = 100; i < 300; i++)
		streams_read(s, d->ino[i], was_fetched(d, d->ino[i]));
	streams_get_stats(s, &st);
	CHECK(st.hits > 100);
	CHECK(st.fetched >= st.hits);
	CHECK_EQ(st.wasted_bytes, 0);
	finish(s, d);
}

int
main(void)
{
	test_here();
	test_local();
	test_ways();
	test_end();
	test_stop();
	test_random();
	test_several();
	test_many();
	test_large();
	test_full();
	streams_free(NULL);
	return check_done();
}
