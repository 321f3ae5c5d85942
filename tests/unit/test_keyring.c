#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "store/keyring.h"

/* Sanitizers turn mlock into a no-op that succeeds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_MLOCK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_MLOCK 0
#endif
#endif
#ifndef HAS_MLOCK
#define HAS_MLOCK 1
#endif

/* A key that says whose it is. */
static struct content_key
key_of(int64_t id)
{
	struct content_key k = { .suite = SUITE_GCM, .iv_len = 12 };

	memset(k.iv, (int)(id & 0xFF), sizeof(k.iv));
	memset(k.key, (int)((id >> 8) & 0xFF), sizeof(k.key));
	memcpy(k.key, &id, sizeof(id));
	return k;
}

static void
put(struct keyring *k, int64_t id, int64_t now_s)
{
	struct content_key key = key_of(id);

	keyring_put(k, id, &key, now_s);
}

/* 1 found and right, 0 absent, -1 found and wrong. */
static int
has(struct keyring *k, int64_t id, int64_t now_s)
{
	struct content_key want = key_of(id), got;
	static const struct content_key zero;
	int r = keyring_get(k, id, now_s, &got);

	if (r == 0)
		return memcmp(&want, &got, sizeof(got)) == 0 ? 1 : -1;
	return r == -ENOENT && memcmp(&zero, &got, sizeof(got)) == 0 ? 0 : -1;
}

/* A script of operations on a ring of three slots that live 10 s. */
enum op { PUT, HAS, HASNT, DROP, WIPE, EXPIRE, USED };

static const struct step {
	enum op op;
	int64_t id; /* USED: the count */
	int64_t now_s;
} script[] = {
	{ HASNT, 1, 0 }, { DROP, 1, 0 }, { EXPIRE, 0, 0 }, { USED, 0, 0 },
	/* put, replace, drop */
	{ PUT, 1, 0 }, { HAS, 1, 0 }, { PUT, 1, 1 }, { USED, 1, 1 },
	{ DROP, 1, 1 }, { HASNT, 1, 1 }, { USED, 0, 1 },
	/* the least recently used goes: a get counts as use */
	{ PUT, 1, 1 }, { PUT, 2, 1 }, { PUT, 3, 1 }, { HAS, 1, 1 },
	{ PUT, 4, 1 }, { HASNT, 2, 1 }, { HAS, 1, 1 }, { HAS, 3, 1 },
	{ HAS, 4, 1 }, { USED, 3, 1 },
	{ PUT, 5, 1 }, { HASNT, 1, 1 },
	{ WIPE, 0, 1 }, { USED, 0, 1 }, { HASNT, 3, 1 }, { HASNT, 5, 1 },
	/* time to live: use does not prolong it, a put does */
	{ PUT, 1, 100 }, { HAS, 1, 109 }, { HASNT, 1, 110 }, { USED, 0, 110 },
	{ PUT, 1, 200 }, { PUT, 1, 205 }, { HAS, 1, 214 }, { HASNT, 1, 215 },
	/* expiry in the order of puts, not of use */
	{ PUT, 1, 300 }, { PUT, 2, 304 }, { HAS, 1, 305 }, { EXPIRE, 0, 309 },
	{ USED, 2, 309 }, { EXPIRE, 0, 310 }, { USED, 1, 310 },
	{ HAS, 2, 310 }, { EXPIRE, 0, 314 }, { USED, 0, 314 },
	/* clocks a little out of order */
	{ PUT, 1, 402 }, { PUT, 2, 401 }, { PUT, 3, 403 },
	{ EXPIRE, 0, 411 }, { USED, 2, 411 }, { HASNT, 2, 411 },
	{ EXPIRE, 0, 412 }, { USED, 1, 412 }, { HAS, 3, 412 },
	{ WIPE, 0, 412 },
	/* full: what has expired makes room before what is merely old */
	{ PUT, 1, 500 }, { PUT, 2, 505 }, { PUT, 3, 506 }, { HAS, 1, 509 },
	{ PUT, 4, 510 }, { HASNT, 1, 510 }, { HAS, 2, 510 }, { HAS, 3, 510 },
	{ HAS, 4, 510 },
	/* ids are any 64 bits */
	{ WIPE, 0, 600 }, { PUT, INT64_MAX, 600 }, { PUT, INT64_MIN, 600 },
	{ PUT, -1, 600 }, { HAS, INT64_MAX, 600 }, { HAS, INT64_MIN, 600 },
	{ HAS, -1, 600 }, { HASNT, 0, 600 },
};

static void
test_script(void)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	struct keyring_stats st;

	CHECK_EQ(keyring_new(3, 10, &k), 0);
	for (size_t i = 0; i < NELEMS(script); i++) {
		const struct step *s = &script[i];

		if (s->op == PUT)
			put(k, s->id, s->now_s);
		else if (s->op == HAS || s->op == HASNT)
			CHECK_EQ_AT(i, has(k, s->id, s->now_s), s->op == HAS);
		else if (s->op == DROP)
			keyring_drop(k, s->id);
		else if (s->op == WIPE)
			keyring_wipe(k);
		else if (s->op == EXPIRE)
			keyring_expire(k, s->now_s);
		keyring_get_stats(k, &st);
		if (s->op == USED)
			CHECK_EQ_AT(i, st.used, s->id);
	}
	CHECK_EQ(st.slots, 3);
	CHECK_EQ(st.evictions, 2);
	CHECK_EQ(st.expiries, 7);
}

static void
test_limits(void)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;

	CHECK_EQ(keyring_new(0, 10, &k), -EINVAL);
	CHECK_EQ(keyring_new(KEYRING_SLOTS_MAX + 1, 10, &k), -EINVAL);
	CHECK_EQ(keyring_new(1, -1, &k), -EINVAL);
	CHECK(k == NULL);
	keyring_free(NULL);
	CHECK_EQ(keyring_new(1, 0, &k), 0);
	put(k, 1, 5);
	CHECK_EQ(has(k, 1, 5), 0); /* keep none */
}

/* Against a plain model: an array of ids in the order of use. */
static void
test_model(void)
{
	enum { SLOTS = 17, IDS = 40, STEPS = 20000 };
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	int64_t order[SLOTS];
	size_t n = 0;
	unsigned rnd = 1;
	int bad = 0;

	CHECK_EQ(keyring_new(SLOTS, 1000, &k), 0);
	for (int step = 0; step < STEPS; step++) {
		int64_t id;
		size_t at;

		rnd = rnd * 1103515245 + 12345;
		id = (rnd >> 16) % IDS;
		for (at = 0; at < n && order[at] != id; at++)
			;
		if ((rnd >> 8) % 8 == 0) {
			keyring_drop(k, id);
			if (at < n)
				memmove(&order[at], &order[at + 1],
				    (--n - at) * sizeof(*order));
			continue;
		}
		bad += has(k, id, 0) != (at < n);
		if (at == n && n == SLOTS)
			at = 0; /* evicted */
		put(k, id, 0);
		if (at < n)
			memmove(&order[at], &order[at + 1],
			    (--n - at) * sizeof(*order));
		order[n++] = id;
	}
	CHECK_EQ(bad, 0);
}

/* The slab: the one mapping of ours that a child would find wiped. */
struct map {
	unsigned char *from, *to;
	bool is_locked, is_dumped;
};

static bool
find_slab(struct map *ret)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	struct map m = { 0 };
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			m.from = (unsigned char *)from;
			m.to = (unsigned char *)to;
		} else if (strncmp(line, "VmFlags:", 8) == 0 &&
		    strstr(line, " wf") != NULL) {
			m.is_locked = strstr(line, " lo") != NULL;
			m.is_dumped = strstr(line, " dd") == NULL;
			found = true;
		}
	}
	if (f != NULL)
		fclose(f);
	*ret = m;
	return found;
}

static bool
is_in(const struct map *m, int64_t id)
{
	struct content_key key = key_of(id);

	return memmem(m->from, (size_t)(m->to - m->from), &key,
		   sizeof(key)) != NULL;
}

static void
test_slab(void)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	struct keyring_stats st;
	struct map m;

	CHECK_EQ(keyring_new(2, 10, &k), 0);
	if (!find_slab(&m)) {
		fprintf(stderr, "no VmFlags here: the slab is not looked at\n");
		return;
	}
	keyring_get_stats(k, &st);
	if (HAS_MLOCK)
		CHECK_EQ(m.is_locked, st.is_locked);
	CHECK(!m.is_dumped);
	put(k, 0x1111, 0);
	CHECK(is_in(&m, 0x1111));
	keyring_drop(k, 0x1111);
	CHECK(!is_in(&m, 0x1111));
	put(k, 0x2222, 0);
	put(k, 0x3333, 1);
	put(k, 0x4444, 2);
	CHECK(!is_in(&m, 0x2222)); /* evicted */
	CHECK(is_in(&m, 0x3333));
	keyring_expire(k, 11);
	CHECK(!is_in(&m, 0x3333));
	CHECK(is_in(&m, 0x4444));
	CHECK_EQ(has(k, 0x4444, 12), 0);
	CHECK(!is_in(&m, 0x4444)); /* seen to be due by a get */
	put(k, 0x5555, 20);
	put(k, 0x5555, 21);
	keyring_wipe(k);
	CHECK(!is_in(&m, 0x5555));
}

/* A child has no keys, and says so rather than hand out zeros. */
static void
test_fork(void)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	int status = -1;
	pid_t pid;

	CHECK_EQ(keyring_new(4, 10, &k), 0);
	put(k, 0x7777, 0);
	if ((pid = fork()) == 0) {
		bool ok = has(k, 0x7777, 1) == 0;

		put(k, 0x7778, 1);
		_exit(ok && has(k, 0x7778, 1) == 1 ? 0 : 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(has(k, 0x7777, 1), 1);
}

struct worker {
	pthread_t thread;
	struct keyring *k;
	unsigned seed;
	int wrong;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct keyring_stats st;
	unsigned rnd = w->seed;

	for (int i = 0; i < 4000; i++) {
		int64_t id, now_s = i / 100;

		rnd = rnd * 1103515245 + 12345;
		id = (rnd >> 16) % 64;
		w->wrong += has(w->k, id, now_s) < 0;
		if (i % 997 == 0)
			keyring_wipe(w->k);
		else if (i % 101 == 0)
			keyring_expire(w->k, now_s);
		else if (i % 7 == 0)
			keyring_drop(w->k, id);
		else
			put(w->k, id, now_s);
	}
	keyring_get_stats(w->k, &st);
	w->wrong += st.used > st.slots;
	return NULL;
}

static void
test_threads(void)
{
	CLEANUP(keyring_freep) struct keyring *k = NULL;
	struct worker w[4];

	CHECK_EQ(keyring_new(16, 5, &k), 0);
	for (size_t i = 0; i < NELEMS(w); i++) {
		w[i] = (struct worker){ .k = k, .seed = (unsigned)i + 1 };
		CHECK_EQ(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (size_t i = 0; i < NELEMS(w); i++) {
		CHECK_EQ(pthread_join(w[i].thread, NULL), 0);
		CHECK_EQ_AT(i, w[i].wrong, 0);
	}
}

int
main(void)
{
	test_script();
	test_limits();
	test_model();
	test_slab();
	test_fork();
	test_threads();
	return check_done();
}
