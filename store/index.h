/* index.h -- the SQLite file that is the truth about objects and names.
 *
 * Three things live here. Objects: what the bucket holds, by key, and how far
 * we are with each. Nodes: inodes of the mounted tree (directories, messages,
 * clients' files). Entries: names, (parent, name) -> inode. Secrets (content
 * keys, header fields) rest in two sealed columns that this module never
 * opens.
 *
 * Threads: any. Reads take a connection of their own from a pool (WAL: a
 * reader never waits for a writer). Changes go through one write connection
 * under one lock; each public changing call is one transaction unless it is
 * made between index_batch_begin and index_batch_end by the same thread. A
 * change that has returned 0 survives the death of the process; index_sync
 * makes it survive the loss of power.
 *
 * Errors: -ENOENT no such row; -EEXIST; -ENOTEMPTY; -ENOTDIR; -EISDIR;
 * -ENAMETOOLONG and -EINVAL for names that cannot be; -EROFS a change of an
 * index opened read_only; -ENOSPC disk full; -EUCLEAN the file is not ours or
 * broken; -ENOMEM; -EIO. The last four have been logged. */
#ifndef SESFS_STORE_INDEX_H
#define SESFS_STORE_INDEX_H

#include "crypto/base.h"
#include "crypto/envelope.h"

#define INDEX_ROOT_INO 1
#define INDEX_NAME_MAX 255 /* bytes */

struct index;

/* Open or create DIR/index.db, migrate its schema forward. read_only: for
 * `ls` beside a daemon; -ENOENT when there is none. source: the s3:// URL,
 * recorded at creation as the value "source" and compared later (-EXDEV when
 * it differs); NULL: not compared, -EINVAL on creation. On creation the root
 * and its cur, new, tmp are made with now_ns. Nodes without a name (left by a
 * death between unlink and forget) are dropped. */
int index_open(const char *dir, const char *source, bool read_only,
    int64_t now_ns, struct index **ret) MUST_CHECK;
void index_close(struct index *ix);
DEFINE_FREEP(struct index, index_close)

/* fsync what has been committed (the WAL). Takes no lock. */
int index_sync(struct index *ix) MUST_CHECK;

/* Small named values (seal: wrapped root key; policy fingerprint; uuid).
 * -ERANGE when the value is longer than max. */
int index_meta_get(struct index *ix, const char *name, void *ret, size_t max,
    size_t *ret_len) MUST_CHECK;
int index_meta_set(struct index *ix, const char *name, const void *val,
    size_t len) MUST_CHECK;

/* Make the changes that this thread makes until index_batch_end one
 * transaction. Other threads' changes wait, their reads do not (and see
 * nothing of it before the end); this thread's reads see its own. A call that
 * fails inside undoes itself alone, except that after -ENOSPC, -EIO and the
 * like the whole batch may be lost: then every later call and the end return
 * that error. end without `commit` undoes all and returns 0. -EDEADLK when
 * this thread is in a batch already. */
int index_batch_begin(struct index *ix) MUST_CHECK;
int index_batch_end(struct index *ix, bool commit) MUST_CHECK;

/* ---- objects ---- */

enum object_state {
	OBJECT_PENDING = 0, /* listed, not yet looked at */
	OBJECT_READY = 1,   /* published in the tree (or unlinked there) */
	OBJECT_REFUSED = 2, /* policy or crypto says no: see `why` */
	OBJECT_GONE = 3,    /* no longer in the bucket; node still held */
};

/* What listing says of an object. */
struct object_listed {
	const char *key;
	const char *etag;
	uint64_t size; /* bytes of the stored body */
	int64_t last_modified_unix;
};

struct object {
	int64_t id;
	char *key;  /* zero-terminated, raw bytes */
	size_t key_len; /* as stored; strlen(key) unless others wrote it */
	char etag[128];
	uint64_t size;
	int64_t last_modified_unix; /* first seen */
	enum object_state state;
	enum refusal why; /* when refused */
	unsigned tries;	  /* failed attempts while pending */
	int64_t retry_at_unix;
	int64_t replaces_id; /* the older object under this key, still shown
			      * until this one is ready; 0 none */
	uint64_t plain_size;  /* when ready */
	uint64_t crlf_size;   /* W=, 0 unknown */
	uint8_t suite;	      /* enum suite, when ready */
	uint8_t format;	      /* enum accept bit number, for xattr */
	int64_t kms_key_id;   /* row of kms_key, 0 none */
	uint8_t *key_sealed;  /* sealed struct content_key, NULL none */
	size_t key_sealed_len;
	uint8_t *headers_sealed; /* sealed header fields, NULL none */
	size_t headers_sealed_len;
	uint8_t *envelope; /* metapack of the metadata, while no sealed key
			    * makes it needless; NULL none */
	size_t envelope_len;
};
void object_clear(struct object *o); /* frees members */

/* One page of an ascending listing: it covers keys with after < key <= last;
 * after NULL: from the start of the prefix; last NULL: to its end. */
struct index_merge_counts {
	uint64_t added, replaced, removed, same;
};
struct index_page {
	const char *after, *last;
	const struct object_listed *object;
	size_t n;
	struct index_merge_counts counts; /* set, not added to */
};
typedef void index_gone_fn(void *arg, int64_t object_id);

/* Compare pages, of ranges that do not overlap, with the index, in one
 * transaction: all of them or none. Unknown keys become PENDING; a changed etag
 * makes a new PENDING object that replaces the old; what the index has in the
 * range of a page and the page lacks is passed to `gone` (id) after the commit,
 * its state GONE (a PENDING or REFUSED one is deleted) -- and again by every
 * later page of that range until index_object_drop has been called. An object
 * that nobody can see (unlinked) is passed too. An etag that goes back to that
 * of the READY object deletes the PENDING one; one that changes while PENDING
 * makes a new id, so that the outcome of a look at the old body (-ENOENT) is
 * never taken for the new. Pages that change nothing take no lock and write
 * nothing. gone may be NULL. -EINVAL when a page is not ascending or not in its
 * range. */
int index_merge_pages(struct index *ix, const char *prefix,
    struct index_page *page, size_t pages, index_gone_fn *gone, void *arg)
    MUST_CHECK;

/* Keys under `prefix` that divide the objects known there into parts of `every`
 * each, ascending, up to max; the last part takes what is left. Free each.
 * Returns the count. */
int index_cuts(struct index *ix, const char *prefix, size_t every, char **ret,
    size_t max) MUST_CHECK;

/* Up to n PENDING objects whose retry_at has come: never-tried ones first, then
 * oldest last_modified first; only those after the cursor of the caller (all
 * zero at first; updated). Returns the count; the caller calls object_clear for
 * each. */
struct index_cursor {
	int64_t tries, last_modified, id;
};
int index_pending(struct index *ix, int64_t now_unix, struct index_cursor *c,
    struct object *ret, size_t n) MUST_CHECK;

/* ret is cleared on failure; else the caller calls object_clear. by_key: the
 * READY one, else the PENDING or REFUSED one; never one that is GONE. */
int index_object(struct index *ix, int64_t id, struct object *ret) MUST_CHECK;
int index_object_by_key(struct index *ix, const char *key,
    struct object *ret) MUST_CHECK;

/* Outcomes of looking at a pending object; -ENOENT when it is not (or no
 * longer) pending. */
int index_object_refused(struct index *ix, int64_t id, enum refusal why)
    MUST_CHECK;
int index_object_retry(struct index *ix, int64_t id, int64_t retry_at_unix)
    MUST_CHECK; /* tries + 1 */
/* Make it READY: stores plain_size, crlf_size, suite, format, kms_key_id,
 * the sealed columns and the envelope of `o`; makes its node (a new inode) with the name in
 * directory `dir`; moves directory times to now_ns; drops the object it
 * replaces, as index_object_drop does (its inode in *ret_replaced_ino, 0
 * none). -EEXIST when the directory has that name, -ENOENT also when the
 * directory was removed. */
int index_object_publish(struct index *ix, const struct object *o, int64_t dir,
    const char *name, int64_t now_ns, int64_t *ret_ino,
    int64_t *ret_replaced_ino) MUST_CHECK;
/* The directories that have a name of an object's message, up to max; in a
 * batch: as the batch sees it. -ENOENT when there is no such object. */
int index_object_parents(struct index *ix, int64_t id, int64_t *ret_dirs,
    size_t max, size_t *ret_n) MUST_CHECK;
/* A READY object left the bucket: remove its entries everywhere, move those
 * directories' times, keep the node (nlink 0, object GONE) until
 * index_node_forget. One without a node (unlinked and forgotten, never
 * published) is deleted, *ret_ino 0. dirs: up to max parents touched, for
 * invalidation. */
int index_object_drop(struct index *ix, int64_t id, int64_t now_ns,
    int64_t *ret_ino, int64_t *ret_dirs, size_t max, size_t *ret_n) MUST_CHECK;
/* New sealed columns after a rekey or a rebuilt key; a NULL ptr leaves as
 * is. kms_key_id: which KMS key unwrapped it now; 0: the same as before. A
 * sealed key takes the place of the envelope. */
int index_object_set_sealed(struct index *ix, int64_t id, struct slice key,
    int64_t kms_key_id, struct slice headers) MUST_CHECK;
/* Forget every sealed column (the seal is lost). Outside a batch it goes in
 * steps: after a death in between, call it again. */
int index_drop_sealed(struct index *ix) MUST_CHECK;
/* Policy changed: refused objects become pending again. */
int index_retry_refused(struct index *ix) MUST_CHECK;
/* Those refused for one reason (KMS may have changed its mind) become pending
 * when the time has come that index_object_retry gave them before they were
 * refused. How often they were tried stays: what never was goes first. */
int index_retry_due(struct index *ix, enum refusal why, int64_t now_unix)
    MUST_CHECK;
/* Whatever index_object_retry put off, pending or refused, is due. */
int index_hurry(struct index *ix) MUST_CHECK;
/* When the first of those pending, or refused for one reason, that were put off
 * is due: *ret_unix, 0 when none waits. */
int index_next_try(struct index *ix, enum refusal why, int64_t *ret_unix)
    MUST_CHECK;

/* KMS keys seen, with one wrapped key each to probe them by. */
struct kms_key_row {
	int64_t id;
	char arn[256];
};
int index_kms_key(struct index *ix, const char *arn, int64_t *ret_id)
    MUST_CHECK; /* find or add */
int index_kms_key_get(struct index *ix, int64_t id, struct kms_key_row *ret)
    MUST_CHECK;

struct index_counts {
	uint64_t pending, ready, refused, gone;
	uint64_t by_refusal[REFUSAL_COUNT];
	uint64_t stored_bytes, plain_bytes; /* of ready objects */
};
/* Kept up to date by every change, hence cheap however many there are. */
int index_counts(struct index *ix, struct index_counts *ret) MUST_CHECK;

/* Walk objects in key order (state -1: all), those that are refused by reason
 * and age, without a look at the others; stop when fn returns non-zero,
 * which is returned. Nothing is held while fn runs, so that it may call the
 * index; what changes meanwhile may or may not be seen. */
typedef int index_object_fn(void *arg, const struct object *o);
int index_each_object(struct index *ix, int state, index_object_fn *fn,
    void *arg) MUST_CHECK;

/* ---- nodes and entries ---- */

enum node_kind { NODE_DIR = 0, NODE_MESSAGE = 1, NODE_FILE = 2 };

struct node {
	int64_t ino;
	enum node_kind kind;
	int64_t object_id; /* NODE_MESSAGE */
	bool is_gone;	   /* NODE_MESSAGE: its object left the bucket */
	uint32_t mode;	   /* permission bits; for messages unused */
	uint32_t uid, gid; /* NODE_FILE and client-made NODE_DIR; UINT32_MAX:
			    * the mount's */
	uint32_t nlink;
	uint64_t size;	/* NODE_MESSAGE: exact; NODE_FILE: see files.h */
	int64_t mtime_ns, ctime_ns, atime_ns;
	int64_t parent; /* NODE_DIR: its directory */
};

int index_node(struct index *ix, int64_t ino, struct node *ret) MUST_CHECK;
int index_lookup(struct index *ix, int64_t dir, const char *name,
    struct node *ret) MUST_CHECK;

struct dirent_row {
	int64_t cookie; /* pass the last one back to go on after it */
	char name[INDEX_NAME_MAX + 1];
	bool has_node;
	struct node node; /* without has_node: ino only */
};
/* Does the caller know this inode, and want nothing but its name? */
typedef bool index_known_fn(void *arg, int64_t ino);
/* false: it was one too many; the next listing begins with it again. */
typedef bool index_dirent_fn(void *arg, const struct dirent_row *row);
/* The entries of dir after `cookie` (0: from the start), in order of creation.
 * An entry keeps its cookie over renames in the same directory. known may be
 * NULL; use it where it mostly says true, it is the slower way else. The
 * functions run in the midst of a read: be short, do not call the index.
 * Returns 1 when fn stopped it, 0 at the end. */
int index_readdir(struct index *ix, int64_t dir, int64_t cookie,
    index_known_fn *known, index_dirent_fn *fn, void *arg) MUST_CHECK;

/* Another number after each commit of this process; what was read while it
 * stayed the same is what can be read now. */
uint64_t index_version(struct index *ix);

/* The path of a directory from the root, names joined by '/'; "" for the root.
 * -ERANGE when it needs more than max bytes with its zero, -ENOENT when it was
 * removed, -ENOTDIR. */
int index_path(struct index *ix, int64_t dir, char *ret, size_t max) MUST_CHECK;

/* All changes take the time (ns since the epoch) that ctime becomes and that
 * the touched directories' mtime becomes -- or one ns more than the latest
 * such time, so that no two changes share one (trap 3 of MAILDIR). */

/* New directory or file node under a name. n: kind, mode, uid, gid. A directory
 * has nlink 2 and adds 1 to its parent. -EEXIST. */
int index_create(struct index *ix, int64_t dir, const char *name,
    const struct node *n, int64_t now_ns, struct node *ret) MUST_CHECK;
/* Remove a name. nlink falls; at 0 the node stays, nameless, until
 * index_node_forget. -EISDIR for directories. ret: the node afterwards. */
int index_unlink(struct index *ix, int64_t dir, const char *name,
    int64_t now_ns, struct node *ret) MUST_CHECK;
/* -ENOTEMPTY, -ENOTDIR. */
int index_rmdir(struct index *ix, int64_t dir, const char *name,
    int64_t now_ns, struct node *ret) MUST_CHECK;
/* flags: RENAME_NOREPLACE (-EEXIST) or 0. An existing target goes as in
 * unlink/rmdir (ret_replaced->ino 0: none); two names of one inode: nothing
 * happens (POSIX). -EINVAL for a directory into itself. */
int index_rename(struct index *ix, int64_t dir, const char *name,
    int64_t new_dir, const char *new_name, unsigned flags, int64_t now_ns,
    struct node *ret_moved, struct node *ret_replaced) MUST_CHECK;
/* A further name; not for directories (-EPERM). */
int index_link(struct index *ix, int64_t ino, int64_t dir, const char *name,
    int64_t now_ns, struct node *ret) MUST_CHECK;

/* Change of attributes; INDEX_SET_* says which of n's members. */
enum {
	INDEX_SET_MODE = 1,
	INDEX_SET_OWNER = 2,
	INDEX_SET_ATIME = 4,
	INDEX_SET_MTIME = 8,
	INDEX_SET_SIZE = 16,
};
int index_setattr(struct index *ix, const struct node *n, unsigned what,
    int64_t now_ns, struct node *ret) MUST_CHECK;

/* The kernel forgot a nameless node: delete it (with a GONE object's row; the
 * row of an unlinked message stays as its tombstone). Returns 0, also when it
 * still has names; -ENOENT when there is no such node. *ret_kind is set only
 * when the node was deleted; ret_kind may be NULL. */
int index_node_forget(struct index *ix, int64_t ino, enum node_kind *ret_kind)
    MUST_CHECK;

/* Walk the messages' names in `dir` (0: everywhere), ordered by last_modified;
 * otherwise as index_each_object. Takes 16 bytes of memory per name. */
typedef int index_entry_fn(void *arg, int64_t dir, const char *name,
    const struct node *n, const struct object *o);
int index_each_entry(struct index *ix, int64_t dir, index_entry_fn *fn,
    void *arg) MUST_CHECK;

/* The place of a message in a directory: entries as readdir shows them, and
 * inodes. */
enum place_order { PLACE_ENTRY, PLACE_INO, PLACE_ORDERS };
struct index_place {
	int64_t parent;
	int64_t at[PLACE_ORDERS]; /* entry, inode */
	int64_t object_id;
	uint64_t size; /* bytes of the stored body */
};
/* By inode; of several names one in `parent` is preferred. -ENOENT when it is
 * no message or has no name. */
int index_place(struct index *ix, int64_t ino, int64_t parent,
    struct index_place *ret) MUST_CHECK;
/* Up to n messages of the directory that come after (or before) `from` in that
 * order, the nearest first; by inode not beyond a gap of 65,535 others. Returns
 * the count. */
int index_places(struct index *ix, enum place_order order, bool is_backward,
    int64_t parent, int64_t from, struct index_place *ret,
    size_t n) MUST_CHECK;

/* Which directory receives objects under a key directory: "" is the inbox.
 * Folder rows survive renames of the directory; -ENOENT when never made or
 * removed by a client. */
int index_folder_get(struct index *ix, const char *key_dir, int64_t *ret_dir)
    MUST_CHECK;
int index_folder_set(struct index *ix, const char *key_dir, int64_t dir)
    MUST_CHECK;
/* Does another key directory than `key_dir` own this directory? 1 or 0. */
int index_folder_is_other(struct index *ix, const char *key_dir, int64_t dir)
    MUST_CHECK;

#endif
