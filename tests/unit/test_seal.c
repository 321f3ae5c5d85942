#include "seal_fake.h"

/* Each test has an index of its own. */
struct bed {
	char dir[32];
	struct index *ix;
	struct fake kms;
	struct seal *seal;
};

static void
bed_end(struct bed *b)
{
	seal_free(b->seal);
	index_close(b->ix);
	fake_dir_remove(b->dir);
}

#define BED(name)                                                              \
	CLEANUP(bed_end) struct bed name = { 0 };                              \
	bed_begin(&name)

static void
bed_begin(struct bed *b)
{
	fake_dir(b->dir);
	b->ix = fake_index(b->dir);
	b->seal = fake_seal(b->ix, &b->kms, KEY_A);
}

/* As after a restart. */
static void
bed_again(struct bed *b, const char *key_id)
{
	seal_free(b->seal);
	index_close(b->ix);
	b->ix = fake_index(b->dir);
	b->seal = fake_seal(b->ix, &b->kms, key_id);
}

static enum seal_state
state(struct bed *b)
{
	char arn[KMS_ARN_MAX];

	return seal_get_state(b->seal, arn);
}

#define TEXT "a secret of some bytes"
#define BOX_LEN (sizeof(TEXT) + SEAL_OVERHEAD)

static int
box(struct bed *b, int64_t row, uint8_t ret[BOX_LEN])
{
	return seal_box(b->seal, SEAL_HEADERS, row, TEXT, sizeof(TEXT), ret);
}

/* 0: opens, to the right text. On errors nothing may be left in the output,
 * else -ENOTRECOVERABLE, which no row of a table wants. */
static int
opens(struct bed *b, enum seal_column col, int64_t row,
    const uint8_t in[BOX_LEN])
{
	char out[sizeof(TEXT)];
	int r;

	memset(out, 'x', sizeof(out));
	r = seal_open(b->seal, col, row, in, BOX_LEN, out);
	if (r == 0 ? memcmp(out, TEXT, sizeof(TEXT)) != 0
		   : !sodium_is_zero((uint8_t *)out, sizeof(out)))
		return -ENOTRECOVERABLE;
	return r;
}

static void
test_binding(void)
{
	static const struct {
		enum seal_column col;
		int64_t row;
		int want;
	} at[] = {
		{ SEAL_HEADERS, 7, 0 },
		{ SEAL_CONTENT_KEY, 7, -EBADMSG },
		{ SEAL_BODY, 7, -EBADMSG },
		{ SEAL_HEADERS, 8, -EBADMSG },
		{ SEAL_HEADERS, 0, -EBADMSG },
		{ SEAL_HEADERS, 7 + (INT64_C(1) << 32), -EBADMSG },
		{ SEAL_HEADERS, 7 + (INT64_C(1) << 56), -EBADMSG },
		{ SEAL_HEADERS, -7, -EBADMSG },
	};
	BED(b);
	BED(other);
	uint8_t one[BOX_LEN], two[BOX_LEN], out[1];

	CHECK_EQ(box(&b, 7, one), 0);
	CHECK_EQ(box(&b, 7, two), 0);
	CHECK(memcmp(one, two, BOX_LEN) != 0); /* fresh nonces */
	CHECK(memmem(one, BOX_LEN, TEXT, 4) == NULL);
	for (size_t i = 0; i < NELEMS(at); i++)
		CHECK_EQ_AT(i, opens(&b, at[i].col, at[i].row, one),
		    at[i].want);
	for (size_t i = 0; i < BOX_LEN; i++) {
		one[i] ^= 1;
		CHECK_EQ_AT(i, opens(&b, SEAL_HEADERS, 7, one), -EBADMSG);
		one[i] ^= 1;
	}
	for (size_t len = 0; len < BOX_LEN; len++) {
		uint8_t cut[sizeof(TEXT)];

		CHECK_EQ_AT(len, seal_open(b.seal, SEAL_HEADERS, 7, one, len,
		    cut), -EBADMSG);
	}
	CHECK_EQ(opens(&b, SEAL_HEADERS, 7, one), 0);
	/* another state directory's */
	CHECK_EQ(opens(&other, SEAL_HEADERS, 7, one), -EBADMSG);
	CHECK_EQ(box(&other, 7, two), 0);
	CHECK_EQ(opens(&other, SEAL_HEADERS, 7, one), -EBADMSG);
	/* nothing in a box */
	CHECK_EQ(seal_box(b.seal, SEAL_BODY, 1, "", 0, two), 0);
	CHECK_EQ(seal_open(b.seal, SEAL_BODY, 1, two, SEAL_OVERHEAD, out), 0);
	CHECK_EQ(b.kms.generates, 1);
	CHECK_EQ(b.kms.decrypts, 0);
}

/* The same root under another uuid: its boxes do not open. */
static void
test_uuid(void)
{
	BED(b);
	uint8_t one[BOX_LEN];
	char uuid[36];
	size_t len;

	CHECK_EQ(box(&b, 1, one), 0);
	CHECK_EQ(index_meta_get(b.ix, "seal.uuid", uuid, 36, &len), 0);
	CHECK_EQ(len, 36);
	uuid[0] = uuid[0] == '0' ? '1' : '0';
	CHECK_EQ(index_meta_set(b.ix, "seal.uuid", uuid, 36), 0);
	bed_again(&b, KEY_A);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY); /* KMS's context */
	CHECK_EQ(state(&b), SEAL_DENIED);
}

static void
test_restart(void)
{
	BED(b);
	uint8_t one[BOX_LEN];
	char arn[KMS_ARN_MAX];

	CHECK_EQ(seal_get_state(b.seal, arn), SEAL_LOCKED);
	CHECK_STR(arn, "");
	memset(one, 1, sizeof(one));
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -EBADMSG);
	CHECK_EQ(b.kms.generates, 0); /* opening never makes a root */
	CHECK_EQ(box(&b, 1, one), 0);
	bed_again(&b, KEY_A);
	CHECK_EQ(seal_get_state(b.seal, arn), SEAL_LOCKED);
	CHECK_STR(arn, KEY_A);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(state(&b), SEAL_OPEN);
	CHECK_EQ(b.kms.decrypts, 1);
	/* --seal-key names another now: the stored root is used on */
	bed_again(&b, KEY_B);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(b.kms.generates, 1);
	bed_again(&b, NULL);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY);
	CHECK_EQ(box(&b, 1, one), -ENOKEY);
	CHECK_EQ(seal_get_state(b.seal, arn), SEAL_OFF);
	CHECK_STR(arn, "");
}

static void
test_ttl(void)
{
	BED(b);
	uint8_t one[BOX_LEN];

	CHECK_EQ(box(&b, 1, one), 0);
	fake_now_s += TTL_S - 1;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	seal_expire(b.seal, fake_now_s);
	CHECK_EQ(state(&b), SEAL_OPEN);
	CHECK_EQ(b.kms.decrypts, 0);
	fake_now_s += 1;
	seal_expire(b.seal, fake_now_s - 1);
	CHECK_EQ(state(&b), SEAL_LOCKED); /* seen at the look */
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(b.kms.decrypts, 1);
	seal_expire(b.seal, fake_now_s + TTL_S);
	CHECK_EQ(state(&b), SEAL_LOCKED);
	/* a key disabled meanwhile is noticed */
	b.kms.err = -ENOKEY;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY);
}

/* What KMS or policy say no to, how long that is remembered, and as what. */
static void
test_failures(void)
{
	static const struct {
		int err, names_err;
		const char *answer_arn;
		size_t answer_len;
		int want;
		enum seal_state state;
		int64_t wait_s;
	} row[] = {
		{ -ENOKEY, 0, NULL, 0, -ENOKEY, SEAL_DENIED, SEAL_DENIED_S },
		{ -ETIMEDOUT, 0, NULL, 0, -ETIMEDOUT, SEAL_OFFLINE,
		  SEAL_OFFLINE_S },
		{ -EACCES, 0, NULL, 0, -EACCES, SEAL_OFFLINE, SEAL_OFFLINE_S },
		{ 0, -ECONNRESET, NULL, 0, -ECONNRESET, SEAL_OFFLINE,
		  SEAL_OFFLINE_S },
		{ 0, 0, KEY_EVIL, 0, -ENOKEY, SEAL_DENIED, SEAL_DENIED_S },
		{ 0, 0, KEY_B, 0, -ENOKEY, SEAL_DENIED, SEAL_DENIED_S },
		{ 0, 0, NULL, 31, -ENOKEY, SEAL_DENIED, SEAL_DENIED_S },
		{ 0, 0, NULL, 33, -ENOKEY, SEAL_DENIED, SEAL_DENIED_S },
	};
	BED(b);
	uint8_t one[BOX_LEN];

	CHECK_EQ(box(&b, 1, one), 0);
	for (size_t i = 0; i < NELEMS(row); i++) {
		seal_forget(b.seal);
		b.kms = (struct fake){
			.err = row[i].err, .names_err = row[i].names_err,
			.answer_arn = row[i].answer_arn,
			.answer_len = row[i].answer_len,
		};
		CHECK_EQ_AT(i, opens(&b, SEAL_HEADERS, 1, one), row[i].want);
		CHECK_EQ_AT(i, state(&b), row[i].state);
		b.kms = (struct fake){ 0 };
		fake_now_s += row[i].wait_s - 1;
		CHECK_EQ_AT(i, opens(&b, SEAL_HEADERS, 1, one), row[i].want);
		CHECK_EQ_AT(i, b.kms.decrypts, 0);
		fake_now_s += 1;
		CHECK_EQ_AT(i, opens(&b, SEAL_HEADERS, 1, one), 0);
		CHECK_EQ_AT(i, b.kms.decrypts, 1);
		CHECK_EQ_AT(i, state(&b), SEAL_OPEN);
	}
	/* forgetting forgets the refusal too */
	seal_forget(b.seal);
	b.kms.err = -ENOKEY;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY);
	b.kms.err = 0;
	seal_forget(b.seal);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
}

/* The same of making the first root: nothing is left in the index. */
static void
test_first_refused(void)
{
	static const struct fake how[] = {
		{ .err = -ENOKEY },
		{ .answer_arn = KEY_EVIL },
		{ .answer_arn = "" },
		{ .names_err = -ETIMEDOUT },
	};
	static const int want[] = { -ENOKEY, -ENOKEY, -EPROTO, -ETIMEDOUT };
	BED(b);
	uint8_t one[BOX_LEN], root[8192];
	size_t len;

	for (size_t i = 0; i < NELEMS(how); i++) {
		b.kms = how[i];
		CHECK_EQ_AT(i, box(&b, 1, one), want[i]);
		CHECK_EQ_AT(i, box(&b, 1, one), want[i]);
		CHECK_EQ_AT(i, b.kms.generates, 1);
		CHECK_EQ_AT(i, index_meta_get(b.ix, "seal.root", root,
		    sizeof(root), &len), -ENOENT);
		seal_forget(b.seal);
	}
}

/* Who can write the state directory cannot have us use their key, nor crash
 * us. */
static void
test_planted(void)
{
	BED(b);
	uint8_t one[BOX_LEN], root[8192], evil[8192];
	size_t len;

	CHECK_EQ(box(&b, 1, one), 0);
	CHECK_EQ(index_meta_get(b.ix, "seal.root", root, sizeof(root), &len),
	    0);
	memcpy(evil, root, len);
	memcpy(evil + 4, KEY_EVIL, strlen(KEY_EVIL));
	CHECK_EQ(index_meta_set(b.ix, "seal.root", evil, len), 0);
	bed_again(&b, KEY_A);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY);
	CHECK_EQ(box(&b, 1, one), -ENOKEY);
	CHECK_EQ(b.kms.decrypts, 0); /* KMS is not even asked */
	/* damaged ones count as none */
	for (size_t cut = 0; cut < 4 + strlen(KEY_A); cut++) {
		uint8_t in[BOX_LEN];

		CHECK_EQ(index_meta_set(b.ix, "seal.root", root, cut), 0);
		bed_again(&b, KEY_A);
		CHECK_EQ_AT(cut, opens(&b, SEAL_HEADERS, 1, one), -EBADMSG);
		CHECK_EQ_AT(cut, box(&b, 1, in), 0);
		CHECK_EQ_AT(cut, opens(&b, SEAL_HEADERS, 1, in), 0);
	}
	memset(evil, 0xFF, sizeof(evil));
	CHECK_EQ(index_meta_set(b.ix, "seal.root", evil, sizeof(evil)), 0);
	bed_again(&b, KEY_A);
	CHECK_EQ(box(&b, 1, one), 0);
	CHECK_EQ(index_meta_set(b.ix, "seal.uuid", evil, 36), 0);
	bed_again(&b, KEY_A);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -EBADMSG);
	CHECK_EQ(box(&b, 1, one), 0);
}

/* KMS is told the names that policy has, never what the index says. */
static void
test_names(void)
{
	BED(b);
	uint8_t one[BOX_LEN];

	CHECK_EQ(box(&b, 1, one), 0);
	seal_forget(b.seal);
	b.kms.decrypts = 0;
	b.kms.name[0] = "alias/of-another";
	b.kms.name[1] = KEY_B;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), -ENOKEY);
	CHECK_EQ(b.kms.decrypts, 2); /* and not by KEY_A, which is stored */
	CHECK_EQ(state(&b), SEAL_DENIED);
	seal_forget(b.seal);
	b.kms.name[2] = KEY_A;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(b.kms.decrypts, 5);
}

/* An answer that was asked for before a forget is not kept. */
static void
test_forget_in_flight(void)
{
	BED(b);
	uint8_t one[BOX_LEN];

	b.kms.forget = b.seal;
	CHECK_EQ(box(&b, 1, one), 0);
	CHECK_EQ(b.kms.generates, 1);
	CHECK_EQ(b.kms.decrypts, 1);
	CHECK_EQ(b.kms.seen, SEAL_LOCKED);
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	seal_forget(b.seal);
	CHECK_EQ(state(&b), SEAL_LOCKED);
	b.kms.forget = b.seal;
	CHECK_EQ(opens(&b, SEAL_HEADERS, 1, one), 0);
	CHECK_EQ(b.kms.decrypts, 3);
	CHECK_EQ(state(&b), SEAL_OPEN);
}

static void
test_reset(void)
{
	BED(b);
	uint8_t one[BOX_LEN], two[BOX_LEN];
	struct object_listed l = { "mail/k", "\"e\"", 9, 1 };
	struct object o = { 0 };

	CHECK_EQ(merge_page(b.ix, "mail/", NULL, NULL, &l, 1, NULL, NULL,
	    NULL), 0);
	CHECK_EQ(index_object_by_key(b.ix, "mail/k", &o), 0);
	CHECK_EQ(box(&b, o.id, one), 0);
	CHECK_EQ(index_object_set_sealed(b.ix, o.id, (struct slice){ one,
	    BOX_LEN }, 0, (struct slice){ one, BOX_LEN }), 0);
	seal_forget(b.seal);
	b.kms.err = -ENOKEY;
	CHECK_EQ(opens(&b, SEAL_HEADERS, o.id, one), -ENOKEY);
	CHECK_EQ(seal_reset(b.seal), 0);
	b.kms.err = 0;
	CHECK_EQ(opens(&b, SEAL_HEADERS, o.id, one), -EBADMSG);
	CHECK_EQ(box(&b, o.id, two), 0);
	CHECK_EQ(b.kms.generates, 2);
	CHECK(one[0] != two[0]);
	bed_again(&b, KEY_A);
	CHECK_EQ(opens(&b, SEAL_HEADERS, o.id, two), 0);
	CHECK_EQ(opens(&b, SEAL_HEADERS, o.id, one), -EBADMSG);
	object_clear(&o);
	CHECK_EQ(index_object_by_key(b.ix, "mail/k", &o), 0);
	CHECK(o.key_sealed == NULL && o.headers_sealed == NULL);
	object_clear(&o);
}

struct user {
	pthread_t thread;
	struct bed *b;
	const uint8_t *in; /* NULL: seal one first */
	int r;
};

static void *
use(void *arg)
{
	struct user *u = arg;
	uint8_t own[BOX_LEN];

	u->r = u->in == NULL ? box(u->b, 1, own) : 0;
	if (u->r == 0)
		u->r = opens(u->b, SEAL_HEADERS, 1, u->in ? u->in : own);
	return NULL;
}

/* Several threads at once, while KMS takes its time: one call. */
static void
run_users(struct bed *b, const uint8_t *in, int want)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct user u[6];

	b->kms.gate = &gate;
	pthread_mutex_lock(&gate);
	for (size_t i = 0; i < NELEMS(u); i++) {
		u[i] = (struct user){ .b = b, .in = in };
		CHECK_EQ(pthread_create(&u[i].thread, NULL, use, &u[i]), 0);
	}
	usleep(20000); /* makes it likely that they wait; no more than that */
	pthread_mutex_unlock(&gate);
	for (size_t i = 0; i < NELEMS(u); i++) {
		CHECK_EQ(pthread_join(u[i].thread, NULL), 0);
		CHECK_EQ_AT(i, u[i].r, want);
	}
	b->kms.gate = NULL;
}

static void
test_single_flight(void)
{
	BED(b);
	uint8_t one[BOX_LEN];

	run_users(&b, NULL, 0);
	CHECK_EQ(b.kms.generates, 1);
	CHECK_EQ(b.kms.decrypts, 0);
	CHECK_EQ(box(&b, 1, one), 0);
	seal_forget(b.seal);
	run_users(&b, one, 0);
	CHECK_EQ(b.kms.decrypts, 1);
	seal_forget(b.seal);
	b.kms.err = -ETIMEDOUT;
	run_users(&b, one, -ETIMEDOUT);
	CHECK_EQ(b.kms.decrypts, 2);
}

static void *
disturb(void *arg)
{
	struct bed *b = arg;
	char arn[KMS_ARN_MAX];
	int r = 0;

	for (int i = 0; i < 200; i++) {
		seal_forget(b->seal);
		seal_expire(b->seal, fake_now_s);
		(void)seal_get_state(b->seal, arn);
		if (i % 50 == 0 && r == 0)
			r = seal_reset(b->seal);
	}
	return r == 0 ? NULL : b;
}

/* For the sanitizers: use under forgetting and resetting. */
static void
test_turmoil(void)
{
	BED(b);
	pthread_t t;
	uint8_t one[BOX_LEN];
	void *failed;
	int wrong = 0;

	CHECK_EQ(pthread_create(&t, NULL, disturb, &b), 0);
	for (int i = 0; i < 200; i++) {
		char out[sizeof(TEXT)];
		int r = box(&b, i, one);

		wrong += r != 0;
		r = seal_open(b.seal, SEAL_HEADERS, i, one, BOX_LEN, out);
		wrong += r != 0 && r != -EBADMSG; /* reset in between */
	}
	CHECK_EQ(pthread_join(t, &failed), 0);
	CHECK(failed == NULL);
	CHECK_EQ(wrong, 0);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_binding();
	test_uuid();
	test_restart();
	test_ttl();
	test_failures();
	test_first_refused();
	test_planted();
	test_names();
	test_forget_in_flight();
	test_reset();
	test_single_flight();
	test_turmoil();
	return check_done();
}
