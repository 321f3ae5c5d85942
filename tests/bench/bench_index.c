/* What the index takes on disk and how fast it answers, one thread.
 *
 *	bench_index [MESSAGES]
 *
 * Keys as SES makes them (40 random characters under a prefix), published in
 * batches of 256, names of about 60 bytes. Sealed columns of the usual lengths
 * are added last, so that their share shows. Figures go to stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/index.h"
#include "merge_page.h"
#include "tmpdir.h"
#include "tests/bench/bench.h"

#define PAGE 1000  /* of a listing */
#define BATCH 256  /* published at once */

struct bench {
	struct index *ix;
	const char *dir;
	int64_t inbox, cur;
	size_t n;
	char (*keys)[48];
	char (*etags)[36];
};

static void
report(const char *what, size_t n, double since)
{
	double s = now_s() - since;

	printf("%-34s %9.0f /s  %8.2f us\n", what, (double)n / s,
	    s / (double)n * 1e6);
}

static double
db_bytes(struct bench *b)
{
	char path[300];
	struct stat st;

	/* Closing folds the WAL into the file. */
	index_close(b->ix);
	snprintf(path, sizeof(path), "%s/index.db", b->dir);
	if (stat(path, &st) < 0)
		exit(1);
	must(index_open(b->dir, "s3://bench/", false, 0, &b->ix), "open");
	return (double)st.st_size;
}

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
make_keys(struct bench *b)
{
	static const char digit[] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t x = 88172645463325252U;

	b->keys = calloc(b->n, sizeof(*b->keys));
	b->etags = calloc(b->n, sizeof(*b->etags));
	if (b->keys == NULL || b->etags == NULL)
		exit(1);
	for (size_t i = 0; i < b->n; i++) {
		memcpy(b->keys[i], "mail/in/", 8);
		for (size_t k = 8; k < 47; k++)
			b->keys[i][k] = digit[next_random(&x) % 32];
		snprintf(b->etags[i], sizeof(*b->etags), "%016llx%016llx",
		    (unsigned long long)next_random(&x),
		    (unsigned long long)next_random(&x));
	}
	qsort(b->keys, b->n, sizeof(*b->keys), by_key);
}

static void
list(struct bench *b, const char *what)
{
	static struct object_listed page[PAGE];
	double since = now_s();

	for (size_t at = 0; at < b->n; at += PAGE) {
		size_t n = b->n - at < PAGE ? b->n - at : PAGE;

		for (size_t i = 0; i < n; i++)
			page[i] = (struct object_listed){ b->keys[at + i],
				b->etags[at + i], 20000 + (at + i) % 30000,
				1700000000 +
				    (int64_t)((at + i) * 7919 % b->n) };
		must(merge_page(b->ix, "mail/in/",
			 at > 0 ? b->keys[at - 1] : NULL,
			 at + n < b->n ? b->keys[at + n - 1] : NULL, page, n,
			 NULL, NULL, NULL), "merge");
	}
	report(what, b->n, since);
}

static void
publish_one(struct bench *b, struct object *o)
{
	char name[INDEX_NAME_MAX + 1];
	int64_t ino, replaced;

	o->plain_size = o->size - 16;
	o->crlf_size = o->plain_size;
	o->suite = SUITE_GCM;
	o->kms_key_id = 1;
	snprintf(name, sizeof(name), "%lld.%.26s.sesfs,S=%llu,W=%llu",
	    (long long)o->last_modified_unix, o->key + 8,
	    (unsigned long long)o->plain_size,
	    (unsigned long long)o->crlf_size);
	must(index_object_publish(b->ix, o, b->inbox, name,
		 o->last_modified_unix * 1000000000, &ino, &replaced),
	    "publish");
	object_clear(o);
}

static void
publish(struct bench *b)
{
	struct index_cursor cur = { 0 };
	double since = now_s();
	struct object o[BATCH];
	int n;

	while ((n = index_pending(b->ix, INT64_MAX, &cur, o, BATCH)) > 0) {
		must(index_batch_begin(b->ix), "begin");
		for (int i = 0; i < n; i++)
			publish_one(b, &o[i]);
		must(index_batch_end(b->ix, true), "commit");
	}
	must(n, "pending");
	report("publish, batches of 256", b->n, since);
}

static void
seal(struct bench *b)
{
	uint8_t key[90] = { 1 }, headers[280] = { 2 };
	double since = now_s();

	must(index_batch_begin(b->ix), "begin");
	for (size_t i = 1; i <= b->n; i++)
		must(index_object_set_sealed(b->ix, (int64_t)i,
			 (struct slice){ key, sizeof(key) }, 0,
			 (struct slice){ headers, sizeof(headers) }), "seal");
	must(index_batch_end(b->ix, true), "commit");
	report("store sealed columns, one batch", b->n, since);
}

#define SAMPLE 1000

struct sample {
	char name[SAMPLE][INDEX_NAME_MAX + 1];
	int64_t ino[SAMPLE];
	size_t kept, seen, step;
};

static bool
see(void *arg, const struct dirent_row *row)
{
	struct sample *s = arg;

	if (s->seen++ % s->step == 0 && s->kept < SAMPLE) {
		strcpy(s->name[s->kept], row->name);
		s->ino[s->kept++] = row->node.ino;
	}
	return true;
}

static bool
know(void *arg, int64_t ino)
{
	return true;
}

static void
read_dir(struct bench *b, index_known_fn *known, struct sample *ret,
    const char *what)
{
	double since = now_s();

	ret->seen = ret->kept = 0;
	ret->step = b->n / SAMPLE;
	must(index_readdir(b->ix, b->inbox, 0, known, see, ret), "readdir");
	report(what, ret->seen, since);
}

static void
read_and_change(struct bench *b)
{
	static struct sample s;
	char (*name)[INDEX_NAME_MAX + 1] = s.name;
	int64_t *ino = s.ino;
	struct node n, old;
	double since;

	read_dir(b, know, &s, "readdir, names only, per entry");
	read_dir(b, NULL, &s, "readdir, per entry");
	since = now_s();
	for (size_t i = 0; i < 50 * SAMPLE; i++)
		must(index_lookup(b->ix, b->inbox, name[i * 7 % SAMPLE], &n),
		    "lookup");
	report("lookup", 50 * SAMPLE, since);
	since = now_s();
	for (size_t i = 0; i < 50 * SAMPLE; i++)
		must(index_node(b->ix, ino[i * 7 % SAMPLE], &n), "node");
	report("node", 50 * SAMPLE, since);
	since = now_s();
	for (size_t i = 0; i < SAMPLE; i++) {
		char to[INDEX_NAME_MAX + 1];

		snprintf(to, sizeof(to), "%.200s:2,S", name[i]);
		must(index_rename(b->ix, b->inbox, name[i], b->cur, to, 0,
			 1800000000000000000 + (int64_t)i, &n, &old),
		    "rename");
	}
	report("rename new/ to cur/, one by one", SAMPLE, since);
	since = now_s();
	for (size_t i = 0; i < SAMPLE; i++) {
		char from[INDEX_NAME_MAX + 1], to[INDEX_NAME_MAX + 1];

		snprintf(from, sizeof(from), "%.200s:2,S", name[i]);
		snprintf(to, sizeof(to), "%.200s:2,FS", name[i]);
		must(index_rename(b->ix, b->cur, from, b->cur, to, 0,
			 1800000000000000000 + (int64_t)i, &n, &old),
		    "rename");
	}
	report("rename in place, one by one", SAMPLE, since);
}

int
main(int argc, char **argv)
{
	char *dir = tmpdir_make();
	struct bench b = { .dir = dir,
		.n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000 };
	double empty, full;
	struct node n;
	int64_t key;

	if (b.n < SAMPLE) {
		fprintf(stderr, "bench_index: at least %d messages\n", SAMPLE);
		return 2;
	}
	make_keys(&b);
	must(index_open(dir, "s3://bench/", false, 0, &b.ix), "open");
	must(index_lookup(b.ix, INDEX_ROOT_INO, "new", &n), "lookup");
	b.inbox = n.ino;
	must(index_lookup(b.ix, INDEX_ROOT_INO, "cur", &n), "lookup");
	b.cur = n.ino;
	must(index_kms_key(b.ix, "arn:aws:kms:x:1:key/k", &key), "key");
	empty = db_bytes(&b);
	list(&b, "merge new pages of 1000, per key");
	publish(&b);
	full = db_bytes(&b);
	printf("%-34s %9.0f bytes\n", "on disk, per message",
	    (full - empty) / (double)b.n);
	list(&b, "merge unchanged pages, per key");
	read_and_change(&b);
	seal(&b);
	printf("%-34s %9.0f bytes\n", "with 90 + 280 sealed bytes",
	    (db_bytes(&b) - empty) / (double)b.n);
	index_close(b.ix);
	free(b.keys);
	free(b.etags);
	tmpdir_free(dir);
	return 0;
}
