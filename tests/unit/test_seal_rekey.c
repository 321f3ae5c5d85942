#include <sys/wait.h>

#include "seal_fake.h"

enum { ROWS = 600 }; /* three transactions */

struct bed {
	char dir[32];
	struct index *ix;
	struct fake kms;
	struct seal *seal;
};

static void
bed_open(struct bed *b)
{
	b->ix = fake_index(b->dir);
	b->seal = fake_seal(b->ix, &b->kms, KEY_A);
}

static void
bed_close(struct bed *b)
{
	seal_free(TAKE(b->seal));
	index_close(TAKE(b->ix));
}

static void
bed_end(struct bed *b)
{
	bed_close(b);
	fake_dir_remove(b->dir);
}

/* What is in the boxes of a row; every third row has no headers. */
static size_t
text_of(int64_t row, enum seal_column col, char ret[32])
{
	return (size_t)sprintf(ret, "%d of %lld", (int)col, (long long)row);
}

static int
fill_row(void *arg, const struct object *o)
{
	struct bed *b = arg;
	uint8_t key[128], headers[128];
	char text[32];
	size_t key_len, headers_len;
	int r;

	key_len = text_of(o->id, SEAL_CONTENT_KEY, text);
	r = seal_box(b->seal, SEAL_CONTENT_KEY, o->id, text, key_len, key);
	headers_len = text_of(o->id, SEAL_HEADERS, text);
	if (r == 0)
		r = seal_box(b->seal, SEAL_HEADERS, o->id, text, headers_len,
		    headers);
	return r < 0 ? r : index_object_set_sealed(b->ix, o->id,
	    (struct slice){ key, key_len + SEAL_OVERHEAD }, 0,
	    o->id % 3 == 0 ? (struct slice){ 0 } :
		(struct slice){ headers, headers_len + SEAL_OVERHEAD });
}

static void
bed_begin(struct bed *b)
{
	static struct object_listed l[ROWS];
	static char key[ROWS][32];

	*b = (struct bed){ 0 };
	fake_dir(b->dir);
	bed_open(b);
	for (int i = 0; i < ROWS; i++) {
		sprintf(key[i], "mail/%06d", i);
		l[i] = (struct object_listed){ key[i], "\"e\"", 9, 1 };
	}
	CHECK_EQ(merge_page(b->ix, "mail/", NULL, NULL, l, ROWS, NULL,
	    NULL, NULL), 0);
	CHECK_EQ(index_batch_begin(b->ix), 0);
	CHECK_EQ(index_each_object(b->ix, -1, fill_row, b), 0);
	CHECK_EQ(index_batch_end(b->ix, true), 0);
}

#define BED(name)                                                              \
	CLEANUP(bed_end) struct bed name;                                      \
	bed_begin(&name)

/* What the index has: rows whose boxes all open to what was in them, by the
 * generation of the key's. */
struct tally {
	struct bed *b;
	int good, rows[256];
};

static bool
is_right(struct bed *b, enum seal_column col, int64_t row, const uint8_t *box,
    size_t len)
{
	char want[32], got[32];
	size_t n = text_of(row, col, want);

	return box != NULL && len == n + SEAL_OVERHEAD &&
	    seal_open(b->seal, col, row, box, len, got) == 0 &&
	    memcmp(got, want, n) == 0;
}

static int
tally_row(void *arg, const struct object *o)
{
	struct tally *t = arg;

	t->good += is_right(t->b, SEAL_CONTENT_KEY, o->id, o->key_sealed,
		       o->key_sealed_len) &&
	    (o->id % 3 == 0 ? o->headers_sealed == NULL :
		is_right(t->b, SEAL_HEADERS, o->id, o->headers_sealed,
		    o->headers_sealed_len));
	t->rows[o->key_sealed != NULL ? o->key_sealed[0] : 0]++;
	return 0;
}

static struct tally
tally(struct bed *b)
{
	struct tally t = { .b = b };

	CHECK_EQ(index_each_object(b->ix, -1, tally_row, &t), 0);
	return t;
}

static void
check_key(struct bed *b, const char *want)
{
	char arn[KMS_ARN_MAX];

	(void)seal_get_state(b->seal, arn);
	CHECK_STR(arn, want);
}

static void
test_whole(void)
{
	BED(b);
	struct tally t;

	CHECK_EQ(seal_rekey(b.seal, NULL), 0); /* nothing to finish */
	CHECK_EQ(tally(&b).rows[1], ROWS);
	b.kms.disturb = b.seal;
	CHECK_EQ(seal_rekey(b.seal, KEY_B), 0);
	b.kms.disturb = NULL;
	CHECK_EQ(b.kms.reset, -EBUSY);
	CHECK_EQ(b.kms.rekey, -EBUSY);
	t = tally(&b);
	CHECK_EQ(t.good, ROWS);
	CHECK_EQ(t.rows[2], ROWS);
	check_key(&b, KEY_B);
	CHECK_EQ(b.kms.generates, 2);
	bed_close(&b);
	b.kms = (struct fake){ 0 };
	bed_open(&b);
	CHECK_EQ(tally(&b).good, ROWS);
	check_key(&b, KEY_B);
	CHECK_EQ(b.kms.decrypts, 1); /* the old key is not needed */
	CHECK_EQ(seal_rekey(b.seal, KEY_B), 0); /* a new root, the same key */
	CHECK_EQ(tally(&b).rows[3], ROWS);
	CHECK_EQ(seal_reset(b.seal), 0);
	CHECK_EQ(tally(&b).rows[0], ROWS);
}

/* The generation is a byte. */
static void
test_wrap_around(void)
{
	BED(b);
	struct tally t;

	CHECK_EQ(seal_reset(b.seal), 0);
	CHECK_EQ(seal_rekey(b.seal, KEY_A), 0);
	CHECK_EQ(b.kms.generates, 1); /* without a root, none is made */
	for (int i = 2; i < 256; i++) {
		uint8_t box[SEAL_OVERHEAD];

		CHECK_EQ(seal_box(b.seal, SEAL_BODY, 1, "", 0, box), 0);
		CHECK_EQ(box[0], i);
		if (i < 255)
			CHECK_EQ(seal_reset(b.seal), 0);
	}
	CHECK_EQ(index_each_object(b.ix, -1, fill_row, &b), 0);
	CHECK_EQ(tally(&b).rows[255], ROWS);
	CHECK_EQ(seal_rekey(b.seal, KEY_B), 0);
	t = tally(&b);
	CHECK_EQ(t.good, ROWS);
	CHECK_EQ(t.rows[0], ROWS);
}

static void
test_refused(void)
{
	static const struct {
		const char *key_id;
		int err;
		int want;
	} row[] = {
		{ KEY_EVIL, 0, -ENOKEY },
		{ KEY_B, -ENOKEY, -ENOKEY },
		{ KEY_B, -ETIMEDOUT, -ETIMEDOUT },
	};
	BED(b);

	for (size_t i = 0; i < NELEMS(row); i++) {
		struct tally t;

		b.kms.err = row[i].err;
		CHECK_EQ_AT(i, seal_rekey(b.seal, row[i].key_id), row[i].want);
		b.kms.err = 0;
		t = tally(&b);
		CHECK_EQ_AT(i, t.good, ROWS);
		CHECK_EQ_AT(i, t.rows[1], ROWS);
		check_key(&b, KEY_A);
	}
	bed_close(&b);
	b.kms.err = -ENOKEY;
	bed_open(&b);
	CHECK_EQ(seal_rekey(b.seal, KEY_B), -ENOKEY);
	b.kms.err = 0;
	seal_forget(b.seal);
	CHECK_EQ(tally(&b).rows[1], ROWS);
}

/* The roots' time runs out underway and KMS is gone: stopped, nothing lost,
 * gone on with after a restart, towards another key as well. */
static void
test_stopped(void)
{
	static const struct {
		int good_calls;	  /* of the 40 or so that it would take */
		const char *next; /* then rekey to this one */
		int generation;	  /* that all rows are of in the end */
		const char *arn;
	} row[] = {
		{ 1, NULL, 2, KEY_B },
		{ 2, NULL, 2, KEY_B },
		{ 30, NULL, 2, KEY_B },
		{ 30, KEY_B, 2, KEY_B },
		{ 30, KEY_A, 3, KEY_A },
		{ 38, NULL, 2, KEY_B },
	};

	for (size_t i = 0; i < NELEMS(row); i++) {
		BED(b);
		struct tally t;

		seal_forget(b.seal);
		b.kms.err = -ETIMEDOUT;
		b.kms.good_calls = row[i].good_calls;
		fake_tick_s = 1;
		CHECK_EQ_AT(i, seal_rekey(b.seal, KEY_B), -ETIMEDOUT);
		fake_tick_s = 0;
		b.kms = (struct fake){ 0 };
		bed_close(&b);
		bed_open(&b);
		t = tally(&b);
		CHECK_EQ_AT(i, t.good, ROWS);
		CHECK_EQ_AT(i, t.rows[2], row[i].good_calls < 30 ? 0 :
		    row[i].good_calls < 38 ? 256 : 512);
		CHECK_EQ_AT(i, seal_rekey(b.seal, row[i].next), 0);
		t = tally(&b);
		CHECK_EQ_AT(i, t.good, ROWS);
		CHECK_EQ_AT(i, t.rows[row[i].generation], ROWS);
		check_key(&b, row[i].arn);
	}
}

/* A row that the walk is long past gets a box of the old root, sealed before
 * the rekey and published late. */
struct late {
	struct bed *b;
	struct object first;
};

static int
publish_late(void *arg)
{
	struct late *l = arg;

	return index_object_set_sealed(l->b->ix, l->first.id,
	    (struct slice){ l->first.key_sealed, l->first.key_sealed_len }, 0,
	    (struct slice){ 0 });
}

static void
test_late(void)
{
	BED(b);
	struct late late = { .b = &b };
	struct tally t;

	CHECK_EQ(index_object_by_key(b.ix, "mail/000000", &late.first), 0);
	seal_forget(b.seal);
	b.kms = (struct fake){ .hook = publish_late, .hook_arg = &late,
		.hook_at = 30, .hooked = 1 };
	fake_tick_s = 1;
	CHECK_EQ(seal_rekey(b.seal, KEY_B), 0);
	fake_tick_s = 0;
	CHECK_EQ(b.kms.hooked, 0);
	t = tally(&b);
	CHECK_EQ(t.good, ROWS);
	CHECK_EQ(t.rows[2], ROWS);
	object_clear(&late.first);
}

/* Killed at some look at the clock. Returns whether it was. */
static bool
rekey_killed(struct bed *b, int at)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		bed_open(b);
		fake_die_at = at;
		_exit(seal_rekey(b->seal, KEY_B) == 0 ? 0 : 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) &&
	    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	return WEXITSTATUS(status) == 77;
}

static void
test_killed(void)
{
	int killed = 0;

	for (int at = 1; at < 3000; at += at < 3 ? 1 : 311) {
		BED(b);
		struct tally t;

		bed_close(&b);
		killed += rekey_killed(&b, at);
		bed_open(&b);
		CHECK_EQ_AT(at, tally(&b).good, ROWS);
		CHECK_EQ_AT(at, seal_rekey(b.seal, NULL), 0);
		t = tally(&b);
		CHECK_EQ_AT(at, t.good, ROWS);
		CHECK_EQ_AT(at, t.rows[2], ROWS);
	}
	CHECK(killed > 3);
}

/* While others seal, open and forget. */
struct user {
	pthread_t thread;
	struct bed *b;
	atomic_bool *is_over;
	int wrong;
};

static void *
use(void *arg)
{
	struct user *u = arg;

	for (int64_t row = 1; !*u->is_over; row++) {
		uint8_t box[32 + SEAL_OVERHEAD];
		char text[32];
		size_t n = text_of(row, SEAL_BODY, text);
		int r = seal_box(u->b->seal, SEAL_BODY, row, text, n, box);

		u->wrong += r != 0;
		r = seal_open(u->b->seal, SEAL_BODY, row, box,
		    n + SEAL_OVERHEAD, text);
		u->wrong += r != 0 && r != -EBADMSG; /* its root went */
		if (row % 64 == 0)
			seal_forget(u->b->seal);
	}
	return NULL;
}

static void
test_busy(void)
{
	BED(b);
	atomic_bool is_over = false;
	struct user u[2];
	struct tally t;

	for (size_t i = 0; i < NELEMS(u); i++) {
		u[i] = (struct user){ .b = &b, .is_over = &is_over };
		CHECK_EQ(pthread_create(&u[i].thread, NULL, use, &u[i]), 0);
	}
	CHECK_EQ(seal_rekey(b.seal, KEY_B), 0);
	is_over = true;
	for (size_t i = 0; i < NELEMS(u); i++) {
		CHECK_EQ(pthread_join(u[i].thread, NULL), 0);
		CHECK_EQ_AT(i, u[i].wrong, 0);
	}
	t = tally(&b);
	CHECK_EQ(t.good, ROWS);
	CHECK_EQ(t.rows[2], ROWS);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_whole();
	test_wrap_around();
	test_refused();
	test_stopped();
	test_late();
	test_killed();
	test_busy();
	return check_done();
}
