/* Delivery: which folder a message goes to, and that folders are there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/maildir.h"
#include "fs/mailbox_priv.h"
#include "store/lock.h"
#include "store/log.h"

#define NAMES_MAX 16 /* names tried for one arrival */
#define PARENTS_MAX 64 /* directories told of one removal */

/* What a batch did that the kernel is told once it is committed. */
struct changes {
	int64_t *dir; /* changed; room for all that a batch can touch */
	size_t dirs;
	int64_t *lost; /* inodes without a name any more; room as well */
	size_t losts;
	/* The folder that was found last. In a batch nobody else changes the
	 * tree, and most of it goes where the one before went. */
	char *key_dir;
	int64_t key_dir_new;
};

static int
changes_begin(struct changes *c, size_t arrivals)
{
	/* Its own, its folder's, the root and those of one it replaces. */
	*c = (struct changes){ .dirs = 0 };
	c->dir = calloc(arrivals * (PARENTS_MAX + 3) + 1, sizeof(*c->dir));
	c->lost = calloc(arrivals + 1, sizeof(*c->lost));
	return c->dir == NULL || c->lost == NULL ? -ENOMEM : 0;
}

static void
changes_end(struct changes *c)
{
	free(c->dir);
	free(c->lost);
	free(c->key_dir);
}

static void
touch(struct changes *c, int64_t dir)
{
	for (size_t i = 0; i < c->dirs; i++)
		if (c->dir[i] == dir)
			return;
	c->dir[c->dirs++] = dir;
}

/* An inode lost its last name: it is dropped at FORGET, or now when the kernel
 * does not hold it and hence never sends one. */
static void
let_go(struct mailbox *m, int64_t ino)
{
	orphans_add(&m->orphans, ino);
	if (mailbox_inval(m, ino) == -ENOENT)
		mailbox_forget(m, ino);
}

static void
changes_tell(struct mailbox *m, const struct changes *c)
{
	for (size_t i = 0; i < c->losts; i++)
		let_go(m, c->lost[i]);
	for (size_t i = 0; i < c->dirs; i++)
		(void)mailbox_inval(m, c->dir[i]);
}

/* A directory by name, made when it is missing. */
static int
subdir(struct mailbox *m, int64_t parent, const char *name,
    struct changes *c, int64_t *ret)
{
	/* Ours, so whoever the mount is said to belong to owns it. */
	const struct node made = { .kind = NODE_DIR, .uid = UINT32_MAX,
		.gid = UINT32_MAX };
	struct node n;
	int r = index_lookup(m->o.index, parent, name, &n);

	if (r == -ENOENT) {
		r = index_create(m->o.index, parent, name, &made,
		    mailbox_now_ns(), &n);
		touch(c, parent);
	}
	if (r == 0 && n.kind != NODE_DIR)
		r = -ENOTDIR;
	*ret = n.ino;
	return r;
}

static int
make_leaves(struct mailbox *m, int64_t folder, struct changes *c,
    int64_t *ret_new)
{
	int64_t other;
	int r;

	if ((r = subdir(m, folder, "cur", c, &other)) < 0 ||
	    (r = subdir(m, folder, "tmp", c, &other)) < 0)
		return r;
	return subdir(m, folder, "new", c, ret_new);
}

/* Maildir++ wants a file of this name in every folder but the INBOX. */
static int
mark_folder(struct mailbox *m, int64_t folder, struct changes *c)
{
	struct stat st;
	struct node n;
	int r = index_lookup(m->o.index, folder, "maildirfolder", &n);

	if (r != -ENOENT || m->o.read_only)
		return r == -ENOENT ? 0 : r;
	touch(c, folder);
	/* Nobody's in particular: whoever the mount is said to belong to. */
	return mailbox_create(m, folder, "maildirfolder", 0666 & ~m->o.umask,
	    UINT32_MAX, UINT32_MAX, &st);
}

/* The root's directory for a key directory; the hash comes in when the plain
 * name belongs to another key directory. */
static int
make_folder(struct mailbox *m, const char *key_dir, struct changes *c,
    int64_t *ret)
{
	char name[MAILDIR_FOLDER_MAX];
	int r = 0;

	for (int with_hash = 0; with_hash <= 1; with_hash++) {
		maildir_folder(key_dir, with_hash, name);
		if ((r = subdir(m, INDEX_ROOT_INO, name, c, ret)) ==
		    -ENOTDIR)
			continue;
		if (r < 0)
			return r;
		r = index_folder_is_other(m->o.index, key_dir, *ret);
		if (r <= 0)
			break;
	}
	if (r < 0)
		return r;
	return index_folder_set(m->o.index, key_dir, *ret);
}

/* Is a folder still a folder? A client that deletes one first moves it to a
 * name that begins with ".." (Dovecot: "..DOVECOT-TRASHED"); what arrives then
 * must not be deleted with it. */
static bool
is_alive(struct mailbox *m, int64_t folder)
{
	char path[2 * INDEX_NAME_MAX];

	return index_path(m->o.index, folder, path, sizeof(path)) == 0 &&
	    strncmp(path, "..", 2) != 0;
}

static int
find_folder_new(struct mailbox *m, const char *key_dir, struct changes *c,
    int64_t *ret_new)
{
	int64_t folder = INDEX_ROOT_INO;
	int r = 0;

	if (key_dir[0] != '\0') {
		r = index_folder_get(m->o.index, key_dir, &folder);
		if (r == -ENOENT || (r == 0 && !is_alive(m, folder)))
			r = make_folder(m, key_dir, c, &folder);
		if (r == 0)
			r = mark_folder(m, folder, c);
	}
	return r < 0 ? r : make_leaves(m, folder, c, ret_new);
}

static int
folder_new(struct mailbox *m, const char *key_dir, struct changes *c,
    int64_t *ret_new)
{
	int r;

	if (c->key_dir == NULL || strcmp(c->key_dir, key_dir) != 0) {
		free(TAKE(c->key_dir));
		if ((r = find_folder_new(m, key_dir, c,
			 &c->key_dir_new)) < 0)
			return r;
		c->key_dir = strdup(key_dir); /* NULL: found again */
	}
	*ret_new = c->key_dir_new;
	return 0;
}

/* The new/ directory for an arrival. When a client's file lies where the folder
 * (or its new/) should be, the INBOX takes it: there always is one. */
static int
place(struct mailbox *m, const struct arrival *a, struct changes *c,
    int64_t *ret_new)
{
	const struct rfc822 *h = a->headers;
	char *dir = NULL;
	const char *to = m->o.junk;
	int r;

	if (to == NULL || h == NULL ||
	    (strcmp(h->value[RFC822_SPAM], "FAIL") != 0 &&
		strcmp(h->value[RFC822_VIRUS], "FAIL") != 0)) {
		if ((dir = malloc(strlen(a->object->key) + 1)) == NULL)
			return -ENOMEM;
		maildir_key_dir(m->o.prefix, a->object->key, dir);
		to = strcmp(dir, m->o.inbox) == 0 ? "" : dir;
	}
	r = folder_new(m, to, c, ret_new);
	if (r == -ENOTDIR) {
		log_warn(0, "mailbox: deliver %s: a file is in the way of its "
		    "folder, using the INBOX", a->object->key);
		r = folder_new(m, "", c, ret_new);
	}
	free(dir);
	return r;
}

static int
publish(struct mailbox *m, const struct arrival *a, int64_t now_ns,
    struct changes *c)
{
	const struct object *o = a->object;
	char name[MAILDIR_NAME_MAX], etag[sizeof(o->etag) + 16];
	int64_t dir, ino, replaced, old[PARENTS_MAX];
	size_t n = 0;
	int r;

	if ((r = place(m, a, c, &dir)) < 0)
		return r;
	if (o->replaces_id != 0 &&
	    (r = index_object_parents(m->o.index, o->replaces_id, old,
		 PARENTS_MAX, &n)) < 0 && r != -ENOENT)
		return r;
	r = -EEXIST;
	/* Only a client can have taken our name; then another one will do. */
	for (unsigned i = 0; r == -EEXIST && i < NAMES_MAX; i++) {
		snprintf(etag, sizeof(etag), i == 0 ? "%s" : "%s#%u", o->etag,
		    i);
		maildir_name(o->key, etag, o->last_modified_unix,
		    o->plain_size, o->crlf_size, name);
		r = index_object_publish(m->o.index, o, dir, name, now_ns,
		    &ino, &replaced);
	}
	if (r < 0)
		return r;
	touch(c, dir);
	/* The one it replaces lost its names, wherever a client took them. */
	for (size_t i = 0; i < n; i++)
		touch(c, old[i]);
	if (replaced != 0)
		c->lost[c->losts++] = replaced;
	return 0;
}

/* Is this the trouble of one message, not of the state? */
static bool
is_of_one(int r)
{
	return r == -EEXIST || r == -ENOTDIR || r == -ENAMETOOLONG;
}

static int
deliver(struct mailbox *m, const struct arrival *a, size_t n,
    struct changes *c)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		/* A time for each: Borg reads all those files again that share
		 * the latest ctime. */
		r = publish(m, &a[i], mailbox_now_ns(), c);
		if (r == -ENOENT) {
			r = 0; /* replaced or removed since it was fetched */
		} else if (r < 0) {
			log_err(r, "mailbox: deliver %s: %s",
			    a[i].object->key, strerror(-r));
			if (is_of_one(r))
				r = 0; /* stays pending, the next one goes on */
		}
	}
	return r;
}

int
mailbox_deliver(void *arg, struct arrival *a, size_t n)
{
	struct mailbox *m = arg;
	struct changes c;
	int r;

	LOCK_SCOPE(&m->folder_lock);
	if ((r = changes_begin(&c, n)) == 0 &&
	    (r = index_batch_begin(m->o.index)) == 0) {
		int end;

		r = deliver(m, a, n, &c);
		/* What went well before a failure stays; the rest is still
		 * pending. */
		end = index_batch_end(m->o.index, true);
		if (end == 0)
			changes_tell(m, &c);
		else if (r == 0)
			r = end;
	}
	changes_end(&c);
	return r;
}

int
mailbox_gone(void *arg, int64_t object_id)
{
	struct mailbox *m = arg;
	int64_t ino = 0, dir[PARENTS_MAX];
	size_t n = 0;
	int r;

	r = index_object_drop(m->o.index, object_id, mailbox_now_ns(), &ino,
	    dir, PARENTS_MAX, &n);
	if (r < 0)
		return r;
	if (ino != 0)
		let_go(m, ino);
	for (size_t i = 0; i < n && i < PARENTS_MAX; i++)
		(void)mailbox_inval(m, dir[i]);
	return 0;
}

int
mailbox_folder_of(struct mailbox *m, int64_t dir, char *ret, size_t max,
    bool *is_new)
{
	char path[2 * INDEX_NAME_MAX + 8], *leaf;
	int r = index_path(m->o.index, dir, path, sizeof(path));

	if (r < 0)
		return r;
	leaf = strrchr(path, '/');
	if (leaf != NULL)
		*leaf++ = '\0';
	else
		leaf = path;
	if (strcmp(leaf, "cur") != 0 && strcmp(leaf, "new") != 0 &&
	    strcmp(leaf, "tmp") != 0)
		return -ENOTDIR;
	if (is_new != NULL)
		*is_new = strcmp(leaf, "new") == 0;
	if (leaf == path)
		path[0] = '\0';
	else if (path[0] != '.' || strchr(path, '/') != NULL)
		return -ENOTDIR;
	if (snprintf(ret, max, "%s", path[0] == '.' ? path + 1 : path) >=
	    (int)max)
		return -ENAMETOOLONG;
	return 0;
}
