#include "check.h"

#include <errno.h>
#include <pthread.h>

#include "index_util.h"

static void
test_table(void)
{
	struct node a = { .ino = 5, .size = 7 }, b = { .ino = 5 + MEMO_SLOTS },
		    n;
	struct memo m;

	memo_init(&m);
	CHECK(!memo_get(&m, 0, 5, &n));
	memo_put(&m, 3, &a);
	CHECK(memo_get(&m, 3, 5, &n) && n.size == 7);
	/* older, newer, or another one's: not known */
	CHECK(!memo_get(&m, 2, 5, &n) && !memo_get(&m, 4, 5, &n));
	CHECK(!memo_get(&m, 3, b.ino, &n) && !memo_get(&m, 3, 6, &n));
	CHECK(!memo_get(&m, 3, 0, &n) && !memo_get(&m, 3, -5, &n));
	/* the newest stays */
	memo_put(&m, 3, &b);
	CHECK(!memo_get(&m, 3, 5, &n) && memo_get(&m, 3, b.ino, &n));
	memo_destroy(&m);

	/* without memory nothing is ever known */
	memo_init(&m);
	free(m.slot);
	m.slot = NULL;
	memo_put(&m, 0, &a);
	CHECK(!memo_get(&m, 0, 5, &n));
	memo_destroy(&m);
}

static bool
take_row(void *arg, const struct dirent_row *row)
{
	*(struct node *)arg = row->node;
	return true;
}

static void *
mode_seen(void *arg)
{
	struct index *ix = arg;
	struct node n;

	if (index_lookup(ix, INDEX_ROOT_INO, "d", &n) < 0 ||
	    index_node(ix, n.ino, &n) < 0)
		return NULL;
	return (void *)(uintptr_t)n.mode;
}

static unsigned
mode_of_others(struct index *ix)
{
	pthread_t t;
	void *ret = NULL;

	CHECK_EQ(pthread_create(&t, NULL, mode_seen, ix), 0);
	pthread_join(t, &ret);
	return (unsigned)(uintptr_t)ret;
}

/* Whatever was remembered, a row is what was committed last. */
static void
test_changes(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir), *other;
	struct node made = { .kind = NODE_DIR, .mode = 0700, .uid = 1,
		.gid = 1 }, n, seen;

	CHECK_EQ(index_create(ix, INDEX_ROOT_INO, "d", &made, NOW, &made), 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(index_node(ix, made.ino, &n), 0);
		CHECK_EQ(index_readdir(ix, INDEX_ROOT_INO, 0, NULL, take_row,
		    &seen), 0);
		CHECK_EQ(n.mode, seen.mode);
		n.mode = 0701 + i;
		CHECK_EQ(index_setattr(ix, &n, INDEX_SET_MODE, NOW, &seen), 0);
		CHECK_EQ(index_node(ix, made.ino, &n), 0);
		CHECK_EQ(n.mode, 0701 + i);
	}

	/* A batch sees what it wrote, nobody else does, and nothing is left of
	 * it when it is undone. */
	CHECK_EQ(index_batch_begin(ix), 0);
	n.mode = 0755;
	CHECK_EQ(index_setattr(ix, &n, INDEX_SET_MODE, NOW, &seen), 0);
	CHECK_EQ(index_node(ix, made.ino, &n), 0);
	CHECK_EQ(n.mode, 0755);
	CHECK_EQ(index_lookup(ix, INDEX_ROOT_INO, "d", &n), 0);
	CHECK_EQ(n.mode, 0755);
	CHECK_EQ(mode_of_others(ix), 0703);
	CHECK_EQ(index_node(ix, made.ino, &n), 0);
	CHECK_EQ(n.mode, 0755);
	CHECK_EQ(index_batch_end(ix, false), 0);
	CHECK_EQ(index_node(ix, made.ino, &n), 0);
	CHECK_EQ(n.mode, 0703);

	/* Another process's changes are seen by who only reads. */
	CHECK_EQ(index_open(dir, "s3://bucket/p", true, NOW, &other), 0);
	CHECK_EQ(index_node(other, made.ino, &n), 0);
	n.mode = 0711;
	CHECK_EQ(index_setattr(ix, &n, INDEX_SET_MODE, NOW, &seen), 0);
	CHECK_EQ(index_node(other, made.ino, &n), 0);
	CHECK_EQ(n.mode, 0711);
	index_close(other);

	/* what is gone is gone */
	CHECK_EQ(index_rmdir(ix, INDEX_ROOT_INO, "d", NOW, &n), 0);
	CHECK_EQ(index_node_forget(ix, made.ino, NULL), 0);
	CHECK_EQ(index_node(ix, made.ino, &n), -ENOENT);
	index_close(ix);
	tmpdir_free(dir);
}

int
main(void)
{
	test_table();
	test_changes();
	return check_done();
}
