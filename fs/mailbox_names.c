/* Names: what may be created, removed, renamed and linked, and where. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/mailbox_priv.h"
#include "store/log.h"

/* What a directory is in its folder. */
enum role {
	ROLE_NONE, /* the root, a folder, a client's directory */
	ROLE_TMP,
	ROLE_NEW,
	ROLE_CUR,
};

static enum role
role_of_name(const char *name)
{
	if (strcmp(name, "cur") == 0)
		return ROLE_CUR;
	if (strcmp(name, "new") == 0)
		return ROLE_NEW;
	if (strcmp(name, "tmp") == 0)
		return ROLE_TMP;
	return ROLE_NONE;
}

/* cur, new and tmp are what a name says, but only directly in the root or in a
 * folder ("." directory of the root): a client's own subdirectories may be
 * called anything. */
static int
role_get(struct mailbox *m, int64_t dir, enum role *ret)
{
	char path[2 * INDEX_NAME_MAX + 8], *slash;
	int r = index_path(m->o.index, dir, path, sizeof(path));

	*ret = ROLE_NONE;
	if (r == -ENAMETOOLONG)
		return 0; /* deeper than any folder */
	if (r < 0)
		return r;
	if ((slash = strchr(path, '/')) == NULL)
		*ret = role_of_name(path);
	else if (path[0] == '.' && strchr(slash + 1, '/') == NULL)
		*ret = role_of_name(slash + 1);
	return 0;
}

static bool
is_mail_role(enum role r)
{
	return r == ROLE_NEW || r == ROLE_CUR;
}

/* May something that is no message get a name here? New mail cannot be saved
 * into new/ and cur/, and they hold no subdirectories. */
static int
check_place(struct mailbox *m, int64_t dir, enum node_kind kind)
{
	enum role role;
	int r;

	if (kind == NODE_MESSAGE)
		return 0;
	if ((r = role_get(m, dir, &role)) < 0)
		return r;
	if (!is_mail_role(role))
		return 0;
	return kind == NODE_FILE ? -EROFS : -EPERM;
}

/* The INBOX's own directories stay where they are. */
static bool
is_fixture(int64_t dir, const char *name)
{
	return dir == INDEX_ROOT_INO && role_of_name(name) != ROLE_NONE;
}

int
mailbox_create(struct mailbox *m, int64_t dir, const char *name, mode_t mode,
    uid_t uid, gid_t gid, struct stat *st)
{
	struct node n = { .kind = NODE_FILE, .mode = mode & 07777, .uid = uid,
		.gid = gid };
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = check_place(m, dir, NODE_FILE)) < 0)
		return r;
	if ((r = index_create(m->o.index, dir, name, &n, mailbox_now_ns(),
		 &n)) < 0)
		return r;
	if ((r = files_create(m->files, n.ino)) < 0) {
		log_err(r, "mailbox: create %s: %s", name, strerror(-r));
		/* The kernel never heard of the node: the orphan is dropped
		 * at the next start, should this fail. */
		if (index_unlink(m->o.index, dir, name, mailbox_now_ns(),
			&n) == 0 &&
		    index_node_forget(m->o.index, n.ino, NULL) < 0)
			orphans_add(&m->orphans, n.ino);
		return r;
	}
	return mailbox_stat(m, &n, st);
}

int
mailbox_mkdir(struct mailbox *m, int64_t dir, const char *name, mode_t mode,
    uid_t uid, gid_t gid, struct stat *st)
{
	struct node n = { .kind = NODE_DIR, .mode = mode & 07777, .uid = uid,
		.gid = gid };
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = check_place(m, dir, NODE_DIR)) < 0)
		return r;
	if ((r = index_create(m->o.index, dir, name, &n, mailbox_now_ns(),
		 &n)) < 0)
		return r;
	return mailbox_stat(m, &n, st);
}

/* A node lost a name: when that was the last, it goes once the kernel lets
 * go. */
static void
note_orphan(struct mailbox *m, const struct node *n)
{
	if (n->nlink == 0)
		orphans_add(&m->orphans, n->ino);
}

/* --delete=refuse keeps every message's last name. [in a batch] */
static int
check_removal(struct mailbox *m, int64_t dir, const char *name)
{
	struct node n;
	int r;

	if ((r = index_lookup(m->o.index, dir, name, &n)) < 0)
		return r == -ENOENT ? 0 : r;
	return n.kind == NODE_MESSAGE && n.nlink <= 1 ? -EPERM : 0;
}

/* With --delete=refuse, what is checked and what is done about it are one
 * transaction: of two names removed at once, one must stay. */
static int
guard_begin(struct mailbox *m, int64_t dir, const char *name)
{
	int r;

	if (!m->o.refuse_delete)
		return 0;
	if ((r = index_batch_begin(m->o.index)) < 0)
		return r;
	if ((r = check_removal(m, dir, name)) < 0 &&
	    index_batch_end(m->o.index, false) < 0)
		log_debug(0, "mailbox: nothing was undone");
	return r;
}

static int
guard_end(struct mailbox *m, int r)
{
	int end = m->o.refuse_delete ? index_batch_end(m->o.index, r == 0) : 0;

	return r < 0 ? r : end;
}

int
mailbox_unlink(struct mailbox *m, int64_t dir, const char *name)
{
	struct node n;
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = guard_begin(m, dir, name)) < 0)
		return r;
	r = guard_end(m,
	    index_unlink(m->o.index, dir, name, mailbox_now_ns(), &n));
	if (r == 0)
		note_orphan(m, &n);
	return r;
}

int
mailbox_rmdir(struct mailbox *m, int64_t dir, const char *name)
{
	struct node n;
	int r;

	if (m->o.read_only)
		return -EROFS;
	if (is_fixture(dir, name))
		return -EPERM;
	r = index_rmdir(m->o.index, dir, name, mailbox_now_ns(), &n);
	if (r == 0)
		orphans_add(&m->orphans, n.ino);
	return r;
}

int
mailbox_rename(struct mailbox *m, int64_t dir, const char *name,
    int64_t new_dir, const char *new_name, unsigned flags, int64_t *ret_ino)
{
	struct node n, replaced;
	int r;

	*ret_ino = 0;
	if (m->o.read_only)
		return -EROFS;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	if (is_fixture(dir, name) || is_fixture(new_dir, new_name))
		return -EPERM;
	if ((r = index_lookup(m->o.index, dir, name, &n)) < 0)
		return r;
	if ((r = check_place(m, new_dir, n.kind)) < 0)
		return r;
	if ((r = guard_begin(m, new_dir, new_name)) < 0)
		return r == -EPERM && flags & RENAME_NOREPLACE ? -EEXIST : r;
	r = guard_end(m, index_rename(m->o.index, dir, name, new_dir, new_name,
	    flags, mailbox_now_ns(), &n, &replaced));
	*ret_ino = n.ino;
	if (r == 0 && replaced.ino != 0) {
		if (replaced.kind == NODE_DIR)
			orphans_add(&m->orphans, replaced.ino);
		else
			note_orphan(m, &replaced);
	}
	return r;
}

int
mailbox_link(struct mailbox *m, int64_t ino, int64_t dir, const char *name,
    struct stat *st)
{
	struct node n;
	int r;

	if (m->o.read_only)
		return -EROFS;
	if ((r = index_node(m->o.index, ino, &n)) < 0)
		return r;
	if (n.kind == NODE_DIR)
		return -EPERM;
	if ((r = check_place(m, dir, n.kind)) < 0)
		return r;
	if ((r = index_link(m->o.index, ino, dir, name, mailbox_now_ns(),
		 &n)) < 0)
		return r;
	return mailbox_stat(m, &n, st);
}

void
mailbox_forget(struct mailbox *m, int64_t ino)
{
	enum node_kind kind = NODE_MESSAGE;
	int r;

	if (!orphans_take(&m->orphans, ino))
		return;
	if ((r = index_node_forget(m->o.index, ino, &kind)) < 0)
		log_err(r, "mailbox: forget inode %lld: %s", (long long)ino,
		    strerror(-r));
	else if (kind == NODE_FILE && (r = files_remove(m->files, ino)) < 0)
		log_err(r, "mailbox: remove files/%lld: %s", (long long)ino,
		    strerror(-r));
}
