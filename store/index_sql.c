#include "store/index_priv.h"

/* The columns in the order of node_read() and object_read(). */
#define NODE                                                                   \
	"n.ino, n.kind, n.object, n.mode, n.uid, n.gid, n.nlink, n.size, "     \
	"n.mtime, n.ctime, n.atime, n.parent, n.is_gone"
#define OBJECT                                                                 \
	"o.id, o.key, o.etag, o.size, o.last_modified, o.state, o.why, "       \
	"o.tries, o.retry_at, o.replaces, o.plain_size, o.crlf_size, "         \
	"o.suite, o.format, o.kms_key, o.key_sealed, o.headers_sealed, "        \
	"o.envelope"

/* The next time of a directory or node: now, or 1 ns after the latest one when
 * the clock has not moved since. A time more than a second ahead means that
 * the clock was stepped back: then now, for a time must not lie in the
 * future. */
#define LATER(col, now)                                                        \
	"CASE WHEN " now " > " col " OR " col " - " now " > 1000000000 "       \
	"THEN " now " ELSE " col " + 1 END"

/* Messages of a directory, in one of the orders of enum place_order. */
#define PLACES_BY(index)                                                       \
	"SELECT e.id, e.ino, n.object, o.size FROM entry e INDEXED BY " index  \
	" CROSS JOIN node n ON n.ino = e.ino AND n.kind = 1 "                  \
	"AND n.is_gone = 0 CROSS JOIN object o ON o.id = n.object "            \
	"WHERE e.parent = ?1"
#define PLACES_BY_ENTRY PLACES_BY("entry_parent")
#define PLACES_BY_INO PLACES_BY("entry_ino")

const struct query_text index_queries[Q_COUNT] = {
	[Q_BEGIN] = { "begin", "BEGIN IMMEDIATE" },
	[Q_COMMIT] = { "commit", "COMMIT" },
	[Q_ROLLBACK] = { "roll back", "ROLLBACK" },
	[Q_SAVE] = { "begin within a batch", "SAVEPOINT inner_call" },
	[Q_SAVE_UNDO] = { "undo within a batch", "ROLLBACK TO inner_call" },
	[Q_SAVE_END] = { "end within a batch", "RELEASE inner_call" },

	[Q_META_GET] = { "read a setting",
	    "SELECT value FROM meta WHERE name = ?1" },
	[Q_META_SET] = { "write a setting",
	    "INSERT INTO meta(name, value) VALUES(?1, ?2) "
	    "ON CONFLICT(name) DO UPDATE SET value = excluded.value" },
	[Q_FOLDER_GET] = { "read a folder",
	    "SELECT f.dir, n.nlink > 0 FROM folder f "
	    "LEFT JOIN node n ON n.ino = f.dir WHERE f.key_dir = ?1" },
	[Q_FOLDER_SET] = { "write a folder",
	    "INSERT INTO folder(key_dir, dir) VALUES(?1, ?2) "
	    "ON CONFLICT(key_dir) DO UPDATE SET dir = excluded.dir" },
	[Q_FOLDER_DELETE] = { "forget a folder",
	    "DELETE FROM folder WHERE key_dir = ?1 AND dir = ?2" },
	[Q_FOLDER_OTHER] = { "find a folder's owner",
	    "SELECT EXISTS(SELECT 1 FROM folder WHERE dir = ?2 AND "
	    "key_dir <> ?1)" },
	[Q_KMS_FIND] = { "find a KMS key",
	    "SELECT id FROM kms_key WHERE arn = ?1" },
	[Q_KMS_ADD] = { "add a KMS key",
	    "INSERT INTO kms_key(arn) VALUES(?1)" },
	[Q_KMS_GET] = { "read a KMS key",
	    "SELECT arn FROM kms_key WHERE id = ?1" },

	[Q_NODE] = { "read an inode",
	    "SELECT " NODE " FROM node n WHERE n.ino = ?1" },
	[Q_LOOKUP] = { "look up a name",
	    "SELECT e.id, " NODE " FROM entry e INDEXED BY entry_name "
	    "CROSS JOIN node n ON n.ino = e.ino "
	    "WHERE e.parent = ?1 AND e.hash = ?2 AND e.name = ?3" },
	[Q_READDIR] = { "list a directory",
	    "SELECT e.id, e.name, " NODE " FROM entry e "
	    "INDEXED BY entry_parent CROSS JOIN node n ON n.ino = e.ino "
	    "WHERE e.parent = ?1 AND e.id > ?2 ORDER BY e.id" },
	[Q_READNAMES] = { "list names",
	    "SELECT id, name, ino FROM entry INDEXED BY entry_parent "
	    "WHERE parent = ?1 AND id > ?2 ORDER BY id" },
	[Q_IS_EMPTY] = { "look into a directory",
	    "SELECT 1 FROM entry INDEXED BY entry_parent "
	    "WHERE parent = ?1 LIMIT 1" },
	[Q_PATH] = { "find a path",
	    "WITH RECURSIVE up(parent, name, depth) AS ("
	    "SELECT parent, name, 0 FROM entry WHERE ino = ?1 UNION ALL "
	    "SELECT e.parent, e.name, up.depth + 1 FROM up CROSS JOIN entry e "
	    "ON e.ino = up.parent WHERE up.depth < 4096) "
	    "SELECT parent, name FROM up ORDER BY depth" },
	[Q_NODE_ADD] = { "add an inode",
	    "INSERT INTO node(kind, object, mode, uid, gid, nlink, size, "
	    "mtime, ctime, atime, parent) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" },
	[Q_NODE_SET] = { "change an inode",
	    "UPDATE node SET mode = ?2, uid = ?3, gid = ?4, size = ?5, "
	    "mtime = ?6, atime = ?7, ctime = " LATER("ctime", "?8")
	    " WHERE ino = ?1" },
	[Q_NODE_LINKS] = { "count an inode's names",
	    "UPDATE node SET nlink = ?2, ctime = " LATER("ctime", "?3")
	    " WHERE ino = ?1" },
	[Q_NODE_MOVE] = { "move an inode",
	    "UPDATE node SET parent = iif(kind = 0, ?2, parent), "
	    "ctime = " LATER("ctime", "?3") " WHERE ino = ?1" },
	[Q_NODE_GONE] = { "mark an inode gone",
	    "UPDATE node SET is_gone = 1 WHERE ino = "
	    "(SELECT ino FROM object WHERE id = ?1)" },
	[Q_NODE_DELETE] = { "delete an inode",
	    "DELETE FROM node WHERE ino = ?1 AND nlink = 0" },
	[Q_DIR_TOUCH] = { "touch a directory",
	    "UPDATE node SET nlink = nlink + ?3, "
	    "mtime = " LATER("mtime", "?2") ", "
	    "ctime = " LATER("ctime", "?2") " WHERE ino = ?1" },
	[Q_ENTRY_ADD] = { "add a name",
	    "INSERT INTO entry(parent, ino, hash, name) "
	    "VALUES(?1, ?2, ?3, ?4)" },
	[Q_ENTRY_RENAME] = { "rename",
	    "UPDATE entry SET hash = ?2, name = ?3 WHERE id = ?1" },
	[Q_ENTRY_RETARGET] = { "replace a name",
	    "UPDATE entry SET ino = ?2 WHERE id = ?1" },
	[Q_ENTRY_DELETE] = { "remove a name",
	    "DELETE FROM entry WHERE id = ?1" },
	[Q_ENTRIES_OF] = { "find an inode's names",
	    "SELECT parent, name FROM entry WHERE ino = ?1 ORDER BY id" },
	[Q_ENTRIES_DELETE] = { "remove an inode's names",
	    "DELETE FROM entry WHERE ino = ?1" },
	[Q_NAMELESS_GONE] = { "delete objects that are gone",
	    "DELETE FROM object WHERE state = 3 AND (ino IS NULL OR "
	    "ino IN (SELECT ino FROM node WHERE nlink = 0))" },
	[Q_NAMELESS_OBJECTS] = { "hide objects without a name",
	    "UPDATE object SET ino = NULL WHERE id IN "
	    "(SELECT object FROM node WHERE nlink = 0 AND kind = 1)" },
	[Q_NAMELESS_NODES] = { "delete inodes without a name",
	    "DELETE FROM node WHERE nlink = 0" },

	[Q_OBJECT] = { "read an object",
	    "SELECT " OBJECT " FROM object o WHERE o.id = ?1" },
	[Q_OBJECT_BY_KEY] = { "find an object",
	    "SELECT " OBJECT " FROM object o WHERE o.key = ?1 AND o.state <> 3 "
	    "ORDER BY o.state = 1 DESC, o.id LIMIT 1" },
	[Q_OBJECT_BRIEF] = { "look at an object",
	    "SELECT state, ino, last_modified, replaces FROM object "
	    "WHERE id = ?1" },
	[Q_OBJECT_NLINK] = { "look at an object's inode",
	    "SELECT n.nlink FROM object o JOIN node n ON n.ino = o.ino "
	    "WHERE o.id = ?1" },
	[Q_OBJECT_ADD] = { "add an object",
	    "INSERT INTO object(key, etag, size, last_modified, replaces) "
	    "VALUES(?1, ?2, ?3, ?4, ?5)" },
	[Q_OBJECT_RESET] = { "reset an object",
	    "UPDATE object SET etag = ?2, size = ?3, last_modified = ?4, "
	    "state = 0, why = 0, tries = 0, retry_at = 0 WHERE id = ?1" },
	[Q_OBJECT_REFUSE] = { "refuse an object",
	    "UPDATE object SET state = 2, why = ?2 "
	    "WHERE id = ?1 AND state = 0" },
	[Q_OBJECT_RETRY] = { "put an object off",
	    "UPDATE object SET tries = tries + 1, retry_at = ?2 "
	    "WHERE id = ?1 AND state = 0" },
	[Q_OBJECT_PUBLISH] = { "publish an object",
	    "UPDATE object SET state = 1, tries = 0, retry_at = 0, "
	    "replaces = 0, ino = ?2, plain_size = ?3, crlf_size = ?4, "
	    "suite = ?5, format = ?6, kms_key = ?7, key_sealed = ?8, "
	    "headers_sealed = ?9, envelope = ?10 WHERE id = ?1" },
	[Q_OBJECT_GONE] = { "mark an object gone",
	    "UPDATE object SET state = 3 WHERE id = ?1" },
	[Q_OBJECT_UNREPLACE] = { "free an object's successor",
	    "UPDATE object SET replaces = 0 WHERE replaces = ?1 AND key = "
	    "(SELECT p.key FROM object p WHERE p.id = ?1)" },
	[Q_OBJECT_HIDE] = { "hide an object",
	    "UPDATE object SET ino = NULL WHERE id = ?1" },
	[Q_OBJECT_DELETE] = { "delete an object",
	    "DELETE FROM object WHERE id = ?1" },
	[Q_OBJECT_SEAL] = { "store sealed columns",
	    "UPDATE object SET key_sealed = ifnull(?2, key_sealed), "
	    "headers_sealed = ifnull(?3, headers_sealed), "
	    "envelope = iif(?2 IS NULL, envelope, NULL), "
	    "kms_key = iif(?4 > 0, ?4, kms_key) WHERE id = ?1" },
	[Q_OBJECT_MAX] = { "find the last object",
	    "SELECT ifnull(max(id), 0) FROM object" },
	[Q_OBJECTS_UNSEAL] = { "drop sealed columns",
	    "UPDATE object SET key_sealed = NULL, headers_sealed = NULL "
	    "WHERE id > ?1 AND id <= ?2 AND (key_sealed IS NOT NULL OR "
	    "headers_sealed IS NOT NULL)" },
	[Q_OBJECTS_RETRY] = { "retry refused objects",
	    "UPDATE object SET state = 0, why = 0, tries = 0, retry_at = 0 "
	    "WHERE state = 2" },
	[Q_REFUSED_DUE] = { "look for refused objects that are due",
	    "SELECT 1 FROM object INDEXED BY object_refused "
	    "WHERE state = 2 AND why = ?1 AND retry_at <= ?2 LIMIT 1" },
	[Q_OBJECTS_RETRY_DUE] = { "retry refused objects that are due",
	    "UPDATE object SET state = 0, why = 0 "
	    "WHERE state = 2 AND why = ?1 AND retry_at <= ?2" },
	[Q_OBJECTS_HURRY] = { "hurry objects that were put off",
	    "UPDATE object SET retry_at = 0 WHERE id IN ("
	    "SELECT id FROM object INDEXED BY object_pending "
	    "WHERE state = 0 AND retry_at > 0 UNION ALL "
	    "SELECT id FROM object INDEXED BY object_refused "
	    "WHERE state = 2 AND retry_at > 0)" },
	[Q_NEXT_TRY] = { "look when an object is tried again",
	    "SELECT ifnull(min(retry_at), 0) FROM ("
	    "SELECT retry_at FROM object INDEXED BY object_pending "
	    "WHERE state = 0 AND retry_at > 0 UNION ALL "
	    "SELECT retry_at FROM object INDEXED BY object_refused "
	    "WHERE state = 2 AND why = ?1 AND retry_at > 0)" },
	[Q_PENDING] = { "find pending objects",
	    "SELECT " OBJECT " FROM object o "
	    "INDEXED BY object_pending WHERE o.state = 0 AND "
	    "(o.tries, o.last_modified, o.id) > (?1, ?2, ?3) AND "
	    "o.retry_at <= ?4 "
	    "ORDER BY o.tries, o.last_modified, o.id LIMIT ?5" },
	[Q_MERGE] = { "compare a listing",
	    "SELECT id, key, etag, state FROM object INDEXED BY object_key "
	    "WHERE key >= ?1 AND key < ?2 ORDER BY key" },
	[Q_KEY_AFTER] = { "divide the keys",
	    "SELECT key FROM object INDEXED BY object_key "
	    "WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1 OFFSET ?3" },
	[Q_TALLY] = { "count objects",
	    "SELECT state, why, n, stored, plain FROM tally" },

	[Q_WALK_OBJECTS] = { "walk objects",
	    "SELECT " OBJECT " FROM object o INDEXED BY object_key "
	    "WHERE (o.key, o.id) > (?1, ?2) AND (?3 < 0 OR o.state = ?3) "
	    "ORDER BY o.key, o.id LIMIT ?4" },
	[Q_WALK_REFUSED] = { "walk refused objects",
	    "SELECT " OBJECT " FROM object o INDEXED BY object_refused "
	    "WHERE o.state = 2 AND (o.why, o.id) > (?1, ?2) "
	    "ORDER BY o.why, o.id LIMIT ?3" },
	[Q_WALK_ENTRIES] = { "order names", /* a message's mtime is last_modified */
	    "SELECT n.mtime, e.id FROM entry e "
	    "CROSS JOIN node n ON n.ino = e.ino AND n.kind = 1 "
	    "WHERE ?1 = 0 OR e.parent = ?1" },
	[Q_WALK_ENTRY] = { "read a name",
	    "SELECT e.parent, e.name, " NODE ", " OBJECT " FROM entry e "
	    "CROSS JOIN node n ON n.ino = e.ino "
	    "CROSS JOIN object o ON o.id = n.object WHERE e.id = ?1" },

	[Q_PLACE] = { "find a message's place",
	    "SELECT e.id, e.ino, n.object, o.size, e.parent FROM entry e "
	    "INDEXED BY entry_ino CROSS JOIN node n ON n.ino = e.ino "
	    "CROSS JOIN object o ON o.id = n.object "
	    "WHERE e.ino = ?1 AND n.kind = 1 "
	    "ORDER BY e.parent = ?2 DESC, e.id LIMIT 1" },
	[Q_PLACES_ENTRY] = { "look ahead",
	    PLACES_BY_ENTRY " AND e.id > ?2 ORDER BY e.id LIMIT ?3" },
	[Q_PLACES_ENTRY_BACK] = { "look ahead",
	    PLACES_BY_ENTRY " AND e.id < ?2 ORDER BY e.id DESC LIMIT ?3" },
	[Q_PLACES_INO] = { "look ahead",
	    PLACES_BY_INO " AND e.ino > ?2 AND e.ino < ?2 + 65536 "
	    "ORDER BY e.ino LIMIT ?3" },
	[Q_PLACES_INO_BACK] = { "look ahead",
	    PLACES_BY_INO " AND e.ino < ?2 AND e.ino > ?2 - 65536 "
	    "ORDER BY e.ino DESC LIMIT ?3" },
};
