/* Changing the tree. Each public call is a transaction around a static
 * function of the same name; that one may fail anywhere, for write_end() then
 * undoes it. */
#include "store/index_priv.h"

#include <errno.h>
#include <stdio.h> /* RENAME_NOREPLACE */

int
node_add_named(struct conn *c, int64_t dir, const char *name,
    const struct node *n, int64_t now_ns, int64_t *ret_ino)
{
	struct node there;
	int64_t id;
	int r;

	*ret_ino = 0;
	if ((r = entry_find(c, dir, name, &id, &there)) != 0)
		return r < 0 ? r : -EEXIST;
	if ((r = node_add(c, n, ret_ino)) < 0 ||
	    (r = entry_add(c, dir, name, *ret_ino)) < 0)
		return r;
	return dir_touch(c, dir, now_ns, n->kind == NODE_DIR);
}

static int
create(struct conn *c, int64_t dir, const char *name, const struct node *n,
    int64_t now_ns, struct node *ret)
{
	struct node made = { .kind = n->kind, .mode = n->mode, .uid = n->uid,
		.gid = n->gid, .nlink = n->kind == NODE_DIR ? 2 : 1,
		.mtime_ns = now_ns, .ctime_ns = now_ns, .atime_ns = now_ns,
		.parent = dir };
	int64_t ino;
	int r;

	if ((r = node_check_dir(c, dir)) < 0 ||
	    (r = node_add_named(c, dir, name, &made, now_ns, &ino)) < 0)
		return r;
	return node_get(c, ino, ret);
}

int
index_create(struct index *ix, int64_t dir, const char *name,
    const struct node *n, int64_t now_ns, struct node *ret)
{
	struct node given = *n; /* may be *ret */
	struct conn *c;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = name_check(name)) < 0)
		return r;
	if (given.kind != NODE_DIR && given.kind != NODE_FILE)
		return -EINVAL;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix, create(c, dir, name, &given, now_ns, ret));
}

/* Find a name that is to go: -ENOENT, -EISDIR or -ENOTDIR, -ENOTEMPTY. */
static int
find_for_removal(struct conn *c, int64_t dir, const char *name, bool want_dir,
    int64_t *ret_id, struct node *ret)
{
	int64_t one;
	int r;

	if ((r = entry_find(c, dir, name, ret_id, ret)) <= 0)
		return r < 0 ? r : -ENOENT;
	if (!want_dir)
		return ret->kind == NODE_DIR ? -EISDIR : 0;
	if (ret->kind != NODE_DIR)
		return -ENOTDIR;
	r = conn_int(c, Q_IS_EMPTY, VALS(V_INT(ret->ino)), &one);
	return r == 1 ? -ENOTEMPTY : r;
}

/* One name less for a node; a directory has only one. */
static int
drop_link(struct conn *c, const struct node *n, int64_t now_ns)
{
	uint32_t left = n->kind == NODE_DIR ? 0 : n->nlink - 1;
	int r = RUN(c, Q_NODE_LINKS, V_INT(n->ino), V_INT(left),
	    V_INT(now_ns));

	return r < 0 ? r : 0;
}

static int
remove_name(struct conn *c, int64_t dir, const char *name, bool want_dir,
    int64_t now_ns, struct node *ret)
{
	struct node n;
	int64_t id;
	int r;

	if ((r = find_for_removal(c, dir, name, want_dir, &id, &n)) < 0 ||
	    (r = RUN(c, Q_ENTRY_DELETE, V_INT(id))) < 0 ||
	    (r = drop_link(c, &n, now_ns)) < 0 ||
	    (r = dir_touch(c, dir, now_ns, want_dir ? -1 : 0)) < 0)
		return r;
	return node_get(c, n.ino, ret);
}

static int
remove_call(struct index *ix, int64_t dir, const char *name, bool want_dir,
    int64_t now_ns, struct node *ret)
{
	struct conn *c;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = name_check(name)) < 0)
		return r;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix,
	    remove_name(c, dir, name, want_dir, now_ns, ret));
}

int
index_unlink(struct index *ix, int64_t dir, const char *name, int64_t now_ns,
    struct node *ret)
{
	return remove_call(ix, dir, name, false, now_ns, ret);
}

int
index_rmdir(struct index *ix, int64_t dir, const char *name, int64_t now_ns,
    struct node *ret)
{
	return remove_call(ix, dir, name, true, now_ns, ret);
}

/* ---- rename ---- */

struct move {
	int64_t dir, new_dir, now_ns;
	const char *name, *new_name;
	int64_t id, target_id; /* entries; target 0: none */
	struct node node, target;
};

/* -EINVAL when `dir` lies in the directory `ino`, or is it. */
static int
check_loop(struct conn *c, int64_t ino, int64_t dir)
{
	while (dir != INDEX_ROOT_INO) {
		struct node n;
		int r;

		if (dir == ino)
			return -EINVAL;
		if ((r = node_get(c, dir, &n)) < 0)
			return r;
		dir = n.parent;
	}
	return 0;
}

static int
check_move(struct conn *c, struct move *m, unsigned flags)
{
	bool is_dir;
	int r;

	if ((r = entry_find(c, m->dir, m->name, &m->id, &m->node)) <= 0)
		return r < 0 ? r : -ENOENT;
	is_dir = m->node.kind == NODE_DIR;
	if ((r = node_check_dir(c, m->new_dir)) < 0 ||
	    (is_dir && (r = check_loop(c, m->node.ino, m->new_dir)) < 0) ||
	    (r = entry_find(c, m->new_dir, m->new_name, &m->target_id,
		 &m->target)) < 0)
		return r;
	if (r == 0)
		return 0;
	if (flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (m->target.ino == m->node.ino)
		return 0;
	return find_for_removal(c, m->new_dir, m->new_name, is_dir,
	    &m->target_id, &m->target);
}

/* Give the name to the node. A name that is replaced keeps its cookie, so that
 * a listing meets it once; so does a name changed in place. One that comes
 * from another directory gets a new one: it is at the end of a listing that
 * is under way. */
static int
move_entry(struct conn *c, const struct move *m)
{
	int r;

	if (m->target_id != 0) {
		r = RUN(c, Q_ENTRY_RETARGET, V_INT(m->target_id),
		    V_INT(m->node.ino));
		if (r >= 0)
			r = drop_link(c, &m->target, m->now_ns);
		if (r >= 0)
			r = RUN(c, Q_ENTRY_DELETE, V_INT(m->id));
		return r < 0 ? r : 0;
	}
	if (m->dir == m->new_dir)
		return entry_rename(c, m->id, m->new_name);
	if ((r = RUN(c, Q_ENTRY_DELETE, V_INT(m->id))) < 0)
		return r;
	return entry_add(c, m->new_dir, m->new_name, m->node.ino);
}

static int
move_touch(struct conn *c, const struct move *m)
{
	bool is_dir = m->node.kind == NODE_DIR;
	int out = is_dir ? -1 : 0, in = is_dir && m->target_id == 0 ? 1 : 0;
	int r;

	if (m->dir == m->new_dir)
		return dir_touch(c, m->dir, m->now_ns, out + in);
	if ((r = dir_touch(c, m->dir, m->now_ns, out)) < 0)
		return r;
	return dir_touch(c, m->new_dir, m->now_ns, in);
}

static int
rename_in(struct conn *c, struct move *m, unsigned flags,
    struct node *ret_moved, struct node *ret_replaced)
{
	int r;

	if ((r = check_move(c, m, flags)) < 0)
		return r;
	if (m->target_id != 0 && m->target.ino == m->node.ino) {
		*ret_moved = m->node;
		return 0;
	}
	if ((r = move_entry(c, m)) < 0 ||
	    (r = RUN(c, Q_NODE_MOVE, V_INT(m->node.ino), V_INT(m->new_dir),
		 V_INT(m->now_ns))) < 0 ||
	    (r = move_touch(c, m)) < 0 ||
	    (m->target_id != 0 &&
		(r = node_get(c, m->target.ino, ret_replaced)) < 0))
		return r;
	return node_get(c, m->node.ino, ret_moved);
}

int
index_rename(struct index *ix, int64_t dir, const char *name, int64_t new_dir,
    const char *new_name, unsigned flags, int64_t now_ns,
    struct node *ret_moved, struct node *ret_replaced)
{
	struct move m = { .dir = dir, .new_dir = new_dir, .now_ns = now_ns,
		.name = name, .new_name = new_name };
	struct conn *c;
	int r;

	memset(ret_moved, 0, sizeof(*ret_moved));
	memset(ret_replaced, 0, sizeof(*ret_replaced));
	if ((r = name_check(name)) < 0 || (r = name_check(new_name)) < 0)
		return r;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix,
	    rename_in(c, &m, flags, ret_moved, ret_replaced));
}

/* ---- the rest ---- */

static int
link_in(struct conn *c, int64_t ino, int64_t dir, const char *name,
    int64_t now_ns, struct node *ret)
{
	struct node n, there;
	int64_t id;
	int r;

	if ((r = node_get(c, ino, &n)) < 0)
		return r;
	if (n.kind == NODE_DIR)
		return -EPERM;
	if (n.nlink == 0)
		return -ENOENT;
	if ((r = node_check_dir(c, dir)) < 0 ||
	    (r = entry_find(c, dir, name, &id, &there)) < 0)
		return r;
	if (r == 1)
		return -EEXIST;
	if ((r = entry_add(c, dir, name, ino)) < 0 ||
	    (r = RUN(c, Q_NODE_LINKS, V_INT(ino), V_INT(n.nlink + 1),
		 V_INT(now_ns))) < 0 ||
	    (r = dir_touch(c, dir, now_ns, 0)) < 0)
		return r;
	return node_get(c, ino, ret);
}

int
index_link(struct index *ix, int64_t ino, int64_t dir, const char *name,
    int64_t now_ns, struct node *ret)
{
	struct conn *c;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = name_check(name)) < 0)
		return r;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix, link_in(c, ino, dir, name, now_ns, ret));
}

static int
setattr(struct conn *c, const struct node *n, unsigned what, int64_t now_ns,
    struct node *ret)
{
	struct node to;
	int r;

	if ((r = node_get(c, n->ino, &to)) < 0)
		return r;
	if (what & INDEX_SET_MODE)
		to.mode = n->mode;
	if (what & INDEX_SET_OWNER) {
		to.uid = n->uid;
		to.gid = n->gid;
	}
	if (what & INDEX_SET_MTIME)
		to.mtime_ns = n->mtime_ns;
	if (what & INDEX_SET_ATIME)
		to.atime_ns = n->atime_ns;
	if (what & INDEX_SET_SIZE)
		to.size = n->size;
	r = RUN(c, Q_NODE_SET, V_INT(to.ino), V_INT(to.mode),
	    to.uid == UINT32_MAX ? V_NULL : V_INT(to.uid),
	    to.gid == UINT32_MAX ? V_NULL : V_INT(to.gid), V_INT(to.size),
	    V_INT(to.mtime_ns), V_INT(to.atime_ns), V_INT(now_ns));
	return r < 0 ? r : node_get(c, to.ino, ret);
}

int
index_setattr(struct index *ix, const struct node *n, unsigned what,
    int64_t now_ns, struct node *ret)
{
	struct node given = *n; /* may be *ret */
	struct conn *c;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix, setattr(c, &given, what, now_ns, ret));
}

/* 1 when the node was deleted. */
static int
forget(struct conn *c, int64_t ino, enum node_kind *ret_kind)
{
	struct node n;
	int r;

	if ((r = node_get(c, ino, &n)) < 0)
		return r;
	if (n.nlink > 0)
		return 0;
	if ((r = RUN(c, Q_NODE_DELETE, V_INT(ino))) < 0)
		return r;
	if (n.kind == NODE_MESSAGE)
		r = n.is_gone ? RUN(c, Q_OBJECT_DELETE, V_INT(n.object_id)) :
				RUN(c, Q_OBJECT_HIDE, V_INT(n.object_id));
	*ret_kind = n.kind;
	return r < 0 ? r : 1;
}

int
index_node_forget(struct index *ix, int64_t ino, enum node_kind *ret_kind)
{
	enum node_kind kind = NODE_DIR;
	struct conn *c;
	struct node n;
	int r;

	/* Forgetting what has names is common and shall not cost a commit. */
	if ((r = index_node(ix, ino, &n)) < 0)
		return r;
	if (n.nlink > 0)
		return 0;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = write_end(ix, forget(c, ino, &kind));
	if (r == 1 && ret_kind != NULL)
		*ret_kind = kind;
	return r < 0 ? r : 0;
}
