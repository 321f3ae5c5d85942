/* When credentials are fetched, renewed, kept and dropped. */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "store/creds.h"
#include "store/log.h"

static atomic_int_fast64_t now_s;

static int64_t
fake_now(void)
{
	return atomic_load(&now_s);
}

/* A source whose keys are numbered and whose fate can be set. */
struct source {
	atomic_int fetches, freed;
	atomic_int err;	     /* what fetch returns */
	atomic_int life_s;   /* 0: never expires */
	atomic_int key;	     /* number of the key */
	atomic_int sleep_us; /* how long a fetch takes */
};

static int
fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct source *s = arg;

	atomic_fetch_add(&s->fetches, 1);
	usleep((useconds_t)s->sleep_us);
	snprintf(why, CREDS_WHY_MAX, "as told");
	if (s->err != 0)
		return s->err;
	snprintf(ret->key_id, sizeof(ret->key_id), "key%d", s->key);
	snprintf(ret->secret, sizeof(ret->secret), "secret%d", s->key);
	ret->expires_unix = s->life_s != 0 ? fake_now() + s->life_s : 0;
	return 0;
}

static void
count_free(void *arg)
{
	atomic_fetch_add(&((struct source *)arg)->freed, 1);
}

static struct creds *
make(struct source *a, struct source *b)
{
	const struct creds_provider p[] = {
		{ "first", fetch, count_free, a, false },
		{ "second", fetch, NULL, b, false },
	};
	struct creds *c;

	atomic_store(&now_s, 1000000);
	CHECK_EQ(creds_new(&(struct creds_opts){ .provider = p,
	    .provider_len = b != NULL ? 2 : 1, .now_unix = fake_now }, &c),
	    0);
	return c;
}

static void
expect(struct creds *c, const char *key_id)
{
	struct creds_value v;

	CHECK_EQ(creds_get(c, &v), key_id != NULL ? 0 : -EACCES);
	CHECK_STR(v.key_id, key_id != NULL ? key_id : "");
}

/* Wait (for a background thread) until so many fetches were made. */
static void
await_fetches(struct creds *c, struct source *s, int n)
{
	struct creds_value v;

	for (int i = 0; i < 10000 && s->fetches < n; i++) {
		CHECK_EQ(creds_get(c, &v), 0);
		usleep(1000);
	}
	CHECK_EQ(s->fetches, n);
}

/* Wait until the renewed key is what creds_get() returns. */
static void
await_key(struct creds *c, const char *key_id)
{
	struct creds_value v = { .key_id = "" };

	for (int i = 0; i < 10000 && strcmp(v.key_id, key_id) != 0; i++) {
		usleep(1000);
		CHECK_EQ(creds_get(c, &v), 0);
	}
	CHECK_STR(v.key_id, key_id);
}

/* Wait until the renewer has settled a failure: only then is it known when the
 * next attempt is due, and the clock may go on. */
static void
await_failure(struct creds *c)
{
	char why[CREDS_WHY_MAX];

	for (int i = 0; i < 10000 && creds_failure(c, why) == 0; i++)
		usleep(1000);
	CHECK(creds_failure(c, why) < 0);
}

static void
test_order(void)
{
	struct source a = { .err = -ENOENT }, b = { .key = 2 };
	struct creds *c = make(&a, &b);

	expect(c, "key2");
	CHECK_STR(creds_source(c), "second");
	CHECK_EQ(a.fetches, 1);
	creds_free(c);
	CHECK_EQ(a.freed, 1);
	/* One that is configured and fails ends the chain. */
	a = (struct source){ .err = -EIO };
	b = (struct source){ .key = 2 };
	c = make(&a, &b);
	expect(c, NULL);
	CHECK_EQ(b.fetches, 0);
	creds_free(c);
}

static void
test_failure_is_shared(void)
{
	struct source a = { .err = -ENOENT };
	struct creds *c = make(&a, NULL);

	expect(c, NULL);
	expect(c, NULL);
	CHECK_EQ(a.fetches, 1);
	now_s += 5;
	a.err = 0;
	expect(c, "key0");
	CHECK_EQ(a.fetches, 2);
	creds_free(c);
}

static void
test_renewal(void)
{
	struct source a = { .life_s = 3600, .key = 1 };
	struct creds *c = make(&a, NULL);

	expect(c, "key1");
	now_s += 3600 - 361;
	expect(c, "key1");
	CHECK_EQ(a.fetches, 1);
	/* Five minutes before the end: the old one at once, the new one when
	 * it has come. */
	now_s += 61;
	a.key = 2;
	expect(c, "key1");
	await_fetches(c, &a, 2);
	await_key(c, "key2");
	CHECK_EQ(a.fetches, 2);
	creds_free(c);
}

static void
test_failed_renewal(void)
{
	struct source a = { .life_s = 3600, .key = 1 };
	struct creds *c = make(&a, NULL);

	expect(c, "key1");
	now_s += 3301;
	a.err = -EIO;
	expect(c, "key1");
	await_fetches(c, &a, 2);
	await_failure(c);
	/* It is not tried again at once, and the old ones serve on ... */
	expect(c, "key1");
	now_s += 200;
	expect(c, "key1");
	await_fetches(c, &a, 3);
	/* ... until their end. */
	now_s += 100;
	expect(c, NULL);
	now_s += 10;
	a.err = 0;
	a.key = 2;
	expect(c, "key2");
	creds_free(c);
}

static void
test_expired_at_birth(void)
{
	struct source a = { .life_s = -5 };
	struct creds *c = make(&a, NULL);

	expect(c, NULL);
	creds_free(c);
}

static void
test_short_life(void)
{
	struct source a = { .life_s = 120, .key = 1 };
	struct creds *c = make(&a, NULL);

	/* Less than five minutes in all: renewed in the middle, not at every
	 * call. */
	for (int i = 0; i < 10; i++)
		expect(c, "key1");
	CHECK_EQ(a.fetches, 1);
	now_s += 61;
	expect(c, "key1");
	await_fetches(c, &a, 2);
	creds_free(c);
}

static void
test_reject(void)
{
	struct source a = { .key = 1 };
	struct creds *c = make(&a, NULL);
	struct creds_value v;

	CHECK_EQ(creds_get(c, &v), 0);
	CHECK(!creds_reject(c, v.generation));
	now_s += 11;
	CHECK(creds_reject(c, v.generation));
	expect(c, "key1");
	CHECK_EQ(a.fetches, 2);
	/* The same keys: the generation says so. */
	CHECK(!creds_reject(c, v.generation));
	now_s += 11;
	a.key = 2;
	CHECK(creds_reject(c, v.generation));
	expect(c, "key2");
	CHECK_EQ(a.fetches, 3);
	/* Somebody else has seen to it already. */
	CHECK(creds_reject(c, v.generation));
	expect(c, "key2");
	CHECK_EQ(a.fetches, 3);
	creds_free(c);
}

/* check.h counts for one thread only. */
static void *
get_one(void *arg)
{
	struct creds_value v;

	return creds_get(arg, &v) == 0 && strcmp(v.key_id, "key7") == 0 ? arg :
	    NULL;
}

static void
test_single_flight(void)
{
	struct source a = { .key = 7, .sleep_us = 50000 };
	struct creds *c = make(&a, NULL);
	pthread_t t[16];
	void *got;

	for (size_t i = 0; i < NELEMS(t); i++)
		CHECK_EQ(pthread_create(&t[i], NULL, get_one, c), 0);
	for (size_t i = 0; i < NELEMS(t); i++) {
		pthread_join(t[i], &got);
		CHECK_AT(i, got == c);
	}
	CHECK_EQ(a.fetches, 1);
	creds_free(c);
}

/* Who was chosen stays, whatever else turns up. */
static void
test_choice_stays(void)
{
	struct source a = { .err = -ENOENT }, b = { .life_s = 100, .key = 2 };
	struct creds *c = make(&a, &b);

	expect(c, "key2");
	a.err = 0;
	now_s += 101;
	expect(c, "key2");
	CHECK_EQ(a.fetches, 1);
	/* Not even when it has none any more. */
	b.err = -ENOENT;
	now_s += 101;
	expect(c, NULL);
	CHECK_EQ(a.fetches, 1);
	creds_free(c);
}

/* Tried again after 1, 2, 4 .. 60 s, each up to a quarter less. */
static void
test_growing(void)
{
	struct source a = { .err = -EIO };
	struct creds *c = make(&a, NULL);
	int fetches = 0, since = 0, last_gap = 0;

	for (int i = 0; i < 400; i++, since++) {
		expect(c, NULL);
		if (a.fetches != fetches) {
			last_gap = since;
			since = 0;
		}
		fetches = a.fetches;
		now_s++;
	}
	CHECK(fetches >= 10 && fetches <= 16);
	CHECK(last_gap >= 45 && last_gap <= 60);
	/* Success begins anew. */
	now_s += 60;
	a.err = 0;
	a.life_s = 10;
	expect(c, "key0");
	a.err = -EIO;
	now_s += 11;
	for (int i = 0; i < 1000 && a.fetches == fetches + 1; i++) {
		struct creds_value v;

		CHECK_EQ(creds_get(c, &v), -EACCES);
		usleep(1000);
	}
	CHECK_EQ(a.fetches, fetches + 2);
	expect(c, NULL); /* waits for one that is in flight */
	now_s += 1;
	expect(c, NULL);
	CHECK(a.fetches >= fetches + 3);
	creds_free(c);
}

/* A person who did not answer is left alone for a while. */
static void
test_declined(void)
{
	struct source a = { .err = -ECANCELED };
	struct creds *c = make(&a, NULL);

	expect(c, NULL);
	now_s += 600;
	expect(c, NULL);
	CHECK_EQ(a.fetches, 1);
	now_s += 301;
	expect(c, NULL);
	CHECK_EQ(a.fetches, 2);
	creds_free(c);
}

/* Without a thread: the one who asks waits, and has the old ones if that was
 * for nothing. */
static void
test_lazy(void)
{
	struct source a = { .life_s = 3600, .key = 1 };
	struct creds_provider p = { "lazy", fetch, NULL, &a, false };
	struct creds *c;

	atomic_store(&now_s, 1000000);
	CHECK_EQ(creds_new(&(struct creds_opts){ .provider = &p,
	    .provider_len = 1, .now_unix = fake_now, .is_lazy = true }, &c),
	    0);
	expect(c, "key1");
	a.key = 2;
	now_s += 3301;
	expect(c, "key2");
	CHECK_EQ(a.fetches, 2);
	a.err = -EIO;
	now_s += 3301;
	expect(c, "key2");
	expect(c, "key2");
	CHECK_EQ(a.fetches, 3);
	now_s += 300;
	expect(c, NULL);
	creds_free(c);
}

static int
fetch_two_seconds(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct source *s = arg;

	atomic_fetch_add(&s->fetches, 1);
	strcpy(ret->key_id, "k");
	strcpy(ret->secret, "s");
	ret->expires_unix = time(NULL) + 2;
	return 0;
}

/* By the true clock, and without anybody who asks. */
static void
test_renewed_alone(void)
{
	struct source a = { .fetches = 0 };
	struct creds_provider p = { "short", fetch_two_seconds, NULL, &a,
		false };
	struct creds_value v;
	struct creds *c;

	CHECK_EQ(creds_new(&(struct creds_opts){ .provider = &p,
	    .provider_len = 1 }, &c), 0);
	CHECK_EQ(creds_get(c, &v), 0);
	for (int i = 0; i < 60000 && a.fetches < 4; i++)
		usleep(1000);
	CHECK(a.fetches >= 4);
	creds_free(c);
}

static int
count_lines(const char *path, const char *with)
{
	char line[1024];
	FILE *f = fopen(path, "re");
	int n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, with) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

/* A line for each change, not for each attempt. */
static void
test_log(void)
{
	char path[] = "/tmp/sesfs-log.XXXXXX", why[CREDS_WHY_MAX];
	struct source a = { .err = -EIO };
	int fd = mkstemp(path);
	struct creds *c;

	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(log_open(path), 0);
	c = make(&a, NULL);
	CHECK_EQ(creds_failure(c, why), 0);
	for (int i = 0; i < 100; i++, now_s++)
		expect(c, NULL);
	CHECK_EQ(count_lines(path, "creds:"), 1);
	CHECK_EQ(count_lines(path, "first: as told"), 1);
	CHECK_EQ(creds_failure(c, why), -EIO);
	CHECK_STR(why, "first: as told");
	a.err = 0;
	now_s += 60;
	expect(c, "key0");
	expect(c, "key0");
	CHECK_EQ(count_lines(path, "creds:"), 2);
	CHECK_EQ(count_lines(path, "good again"), 1);
	CHECK_EQ(creds_failure(c, why), 0);
	creds_free(c);
	CHECK_EQ(log_open("/dev/null"), 0);
	unlink(path);
}

int
main(void)
{
	CHECK(sodium_init() >= 0);
	CHECK_EQ(log_open("/dev/null"), 0);
	test_order();
	test_failure_is_shared();
	test_renewal();
	test_failed_renewal();
	test_expired_at_birth();
	test_short_life();
	test_reject();
	test_single_flight();
	test_choice_stays();
	test_growing();
	test_declined();
	test_lazy();
	test_renewed_alone();
	test_log();
	return check_done();
}
