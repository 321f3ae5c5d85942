/* The index: objects from listing to drop. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "index_util.h"

#define MD5_A "0cc175b9c0f1b6a831c399e269772661"
#define MD5_B "92eb5ffee6ae2fec3ad71c777531578f"

/* ---- merging pages ---- */

struct gone {
	int64_t id[64];
	size_t n;
};

static void
on_gone(void *arg, int64_t id)
{
	struct gone *g = arg;

	if (g->n < NELEMS(g->id))
		g->id[g->n++] = id;
}

static void
check_counts(long row, const struct index_merge_counts *c, uint64_t added,
    uint64_t replaced, uint64_t removed, uint64_t same)
{
	CHECK_EQ_AT(row, c->added, added);
	CHECK_EQ_AT(row, c->replaced, replaced);
	CHECK_EQ_AT(row, c->removed, removed);
	CHECK_EQ_AT(row, c->same, same);
}

/* A listing in terms of one letter per key: "a1 b2" is key p/a with ETag 1. */
static size_t
parse_page(const char *text, struct object_listed *ret, char (*keys)[8],
    char (*etags)[40])
{
	size_t n = 0;

	for (const char *s = text; *s != '\0'; s += s[2] ? 3 : 2, n++) {
		snprintf(keys[n], 8, "p/%c", s[0]);
		snprintf(etags[n], 40, s[1] == '9' ? MD5_A : "etag-%c", s[1]);
		ret[n] = (struct object_listed){ keys[n], etags[n], 100,
			1000 + s[0] };
	}
	return n;
}

static int
merge_text(struct index *ix, const char *text, const char *after,
    const char *last, struct gone *gone, struct index_merge_counts *c)
{
	struct object_listed page[26];
	char keys[26][8], etags[26][40];
	size_t n = parse_page(text, page, keys, etags);

	return merge_page(ix, "p/", after, last, page, n, on_gone, gone,
	    c);
}

/* All rows as text: "a1P" key, ETag, state; '+' before what replaces. */
static int
describe_one(void *arg, const struct object *o)
{
	char *s = (char *)arg + strlen(arg);
	const char *e = o->etag;

	sprintf(s, "%s%s%s%c%c", s == arg ? "" : " ",
	    o->replaces_id ? "+" : "", o->key + 2,
	    strcmp(e, MD5_A) == 0 ? '9' : e[strlen(e) - 1],
	    "PRXG"[o->state]);
	return 0;
}

static void
check_rows(long row, struct index *ix, const char *want)
{
	char got[1000] = "";

	CHECK_EQ_AT(row, index_each_object(ix, -1, describe_one, got), 0);
	CHECK_STR_AT(row, got, want);
}

static int64_t
id_of(struct index *ix, const char *key, enum object_state state)
{
	struct object o;
	int64_t id = 0;

	if (index_object_by_key(ix, key, &o) == 0) {
		CHECK_EQ(o.state, state);
		id = o.id;
	}
	object_clear(&o);
	return id;
}

/* Publish the pending object under a key; its inode. */
static int64_t
publish_key(struct index *ix, int64_t id, const char *name)
{
	int64_t ino, replaced;
	struct object o;

	CHECK_EQ(index_object(ix, id, &o), 0);
	o.plain_size = o.size - 16;
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), name, NOW, &ino,
		     &replaced), 0);
	object_clear(&o);
	return ino;
}

static void
test_merge_range(void)
{
	static const struct {
		const char *before, *page, *after, *last;
		int want;
		const char *rows;
		uint64_t added, replaced, removed, same;
	} cases[] = {
		{ "", "a1 b1 c1", NULL, NULL, 0, "a1P b1P c1P", 3, 0, 0, 0 },
		{ "a1 b1 c1", "a1 b1 c1", NULL, NULL, 0, "a1P b1P c1P", 0, 0,
		    0, 3 },
		{ "a1 b1 c1", "", NULL, NULL, 0, "", 0, 0, 3, 0 },
		{ "b1", "a1 b1 c1", NULL, NULL, 0, "a1P b1P c1P", 2, 0, 0, 1 },
		{ "a1 b1 c1", "b1", NULL, NULL, 0, "b1P", 0, 0, 2, 1 },
		{ "a1 b1 c1 d1", "b1", "p/a", "p/c", 0, "a1P b1P d1P", 0, 0, 1,
		    1 },
		{ "a1 b1 c1", "", NULL, "p/b", 0, "c1P", 0, 0, 2, 0 },
		{ "a1 b1 c1", "", "p/b", NULL, 0, "a1P b1P", 0, 0, 1, 0 },
		{ "a1 b1", "a2 b1", NULL, NULL, 0, "a2P b1P", 0, 1, 0, 1 },
		{ "a9 b1", "a9 b9", NULL, NULL, 0, "a9P b9P", 0, 1, 0, 1 },
		{ "a1", "b1 a1", NULL, NULL, -EINVAL, "a1P", 0, 0, 0, 0 },
		{ "a1", "b1 b1", NULL, NULL, -EINVAL, "a1P", 0, 0, 0, 0 },
		{ "a1", "a1", "p/a", NULL, -EINVAL, "a1P", 0, 0, 0, 0 },
		{ "a1", "b1 c1", NULL, "p/b", -EINVAL, "a1P", 0, 0, 0, 0 },
	};
	struct index_merge_counts c;

	for (size_t i = 0; i < NELEMS(cases); i++) {
		char *dir = tmpdir_make();
		struct index *ix = ix_open(dir);
		struct gone gone = { .n = 0 };

		CHECK_EQ_AT(i, merge_text(ix, cases[i].before, NULL, NULL,
		    &gone, NULL), 0);
		CHECK_EQ_AT(i, merge_text(ix, cases[i].page, cases[i].after,
		    cases[i].last, &gone, &c), cases[i].want);
		check_counts((long)i, &c, cases[i].added, cases[i].replaced,
		    cases[i].removed, cases[i].same);
		check_rows((long)i, ix, cases[i].rows);
		CHECK_EQ_AT(i, gone.n, 0);
		index_close(ix);
		tmpdir_free(dir);
	}
}

/* Several ranges at once, in any order: as one after the other, and all of
 * them or none. */
static void
test_merge_pages(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct object_listed page[4];
	struct gone gone = { .n = 0 };
	struct index_merge_counts c;
	struct index_page p[3];
	char keys[4][8], etags[4][40];

	CHECK_EQ(merge_text(ix, "a1 c1 e1 g1", NULL, NULL, &gone, &c), 0);
	parse_page("b1 c1 f2 h1", page, keys, etags);
	p[0] = (struct index_page){ .after = "p/e", .last = NULL,
		.object = page + 2, .n = 2 };
	p[1] = (struct index_page){ .after = NULL, .last = "p/c",
		.object = page, .n = 2 };
	p[2] = (struct index_page){ .after = "p/c", .last = "p/e" };
	CHECK_EQ(index_merge_pages(ix, "p/", p, 3, on_gone, &gone), 0);
	check_counts(0, &p[0].counts, 2, 0, 1, 0);
	check_counts(1, &p[1].counts, 1, 0, 1, 1);
	check_counts(2, &p[2].counts, 0, 0, 1, 0);
	check_rows(0, ix, "b1P c1P f2P h1P");
	/* The last one is not in its range: nothing is changed. */
	p[0].n = p[1].n = 0;
	p[2].object = page + 3;
	p[2].n = 1;
	CHECK_EQ(index_merge_pages(ix, "p/", p, 3, on_gone, &gone), -EINVAL);
	check_counts(3, &p[1].counts, 0, 0, 0, 0);
	check_rows(1, ix, "b1P c1P f2P h1P");
	CHECK_EQ(index_merge_pages(ix, "p/", NULL, 0, NULL, NULL), 0);
	CHECK_EQ(gone.n, 0);
	index_close(ix);
	tmpdir_free(dir);
}

static void
check_cuts(long row, struct index *ix, const char *prefix, size_t every,
    size_t max, const char *want)
{
	char *cut[8], got[80] = "";
	int n = index_cuts(ix, prefix, every, cut, max);

	CHECK_AT(row, n >= 0);
	for (int i = 0; i < n; i++) {
		strcat(got, cut[i]);
		strcat(got, " ");
		free(cut[i]);
	}
	CHECK_STR_AT(row, got, want);
}

static void
test_cuts(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct object_listed far = { "q", "e", 1, 1 };
	struct object_listed odd = { "p/e\xff", "e", 1, 1 };
	struct gone gone = { .n = 0 };
	struct index_merge_counts c;

	check_cuts(0, ix, "p/", 3, 8, "");
	CHECK_EQ(merge_text(ix, "a1 b1 c1 d1 e1 f1 g1", NULL, NULL, &gone, &c),
	    0);
	CHECK_EQ(merge_page(ix, "q", NULL, NULL, &far, 1, NULL, NULL,
		     NULL), 0);
	check_cuts(1, ix, "p/", 3, 8, "p/c p/f ");
	check_cuts(2, ix, "p/", 3, 1, "p/c ");
	check_cuts(3, ix, "p/", 7, 8, "p/g ");
	check_cuts(4, ix, "p/", 8, 8, "");
	check_cuts(5, ix, "", 4, 8, "p/d q ");
	check_cuts(6, ix, "p/", 3, 0, "");
	check_cuts(7, ix, "p/x", 1, 8, "");
	/* S3 would not begin at what is no UTF-8. */
	CHECK_EQ(merge_page(ix, odd.key, NULL, NULL, &odd, 1, NULL, NULL,
		     NULL), 0);
	check_cuts(8, ix, "p/", 2, 8, "p/b p/d ");
	index_close(ix);
	tmpdir_free(dir);
}

/* Keys outside the prefix are not the page's business; every byte may be in a
 * key, and 0xff needs care at the end of the range. */
static void
test_merge_prefix(void)
{
	static const char *const keys[] = { "o", "p", "p/", "p/\x01",
		"p/\xc3\xa9", "p/\xff", "p/\xff\xff", "p0", "q" };
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct object_listed page[NELEMS(keys)];
	struct index_merge_counts c;
	struct object o;

	for (size_t i = 0; i < NELEMS(keys); i++)
		page[i] = (struct object_listed){ keys[i], "e", 1, 1 };
	CHECK_EQ(merge_page(ix, "", NULL, NULL, page, NELEMS(keys), NULL,
		     NULL, &c), 0);
	CHECK_EQ(c.added, NELEMS(keys));
	CHECK_EQ(merge_page(ix, "", NULL, NULL, page, NELEMS(keys), NULL,
		     NULL, &c), 0);
	CHECK_EQ(c.same, NELEMS(keys));
	CHECK_EQ(merge_page(ix, "p/\xff", NULL, NULL, page + 5, 2, NULL,
		     NULL, &c), 0);
	CHECK_EQ(c.same, 2);
	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, NULL, 0, NULL, NULL,
		     &c), 0);
	CHECK_EQ(c.removed, 5);
	for (size_t i = 0; i < NELEMS(keys); i++) {
		int want = i >= 2 && i < 7 ? -ENOENT : 0;

		CHECK_EQ_AT(i, index_object_by_key(ix, keys[i], &o), want);
		object_clear(&o);
	}
	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, page, 1, NULL, NULL,
		     &c), -EINVAL);
	index_close(ix);
	tmpdir_free(dir);
}

/* What becomes of a key that is shown, and of what is to replace it. */
static void
test_merge_states(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct index_merge_counts c;
	struct gone gone = { .n = 0 };
	int64_t a, b, succ, ino, dirs[4];
	struct object o;
	size_t n;

	CHECK_EQ(merge_text(ix, "a1 b1", NULL, NULL, &gone, &c), 0);
	a = id_of(ix, "p/a", OBJECT_PENDING);
	b = id_of(ix, "p/b", OBJECT_PENDING);
	publish_key(ix, a, "1.a");
	CHECK_EQ(index_object_refused(ix, b, AUTH_FAILED), 0);
	check_rows(0, ix, "a1R b1X");

	/* A new body: the old one is shown until the new one is ready. */
	CHECK_EQ(merge_text(ix, "a2 b1", NULL, NULL, &gone, &c), 0);
	check_counts(1, &c, 0, 1, 0, 1);
	check_rows(1, ix, "a1R +a2P b1X");
	CHECK_EQ(id_of(ix, "p/a", OBJECT_READY), a);
	succ = first_pending(ix);
	CHECK_EQ(index_object(ix, succ, &o), 0);
	CHECK_EQ(o.replaces_id, a);
	object_clear(&o);

	/* Another one meanwhile: the id of the first is not used again. */
	CHECK_EQ(merge_text(ix, "a3 b1", NULL, NULL, &gone, &c), 0);
	check_rows(2, ix, "a1R +a3P b1X");
	CHECK_EQ(index_object_refused(ix, succ, AUTH_FAILED), -ENOENT);
	CHECK_EQ(index_object_retry(ix, succ, 5), -ENOENT);
	succ = first_pending(ix);

	/* A refused successor: nothing to do until it changes. */
	CHECK_EQ(index_object_refused(ix, succ, AUTH_FAILED), 0);
	check_rows(3, ix, "a1R +a3X b1X");
	CHECK_EQ(merge_text(ix, "a3 b1", NULL, NULL, &gone, &c), 0);
	check_counts(3, &c, 0, 0, 0, 2);
	CHECK_EQ(merge_text(ix, "a4 b2", NULL, NULL, &gone, &c), 0);
	check_counts(4, &c, 0, 2, 0, 0);
	check_rows(4, ix, "a1R +a4P b2P");
	CHECK_EQ(id_of(ix, "p/b", OBJECT_PENDING), b);
	CHECK_EQ(index_object(ix, b, &o), 0);
	CHECK_EQ(o.why, REFUSAL_NONE);
	object_clear(&o);

	/* The old body comes back. */
	CHECK_EQ(merge_text(ix, "a1 b2", NULL, NULL, &gone, &c), 0);
	check_counts(5, &c, 0, 0, 0, 2);
	check_rows(5, ix, "a1R b2P");
	CHECK_EQ(gone.n, 0);

	/* All gone: the shown one is reported, again and again. */
	CHECK_EQ(merge_text(ix, "a5", NULL, NULL, &gone, &c), 0);
	check_rows(6, ix, "a1R +a5P");
	CHECK_EQ(merge_text(ix, "", NULL, NULL, &gone, &c), 0);
	check_counts(6, &c, 0, 0, 1, 0);
	check_rows(6, ix, "a1G");
	CHECK_EQ(gone.n, 1);
	CHECK_EQ(gone.id[0], a);
	CHECK_EQ(merge_text(ix, "", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(gone.n, 2);
	CHECK_EQ(merge_text(ix, "a1", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(gone.n, 3);
	CHECK_EQ(c.added, 1);
	check_rows(7, ix, "a1G a1P");
	CHECK_EQ(index_object_drop(ix, a, NOW, &ino, dirs, 4, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(merge_text(ix, "a1", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(gone.n, 3);
	CHECK_EQ(c.same, 1);
	CHECK_EQ(index_node_forget(ix, ino, NULL), 0);
	check_rows(8, ix, "a1P");
	index_close(ix);
	tmpdir_free(dir);
}

/* A poll that finds nothing new writes nothing, and a change of size or date
 * alone is none. */
static void
test_merge_is_quiet(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct object_listed l = { "p/a", MD5_A, 100, 1000 };
	struct index_merge_counts c;
	int64_t before;
	struct object o;

	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, &l, 1, NULL, NULL, &c),
	    0);
	before = wal_bytes(ix);
	l.size = 5;
	l.last_modified_unix = 7;
	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, &l, 1, NULL, NULL, &c),
	    0);
	CHECK_EQ(c.same, 1);
	CHECK_EQ(index_retry_refused(ix), 0);
	CHECK_EQ(index_retry_due(ix, KMS_ACCESS, INT64_MAX), 0);
	CHECK_EQ(index_hurry(ix), 0);
	CHECK_EQ(wal_bytes(ix), before);
	CHECK_EQ(index_object_by_key(ix, "p/a", &o), 0);
	CHECK_STR(o.etag, MD5_A);
	CHECK_EQ(o.size, 100);
	CHECK_EQ(o.last_modified_unix, 1000);
	object_clear(&o);
	l.etag = MD5_B;
	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, &l, 1, NULL, NULL, &c),
	    0);
	CHECK(wal_bytes(ix) != before);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_etags(void)
{
	static const char *const etags[] = { MD5_A, "",
		"0CC175B9C0F1B6A831C399E269772661", MD5_A "-3",
		"0cc175b9c0f1b6a831c399e26977266",
		"0cc175b9c0f1b6a831c399e26977266g",
		"0123456789abcdef", "\"quoted\"", "\xff\xfe" };
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);

	for (size_t i = 0; i < NELEMS(etags); i++) {
		struct object_listed l = { "k", etags[i], 1, 1 };
		struct index_merge_counts c;
		struct object o;

		CHECK_EQ_AT(i, merge_page(ix, "", NULL, NULL, &l, 1,
		    NULL, NULL, &c), 0);
		CHECK_EQ_AT(i, c.same, 0);
		CHECK_EQ_AT(i, index_object_by_key(ix, "k", &o), 0);
		CHECK_STR_AT(i, o.etag, etags[i]);
		object_clear(&o);
		CHECK_EQ_AT(i, merge_page(ix, "", NULL, NULL, &l, 1,
		    NULL, NULL, &c), 0);
		CHECK_EQ_AT(i, c.same, 1);
	}
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- pending ---- */

static void
test_pending(void)
{
	static const struct {
		const char *key;
		int64_t modified, retry_at;
		int tries;
	} objects[] = {
		{ "a", 300, 0, 0 }, { "b", 100, 0, 0 }, { "c", 200, 0, 0 },
		{ "d", 50, 500, 1 }, { "e", 40, 2000, 1 }, { "f", 10, 0, 2 },
		{ "g", 100, 0, 0 },
	};
	static const char want[] = "bgcadf";
	char *dir = tmpdir_make(), got[16] = "";
	struct index *ix = ix_open(dir);
	struct index_cursor cur = { 0 };
	struct object o[2];
	int64_t id[2];
	int n;

	for (size_t i = 0; i < NELEMS(objects); i++) {
		struct object_listed l = { objects[i].key, "e", 1,
			objects[i].modified };

		CHECK_EQ(merge_page(ix, l.key, NULL, NULL, &l, 1, NULL,
			     NULL, NULL), 0);
		for (int t = 0; t < objects[i].tries; t++)
			CHECK_EQ(index_object_retry(ix, (int64_t)i + 1,
				     objects[i].retry_at), 0);
	}
	while ((n = pending_ids(ix, 1000, &cur, id, 2)) > 0)
		for (int i = 0; i < n; i++) {
			CHECK_EQ(index_object(ix, id[i], &o[0]), 0);
			strcat(got, o[0].key);
			object_clear(&o[0]);
		}
	CHECK_EQ(n, 0);
	CHECK_STR(got, want);
	cur = (struct index_cursor){ 0 };
	got[0] = '\0';
	while ((n = index_pending(ix, 1000, &cur, o, 2)) > 0)
		for (int i = 0; i < n; i++) {
			strcat(got, o[i].key);
			CHECK_EQ(o[i].state, OBJECT_PENDING);
			object_clear(&o[i]);
		}
	CHECK_EQ(n, 0);
	CHECK_STR(got, want);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- outcomes ---- */

static void
test_publish(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	uint8_t key[90], headers[300], envelope[700];
	int64_t id = add_object(ix, "p/a"), ino, ino2, replaced;
	struct object o, back;
	struct node n, was, now;

	memset(key, 1, sizeof(key));
	memset(headers, 2, sizeof(headers));
	memset(envelope, 3, sizeof(envelope));
	CHECK_EQ(index_object(ix, id, &o), 0);
	CHECK(o.envelope == NULL);
	o.plain_size = 84;
	o.crlf_size = 90;
	o.suite = SUITE_GCM;
	o.format = 1;
	CHECK_EQ(index_kms_key(ix, "arn:aws:kms:x:1:key/k", &o.kms_key_id), 0);
	o.key_sealed = key;
	o.key_sealed_len = sizeof(key);
	o.headers_sealed = headers;
	o.headers_sealed_len = sizeof(headers);
	o.envelope = envelope;
	o.envelope_len = sizeof(envelope);
	CHECK_EQ(index_node(ix, dir_new(ix), &was), 0);
	CHECK_EQ(index_object_publish(ix, &o, 9999, "n", NOW, &ino, &replaced),
	    -ENOENT);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), "a/b", NOW, &ino,
		     &replaced), -EINVAL);
	CHECK_EQ(index_object_publish(ix, &o, INDEX_ROOT_INO, "new", NOW, &ino,
		     &replaced), -EEXIST);
	CHECK_EQ(ino, 0);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), "n", NOW, &ino,
		     &replaced), 0);
	CHECK_EQ(replaced, 0);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), "m", NOW, &ino2,
		     &replaced), -ENOENT);
	CHECK_EQ(index_node(ix, dir_new(ix), &now), 0);
	CHECK(now.mtime_ns > was.mtime_ns);
	CHECK_EQ(now.nlink, 2);
	CHECK_EQ(index_lookup(ix, dir_new(ix), "n", &n), 0);
	CHECK_EQ(n.ino, ino);
	CHECK_EQ(n.kind, NODE_MESSAGE);
	CHECK_EQ(n.object_id, id);
	CHECK_EQ(n.nlink, 1);
	CHECK_EQ(n.size, 84);
	CHECK_EQ(n.mtime_ns, o.last_modified_unix * 1000000000);
	CHECK_EQ(n.atime_ns, n.mtime_ns);
	CHECK_EQ(n.ctime_ns, NOW);
	CHECK_EQ(n.uid, UINT32_MAX);
	CHECK_EQ(index_object(ix, id, &back), 0);
	CHECK_EQ(back.state, OBJECT_READY);
	CHECK_EQ(back.plain_size, 84);
	CHECK_EQ(back.crlf_size, 90);
	CHECK_EQ(back.suite, SUITE_GCM);
	CHECK_EQ(back.format, 1);
	CHECK_EQ(back.kms_key_id, o.kms_key_id);
	CHECK_EQ(back.key_sealed_len, sizeof(key));
	CHECK(memcmp(back.key_sealed, key, sizeof(key)) == 0);
	CHECK_EQ(back.headers_sealed_len, sizeof(headers));
	CHECK_EQ(back.envelope_len, sizeof(envelope));
	CHECK(memcmp(back.envelope, envelope, sizeof(envelope)) == 0);
	object_clear(&back);

	CHECK_EQ(index_object_set_sealed(ix, id, (struct slice){ NULL, 0 },
		     0, (struct slice){ key, 5 }), 0);
	CHECK_EQ(index_object(ix, id, &back), 0);
	CHECK_EQ(back.key_sealed_len, sizeof(key));
	CHECK_EQ(back.headers_sealed_len, 5);
	CHECK_EQ(back.envelope_len, sizeof(envelope));
	CHECK_EQ(back.kms_key_id, o.kms_key_id);
	object_clear(&back);
	/* A sealed key makes the envelope needless. */
	CHECK_EQ(index_object_set_sealed(ix, id, (struct slice){ key, 7 },
		     o.kms_key_id + 1, (struct slice){ NULL, 0 }), 0);
	CHECK_EQ(index_object(ix, id, &back), 0);
	CHECK_EQ(back.key_sealed_len, 7);
	CHECK_EQ(back.headers_sealed_len, 5);
	CHECK(back.envelope == NULL && back.envelope_len == 0);
	CHECK_EQ(back.kms_key_id, o.kms_key_id + 1);
	object_clear(&back);
	CHECK_EQ(index_drop_sealed(ix), 0);
	CHECK_EQ(index_object(ix, id, &back), 0);
	CHECK(back.key_sealed == NULL && back.headers_sealed == NULL);
	object_clear(&back);
	CHECK_EQ(index_object_set_sealed(ix, 999, (struct slice){ key, 5 },
		     0, (struct slice){ NULL, 0 }), -ENOENT);
	CHECK_EQ(index_object_set_sealed(ix, id, (struct slice){ key, 5 }, 77,
		     (struct slice){ NULL, 0 }), 0);
	CHECK_EQ(index_object_set_sealed(ix, id, (struct slice){ key, 6 }, 0,
		     (struct slice){ NULL, 0 }), 0);
	CHECK_EQ(index_object(ix, id, &back), 0);
	CHECK_EQ(back.kms_key_id, 77);
	CHECK_EQ(back.key_sealed_len, 6);
	object_clear(&back);
	o.key_sealed = o.headers_sealed = o.envelope = NULL;
	object_clear(&o);
	index_close(ix);
	tmpdir_free(dir);
}

/* The successor takes the place of what it replaces, even under its name. */
static void
test_replace(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct gone gone = { .n = 0 };
	int64_t a, old, ino, replaced;
	enum node_kind kind = NODE_FILE;
	struct object o;
	struct node n;

	CHECK_EQ(merge_text(ix, "a1", NULL, NULL, &gone, NULL), 0);
	a = id_of(ix, "p/a", OBJECT_PENDING);
	old = publish_key(ix, a, "1.a");
	CHECK_EQ(index_link(ix, old, dir_cur(ix), "copy", NOW, &n), 0);
	CHECK_EQ(merge_text(ix, "a2", NULL, NULL, &gone, NULL), 0);
	CHECK_EQ(index_object(ix, first_pending(ix), &o), 0);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), "1.a", NOW, &ino,
		     &replaced), 0);
	CHECK_EQ(replaced, old);
	CHECK(ino > old);
	check_rows(0, ix, "a1G a2R");
	CHECK_EQ(index_lookup(ix, dir_cur(ix), "copy", &n), -ENOENT);
	CHECK_EQ(index_lookup(ix, dir_new(ix), "1.a", &n), 0);
	CHECK_EQ(n.ino, ino);
	CHECK_EQ(index_node(ix, old, &n), 0);
	CHECK_EQ(n.nlink, 0);
	CHECK(n.is_gone);
	CHECK_EQ(index_link(ix, old, dir_cur(ix), "x", NOW, &n), -ENOENT);
	CHECK_EQ(index_node_forget(ix, old, &kind), 0);
	CHECK_EQ(kind, NODE_MESSAGE);
	CHECK_EQ(index_node(ix, old, &n), -ENOENT);
	CHECK_EQ(index_node_forget(ix, old, NULL), -ENOENT);
	check_rows(1, ix, "a2R");
	object_clear(&o);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_drop(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t id = add_object(ix, "p/a"), ino, got, dirs[2] = { 0 };
	enum node_kind kind;
	struct node n;
	size_t count;

	ino = publish_key(ix, id, "1.a");
	CHECK_EQ(index_link(ix, ino, dir_cur(ix), "2", NOW, &n), 0);
	CHECK_EQ(index_link(ix, ino, dir_cur(ix), "3", NOW, &n), 0);
	CHECK_EQ(n.nlink, 3);
	CHECK_EQ(index_object_drop(ix, id, NOW, &got, dirs, 2, &count), 0);
	CHECK_EQ(got, ino);
	CHECK_EQ(count, 2);
	CHECK_EQ(dirs[0], dir_new(ix));
	CHECK_EQ(dirs[1], dir_cur(ix));
	CHECK_EQ(index_node(ix, ino, &n), 0);
	CHECK_EQ(n.nlink, 0);
	kind = NODE_FILE;
	CHECK_EQ(index_node_forget(ix, ino, &kind), 0);
	CHECK_EQ(kind, NODE_MESSAGE);
	CHECK_EQ(index_object_drop(ix, id, NOW, &got, dirs, 2, &count),
	    -ENOENT);

	/* Pending: nothing but its row. */
	id = add_object(ix, "p/b");
	CHECK_EQ(index_object_drop(ix, id, NOW, &got, dirs, 2, &count), 0);
	CHECK_EQ(got, 0);
	CHECK_EQ(count, 0);
	check_rows(0, ix, "");
	index_close(ix);
	tmpdir_free(dir);
}

/* An unlinked message is not brought back by the next listing. */
static void
test_tombstone(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct index_merge_counts c;
	struct gone gone = { .n = 0 };
	int64_t a, b, ino, got, dirs[2];
	struct node n;
	size_t count;

	CHECK_EQ(merge_text(ix, "a1 b1", NULL, NULL, &gone, &c), 0);
	a = id_of(ix, "p/a", OBJECT_PENDING);
	b = id_of(ix, "p/b", OBJECT_PENDING);
	ino = publish_key(ix, a, "1.a");
	publish_key(ix, b, "1.b");
	CHECK_EQ(index_unlink(ix, dir_new(ix), "1.a", NOW, &n), 0);
	CHECK_EQ(n.nlink, 0);
	CHECK(!n.is_gone);
	CHECK_EQ(merge_text(ix, "a1 b1", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(c.same, 2);
	CHECK_EQ(index_node_forget(ix, ino, NULL), 0);
	CHECK_EQ(merge_text(ix, "a1 b1", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(c.same, 2);
	check_rows(0, ix, "a1R b1R");

	/* The other is unlinked while held; a restart forgets it. */
	CHECK_EQ(index_unlink(ix, dir_new(ix), "1.b", NOW, &n), 0);
	index_close(ix);
	ix = ix_open(dir);
	CHECK_EQ(index_node(ix, n.ino, &n), -ENOENT);
	CHECK_EQ(merge_text(ix, "a1 b1", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(c.same, 2);

	/* Once they have left the bucket, so do their tombstones. */
	CHECK_EQ(merge_text(ix, "", NULL, NULL, &gone, &c), 0);
	CHECK_EQ(gone.n, 2);
	CHECK_EQ(index_object_drop(ix, a, NOW, &got, dirs, 2, &count), 0);
	CHECK_EQ(got, 0);
	check_rows(1, ix, "b1G");
	index_close(ix);
	ix = ix_open(dir);
	check_rows(2, ix, "");
	index_close(ix);
	tmpdir_free(dir);
}

/* Gone while held and named: unlinking and forgetting clears it away. */
static void
test_gone_then_unlinked(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct gone gone = { .n = 0 };
	int64_t ino, id = add_object(ix, "p/a");
	struct node n;

	ino = publish_key(ix, id, "1.a");
	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, NULL, 0, on_gone,
		     &gone, NULL), 0);
	CHECK_EQ(index_unlink(ix, dir_new(ix), "1.a", NOW, &n), 0);
	CHECK(n.is_gone);
	CHECK_EQ(index_node_forget(ix, ino, NULL), 0);
	check_rows(0, ix, "");
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- the rest ---- */

static int
stop_at_two(void *arg, const struct object *o)
{
	int *n = arg;

	return ++*n == 2 ? -ECANCELED : 0;
}

static int
drop_each(void *arg, const struct object *o)
{
	int64_t ino, dirs[1];
	size_t n;

	/* Nothing is held: the index may be changed from here. */
	return index_object_drop(arg, o->id, NOW, &ino, dirs, 1, &n);
}

static int
collect_ids(void *arg, const struct object *o)
{
	char id[24];

	snprintf(id, sizeof(id), "%d ", (int)o->id);
	strcat(arg, id);
	return 0;
}

static int
collect_name(void *arg, int64_t dir, const char *name, const struct node *n,
    const struct object *o)
{
	strcat(strcat(arg, name), " ");
	CHECK_EQ(n->object_id, o->id);
	return 0;
}

static void
test_counts_and_walks(void)
{
	char *dir = tmpdir_make(), names[100] = "", refused[100] = "";
	struct index *ix = ix_open(dir);
	struct object_listed page[200];
	static int64_t ids[200];
	struct index_cursor cursor = { 0 };
	char keys[200][16];
	struct index_counts c;
	int stops = 0;
	int64_t next;

	for (int i = 0; i < 200; i++) {
		snprintf(keys[i], 16, "k/%03d", i);
		page[i] = (struct object_listed){ keys[i], "e", 116,
			1000 - i };
	}
	CHECK_EQ(merge_page(ix, "k/", NULL, NULL, page, 200, NULL, NULL,
		     NULL), 0);
	for (int64_t id = 1; id <= 5; id++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", (int)id);
		publish_key(ix, id, name);
	}
	CHECK_EQ(index_object_retry(ix, 6, 500), 0);
	CHECK_EQ(index_object_refused(ix, 6, KMS_ACCESS), 0);
	CHECK_EQ(index_object_refused(ix, 7, KMS_ACCESS), 0);
	CHECK_EQ(index_object_refused(ix, 8, BAD_IV), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.pending, 192);
	CHECK_EQ(c.ready, 5);
	CHECK_EQ(c.refused, 3);
	CHECK_EQ(c.by_refusal[KMS_ACCESS], 2);
	CHECK_EQ(c.by_refusal[BAD_IV], 1);
	CHECK_EQ(c.stored_bytes, 5 * 116);
	CHECK_EQ(c.plain_bytes, 5 * 100);
	CHECK_EQ(count_rows(ix, "node"), 4 + 5);
	CHECK_EQ(count_rows(ix, "entry"), 3 + 5);
	/* By reason, then in the order they came; KMS_ACCESS is the later. */
	CHECK(BAD_IV < KMS_ACCESS);
	CHECK_EQ(index_each_object(ix, OBJECT_REFUSED, collect_ids, refused),
	    0);
	CHECK_STR(refused, "8 6 7 ");
	/* Number 7 was never put off, 6 until 500; 8 has another reason. */
	CHECK_EQ(index_retry_due(ix, KMS_ACCESS, 499), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.by_refusal[KMS_ACCESS], 1);
	CHECK_EQ(index_retry_due(ix, KMS_ACCESS, 500), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.refused, 1);
	CHECK_EQ(c.pending, 194);
	/* What was tried comes after all that never was. */
	CHECK_EQ(pending_ids(ix, 1000, &cursor, ids, 200), 194);
	CHECK_EQ(ids[193], 6);
	/* In a hurry, time is no matter. */
	CHECK_EQ(index_object_retry(ix, 6, 5000), 0);
	CHECK_EQ(index_object_refused(ix, 6, KMS_ACCESS), 0);
	CHECK_EQ(index_object_retry(ix, 7, 5000), 0);
	CHECK_EQ(index_retry_due(ix, KMS_ACCESS, 1000), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.by_refusal[KMS_ACCESS], 1);
	CHECK_EQ(index_next_try(ix, KMS_ACCESS, &next), 0);
	CHECK_EQ(next, 5000);
	CHECK_EQ(index_hurry(ix), 0);
	CHECK_EQ(index_next_try(ix, KMS_ACCESS, &next), 0);
	CHECK_EQ(next, 0);
	CHECK_EQ(index_retry_due(ix, KMS_ACCESS, 1000), 0);
	memset(&cursor, 0, sizeof(cursor));
	CHECK_EQ(pending_ids(ix, 1000, &cursor, ids, 200), 194);
	CHECK_EQ(index_retry_refused(ix), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.refused, 0);
	CHECK_EQ(c.by_refusal[BAD_IV], 0);

	CHECK_EQ(index_each_entry(ix, 0, collect_name, names), 0);
	CHECK_STR(names, "m5 m4 m3 m2 m1 ");
	names[0] = '\0';
	CHECK_EQ(index_each_entry(ix, dir_cur(ix), collect_name, names), 0);
	CHECK_STR(names, "");
	CHECK_EQ(index_each_object(ix, OBJECT_READY, stop_at_two, &stops),
	    -ECANCELED);
	CHECK_EQ(stops, 2);
	CHECK_EQ(index_each_object(ix, OBJECT_PENDING, drop_each, ix), 0);
	CHECK_EQ(index_counts(ix, &c), 0);
	CHECK_EQ(c.pending, 0);
	CHECK_EQ(c.ready, 5);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_small_tables(void)
{
	char *dir = tmpdir_make(), buf[8];
	struct index *ix = ix_open(dir);
	struct node n, d = { .kind = NODE_DIR, .mode = 0755 };
	struct kms_key_row k;
	int64_t id, id2, where;
	size_t len;

	CHECK_EQ(index_meta_get(ix, "x", buf, sizeof(buf), &len), -ENOENT);
	CHECK_EQ(index_meta_set(ix, "x", "abc", 3), 0);
	CHECK_EQ(index_meta_set(ix, "x", "a\0cdef", 6), 0);
	CHECK_EQ(index_meta_get(ix, "x", buf, sizeof(buf), &len), 0);
	CHECK_EQ(len, 6);
	CHECK(memcmp(buf, "a\0cdef", 6) == 0);
	CHECK_EQ(index_meta_get(ix, "x", buf, 5, &len), -ERANGE);
	CHECK_EQ(index_meta_set(ix, "x", "", 0), 0);
	CHECK_EQ(index_meta_get(ix, "x", buf, sizeof(buf), &len), 0);
	CHECK_EQ(len, 0);

	CHECK_EQ(index_kms_key(ix, "arn:one", &id), 0);
	CHECK_EQ(index_kms_key(ix, "arn:two", &id2), 0);
	CHECK(id != id2);
	CHECK_EQ(index_kms_key(ix, "arn:one", &id2), 0);
	CHECK_EQ(id, id2);
	CHECK_EQ(index_kms_key_get(ix, id, &k), 0);
	CHECK_STR(k.arn, "arn:one");
	CHECK_EQ(index_kms_key_get(ix, 99, &k), -ENOENT);

	/* A folder goes with its directory, not with the directory's name. */
	CHECK_EQ(index_folder_get(ix, "Sales", &where), -ENOENT);
	CHECK_EQ(index_folder_set(ix, "Sales", 99), -ENOENT);
	CHECK_EQ(index_create(ix, 1, ".Sales", &d, NOW, &n), 0);
	CHECK_EQ(index_folder_set(ix, "Sales", n.ino), 0);
	CHECK_EQ(index_folder_is_other(ix, "Sales", n.ino), 0);
	CHECK_EQ(index_folder_is_other(ix, "sales", n.ino), 1);
	id = n.ino;
	CHECK_EQ(index_rename(ix, 1, ".Sales", 1, ".Old", 0, NOW, &n, &d), 0);
	CHECK_EQ(index_folder_get(ix, "Sales", &where), 0);
	CHECK_EQ(where, id);
	CHECK_EQ(index_rmdir(ix, 1, ".Old", NOW, &n), 0);
	CHECK_EQ(index_folder_get(ix, "Sales", &where), -ENOENT);
	CHECK_EQ(index_folder_is_other(ix, "x", id), 0); /* row forgotten */
	index_close(ix);
	tmpdir_free(dir);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_merge_range();
	test_merge_pages();
	test_cuts();
	test_merge_prefix();
	test_merge_states();
	test_merge_is_quiet();
	test_etags();
	test_pending();
	test_publish();
	test_replace();
	test_drop();
	test_tombstone();
	test_gone_then_unlinked();
	test_counts_and_walks();
	test_small_tables();
	return check_done();
}
