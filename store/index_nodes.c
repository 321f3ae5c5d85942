/* Reading the tree, and the rows that changing it is made of. */
#include "store/index_priv.h"

#include <errno.h>

/* FNV-1a, 32 bits: what the names' index holds of a name. It is on disk:
 * never change it without a migration. */
static int32_t
name_hash(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return (int32_t)h;
}

int
name_check(const char *name)
{
	if (strlen(name) > INDEX_NAME_MAX)
		return -ENAMETOOLONG;
	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strchr(name, '/') != NULL)
		return -EINVAL;
	return 0;
}

/* ---- rows ---- */

static uint32_t
owner_read(sqlite3_stmt *st, int col)
{
	return sqlite3_column_type(st, col) == SQLITE_NULL ? UINT32_MAX :
	    (uint32_t)sqlite3_column_int64(st, col);
}

void
node_read(sqlite3_stmt *st, int col, struct node *ret)
{
	*ret = (struct node){
		.ino = sqlite3_column_int64(st, col),
		.kind = (enum node_kind)sqlite3_column_int(st, col + 1),
		.object_id = sqlite3_column_int64(st, col + 2),
		.mode = (uint32_t)sqlite3_column_int64(st, col + 3),
		.uid = owner_read(st, col + 4),
		.gid = owner_read(st, col + 5),
		.nlink = (uint32_t)sqlite3_column_int64(st, col + 6),
		.size = (uint64_t)sqlite3_column_int64(st, col + 7),
		.mtime_ns = sqlite3_column_int64(st, col + 8),
		.ctime_ns = sqlite3_column_int64(st, col + 9),
		.parent = sqlite3_column_int64(st, col + 11),
		.is_gone = sqlite3_column_int(st, col + 12) != 0,
	};
	ret->atime_ns = sqlite3_column_type(st, col + 10) == SQLITE_NULL ?
	    ret->mtime_ns : sqlite3_column_int64(st, col + 10);
}

int
node_get(struct conn *c, int64_t ino, struct node *ret)
{
	STMT(st);
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = QUERY(c, Q_NODE, &st, V_INT(ino))) < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	node_read(st, 0, ret);
	return 0;
}

int
node_check_dir(struct conn *c, int64_t dir)
{
	struct node n;
	int r;

	if ((r = node_get(c, dir, &n)) < 0)
		return r;
	if (n.kind != NODE_DIR)
		return -ENOTDIR;
	return n.nlink == 0 ? -ENOENT : 0;
}

int
node_add(struct conn *c, const struct node *n, int64_t *ret_ino)
{
	const struct val owner[] = {
		n->uid == UINT32_MAX ? V_NULL : V_INT(n->uid),
		n->gid == UINT32_MAX ? V_NULL : V_INT(n->gid),
	};
	int r;

	r = RUN(c, Q_NODE_ADD, V_INT(n->kind),
	    n->object_id != 0 ? V_INT(n->object_id) : V_NULL, V_INT(n->mode),
	    owner[0], owner[1], V_INT(n->nlink), V_INT(n->size),
	    V_INT(n->mtime_ns), V_INT(n->ctime_ns),
	    n->atime_ns != n->mtime_ns ? V_INT(n->atime_ns) : V_NULL,
	    n->kind == NODE_DIR ? V_INT(n->parent) : V_NULL);
	*ret_ino = r >= 0 ? sqlite3_last_insert_rowid(c->db) : 0;
	return r < 0 ? r : 0;
}

int
entry_find(struct conn *c, int64_t dir, const char *name, int64_t *ret_id,
    struct node *ret)
{
	STMT(st);
	int r;

	*ret_id = 0;
	memset(ret, 0, sizeof(*ret));
	r = QUERY(c, Q_LOOKUP, &st, V_INT(dir), V_INT(name_hash(name)),
	    V_STR(name));
	if (r == 1) {
		*ret_id = sqlite3_column_int64(st, 0);
		node_read(st, 1, ret);
	}
	return r;
}

int
entry_add(struct conn *c, int64_t dir, const char *name, int64_t ino)
{
	int r = RUN(c, Q_ENTRY_ADD, V_INT(dir), V_INT(ino),
	    V_INT(name_hash(name)), V_STR(name));

	return r < 0 ? r : 0;
}

int
entry_rename(struct conn *c, int64_t id, const char *name)
{
	int r = RUN(c, Q_ENTRY_RENAME, V_INT(id), V_INT(name_hash(name)),
	    V_STR(name));

	return r < 0 ? r : 0;
}

int
dir_touch(struct conn *c, int64_t dir, int64_t now_ns, int links)
{
	int r = RUN(c, Q_DIR_TOUCH, V_INT(dir), V_INT(now_ns), V_INT(links));

	return r < 0 ? r : 0;
}

/* ---- reading ---- */

/* Rows that others may be told of: what another process writes does not move
 * our version, and what this thread's batch has written may yet be undone. */
static bool
has_memo(struct index *ix)
{
	return !ix->read_only && !write_is_batch(ix);
}

int
index_node(struct index *ix, int64_t ino, struct node *ret)
{
	uint64_t version = index_version(ix);
	bool is_shared = has_memo(ix);
	READER(rd);
	int r;

	if (is_shared && memo_get(&ix->memo, version, ino, ret))
		return 0;
	memset(ret, 0, sizeof(*ret));
	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	if ((r = node_get(rd.c, ino, ret)) == 0 && is_shared)
		memo_put(&ix->memo, version, ret);
	return r;
}

int
index_lookup(struct index *ix, int64_t dir, const char *name, struct node *ret)
{
	uint64_t version = index_version(ix);
	READER(rd);
	int64_t id;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = name_check(name)) < 0)
		return r == -EINVAL ? -ENOENT : r;
	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = entry_find(rd.c, dir, name, &id, ret)) < 0)
		return r;
	if (r == 1 && has_memo(ix))
		memo_put(&ix->memo, version, ret);
	return r == 0 ? -ENOENT : 0;
}

/* Copy a name out of a row; rows hold no name longer than INDEX_NAME_MAX. */
void
name_read(sqlite3_stmt *st, int col, char ret[INDEX_NAME_MAX + 1])
{
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	if (len > INDEX_NAME_MAX)
		len = INDEX_NAME_MAX;
	if (len > 0)
		memcpy(ret, sqlite3_column_blob(st, col), len);
	ret[len] = '\0';
}

/* 1 with the row in *ret, 0 when it has no node. */
static int
row_read(struct conn *c, sqlite3_stmt *st, index_known_fn *known, void *arg,
    struct dirent_row *ret)
{
	int r;

	ret->cookie = sqlite3_column_int64(st, 0);
	name_read(st, 1, ret->name);
	if (known == NULL) {
		node_read(st, 2, &ret->node);
		ret->has_node = true;
		return 1;
	}
	ret->node.ino = sqlite3_column_int64(st, 2);
	ret->has_node = !known(arg, ret->node.ino);
	if (!ret->has_node)
		return 1;
	r = node_get(c, ret->node.ino, &ret->node);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int
index_readdir(struct index *ix, int64_t dir, int64_t cookie,
    index_known_fn *known, index_dirent_fn *fn, void *arg)
{
	enum query q = known != NULL ? Q_READNAMES : Q_READDIR;
	uint64_t version = index_version(ix);
	bool is_shared = has_memo(ix);
	struct dirent_row row;
	READER(rd);
	STMT(st);
	int r, e;

	if ((r = reader_begin(ix, &rd)) < 0)
		return r;
	for (r = QUERY(rd.c, q, &st, V_INT(dir), V_INT(cookie)); r == 1;
	     r = conn_next(rd.c, q, st)) {
		if ((e = row_read(rd.c, st, known, arg, &row)) < 0)
			return e;
		if (e == 1 && row.has_node && is_shared)
			memo_put(&ix->memo, version, &row.node);
		if (e == 1 && !fn(arg, &row))
			return 1;
	}
	return r;
}

uint64_t
index_version(struct index *ix)
{
	return atomic_load(&ix->version);
}

/* Names arrive from the directory upwards; they are put together from the end
 * of the buffer backwards. */
static int
path_read(struct conn *c, int64_t dir, char *ret, size_t max)
{
	STMT(st);
	size_t at = max - 1;
	int64_t up = dir;
	int r;

	ret[at] = '\0';
	for (r = QUERY(c, Q_PATH, &st, V_INT(dir)); r == 1;
	     r = conn_next(c, Q_PATH, st)) {
		size_t len = (size_t)sqlite3_column_bytes(st, 1);

		if (at < len + (up != dir))
			return -ERANGE;
		if (up != dir)
			ret[--at] = '/';
		at -= len;
		memcpy(ret + at, sqlite3_column_blob(st, 1), len);
		up = sqlite3_column_int64(st, 0);
	}
	if (r == 0 && up != INDEX_ROOT_INO)
		r = -ENOENT;
	memmove(ret, ret + at, max - at);
	return r;
}

int
index_path(struct index *ix, int64_t dir, char *ret, size_t max)
{
	READER(rd);
	int r;

	if (max == 0)
		return -ERANGE;
	ret[0] = '\0';
	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = node_check_dir(rd.c, dir)) < 0 ||
	    (r = path_read(rd.c, dir, ret, max)) == 0)
		return r;
	ret[0] = '\0';
	return r;
}
