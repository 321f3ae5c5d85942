/* A page of the bucket's listing against the rows of its range of keys.
 *
 * Both are in order of key, so one walk finds the differences. It is made on a
 * reader first: a poll of a bucket that did not change takes no lock and
 * writes nothing. When there are differences it is made again under the write
 * lock, for the rows may have changed since, and what it finds is applied. */
#include "store/index_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "crypto/utf8.h"

#define KEY_MAX 1024 /* bytes, S3's limit */

enum change_op { ADD, RESET, DELETE, GONE, GONE_AGAIN };

struct change {
	enum change_op op;
	int64_t id;			/* of the row; ADD: that it replaces */
	const struct object_listed *to; /* ADD, RESET */
};

struct merge {
	const char *prefix, *after, *last;
	const struct object_listed *page;
	size_t n;
	struct change *change; /* found by the walk */
	size_t changes, room;
	struct index_merge_counts counts;
};

/* The rows of one key. */
struct group {
	int64_t ready, other; /* ids, 0 none; other: PENDING or REFUSED */
	bool is_same_ready, is_same_other, is_refused;
};

/* ---- the range ---- */

struct bounds {
	uint8_t from[KEY_MAX + 2], to[KEY_MAX + 2]; /* from <= key < to */
	size_t from_len, to_len;
};

/* The least key above all that begin with `prefix`; with none such, above all
 * keys there can be. */
static size_t
past_prefix(const char *prefix, uint8_t *ret)
{
	size_t len = strlen(prefix);

	memcpy(ret, prefix, len);
	while (len > 0 && ret[len - 1] == 0xff)
		len--;
	if (len > 0) {
		ret[len - 1]++;
		return len;
	}
	memset(ret, 0xff, KEY_MAX + 1);
	return KEY_MAX + 1;
}

static int
get_bounds(const struct merge *m, struct bounds *ret)
{
	if (strlen(m->prefix) > KEY_MAX ||
	    (m->after != NULL && strlen(m->after) > KEY_MAX) ||
	    (m->last != NULL && strlen(m->last) > KEY_MAX))
		return -EINVAL;
	/* The next string after another is that with a zero byte behind it,
	 * which is there anyway. */
	if (m->after != NULL && strcmp(m->after, m->prefix) >= 0) {
		ret->from_len = strlen(m->after) + 1;
		memcpy(ret->from, m->after, ret->from_len);
	} else {
		ret->from_len = strlen(m->prefix);
		memcpy(ret->from, m->prefix, ret->from_len);
	}
	if (m->last != NULL) {
		ret->to_len = strlen(m->last) + 1;
		memcpy(ret->to, m->last, ret->to_len);
	} else {
		ret->to_len = past_prefix(m->prefix, ret->to);
	}
	return 0;
}

static int
check_page(const struct merge *m)
{
	const char *before = m->after;
	size_t prefix = strlen(m->prefix);

	for (size_t i = 0; i < m->n; i++) {
		const char *key = m->page[i].key;

		if (strncmp(key, m->prefix, prefix) != 0 ||
		    strlen(key) > KEY_MAX ||
		    (before != NULL && strcmp(before, key) >= 0))
			return -EINVAL;
		before = key;
	}
	return m->n > 0 && m->last != NULL && strcmp(before, m->last) > 0 ?
	    -EINVAL : 0;
}

/* ---- the walk ---- */

static int
note(struct merge *m, enum change_op op, int64_t id,
    const struct object_listed *to)
{
	if (m->changes == m->room) {
		size_t room = m->room > 0 ? 2 * m->room : 64;
		struct change *p = reallocarray(m->change, room, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		m->change = p;
		m->room = room;
	}
	m->change[m->changes++] = (struct change){ op, id, to };
	return 0;
}

static int
compare_absent(struct merge *m, const struct group *g)
{
	int r = 0;

	if (g->ready == 0 && g->other == 0)
		return 0;
	m->counts.removed++;
	if (g->other != 0)
		r = note(m, DELETE, g->other, NULL);
	if (r == 0 && g->ready != 0)
		r = note(m, GONE, g->ready, NULL);
	return r;
}

static int
compare_present(struct merge *m, const struct group *g,
    const struct object_listed *l)
{
	int r;

	if (g->ready == 0 && g->other == 0) {
		m->counts.added++;
		return note(m, ADD, 0, l);
	}
	if (g->is_same_ready) {
		/* Perhaps it was another one for a while. */
		m->counts.same++;
		return g->other != 0 ? note(m, DELETE, g->other, NULL) : 0;
	}
	if (g->is_same_other) {
		m->counts.same++;
		return 0;
	}
	m->counts.replaced++;
	if (g->is_refused)
		return note(m, RESET, g->other, l);
	/* A pending row may be being looked at: its id must not come to mean
	 * another body, so it makes room for a new one. */
	if (g->other != 0 && (r = note(m, DELETE, g->other, NULL)) < 0)
		return r;
	return note(m, ADD, g->ready, l);
}

/* How the key of a row compares with a listed one. */
static int
key_order(sqlite3_stmt *st, const char *key)
{
	const void *row = sqlite3_column_blob(st, 1);
	size_t a = (size_t)sqlite3_column_bytes(st, 1), b = strlen(key);
	int d = memcmp(row != NULL ? row : "", key, a < b ? a : b);

	return d != 0 ? d : a < b ? -1 : a > b;
}

static void
group_add(struct group *g, sqlite3_stmt *st, const struct etag *e)
{
	int64_t id = sqlite3_column_int64(st, 0);
	int state = sqlite3_column_int(st, 3);
	bool is_same = e != NULL && etag_is_column(e, st, 2);

	if (state == OBJECT_READY) {
		g->ready = id;
		g->is_same_ready = is_same;
		return;
	}
	g->other = id;
	g->is_same_other = is_same;
	g->is_refused = state == OBJECT_REFUSED;
}

/* A GONE object that still has names was never dropped: the process died, or
 * the callback failed, after the page that missed it. */
static int
compare_gone(struct merge *m, struct conn *c, int64_t id)
{
	int64_t nlink;
	int r = conn_int(c, Q_OBJECT_NLINK, VALS(V_INT(id)), &nlink);

	if (r < 0)
		return r;
	return nlink > 0 ? note(m, GONE_AGAIN, id, NULL) : 0;
}

/* The rows at the cursor that have one key: that of `l`, or (NULL) their
 * own. *more: is there a row at the cursor. */
static int
take_group(struct merge *m, struct conn *c, sqlite3_stmt *st, bool *more,
    const struct object_listed *l)
{
	struct group g = { 0 };
	char own[KEY_MAX + 1];
	const char *key = own;
	bool is_first = l == NULL;
	struct etag e;
	int r;

	if (l != NULL) {
		key = l->key;
		etag_pack(l->etag, &e);
	} else {
		size_t len = (size_t)sqlite3_column_bytes(st, 1);

		len = len < KEY_MAX ? len : KEY_MAX;
		if (len > 0)
			memcpy(own, sqlite3_column_blob(st, 1), len);
		own[len] = '\0';
	}
	/* The first is taken whatever its key: one that no listing has (a zero
	 * byte, too long) was written by others and is not its own copy. */
	while (*more && (is_first || key_order(st, key) == 0)) {
		is_first = false;
		if (sqlite3_column_int(st, 3) != OBJECT_GONE)
			group_add(&g, st, l != NULL ? &e : NULL);
		else if ((r = compare_gone(m, c,
			      sqlite3_column_int64(st, 0))) < 0)
			return r;
		if ((r = conn_next(c, Q_MERGE, st)) < 0)
			return r;
		*more = r == 1;
	}
	return l != NULL ? compare_present(m, &g, l) : compare_absent(m, &g);
}

static int
walk(struct merge *m, struct conn *c)
{
	STMT(st);
	struct bounds b;
	size_t i = 0;
	bool more;
	int r;

	m->changes = 0;
	m->counts = (struct index_merge_counts){ 0 };
	if ((r = get_bounds(m, &b)) < 0 ||
	    (r = QUERY(c, Q_MERGE, &st, V_BLOB(b.from, b.from_len),
		 V_BLOB(b.to, b.to_len))) < 0)
		return r;
	more = r == 1;
	while (more || i < m->n) {
		const struct object_listed *l = NULL;

		if (i < m->n && (!more || key_order(st, m->page[i].key) >= 0))
			l = &m->page[i++];
		if ((r = take_group(m, c, st, &more, l)) < 0)
			return r;
	}
	return 0;
}

/* ---- the changes ---- */

static int
add(struct conn *c, const struct object_listed *l, int64_t replaces)
{
	struct etag e;

	etag_pack(l->etag, &e);
	return RUN(c, Q_OBJECT_ADD, V_STR(l->key), etag_val(&e),
	    V_INT(l->size), V_INT(l->last_modified_unix), V_INT(replaces));
}

static int
reset(struct conn *c, const struct object_listed *l, int64_t id)
{
	struct etag e;

	etag_pack(l->etag, &e);
	return RUN(c, Q_OBJECT_RESET, V_INT(id), etag_val(&e), V_INT(l->size),
	    V_INT(l->last_modified_unix));
}

static int
apply_one(struct conn *c, const struct change *ch)
{
	int r;

	switch (ch->op) {
	case ADD:
		return add(c, ch->to, ch->id);
	case RESET:
		return reset(c, ch->to, ch->id);
	case DELETE:
		return RUN(c, Q_OBJECT_DELETE, V_INT(ch->id));
	case GONE:
		if ((r = RUN(c, Q_NODE_GONE, V_INT(ch->id))) < 0)
			return r;
		return RUN(c, Q_OBJECT_GONE, V_INT(ch->id));
	default:
		return 0;
	}
}

static int
apply(struct merge *m, struct conn *c)
{
	int r = walk(m, c);

	for (size_t i = 0; r >= 0 && i < m->changes; i++)
		r = apply_one(c, &m->change[i]);
	return r < 0 ? r : 0;
}

/* Which of the pages change anything? */
static int
look_at(struct index *ix, struct merge *m, size_t n, bool *ret_any)
{
	READER(rd);
	int r = reader_begin(ix, &rd);

	*ret_any = false;
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = walk(&m[i], rd.c);
		*ret_any = *ret_any || m[i].changes > 0;
	}
	return r < 0 ? r : 0;
}

static int
merge(struct index *ix, struct merge *m, size_t n)
{
	struct conn *c;
	bool any;
	int r;

	if ((r = look_at(ix, m, n, &any)) < 0 || !any)
		return r;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (m[i].changes > 0)
			r = apply(&m[i], c);
	return write_end(ix, r < 0 ? r : 0);
}

static void
tell_gone(const struct merge *m, index_gone_fn *gone, void *arg)
{
	for (size_t i = 0; i < m->changes; i++)
		if (m->change[i].op == GONE || m->change[i].op == GONE_AGAIN)
			gone(arg, m->change[i].id);
}

int
index_merge_pages(struct index *ix, const char *prefix,
    struct index_page *page, size_t pages, index_gone_fn *gone, void *arg)
{
	struct merge *m = calloc(pages > 0 ? pages : 1, sizeof(*m));
	int r = m == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < pages && r == 0; i++) {
		m[i] = (struct merge){ .prefix = prefix,
			.after = page[i].after, .last = page[i].last,
			.page = page[i].object, .n = page[i].n };
		r = check_page(&m[i]);
	}
	if (r == 0)
		r = merge(ix, m, pages);
	for (size_t i = 0; i < pages; i++) {
		page[i].counts = (struct index_merge_counts){ 0 };
		if (r < 0)
			continue;
		page[i].counts = m[i].counts;
		if (gone != NULL)
			tell_gone(&m[i], gone, arg);
	}
	for (size_t i = 0; m != NULL && i < pages; i++)
		free(m[i].change);
	free(m);
	return r;
}

/* ---- where to divide ---- */

/* A copy of the row's key; NULL when no listing can have it (others may have
 * written the index), for S3 would refuse to begin there. */
static char *
key_dup(sqlite3_stmt *st)
{
	const char *key = sqlite3_column_blob(st, 0);
	size_t len = (size_t)sqlite3_column_bytes(st, 0);

	if (len == 0 || len > KEY_MAX || memchr(key, 0, len) != NULL ||
	    !utf8_is_valid((const uint8_t *)key, len))
		return NULL;
	return strndup(key, len);
}

int
index_cuts(struct index *ix, const char *prefix, size_t every, char **ret,
    size_t max)
{
	struct merge m = { .prefix = prefix };
	struct bounds b;
	size_t n = 0;
	READER(rd);
	int r;

	if ((r = get_bounds(&m, &b)) < 0 || (r = reader_begin(ix, &rd)) < 0)
		return r;
	/* The statement counts on from the key before, without a word for each
	 * row: tens of nanoseconds. */
	while (n < max) {
		STMT(st);

		if ((r = QUERY(rd.c, Q_KEY_AFTER, &st,
			 V_BLOB(b.from, b.from_len), V_BLOB(b.to, b.to_len),
			 V_INT(n == 0 ? every - 1 : every))) <= 0 ||
		    (ret[n] = key_dup(st)) == NULL)
			break;
		if (n > 0 && strcmp(ret[n], ret[n - 1]) == 0) {
			free(ret[n]); /* one key, very often */
			break;
		}
		b.from_len = strlen(ret[n]);
		memcpy(b.from, ret[n], b.from_len);
		n++;
	}
	if (r >= 0)
		return (int)n;
	while (n > 0)
		free(ret[--n]);
	return r;
}
