/* Objects one at a time; index_merge.c has those of a listing. */
#include "store/index_priv.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_S 1000000000
#define UNSEAL_ROWS 8192 /* objects in one transaction */

/* ---- etags ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
etag_pack(const char *etag, struct etag *ret)
{
	size_t len = strnlen(etag, sizeof(ret->byte) - 1), i;

	ret->is_text = true;
	for (i = 0; len == 32 && i < len; i += 2) {
		int hi = hex_digit(etag[i]), lo = hex_digit(etag[i + 1]);

		if (hi < 0 || lo < 0)
			break;
		ret->byte[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	if (len == 32 && i == len) {
		ret->is_text = false;
		ret->len = 16;
		return;
	}
	memcpy(ret->byte, etag, len);
	ret->len = len;
}

struct val
etag_val(const struct etag *e)
{
	return (struct val){ e->is_text ? VAL_TEXT : VAL_BLOB, 0, e->byte,
		e->len };
}

bool
etag_is_column(const struct etag *e, sqlite3_stmt *st, int col)
{
	bool is_text = sqlite3_column_type(st, col) == SQLITE_TEXT;
	const void *p = sqlite3_column_blob(st, col);

	return is_text == e->is_text &&
	    (size_t)sqlite3_column_bytes(st, col) == e->len &&
	    (e->len == 0 || memcmp(p, e->byte, e->len) == 0);
}

static void
etag_unpack(sqlite3_stmt *st, int col, char ret[128])
{
	static const char hex[] = "0123456789abcdef";
	bool is_text = sqlite3_column_type(st, col) == SQLITE_TEXT;
	const uint8_t *p = sqlite3_column_blob(st, col);
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	if (is_text) {
		len = len < 127 ? len : 127;
		if (len > 0)
			memcpy(ret, p, len);
		ret[len] = '\0';
		return;
	}
	for (size_t i = 0; i < 16 && i < len; i++) {
		ret[2 * i] = hex[p[i] >> 4];
		ret[2 * i + 1] = hex[p[i] & 15];
		ret[2 * i + 2] = '\0';
	}
}

/* ---- reading ---- */

void
object_clear(struct object *o)
{
	free(o->key);
	free(o->key_sealed);
	free(o->headers_sealed);
	free(o->envelope);
	*o = (struct object){ 0 };
}

/* A copy with a zero behind it; NULL for an SQL NULL. */
static int
copy_blob(sqlite3_stmt *st, int col, uint8_t **ret, size_t *ret_len)
{
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	*ret = NULL;
	*ret_len = 0;
	if (sqlite3_column_type(st, col) == SQLITE_NULL)
		return 0;
	if ((*ret = malloc(len + 1)) == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(*ret, sqlite3_column_blob(st, col), len);
	(*ret)[len] = 0;
	*ret_len = len;
	return 0;
}

int
object_read(sqlite3_stmt *st, int col, struct object *ret)
{
	uint8_t *key;
	int r;

	*ret = (struct object){
		.id = sqlite3_column_int64(st, col),
		.size = (uint64_t)sqlite3_column_int64(st, col + 3),
		.last_modified_unix = sqlite3_column_int64(st, col + 4),
		.state = (enum object_state)sqlite3_column_int(st, col + 5),
		.why = (enum refusal)sqlite3_column_int(st, col + 6),
		.tries = (unsigned)sqlite3_column_int64(st, col + 7),
		.retry_at_unix = sqlite3_column_int64(st, col + 8),
		.replaces_id = sqlite3_column_int64(st, col + 9),
		.plain_size = (uint64_t)sqlite3_column_int64(st, col + 10),
		.crlf_size = (uint64_t)sqlite3_column_int64(st, col + 11),
		.suite = (uint8_t)sqlite3_column_int(st, col + 12),
		.format = (uint8_t)sqlite3_column_int(st, col + 13),
		.kms_key_id = sqlite3_column_int64(st, col + 14),
	};
	etag_unpack(st, col + 2, ret->etag);
	if ((r = copy_blob(st, col + 1, &key, &ret->key_len)) < 0)
		return r;
	ret->key = (char *)key;
	if ((r = copy_blob(st, col + 15, &ret->key_sealed,
		 &ret->key_sealed_len)) < 0 ||
	    (r = copy_blob(st, col + 16, &ret->headers_sealed,
		 &ret->headers_sealed_len)) < 0 ||
	    (r = copy_blob(st, col + 17, &ret->envelope,
		 &ret->envelope_len)) < 0)
		object_clear(ret);
	return r;
}

static int
read_one(struct index *ix, enum query q, struct val v, struct object *ret)
{
	READER(rd);
	STMT(st);
	int r;

	*ret = (struct object){ 0 };
	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = QUERY(rd.c, q, &st, v)) < 0)
		return r;
	return r == 0 ? -ENOENT : object_read(st, 0, ret);
}

int
index_object(struct index *ix, int64_t id, struct object *ret)
{
	return read_one(ix, Q_OBJECT, V_INT(id), ret);
}

int
index_object_by_key(struct index *ix, const char *key, struct object *ret)
{
	return read_one(ix, Q_OBJECT_BY_KEY, V_STR(key), ret);
}

/* ---- outcomes ---- */

/* One statement on one row as a call; -ENOENT when it matched none. */
static int
change_row(struct index *ix, enum query q, const struct val *v, size_t n)
{
	struct conn *c;
	int r;

	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = conn_run(c, q, v, n);
	return write_end(ix, r == 0 ? -ENOENT : r < 0 ? r : 0);
}

int
index_object_refused(struct index *ix, int64_t id, enum refusal why)
{
	return change_row(ix, Q_OBJECT_REFUSE, VALS(V_INT(id), V_INT(why)));
}

int
index_object_retry(struct index *ix, int64_t id, int64_t retry_at_unix)
{
	return change_row(ix, Q_OBJECT_RETRY,
	    VALS(V_INT(id), V_INT(retry_at_unix)));
}

static struct val
slice_val(struct slice s)
{
	return s.ptr != NULL ? V_BLOB(s.ptr, s.len) : V_NULL;
}

int
index_object_set_sealed(struct index *ix, int64_t id, struct slice key,
    int64_t kms_key_id, struct slice headers)
{
	return change_row(ix, Q_OBJECT_SEAL,
	    VALS(V_INT(id), slice_val(key), slice_val(headers),
		V_INT(kms_key_id)));
}

/* What publishing and dropping need of a row. */
struct brief {
	enum object_state state;
	int64_t ino, last_modified_unix, replaces;
};

static int
brief_get(struct conn *c, int64_t id, struct brief *ret)
{
	STMT(st);
	int r;

	if ((r = QUERY(c, Q_OBJECT_BRIEF, &st, V_INT(id))) <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (struct brief){
		.state = (enum object_state)sqlite3_column_int(st, 0),
		.ino = sqlite3_column_int64(st, 1),
		.last_modified_unix = sqlite3_column_int64(st, 2),
		.replaces = sqlite3_column_int64(st, 3),
	};
	return 0;
}

struct parents {
	int64_t *dir;
	size_t max, n;
};

static void
parents_add(struct parents *p, int64_t dir)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->dir[i] == dir)
			return;
	if (p->n < p->max)
		p->dir[p->n++] = dir;
}

/* Remove every name of an inode. */
static int
drop_names(struct conn *c, int64_t ino, int64_t now_ns, struct parents *p)
{
	STMT(st);
	int r, e;

	for (r = QUERY(c, Q_ENTRIES_OF, &st, V_INT(ino)); r == 1;
	     r = conn_next(c, Q_ENTRIES_OF, st)) {
		int64_t dir = sqlite3_column_int64(st, 0);

		if ((e = dir_touch(c, dir, now_ns, 0)) < 0)
			return e;
		parents_add(p, dir);
	}
	sqlite3_reset(TAKE(st));
	if (r < 0 || (r = RUN(c, Q_ENTRIES_DELETE, V_INT(ino))) <= 0)
		return r;
	r = RUN(c, Q_NODE_LINKS, V_INT(ino), V_INT(0), V_INT(now_ns));
	return r < 0 ? r : 0;
}

static int
drop(struct conn *c, int64_t id, int64_t now_ns, int64_t *ret_ino,
    struct parents *p)
{
	struct brief b;
	int r;

	if ((r = brief_get(c, id, &b)) < 0 ||
	    (r = RUN(c, Q_OBJECT_UNREPLACE, V_INT(id))) < 0)
		return r;
	if (b.ino == 0) {
		r = RUN(c, Q_OBJECT_DELETE, V_INT(id));
		return r < 0 ? r : 0;
	}
	*ret_ino = b.ino;
	if ((r = drop_names(c, b.ino, now_ns, p)) < 0 ||
	    (r = RUN(c, Q_NODE_GONE, V_INT(id))) < 0 ||
	    (r = RUN(c, Q_OBJECT_GONE, V_INT(id))) < 0)
		return r;
	return 0;
}

int
index_object_drop(struct index *ix, int64_t id, int64_t now_ns,
    int64_t *ret_ino, int64_t *ret_dirs, size_t max, size_t *ret_n)
{
	struct parents p = { ret_dirs, max, 0 };
	struct conn *c;
	int r;

	*ret_ino = 0;
	*ret_n = 0;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	if ((r = write_end(ix, drop(c, id, now_ns, ret_ino, &p))) < 0)
		*ret_ino = 0;
	else
		*ret_n = p.n;
	return r;
}

static int
parents_of(struct conn *c, int64_t id, struct parents *p)
{
	STMT(st);
	struct brief b;
	int r;

	if ((r = brief_get(c, id, &b)) < 0 || b.ino == 0)
		return r;
	for (r = QUERY(c, Q_ENTRIES_OF, &st, V_INT(b.ino)); r == 1;
	     r = conn_next(c, Q_ENTRIES_OF, st))
		parents_add(p, sqlite3_column_int64(st, 0));
	return r;
}

int
index_object_parents(struct index *ix, int64_t id, int64_t *ret_dirs,
    size_t max, size_t *ret_n)
{
	struct parents p = { ret_dirs, max, 0 };
	struct conn *c;
	int r;

	*ret_n = 0;
	/* On the write connection, so that in a batch nothing comes between
	 * this and what is done about it. */
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	if ((r = write_end(ix, parents_of(c, id, &p))) == 0)
		*ret_n = p.n;
	return r;
}

static int
publish(struct conn *c, const struct object *o, int64_t dir, const char *name,
    int64_t now_ns, int64_t *ret_ino, int64_t *ret_replaced)
{
	struct node n = { .kind = NODE_MESSAGE, .object_id = o->id, .nlink = 1,
		.uid = UINT32_MAX, .gid = UINT32_MAX, .size = o->plain_size,
		.ctime_ns = now_ns };
	struct parents none = { 0 };
	struct brief b;
	int r;

	if ((r = brief_get(c, o->id, &b)) < 0)
		return r;
	if (b.state != OBJECT_PENDING)
		return -ENOENT;
	if (b.replaces != 0 &&
	    (r = drop(c, b.replaces, now_ns, ret_replaced, &none)) < 0 &&
	    r != -ENOENT)
		return r;
	n.mtime_ns = n.atime_ns = b.last_modified_unix * NS_PER_S;
	if ((r = node_check_dir(c, dir)) < 0 ||
	    (r = node_add_named(c, dir, name, &n, now_ns, ret_ino)) < 0)
		return r;
	r = RUN(c, Q_OBJECT_PUBLISH, V_INT(o->id), V_INT(*ret_ino),
	    V_INT(o->plain_size), V_INT(o->crlf_size), V_INT(o->suite),
	    V_INT(o->format), V_INT(o->kms_key_id),
	    slice_val((struct slice){ o->key_sealed, o->key_sealed_len }),
	    slice_val((struct slice){ o->headers_sealed,
		o->headers_sealed_len }),
	    slice_val((struct slice){ o->envelope, o->envelope_len }));
	return r < 0 ? r : 0;
}

int
index_object_publish(struct index *ix, const struct object *o, int64_t dir,
    const char *name, int64_t now_ns, int64_t *ret_ino,
    int64_t *ret_replaced_ino)
{
	struct conn *c;
	int r;

	*ret_ino = *ret_replaced_ino = 0;
	if ((r = name_check(name)) < 0)
		return r;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = write_end(ix, publish(c, o, dir, name, now_ns, ret_ino,
	    ret_replaced_ino));
	if (r < 0)
		*ret_ino = *ret_replaced_ino = 0;
	return r;
}

/* ---- all at once ---- */

int
index_drop_sealed(struct index *ix)
{
	int64_t at = 0, last = 0;
	int r = 0;

	/* In steps, so that a million rows do not make a WAL of their size;
	 * done again after a death in between, it goes on. */
	do {
		struct conn *c;

		if ((r = write_begin(ix, &c)) < 0)
			return r;
		r = conn_int(c, Q_OBJECT_MAX, NULL, 0, &last);
		if (r >= 0)
			r = RUN(c, Q_OBJECTS_UNSEAL, V_INT(at),
			    V_INT(at + UNSEAL_ROWS));
		if ((r = write_end(ix, r < 0 ? r : 0)) < 0)
			return r;
		at += UNSEAL_ROWS;
	} while (at < last);
	return 0;
}

int
index_retry_due(struct index *ix, enum refusal why, int64_t now_unix)
{
	struct conn *c;
	int64_t one;
	int r;

	/* Asked at every pass; most find nothing and need not commit. */
	{
		READER(rd);
		if ((r = reader_begin(ix, &rd)) < 0 ||
		    (r = conn_int(rd.c, Q_REFUSED_DUE,
			 VALS(V_INT(why), V_INT(now_unix)), &one)) <= 0)
			return r;
	}
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = RUN(c, Q_OBJECTS_RETRY_DUE, V_INT(why), V_INT(now_unix));
	return write_end(ix, r < 0 ? r : 0);
}

/* A statement without parameters as a call, whatever number of rows it
 * changes. */
static int
change_all(struct index *ix, enum query q)
{
	struct conn *c;
	int r;

	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = conn_run(c, q, NULL, 0);
	return write_end(ix, r < 0 ? r : 0);
}

int
index_retry_refused(struct index *ix)
{
	return change_all(ix, Q_OBJECTS_RETRY);
}

int
index_hurry(struct index *ix)
{
	return change_all(ix, Q_OBJECTS_HURRY);
}

int
index_next_try(struct index *ix, enum refusal why, int64_t *ret_unix)
{
	READER(rd);
	int r;

	*ret_unix = 0;
	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	r = conn_int(rd.c, Q_NEXT_TRY, VALS(V_INT(why)), ret_unix);
	return r < 0 ? r : 0;
}
