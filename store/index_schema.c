#include "store/index_priv.h"

#include <errno.h>
#include <stdio.h>

#include "store/log.h"

#define APPLICATION_ID 0x53455346 /* "SESF" */

/* One element per version; what has been released is never edited. Columns are
 * ordered by how often they are read, and a value of 0, 1 or NULL takes no
 * byte of a row. Ids are AUTOINCREMENT, so that none comes back.
 *
 * object: at most one row of a key is shown (READY), beside it at most one that
 * is to replace it, and any number that are GONE and still held open. tally
 * counts them by state, kept by triggers, so that `status` of a million
 * messages is a short read. entry: found by a hash of the name, which keeps
 * the name itself out of the index. */
static const char *const migrations[] = {
	/* 1 */
	"PRAGMA application_id = 1397052230;"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) "
	"WITHOUT ROWID;"
	"CREATE TABLE kms_key(id INTEGER PRIMARY KEY, "
	"arn TEXT NOT NULL UNIQUE);"
	"CREATE TABLE folder(key_dir BLOB PRIMARY KEY, dir INTEGER NOT NULL) "
	"WITHOUT ROWID;"
	"CREATE TABLE object("
	"id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"key BLOB NOT NULL,"
	"etag NOT NULL,"		     /* BLOB of 16 bytes, or TEXT */
	"size INTEGER NOT NULL,"
	"last_modified INTEGER NOT NULL,"    /* s */
	"state INTEGER NOT NULL DEFAULT 0,"
	"why INTEGER NOT NULL DEFAULT 0,"
	"tries INTEGER NOT NULL DEFAULT 0,"
	"retry_at INTEGER NOT NULL DEFAULT 0," /* s */
	"replaces INTEGER NOT NULL DEFAULT 0,"
	"ino INTEGER,"			     /* NULL: no node (any more) */
	"plain_size INTEGER NOT NULL DEFAULT 0,"
	"crlf_size INTEGER NOT NULL DEFAULT 0,"
	"suite INTEGER NOT NULL DEFAULT 0,"
	"format INTEGER NOT NULL DEFAULT 0,"
	"kms_key INTEGER NOT NULL DEFAULT 0,"
	"key_sealed BLOB,"
	"headers_sealed BLOB);"
	"CREATE INDEX object_key ON object(key, etag, state);"
	"CREATE INDEX object_pending ON object(tries, last_modified, id, "
	"retry_at) WHERE state = 0;"
	"CREATE INDEX object_refused ON object(why) WHERE state = 2;"
	"CREATE INDEX object_gone ON object(ino) WHERE state = 3;"
	"CREATE TABLE tally(state INTEGER, why INTEGER, n INTEGER, "
	"stored INTEGER, plain INTEGER, PRIMARY KEY(state, why)) "
	"WITHOUT ROWID;"
	"CREATE TRIGGER object_counted AFTER INSERT ON object BEGIN "
	"INSERT INTO tally VALUES(new.state, new.why, 1, new.size, "
	"new.plain_size) ON CONFLICT(state, why) DO UPDATE SET n = n + 1, "
	"stored = stored + excluded.stored, plain = plain + excluded.plain;"
	"END;"
	"CREATE TRIGGER object_uncounted AFTER DELETE ON object BEGIN "
	"UPDATE tally SET n = n - 1, stored = stored - old.size, "
	"plain = plain - old.plain_size "
	"WHERE state = old.state AND why = old.why;"
	"END;"
	"CREATE TRIGGER object_recounted "
	"AFTER UPDATE OF state, why, size, plain_size ON object BEGIN "
	"UPDATE tally SET n = n - 1, stored = stored - old.size, "
	"plain = plain - old.plain_size "
	"WHERE state = old.state AND why = old.why;"
	"INSERT INTO tally VALUES(new.state, new.why, 1, new.size, "
	"new.plain_size) ON CONFLICT(state, why) DO UPDATE SET n = n + 1, "
	"stored = stored + excluded.stored, plain = plain + excluded.plain;"
	"END;"
	"CREATE TABLE node("
	"ino INTEGER PRIMARY KEY AUTOINCREMENT,"
	"kind INTEGER NOT NULL,"
	"nlink INTEGER NOT NULL,"
	"is_gone INTEGER NOT NULL DEFAULT 0,"
	"object INTEGER,"
	"size INTEGER NOT NULL DEFAULT 0,"
	"mtime INTEGER NOT NULL,"	     /* ns, as the other two */
	"ctime INTEGER NOT NULL,"
	"atime INTEGER,"		     /* NULL: as mtime */
	"mode INTEGER NOT NULL DEFAULT 0,"
	"uid INTEGER,"			     /* NULL: the mount's */
	"gid INTEGER,"
	"parent INTEGER);"
	"CREATE INDEX node_nameless ON node(ino) WHERE nlink = 0;"
	"CREATE TABLE entry("
	"id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"parent INTEGER NOT NULL,"
	"ino INTEGER NOT NULL,"
	"hash INTEGER NOT NULL,"	     /* of name, 32 bits, signed */
	"name BLOB NOT NULL);"
	"CREATE INDEX entry_parent ON entry(parent);"
	"CREATE INDEX entry_name ON entry(parent, hash);"
	"CREATE INDEX entry_ino ON entry(ino);",
	/* 2: what KMS is to be asked for a message that was not read yet */
	"ALTER TABLE object ADD COLUMN envelope BLOB;",
};
const int schema_version = (int)NELEMS(migrations);

int
schema_check(struct conn *c, int *ret_version)
{
	int64_t app, version, pages;
	int r;

	*ret_version = 0;
	if ((r = conn_pragma(c, "application_id", &app)) < 0 ||
	    (r = conn_pragma(c, "user_version", &version)) < 0 ||
	    (r = conn_pragma(c, "page_count", &pages)) < 0)
		return r;
	/* One page: made by us, but killed before its first transaction. */
	if (app == 0 && version == 0 && pages <= 1)
		return 0;
	if (app != APPLICATION_ID || version < 1)
		return log_err(-EUCLEAN, "index: open %s: not made by sesfs; "
		    "move it away, or give another --state-dir", c->path);
	if (version > schema_version)
		return log_err(-EUCLEAN, "index: open %s: has schema version "
		    "%lld, this program knows %d: run the newer sesfs that "
		    "used it, or give another --state-dir", c->path,
		    (long long)version, schema_version);
	*ret_version = (int)version;
	return 0;
}

static int
make_root(struct conn *c, int64_t now_ns)
{
	static const char *const maildir[] = { "cur", "new", "tmp" };
	struct node n = { .kind = NODE_DIR, .mode = 0700, .uid = UINT32_MAX,
		.gid = UINT32_MAX, .nlink = 2, .mtime_ns = now_ns,
		.ctime_ns = now_ns, .atime_ns = now_ns,
		.parent = INDEX_ROOT_INO };
	int64_t root, ino;
	int r;

	if ((r = node_add(c, &n, &root)) < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < NELEMS(maildir); i++)
		r = node_add_named(c, root, maildir[i], &n, now_ns, &ino);
	return r;
}

int
schema_migrate(struct conn *c, int version, int64_t now_ns)
{
	char stamp[48];
	int r;

	if (version == schema_version)
		return 0;
	for (int v = version; v < schema_version; v++)
		if ((r = conn_exec(c, migrations[v], "migrate")) < 0)
			return r;
	snprintf(stamp, sizeof(stamp), "PRAGMA user_version = %d",
	    schema_version);
	if ((r = conn_exec(c, stamp, "migrate")) < 0)
		return r;
	return version == 0 ? make_root(c, now_ns) : 0;
}
