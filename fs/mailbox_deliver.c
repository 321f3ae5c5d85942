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

/* Directories that changed in one batch; a batch has few of them. */
struct touched {
	int64_t dir[256];
	size_t n;
};

static void
touch(struct mailbox *m, struct touched *t, int64_t dir)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->dir[i] == dir)
			return;
	if (t->n == NELEMS(t->dir)) {
		for (size_t i = 0; i < t->n; i++)
			mailbox_inval(m, t->dir[i]);
		t->n = 0;
	}
	t->dir[t->n++] = dir;
}

/* A directory by name, made when it is missing. */
static int
subdir(struct mailbox *m, int64_t parent, const char *name, int64_t *ret)
{
	/* Ours, so whoever the mount is said to belong to owns it. */
	const struct node made = { .kind = NODE_DIR, .uid = UINT32_MAX,
		.gid = UINT32_MAX };
	struct node n;
	int r = index_lookup(m->o.index, parent, name, &n);

	if (r == -ENOENT)
		r = index_create(m->o.index, parent, name, &made,
		    mailbox_now_ns(), &n);
	if (r == 0 && n.kind != NODE_DIR)
		r = -ENOTDIR;
	*ret = n.ino;
	return r;
}

static int
make_leaves(struct mailbox *m, int64_t folder, int64_t *ret_new)
{
	int64_t other;
	int r;

	if ((r = subdir(m, folder, "cur", &other)) < 0 ||
	    (r = subdir(m, folder, "tmp", &other)) < 0)
		return r;
	return subdir(m, folder, "new", ret_new);
}

/* Maildir++ wants a file of this name in every folder but the INBOX. */
static int
mark_folder(struct mailbox *m, int64_t folder)
{
	struct stat st;
	struct node n;
	int r = index_lookup(m->o.index, folder, "maildirfolder", &n);

	if (r != -ENOENT || m->o.read_only)
		return r == -ENOENT ? 0 : r;
	return mailbox_create(m, folder, "maildirfolder", 0666 & ~m->o.umask,
	    m->o.uid, m->o.gid, &st);
}

/* The root's directory for a key directory; the hash comes in when the plain
 * name belongs to another key directory. */
static int
make_folder(struct mailbox *m, const char *key_dir, int64_t *ret)
{
	char name[MAILDIR_FOLDER_MAX];
	int r = 0;

	for (int with_hash = 0; with_hash <= 1; with_hash++) {
		maildir_folder(key_dir, with_hash, name);
		if ((r = subdir(m, INDEX_ROOT_INO, name, ret)) == -ENOTDIR)
			continue;
		if (r < 0)
			return r;
		r = index_folder_is_other(m->o.index, key_dir, *ret);
		if (r <= 0)
			break;
	}
	if (r < 0)
		return r;
	mailbox_inval(m, INDEX_ROOT_INO);
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
folder_new(struct mailbox *m, const char *key_dir, int64_t *ret_new)
{
	int64_t folder = INDEX_ROOT_INO;
	int r = 0;

	if (key_dir[0] != '\0') {
		r = index_folder_get(m->o.index, key_dir, &folder);
		if (r == -ENOENT || (r == 0 && !is_alive(m, folder)))
			r = make_folder(m, key_dir, &folder);
		if (r == 0)
			r = mark_folder(m, folder);
	}
	return r < 0 ? r : make_leaves(m, folder, ret_new);
}

/* The new/ directory for an arrival. */
static int
place(struct mailbox *m, const struct arrival *a, int64_t *ret_new)
{
	const struct rfc822 *h = a->headers;
	char *dir;
	int r;

	if (m->o.junk != NULL && h != NULL &&
	    (strcmp(h->value[RFC822_SPAM], "FAIL") == 0 ||
		strcmp(h->value[RFC822_VIRUS], "FAIL") == 0))
		return folder_new(m, m->o.junk, ret_new);
	if ((dir = malloc(strlen(a->object->key) + 1)) == NULL)
		return -ENOMEM;
	maildir_key_dir(m->o.prefix, a->object->key, dir);
	r = folder_new(m, strcmp(dir, m->o.inbox) == 0 ? "" : dir, ret_new);
	free(dir);
	return r;
}

static int
publish(struct mailbox *m, const struct arrival *a, int64_t now_ns,
    struct touched *t)
{
	const struct object *o = a->object;
	char name[MAILDIR_NAME_MAX], etag[sizeof(o->etag) + 16];
	int64_t dir, ino, replaced, old[PARENTS_MAX];
	size_t n = 0;
	int r;

	if ((r = place(m, a, &dir)) < 0)
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
	touch(m, t, dir);
	/* The one it replaces lost its names, wherever a client took them. */
	for (size_t i = 0; i < n; i++)
		touch(m, t, old[i]);
	if (replaced != 0) {
		orphans_add(&m->orphans, replaced);
		touch(m, t, replaced);
	}
	return 0;
}

int
mailbox_deliver(void *arg, struct arrival *a, size_t n)
{
	struct mailbox *m = arg;
	struct touched t = { .n = 0 };
	int r;

	LOCK_SCOPE(&m->folder_lock);
	if ((r = index_batch_begin(m->o.index)) < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++) {
		/* A time for each: Borg reads all those files again that share
		 * the latest ctime. */
		r = publish(m, &a[i], mailbox_now_ns(), &t);
		if (r == -ENOENT)
			r = 0; /* replaced or removed since it was fetched */
		else if (r < 0)
			log_err(r, "mailbox: deliver %s: %s",
			    a[i].object->key, strerror(-r));
	}
	/* What went well before a failure stays; the rest is still pending. */
	if (index_batch_end(m->o.index, true) < 0 && r == 0)
		r = -EIO;
	for (size_t i = 0; i < t.n; i++)
		mailbox_inval(m, t.dir[i]);
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
	if (ino != 0) {
		orphans_add(&m->orphans, ino);
		mailbox_inval(m, ino);
	}
	for (size_t i = 0; i < n && i < PARENTS_MAX; i++)
		mailbox_inval(m, dir[i]);
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
