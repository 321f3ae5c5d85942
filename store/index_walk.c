/* Long walks for `ls`, `verify` and `status`. They go in steps of STEP rows,
 * each read whole before the callback sees it, so that no connection (and no
 * snapshot, which would hold the WAL) is kept across a callback. */
#include "store/index_priv.h"

#include <errno.h>
#include <stdlib.h>

#define STEP 64 /* rows */

struct step {
	struct object object[STEP];
	size_t n;
};

static void
step_clear(struct step *s)
{
	for (size_t i = 0; i < s->n; i++)
		object_clear(&s->object[i]);
	s->n = 0;
}

static int
step_begin(struct conn *c, const struct object *after, int state, enum query q,
    sqlite3_stmt **ret)
{
	if (q == Q_WALK_REFUSED)
		return QUERY(c, q, ret, V_INT(after->why), V_INT(after->id),
		    V_INT(STEP));
	return QUERY(c, q, ret,
	    V_BLOB(after->key != NULL ? after->key : "", after->key_len),
	    V_INT(after->id), V_INT(state), V_INT(STEP));
}

static int
step_read(struct index *ix, const struct object *after, int state,
    struct step *ret)
{
	enum query q = state == OBJECT_REFUSED ? Q_WALK_REFUSED :
						 Q_WALK_OBJECTS;
	READER(rd);
	STMT(st);
	int r;

	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	for (r = step_begin(rd.c, after, state, q, &st); r == 1;
	     r = conn_next(rd.c, q, st)) {
		int e = object_read(st, 0, &ret->object[ret->n]);

		if (e < 0)
			return e;
		ret->n++;
	}
	return r;
}

int
index_each_object(struct index *ix, int state, index_object_fn *fn, void *arg)
{
	struct step *s = calloc(1, sizeof(*s));
	struct object after = { 0 };
	int r;

	if (s == NULL)
		return -ENOMEM;
	do {
		r = step_read(ix, &after, state, s);
		for (size_t i = 0; r == 0 && i < s->n; i++)
			r = fn(arg, &s->object[i]);
		object_clear(&after);
		if (r != 0 || s->n == 0)
			break;
		after = s->object[--s->n];
		step_clear(s);
	} while (true);
	step_clear(s);
	free(s);
	return r;
}

/* ---- names in order of arrival ---- */

struct place {
	int64_t mtime_ns, entry;
};

struct places {
	struct place *at;
	size_t n, room;
};

static int
places_add(struct places *p, struct place one)
{
	if (p->n == p->room) {
		size_t room = p->room > 0 ? 2 * p->room : 1024;
		struct place *at = reallocarray(p->at, room, sizeof(*at));

		if (at == NULL)
			return -ENOMEM;
		p->at = at;
		p->room = room;
	}
	p->at[p->n++] = one;
	return 0;
}

static int
by_arrival(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int
places_read(struct index *ix, int64_t dir, struct places *ret)
{
	READER(rd);
	STMT(st);
	int r, e;

	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	for (r = QUERY(rd.c, Q_WALK_ENTRIES, &st, V_INT(dir)); r == 1;
	     r = conn_next(rd.c, Q_WALK_ENTRIES, st))
		if ((e = places_add(ret, (struct place){
			 sqlite3_column_int64(st, 0),
			 sqlite3_column_int64(st, 1) })) < 0)
			return e;
	if (ret->n > 0)
		qsort(ret->at, ret->n, sizeof(*ret->at), by_arrival);
	return r;
}

struct named {
	int64_t dir;
	char name[INDEX_NAME_MAX + 1];
	struct node node;
	struct object object;
};

/* 1, or 0 when the name has gone meanwhile. */
static int
named_read(struct index *ix, int64_t entry, struct named *ret)
{
	READER(rd);
	STMT(st);
	int r;

	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = QUERY(rd.c, Q_WALK_ENTRY, &st, V_INT(entry))) <= 0)
		return r;
	ret->dir = sqlite3_column_int64(st, 0);
	name_read(st, 1, ret->name);
	node_read(st, 2, &ret->node);
	r = object_read(st, 2 + NODE_COLUMNS, &ret->object);
	return r < 0 ? r : 1;
}

int
index_each_entry(struct index *ix, int64_t dir, index_entry_fn *fn, void *arg)
{
	struct places p = { 0 };
	struct named e;
	int r = places_read(ix, dir, &p);

	for (size_t i = 0; r == 0 && i < p.n; i++) {
		if ((r = named_read(ix, p.at[i].entry, &e)) != 1)
			continue;
		r = fn(arg, e.dir, e.name, &e.node, &e.object);
		object_clear(&e.object);
	}
	free(p.at);
	return r;
}

/* ---- what is pending ---- */

int
index_pending(struct index *ix, int64_t now_unix, struct index_cursor *cur,
    struct object *ret, size_t n)
{
	READER(rd);
	STMT(st);
	int r, count = 0;

	if (n > INT32_MAX)
		n = INT32_MAX;
	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	for (r = QUERY(rd.c, Q_PENDING, &st, V_INT(cur->tries),
		 V_INT(cur->last_modified), V_INT(cur->id), V_INT(now_unix),
		 V_INT(n));
	     r == 1; r = conn_next(rd.c, Q_PENDING, st)) {
		struct object *o = &ret[count];

		if ((r = object_read(st, 0, o)) < 0)
			break;
		count++;
		*cur = (struct index_cursor){ (int64_t)o->tries,
			o->last_modified_unix, o->id };
	}
	while (r < 0 && count > 0)
		object_clear(&ret[--count]);
	return r < 0 ? r : count;
}

/* ---- counting ---- */

static int
tally_read(struct conn *c, struct index_counts *ret)
{
	STMT(st);
	int r;

	for (r = QUERY0(c, Q_TALLY, &st); r == 1;
	     r = conn_next(c, Q_TALLY, st)) {
		uint64_t n = (uint64_t)sqlite3_column_int64(st, 2);
		int64_t why = sqlite3_column_int64(st, 1);

		switch (sqlite3_column_int(st, 0)) {
		case OBJECT_PENDING:
			ret->pending += n;
			break;
		case OBJECT_READY:
			ret->ready += n;
			ret->stored_bytes +=
			    (uint64_t)sqlite3_column_int64(st, 3);
			ret->plain_bytes +=
			    (uint64_t)sqlite3_column_int64(st, 4);
			break;
		case OBJECT_REFUSED:
			ret->refused += n;
			if (why >= 0 && why < REFUSAL_COUNT)
				ret->by_refusal[why] += n;
			break;
		default:
			ret->gone += n;
		}
	}
	return r;
}

int
index_counts(struct index *ix, struct index_counts *ret)
{
	READER(rd);
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	return tally_read(rd.c, ret);
}
