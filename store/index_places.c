/* Where messages stand in the orders that readers walk a directory in. */
#include "store/index_priv.h"

#include <errno.h>

/* Columns: entry, inode, object, object's size. */
static void
place_read(sqlite3_stmt *st, int64_t parent, struct index_place *ret)
{
	*ret = (struct index_place){
		.parent = parent,
		.at = { [PLACE_ENTRY] = sqlite3_column_int64(st, 0),
		    [PLACE_INO] = sqlite3_column_int64(st, 1) },
		.object_id = sqlite3_column_int64(st, 2),
		.size = (uint64_t)sqlite3_column_int64(st, 3),
	};
}

int
index_place(struct index *ix, int64_t ino, int64_t parent,
    struct index_place *ret)
{
	READER(rd);
	STMT(st);
	int r;

	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = QUERY(rd.c, Q_PLACE, &st, V_INT(ino), V_INT(parent))) < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	place_read(st, sqlite3_column_int64(st, 4), ret);
	return 0;
}

int
index_places(struct index *ix, enum place_order order, bool is_backward,
    int64_t parent, int64_t from, struct index_place *ret, size_t n)
{
	static const enum query query[PLACE_ORDERS][2] = {
		[PLACE_ENTRY] = { Q_PLACES_ENTRY, Q_PLACES_ENTRY_BACK },
		[PLACE_INO] = { Q_PLACES_INO, Q_PLACES_INO_BACK },
	};
	enum query q = query[order][is_backward];
	READER(rd);
	STMT(st);
	int got = 0, r;

	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	for (r = QUERY(rd.c, q, &st, V_INT(parent), V_INT(from), V_INT(n));
	     r == 1; r = conn_next(rd.c, q, st))
		place_read(st, parent, &ret[got++]);
	return r < 0 ? r : got;
}
