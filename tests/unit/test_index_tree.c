/* The index: names and inodes. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "index_util.h"

static const struct node a_dir = { .kind = NODE_DIR, .mode = 0755,
	.uid = 1000, .gid = 100 };
static const struct node a_file = { .kind = NODE_FILE, .mode = 0600,
	.uid = UINT32_MAX, .gid = UINT32_MAX };

static int64_t
make(struct index *ix, int64_t dir, const char *name, const struct node *what)
{
	struct node n;

	CHECK_EQ(index_create(ix, dir, name, what, NOW, &n), 0);
	return n.ino;
}

static uint32_t
nlink_of(struct index *ix, int64_t ino)
{
	struct node n;

	return index_node(ix, ino, &n) == 0 ? n.nlink : UINT32_MAX;
}

static void
test_new_tree(void)
{
	static const char *const names[] = { "cur", "new", "tmp" };
	char *dir = tmpdir_make(), path[16];
	struct index *ix = ix_open(dir);
	struct dirent_row e[8];
	struct node n;

	CHECK_EQ(index_node(ix, INDEX_ROOT_INO, &n), 0);
	CHECK_EQ(n.kind, NODE_DIR);
	CHECK_EQ(n.nlink, 5);
	CHECK_EQ(n.parent, INDEX_ROOT_INO);
	CHECK_EQ(n.uid, UINT32_MAX);
	CHECK_EQ(list_dir(ix, INDEX_ROOT_INO, 0, e, 8), 3);
	for (size_t i = 0; i < NELEMS(names); i++) {
		CHECK_STR_AT(i, e[i].name, names[i]);
		CHECK_EQ_AT(i, e[i].node.nlink, 2);
		CHECK_EQ_AT(i, e[i].node.parent, INDEX_ROOT_INO);
		CHECK_EQ_AT(i, index_path(ix, e[i].node.ino, path,
		    sizeof(path)), 0);
		CHECK_STR_AT(i, path, names[i]);
	}
	CHECK_EQ(index_path(ix, INDEX_ROOT_INO, path, 1), 0);
	CHECK_STR(path, "");
	index_close(ix);
	ix = ix_open(dir);
	CHECK_EQ(list_dir(ix, INDEX_ROOT_INO, 0, e, 8), 3);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_names(void)
{
	char *dir = tmpdir_make(), max[INDEX_NAME_MAX + 2];
	const struct {
		const char *name;
		int create, lookup;
	} cases[] = {
		{ "", -EINVAL, -ENOENT }, { ".", -EINVAL, -ENOENT },
		{ "..", -EINVAL, -ENOENT }, { "a/b", -EINVAL, -ENOENT },
		{ max, -ENAMETOOLONG, -ENAMETOOLONG },
		{ max + 1, 0, 0 }, { "...", 0, 0 }, { "a:2,S", 0, 0 },
		{ "A:2,S", 0, 0 }, { "\xff\xfe\x01", 0, 0 },
		{ "a:2,S", -EEXIST, 0 }, { "cur", -EEXIST, 0 },
	};
	struct index *ix = ix_open(dir);
	struct node n;

	memset(max, 'x', INDEX_NAME_MAX + 1);
	max[INDEX_NAME_MAX + 1] = '\0';
	for (size_t i = 0; i < NELEMS(cases); i++) {
		CHECK_EQ_AT(i, index_create(ix, 1, cases[i].name, &a_file, NOW,
		    &n), cases[i].create);
		CHECK_EQ_AT(i, index_lookup(ix, 1, cases[i].name, &n),
		    cases[i].lookup);
	}
	CHECK_EQ(index_lookup(ix, 1, "nothing", &n), -ENOENT);
	CHECK_EQ(index_lookup(ix, 99, "cur", &n), -ENOENT);
	CHECK_EQ(index_create(ix, 99, "a", &a_file, NOW, &n), -ENOENT);
	CHECK_EQ(index_create(ix, ino_of(ix, 1, "..."), "a", &a_file, NOW, &n),
	    -ENOTDIR);
	n = (struct node){ .kind = NODE_MESSAGE };
	CHECK_EQ(index_create(ix, 1, "m", &n, NOW, &n), -EINVAL);
	index_close(ix);
	tmpdir_free(dir);
}

/* Names whose hashes are equal (FNV-1a, 32 bits) are still two names. */
static void
test_hash_collision(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t a = make(ix, 1, "costarring", &a_file);
	int64_t b = make(ix, 1, "liquid", &a_file);
	struct node n;

	CHECK_EQ(ino_of(ix, 1, "costarring"), a);
	CHECK_EQ(ino_of(ix, 1, "liquid"), b);
	CHECK_EQ(index_unlink(ix, 1, "costarring", NOW, &n), 0);
	CHECK_EQ(ino_of(ix, 1, "costarring"), 0);
	CHECK_EQ(ino_of(ix, 1, "liquid"), b);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_dirs(void)
{
	char *dir = tmpdir_make(), path[32];
	struct index *ix = ix_open(dir);
	int64_t a = make(ix, 1, "a", &a_dir), b, c, f;
	struct node n;

	CHECK_EQ(nlink_of(ix, 1), 6);
	b = make(ix, a, "bb", &a_dir);
	c = make(ix, b, "c", &a_dir);
	f = make(ix, a, "f", &a_file);
	CHECK_EQ(nlink_of(ix, a), 3);
	CHECK_EQ(index_path(ix, c, path, sizeof(path)), 0);
	CHECK_STR(path, "a/bb/c");
	CHECK_EQ(index_path(ix, c, path, 7), 0);
	CHECK_STR(path, "a/bb/c");
	CHECK_EQ(index_path(ix, c, path, 6), -ERANGE);
	CHECK_EQ(index_path(ix, f, path, 6), -ENOTDIR);
	CHECK_EQ(index_path(ix, 99, path, 6), -ENOENT);

	CHECK_EQ(index_node(ix, a, &n), 0);
	CHECK_EQ(n.uid, 1000);
	CHECK_EQ(n.mode, 0755);
	CHECK_EQ(index_rmdir(ix, 1, "a", NOW, &n), -ENOTEMPTY);
	CHECK_EQ(index_rmdir(ix, a, "f", NOW, &n), -ENOTDIR);
	CHECK_EQ(index_unlink(ix, a, "bb", NOW, &n), -EISDIR);
	CHECK_EQ(index_link(ix, b, 1, "hard", NOW, &n), -EPERM);
	CHECK_EQ(index_rmdir(ix, a, "none", NOW, &n), -ENOENT);
	CHECK_EQ(index_rmdir(ix, b, "c", NOW, &n), 0);
	CHECK_EQ(n.ino, c);
	CHECK_EQ(n.nlink, 0);
	CHECK_EQ(nlink_of(ix, b), 2);
	/* Removed but held: nothing can be made in it. */
	CHECK_EQ(index_create(ix, c, "x", &a_file, NOW, &n), -ENOENT);
	CHECK_EQ(index_link(ix, f, c, "x", NOW, &n), -ENOENT);
	CHECK_EQ(index_rename(ix, a, "f", c, "x", 0, NOW, &n, &n), -ENOENT);
	CHECK_EQ(index_path(ix, c, path, sizeof(path)), -ENOENT);
	CHECK_EQ(index_node_forget(ix, b, NULL), 0); /* has a name */
	CHECK_EQ(nlink_of(ix, b), 2);
	CHECK_EQ(index_node_forget(ix, c, NULL), 0);
	CHECK_EQ(index_node(ix, c, &n), -ENOENT);
	/* Numbers do not come back. */
	CHECK(make(ix, b, "c", &a_dir) > f);
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_links(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t f = make(ix, 1, "f", &a_file), d = make(ix, 1, "d", &a_dir);
	enum node_kind kind = NODE_MESSAGE;
	struct node n, was;

	CHECK_EQ(index_node(ix, f, &was), 0);
	CHECK_EQ(index_link(ix, f, 1, "d", NOW, &n), -EEXIST);
	CHECK_EQ(index_link(ix, 99, 1, "g", NOW, &n), -ENOENT);
	CHECK_EQ(index_link(ix, f, d, "g", NOW + 5, &n), 0);
	CHECK_EQ(n.ino, f);
	CHECK_EQ(n.nlink, 2);
	CHECK_EQ(n.ctime_ns, NOW + 5);
	CHECK_EQ(n.mtime_ns, was.mtime_ns);
	CHECK_EQ(index_unlink(ix, 1, "f", NOW + 9, &n), 0);
	CHECK_EQ(n.nlink, 1);
	CHECK_EQ(n.ctime_ns, NOW + 9);
	CHECK_EQ(index_unlink(ix, 1, "f", NOW, &n), -ENOENT);
	CHECK_EQ(index_unlink(ix, d, "g", NOW, &n), 0);
	CHECK_EQ(n.nlink, 0);
	CHECK_EQ(index_link(ix, f, d, "h", NOW, &n), -ENOENT);
	CHECK_EQ(index_node(ix, f, &n), 0);
	CHECK_EQ(index_node_forget(ix, f, &kind), 0);
	CHECK_EQ(kind, NODE_FILE);
	kind = NODE_MESSAGE;
	CHECK_EQ(index_node_forget(ix, d, &kind), 0);
	CHECK_EQ(kind, NODE_MESSAGE); /* not deleted: not touched */
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- rename ---- */

/* a/ (with a/sub/, a/f), b/ (empty), c/ (with c/x), f, g = another name of f,
 * h. Then one rename, and what the names are after it. */
static void
test_rename_cases(void)
{
	static const struct {
		const char *from, *name, *to, *new_name;
		unsigned flags;
		int want;
		const char *moved, *replaced; /* what was there before */
	} cases[] = {
		{ "", "f", "", "z", 0, 0, "f", "" },
		{ "", "f", "", "h", 0, 0, "f", "h" },
		{ "", "f", "", "h", RENAME_NOREPLACE, -EEXIST, "", "" },
		{ "", "f", "", "z", RENAME_NOREPLACE, 0, "f", "" },
		{ "", "f", "", "g", 0, 0, "f", "" }, /* one inode */
		{ "", "f", "", "f", 0, 0, "f", "" },
		{ "", "f", "", "g", RENAME_NOREPLACE, -EEXIST, "", "" },
		{ "", "f", "", "z", RENAME_EXCHANGE, -EINVAL, "", "" },
		{ "", "nope", "", "z", 0, -ENOENT, "", "" },
		{ "", "f", "", ".", 0, -EINVAL, "", "" },
		{ "", "f", "b", "z", 0, 0, "f", "" },
		{ "a", "f", "c", "x", 0, 0, "a/f", "c/x" },
		{ "", "f", "f", "z", 0, -ENOTDIR, "", "" },
		{ "", "f", "", "a", 0, -EISDIR, "", "" },
		{ "", "a", "", "f", 0, -ENOTDIR, "", "" },
		{ "", "a", "", "c", 0, -ENOTEMPTY, "", "" },
		{ "", "a", "", "b", 0, 0, "a", "b" },
		{ "", "a", "c", "z", 0, 0, "a", "" },
		{ "a", "sub", "", "z", 0, 0, "a/sub", "" },
		{ "a", "sub", "", "b", 0, 0, "a/sub", "b" },
		{ "", "a", "a", "z", 0, -EINVAL, "", "" },
		{ "", "a", "a/sub", "z", 0, -EINVAL, "", "" },
		{ "a", "sub", "", "a", 0, -ENOTEMPTY, "", "" },
		{ "", "a", "", "a", 0, 0, "a", "" },
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		char *dir = tmpdir_make();
		struct index *ix = ix_open(dir);
		struct node moved, replaced, n;
		int64_t a = make(ix, 1, "a", &a_dir), b, c, from, to;
		int64_t want_moved, want_replaced;

		make(ix, a, "sub", &a_dir);
		make(ix, a, "f", &a_file);
		b = make(ix, 1, "b", &a_dir);
		c = make(ix, 1, "c", &a_dir);
		make(ix, c, "x", &a_file);
		CHECK_EQ(index_link(ix, make(ix, 1, "f", &a_file), 1, "g", NOW,
			     &n), 0);
		make(ix, 1, "h", &a_file);
#define AT(path)                                                               \
	(strcmp(path, "") == 0	      ? 1                                      \
		: strcmp(path, "a") == 0     ? a                               \
		: strcmp(path, "b") == 0     ? b                               \
		: strcmp(path, "c") == 0     ? c                               \
		: strcmp(path, "a/sub") == 0 ? ino_of(ix, a, "sub")            \
		: strcmp(path, "a/f") == 0   ? ino_of(ix, a, "f")              \
		: strcmp(path, "c/x") == 0   ? ino_of(ix, c, "x")              \
					     : ino_of(ix, 1, path))
		from = AT(cases[i].from);
		to = AT(cases[i].to);
		want_moved = cases[i].moved[0] ? AT(cases[i].moved) : 0;
		want_replaced = cases[i].replaced[0] ? AT(cases[i].replaced) :
						       0;
		CHECK_EQ_AT(i, index_rename(ix, from, cases[i].name, to,
		    cases[i].new_name, cases[i].flags, NOW, &moved, &replaced),
		    cases[i].want);
		CHECK_EQ_AT(i, moved.ino, want_moved);
		CHECK_EQ_AT(i, replaced.ino, want_replaced);
		if (want_moved != 0)
			CHECK_EQ_AT(i, ino_of(ix, to, cases[i].new_name),
			    want_moved);
		if (want_replaced != 0)
			CHECK_EQ_AT(i, replaced.nlink, 0);
		index_close(ix);
		tmpdir_free(dir);
	}
}

static void
test_rename_dirs_and_links(void)
{
	char *dir = tmpdir_make(), path[64];
	struct index *ix = ix_open(dir);
	int64_t a = make(ix, 1, "a", &a_dir), b = make(ix, 1, "b", &a_dir);
	int64_t sub = make(ix, a, "sub", &a_dir);
	struct node n, old;

	make(ix, b, "e", &a_dir);
	CHECK_EQ(index_rename(ix, a, "sub", b, "sub2", 0, NOW, &n, &old), 0);
	CHECK_EQ(n.parent, b);
	CHECK_EQ(nlink_of(ix, a), 2);
	CHECK_EQ(nlink_of(ix, b), 4);
	CHECK_EQ(index_path(ix, sub, path, sizeof(path)), 0);
	CHECK_STR(path, "b/sub2");
	/* Over an empty directory, in another and in the same parent. */
	CHECK_EQ(index_rename(ix, b, "e", b, "sub2", 0, NOW, &n, &old), 0);
	CHECK_EQ(old.ino, sub);
	CHECK_EQ(nlink_of(ix, b), 3);
	CHECK_EQ(index_rename(ix, b, "sub2", 1, "a", 0, NOW, &n, &old), 0);
	CHECK_EQ(old.ino, a);
	CHECK_EQ(nlink_of(ix, b), 2);
	CHECK_EQ(nlink_of(ix, 1), 7);
	CHECK_EQ(n.parent, 1);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- times ---- */

static void
test_times(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t d = make(ix, 1, "d", &a_dir), e = make(ix, 1, "e", &a_dir);
	struct node n, f, old, set;

	/* The same moment twice, and a clock that fell back a little. */
	CHECK_EQ(index_create(ix, d, "a", &a_file, NOW + 100, &f), 0);
	CHECK_EQ(index_node(ix, d, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + 100);
	CHECK_EQ(n.ctime_ns, NOW + 100);
	CHECK_EQ(index_create(ix, d, "b", &a_file, NOW + 100, &f), 0);
	CHECK_EQ(index_node(ix, d, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + 101);
	CHECK_EQ(index_unlink(ix, d, "a", NOW + 101 - SECOND, &f), 0);
	CHECK_EQ(index_node(ix, d, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + 102);
	/* Stepped back for good: never in the future. */
	CHECK_EQ(index_create(ix, d, "c", &a_file, NOW - 2 * SECOND, &f), 0);
	CHECK_EQ(index_node(ix, d, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW - 2 * SECOND);

	/* Rename touches both directories, ctime of the node, not its mtime. */
	CHECK_EQ(index_rename(ix, d, "b", e, "b", 0, NOW + SECOND, &f, &old),
	    0);
	CHECK_EQ(f.ctime_ns, NOW + SECOND);
	CHECK_EQ(f.mtime_ns, NOW + 100);
	CHECK_EQ(index_node(ix, d, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + SECOND);
	CHECK_EQ(index_node(ix, e, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + SECOND);
	/* Nothing happened, nothing moves. */
	CHECK_EQ(index_rename(ix, e, "b", e, "b", 0, NOW + 9 * SECOND, &f,
		     &old), 0);
	CHECK_EQ(index_node(ix, e, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + SECOND);
	CHECK_EQ(index_unlink(ix, e, "none", NOW + 9 * SECOND, &old), -ENOENT);
	CHECK_EQ(index_node(ix, e, &n), 0);
	CHECK_EQ(n.mtime_ns, NOW + SECOND);

	set = (struct node){ .ino = f.ino, .mode = 0640, .uid = 7,
		.gid = UINT32_MAX, .size = 4096, .mtime_ns = 5,
		.atime_ns = 6 };
	CHECK_EQ(index_setattr(ix, &set, INDEX_SET_MODE, NOW + 2 * SECOND, &n),
	    0);
	CHECK_EQ(n.mode, 0640);
	CHECK_EQ(n.mtime_ns, f.mtime_ns);
	CHECK_EQ(n.atime_ns, f.mtime_ns);
	CHECK_EQ(n.uid, UINT32_MAX);
	CHECK_EQ(n.ctime_ns, NOW + 2 * SECOND);
	CHECK_EQ(index_setattr(ix, &set, INDEX_SET_OWNER | INDEX_SET_ATIME |
		     INDEX_SET_MTIME | INDEX_SET_SIZE, NOW, &n), 0);
	CHECK_EQ(n.uid, 7);
	CHECK_EQ(n.gid, UINT32_MAX);
	CHECK_EQ(n.size, 4096);
	CHECK_EQ(n.mtime_ns, 5);
	CHECK_EQ(n.atime_ns, 6);
	set.ino = 99;
	CHECK_EQ(index_setattr(ix, &set, INDEX_SET_MODE, NOW, &n), -ENOENT);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- listing ---- */

static void
test_cookies(void)
{
	char *dir = tmpdir_make(), name[16];
	struct index *ix = ix_open(dir);
	int64_t d = make(ix, 1, "d", &a_dir), e = make(ix, 1, "e", &a_dir);
	int64_t cookie;
	struct dirent_row row[4];
	struct node n, old;
	int got, seen = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make(ix, d, name, &a_file);
	}
	for (cookie = 0; (got = list_dir(ix, d, cookie, row, 4)) > 0;
	     cookie = row[got - 1].cookie)
		for (int i = 0; i < got; i++, seen++) {
			snprintf(name, sizeof(name), "f%d", seen);
			CHECK_STR(row[i].name, name);
		}
	CHECK_EQ(got, 0);
	CHECK_EQ(seen, 10);
	CHECK_EQ(list_dir(ix, 99, 0, row, 4), 0);

	/* A name changed in place stays where it is; one that replaces another
	 * takes its place; one from elsewhere comes last. */
	CHECK_EQ(list_dir(ix, d, 0, row, 4), 4);
	cookie = row[1].cookie;
	CHECK_EQ(index_rename(ix, d, "f1", d, "renamed", 0, NOW, &n, &old), 0);
	CHECK_EQ(index_rename(ix, d, "f9", d, "f2", 0, NOW, &n, &old), 0);
	CHECK_EQ(index_rename(ix, d, "f0", e, "f0", 0, NOW, &n, &old), 0);
	CHECK_EQ(index_rename(ix, e, "f0", d, "back", 0, NOW, &n, &old), 0);
	CHECK_EQ(list_dir(ix, d, 0, row, 4), 4);
	CHECK_STR(row[0].name, "renamed");
	CHECK_EQ(row[0].cookie, cookie);
	CHECK_STR(row[1].name, "f2");
	CHECK_STR(row[2].name, "f3");
	for (cookie = 0; (got = list_dir(ix, d, cookie, row, 4)) > 0;)
		cookie = row[got - 1].cookie;
	CHECK_EQ(index_lookup(ix, d, "back", &n), 0);
	CHECK_EQ(list_dir(ix, d, cookie - 1, row, 4), 1);
	CHECK_STR(row[0].name, "back");
	index_close(ix);
	tmpdir_free(dir);
}

/* Odd inodes are known to the caller. */
static bool
is_odd(void *arg, int64_t ino)
{
	return ino % 2 == 1;
}

struct both {
	struct dirent_row row[8];
	size_t n, max;
};

static bool
keep(void *arg, const struct dirent_row *row)
{
	struct both *b = arg;

	if (b->n == b->max)
		return false;
	b->row[b->n++] = *row;
	return true;
}

static void
test_known(void)
{
	char *dir = tmpdir_make(), name[16];
	struct index *ix = ix_open(dir);
	int64_t d = make(ix, 1, "d", &a_dir);
	struct both all = { .max = 8 }, known = { .max = 8 };

	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make(ix, d, name, &a_file);
	}
	CHECK_EQ(index_readdir(ix, d, 0, NULL, keep, &all), 0);
	CHECK_EQ(index_readdir(ix, d, 0, is_odd, keep, &known), 0);
	CHECK_EQ(all.n, 6);
	CHECK_EQ(known.n, 6);
	for (size_t i = 0; i < all.n; i++) {
		struct dirent_row *a = &all.row[i], *k = &known.row[i];

		CHECK_AT(i, a->has_node);
		CHECK_AT(i, k->has_node == (a->node.ino % 2 == 0));
		CHECK_AT(i, k->cookie == a->cookie);
		CHECK_AT(i, k->node.ino == a->node.ino);
		CHECK_STR(k->name, a->name);
		if (k->has_node)
			CHECK_AT(i, k->node.ctime_ns == a->node.ctime_ns);
	}

	/* stopped: the one that did not fit comes again */
	all.n = 0;
	all.max = 4;
	CHECK_EQ(index_readdir(ix, d, 0, is_odd, keep, &all), 1);
	known.n = 0;
	CHECK_EQ(index_readdir(ix, d, all.row[3].cookie, NULL, keep, &known),
	    0);
	CHECK_EQ(known.n, 2);
	CHECK_STR(known.row[0].name, "f4");
	index_close(ix);
	tmpdir_free(dir);
}

static void
test_version(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	uint64_t v = index_version(ix);
	struct node n, old;

	CHECK_EQ(index_lookup(ix, 1, "new", &n), 0);
	CHECK_EQ(index_version(ix), v);
	make(ix, 1, "a", &a_file);
	CHECK(index_version(ix) != v);
	v = index_version(ix);
	CHECK_EQ(index_rename(ix, 1, "a", 1, "b", 0, NOW, &n, &old), 0);
	CHECK(index_version(ix) != v);

	/* A batch is seen as a whole, at its end. */
	v = index_version(ix);
	CHECK_EQ(index_batch_begin(ix), 0);
	make(ix, 1, "c", &a_file);
	CHECK_EQ(index_version(ix), v);
	CHECK_EQ(index_batch_end(ix, true), 0);
	CHECK(index_version(ix) != v);
	index_close(ix);
	tmpdir_free(dir);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_new_tree();
	test_names();
	test_hash_collision();
	test_dirs();
	test_links();
	test_rename_cases();
	test_rename_dirs_and_links();
	test_times();
	test_cookies();
	test_known();
	test_version();
	return check_done();
}
