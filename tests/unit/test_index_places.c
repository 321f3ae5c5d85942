/* The index: the orders in which messages are read. */
#include <errno.h>

#include "check.h"
#include "index_util.h"

#define MAILS 40

static int64_t
publish(struct index *ix, const char *key, const char *name)
{
	int64_t ino = 0, replaced;
	struct object o;

	CHECK_EQ(index_object(ix, add_object(ix, key), &o), 0);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), name, NOW, &ino,
		     &replaced), 0);
	object_clear(&o);
	return ino;
}

/* Messages 0..39 arrive in new/, the odd ones are moved to cur/ last first. */
static void
fill(struct index *ix, int64_t *ret_ino)
{
	char key[8], name[8];
	struct node moved, replaced;

	for (int i = 0; i < MAILS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(name, sizeof(name), "m%d", i);
		ret_ino[i] = publish(ix, key, name);
	}
	for (int i = MAILS - 1; i > 0; i -= 2) {
		snprintf(name, sizeof(name), "m%d", i);
		CHECK_EQ(index_rename(ix, dir_new(ix), name, dir_cur(ix), name,
			     0, NOW, &moved, &replaced), 0);
	}
}

static void
check_walk(struct index *ix, enum place_order order, bool back, int64_t dir,
    const int64_t *ino, int from, int step, int count)
{
	struct index_place at, p[MAILS];
	int n;

	CHECK_EQ(index_place(ix, ino[from], 0, &at), 0);
	CHECK_EQ(at.parent, dir);
	CHECK_EQ(at.at[PLACE_INO], ino[from]);
	CHECK_EQ(at.size, 100);
	n = index_places(ix, order, back, dir, at.at[order], p, MAILS);
	CHECK_EQ(n, count);
	for (int i = 0; i < n; i++)
		CHECK_EQ(p[i].at[PLACE_INO], ino[from + (i + 1) * step]);
	CHECK_EQ(index_places(ix, order, back, dir, at.at[order], p, 3),
	    count < 3 ? count : 3);
}

int
main(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	int64_t ino[MAILS], other;
	struct index_place at;
	struct node n;

	fill(ix, ino);
	/* new/: both orders are that of arrival */
	for (int o = 0; o < PLACE_ORDERS; o++) {
		enum place_order order = (enum place_order)o;

		check_walk(ix, order, false, dir_new(ix), ino, 10, 2, 14);
		check_walk(ix, order, true, dir_new(ix), ino, 10, -2, 5);
		check_walk(ix, order, false, dir_new(ix), ino, 38, 2, 0);
		check_walk(ix, order, true, dir_new(ix), ino, 0, -2, 0);
	}
	/* cur/: entries came the other way round */
	check_walk(ix, PLACE_INO, false, dir_cur(ix), ino, 9, 2, 15);
	check_walk(ix, PLACE_INO, true, dir_cur(ix), ino, 9, -2, 4);
	check_walk(ix, PLACE_ENTRY, false, dir_cur(ix), ino, 9, -2, 4);
	check_walk(ix, PLACE_ENTRY, true, dir_cur(ix), ino, 9, 2, 15);

	/* a message of two names: the wanted directory's */
	CHECK_EQ(index_link(ix, ino[3], dir_new(ix), "copy", NOW, &n), 0);
	CHECK_EQ(index_place(ix, ino[3], dir_new(ix), &at), 0);
	CHECK_EQ(at.parent, dir_new(ix));
	CHECK_EQ(index_place(ix, ino[3], dir_cur(ix), &at), 0);
	CHECK_EQ(at.parent, dir_cur(ix));

	/* what is no message, has no name, or is not there */
	other = dir_new(ix);
	CHECK_EQ(index_place(ix, other, 0, &at), -ENOENT);
	CHECK_EQ(index_unlink(ix, dir_new(ix), "m0", NOW, &n), 0);
	CHECK_EQ(index_place(ix, ino[0], 0, &at), -ENOENT);
	CHECK_EQ(index_place(ix, 999999, 0, &at), -ENOENT);

	index_close(ix);
	tmpdir_free(dir);
	return check_done();
}
