/* What the blob cache costs a message: puts, gets and misses.
 *
 *	bench_blobcache [BLOBS [BYTES]]
 *
 * Bodies as of ordinary mail, with metadata as SES writes it. "evicting" is a
 * cache of a quarter of what is put, so that each put is the end of another
 * blob; it is done by two threads as well. Files are warm. Figures go to
 * stdout, the time of the processor (user and system) beside the clock's. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "store/blobcache.h"
#include "store/log.h"
#include "tmpdir.h"
#include "tests/bench/bench.h"

#define ROUNDS 3 /* the best of them counts */

static struct pair meta[] = {
	{ "x-amz-key-v2", "AQIDAHiNQ4Z0Y0eZsgx3Qw5zK3sVQmZ4yX0l2g1v4kJcYd8wkwE"
			  "u0v3P2n0E3xqg5Xa8bQ9wAAAAfjB8BgkqhkiG9w0BBwagbzBtAg"
			  "EAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQMk1l2m3n4" },
	{ "x-amz-iv", "q1w2e3r4t5y6u7i8" },
	{ "x-amz-cek-alg", "AES/GCM/NoPadding" },
	{ "x-amz-wrap-alg", "kms" },
	{ "x-amz-tag-len", "128" },
	{ "x-amz-unencrypted-content-length", "12288" },
	{ "x-amz-matdesc", "{\"aws:ses:message-id\":\"0123456789abcdefghij\","
			   "\"aws:ses:rule-name\":\"inbound\","
			   "\"kms_cmk_id\":\"arn:aws:kms:eu-west-1:1:key/k\"}" },
};

struct work {
	struct blobcache *c;
	int64_t first, n;
	size_t len;
};

static double
cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void *
put_all(void *arg)
{
	const struct work *w = arg;
	struct blob b = { .len = w->len, .meta = meta,
		.meta_len = NELEMS(meta), .etag = "0123456789abcdef" };

	if ((b.body = malloc(w->len)) == NULL)
		exit(1);
	memset(b.body, 'x', w->len);
	for (int64_t i = 0; i < w->n; i++)
		must(blobcache_put(w->c, w->first + i, &b), "put");
	free(b.body);
	return NULL;
}

static void *
get_all(void *arg)
{
	const struct work *w = arg;
	uint64_t at = 88172645463325252U;
	struct blob b;

	for (int64_t i = 0; i < w->n; i++) {
		at = at * 6364136223846793005U + 1442695040888963407U;
		must(blobcache_get(w->c, w->first + (int64_t)((at >> 33) %
		    (uint64_t)w->n), UINT64_MAX, &b), "get");
		blob_clear(&b);
	}
	return NULL;
}

static void *
miss_all(void *arg)
{
	const struct work *w = arg;
	struct blob b;

	for (int64_t i = 0; i < w->n; i++)
		if (blobcache_get(w->c, w->first + w->n + i, UINT64_MAX,
			&b) == 0)
			exit(1);
	return NULL;
}

struct best {
	double wall_s, cpu_s;
};

static void
run(void *(*fn)(void *), struct work w, unsigned threads, struct best *best)
{
	double wall = now_s(), cpu = cpu_s();
	struct work part[8];
	pthread_t t[8];

	for (unsigned i = 0; i < threads; i++) {
		part[i] = w;
		part[i].n = w.n / threads;
		part[i].first = w.first + i * part[i].n;
		if (pthread_create(&t[i], NULL, fn, &part[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	wall = now_s() - wall;
	cpu = cpu_s() - cpu;
	if (best->wall_s == 0 || wall < best->wall_s)
		*best = (struct best){ wall, cpu };
}

static void
report(const char *what, int64_t n, const struct best *b)
{
	printf("%-28s %9.0f /s  %8.2f us  %8.2f us of processor\n", what,
	    (double)n / b->wall_s, b->wall_s / (double)n * 1e6,
	    b->cpu_s / (double)n * 1e6);
}

static void
round_of(int64_t n, size_t len, struct best best[6])
{
	struct work w = { .first = 1, .n = n, .len = len };
	uint64_t all = (uint64_t)n * (len + 8192);
	char *dir = tmpdir_make();

	must(blobcache_open(dir, all, &w.c), "open");
	run(put_all, w, 1, &best[0]);
	run(get_all, w, 1, &best[1]);
	run(get_all, w, 2, &best[2]);
	run(miss_all, w, 1, &best[3]);
	must(blobcache_drop_all(w.c), "drop all");
	blobcache_close(w.c);
	must(blobcache_open(dir, all / 4, &w.c), "open");
	run(put_all, w, 1, &best[4]);
	w.first += n;
	run(put_all, w, 2, &best[5]);
	blobcache_close(w.c);
	tmpdir_free(dir);
}

int
main(int argc, char **argv)
{
	static const char *const what[6] = { "put", "get", "get, 2 threads",
		"miss", "put, evicting", "put, evicting, 2 threads" };
	int64_t n = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
	size_t len = argc > 2 ? strtoul(argv[2], NULL, 10) : 12 * 1024;
	struct best best[6] = { 0 };

	log_set_level(LOG_LEVEL_WARN);
	if (n < 100 || len > 1U << 30) {
		fprintf(stderr, "bench_blobcache: at least 100 blobs of at "
		    "most 1 GiB\n");
		return 2;
	}
	for (int i = 0; i < ROUNDS; i++)
		round_of(n, len, best);
	for (size_t i = 0; i < NELEMS(what); i++)
		report(what[i], n, &best[i]);
	return 0;
}
