/* index_priv.h -- what the files of the index share; nobody else includes it.
 *
 * A conn is one SQLite connection with its prepared statements. Readers come
 * from a pool (reader_begin, reader_end), the writer is one, under one lock
 * (write_begin, write_end). Statements are named by enum query and prepared at
 * their first use; index_sql.c has their text. */
#ifndef SESFS_STORE_INDEX_PRIV_H
#define SESFS_STORE_INDEX_PRIV_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "store/index.h"
#include "store/index_memo.h"

enum query {
	Q_BEGIN,
	Q_COMMIT,
	Q_ROLLBACK,
	Q_SAVE,
	Q_SAVE_UNDO,
	Q_SAVE_END,

	Q_META_GET,
	Q_META_SET,
	Q_FOLDER_GET,
	Q_FOLDER_SET,
	Q_FOLDER_DELETE,
	Q_FOLDER_OTHER,
	Q_KMS_FIND,
	Q_KMS_ADD,
	Q_KMS_GET,

	Q_NODE,
	Q_LOOKUP,
	Q_READDIR,
	Q_READNAMES,
	Q_IS_EMPTY,
	Q_PATH,
	Q_NODE_ADD,
	Q_NODE_SET,
	Q_NODE_LINKS,
	Q_NODE_MOVE,
	Q_NODE_GONE,
	Q_NODE_DELETE,
	Q_DIR_TOUCH,
	Q_ENTRY_ADD,
	Q_ENTRY_RENAME,
	Q_ENTRY_RETARGET,
	Q_ENTRY_DELETE,
	Q_ENTRIES_OF,
	Q_ENTRIES_DELETE,
	Q_NAMELESS_OBJECTS,
	Q_NAMELESS_GONE,
	Q_NAMELESS_NODES,

	Q_OBJECT,
	Q_OBJECT_BY_KEY,
	Q_OBJECT_BRIEF,
	Q_OBJECT_NLINK,
	Q_OBJECT_ADD,
	Q_OBJECT_RESET,
	Q_OBJECT_REFUSE,
	Q_OBJECT_RETRY,
	Q_OBJECT_PUBLISH,
	Q_OBJECT_GONE,
	Q_OBJECT_UNREPLACE,
	Q_OBJECT_HIDE,
	Q_OBJECT_DELETE,
	Q_OBJECT_SEAL,
	Q_OBJECT_MAX,
	Q_OBJECTS_UNSEAL,
	Q_OBJECTS_RETRY,
	Q_REFUSED_DUE,
	Q_OBJECTS_RETRY_DUE,
	Q_OBJECTS_HURRY,
	Q_NEXT_TRY,
	Q_PENDING,
	Q_MERGE,
	Q_KEY_AFTER,
	Q_TALLY,

	Q_WALK_OBJECTS,
	Q_WALK_REFUSED,
	Q_WALK_ENTRIES,
	Q_WALK_ENTRY,

	Q_PLACE,
	Q_PLACES_ENTRY,
	Q_PLACES_ENTRY_BACK,
	Q_PLACES_INO,
	Q_PLACES_INO_BACK,

	Q_COUNT
};

struct query_text {
	const char *what; /* completes "index: ": verb and object, for the log */
	const char *sql;
};
extern const struct query_text index_queries[Q_COUNT];

/* ---- index_conn.c: one connection ---- */

#define CONN_BUSY_MS 10000 /* another process may be in a transaction */

struct conn {
	sqlite3 *db;
	const char *path; /* of the file, for the log; outlives the conn */
	sqlite3_stmt *stmt[Q_COUNT];
	struct conn *next; /* [index.readers] in the pool */
};

enum conn_mode { CONN_WRITER, CONN_READER, CONN_READ_ONLY };

/* Open the file. CONN_WRITER changes it; CONN_READER may only checkpoint it;
 * CONN_READ_ONLY has not even the file open for writing. */
int conn_open(const char *path, enum conn_mode mode, struct conn **ret)
    MUST_CHECK;
void conn_close(struct conn *c);
DEFINE_FREEP(struct conn, conn_close)

/* SQLite's result code as a negative errno, logged once with `what`. */
int conn_fail(struct conn *c, int rc, const char *what);

/* A value for a parameter. Bytes must outlive the use of the statement. */
struct val {
	enum { VAL_NULL, VAL_INT, VAL_BLOB, VAL_TEXT } type;
	int64_t num;
	const void *ptr;
	size_t len; /* bytes */
};
#define V_NULL ((struct val){ VAL_NULL, 0, NULL, 0 })
#define V_INT(n) ((struct val){ VAL_INT, (int64_t)(n), NULL, 0 })
#define V_BLOB(p, n) ((struct val){ VAL_BLOB, 0, (p), (n) })
#define V_STR(s) V_BLOB((s), strlen(s))
#define VALS(...)                                                              \
	(const struct val[]){ __VA_ARGS__ },                                   \
	    sizeof((const struct val[]){ __VA_ARGS__ }) / sizeof(struct val)

/* Run a statement that returns nothing. Rows changed, or a negative errno. */
int conn_run(struct conn *c, enum query q, const struct val *v, size_t n)
    MUST_CHECK;
#define RUN(c, q, ...) conn_run((c), (q), VALS(__VA_ARGS__))
#define RUN0(c, q) conn_run((c), (q), NULL, 0)

/* Begin a query: 1 and *ret on its first row, 0 when there is none, or a
 * negative errno. In all cases *ret is NULL or must be reset: hold it in a
 * CLEANUP(stmt_resetp) variable. conn_next goes on to the next row. */
int conn_query(struct conn *c, enum query q, const struct val *v, size_t n,
    sqlite3_stmt **ret) MUST_CHECK;
#define QUERY(c, q, ret, ...) conn_query((c), (q), VALS(__VA_ARGS__), (ret))
#define QUERY0(c, q, ret) conn_query((c), (q), NULL, 0, (ret))
int conn_next(struct conn *c, enum query q, sqlite3_stmt *st) MUST_CHECK;

static inline void
stmt_resetp(sqlite3_stmt **st)
{
	if (*st != NULL)
		sqlite3_reset(*st);
}
#define STMT(name) CLEANUP(stmt_resetp) sqlite3_stmt *name = NULL

/* A query of one integer: as conn_query, the value in *ret. */
int conn_int(struct conn *c, enum query q, const struct val *v, size_t n,
    int64_t *ret) MUST_CHECK;
/* The integer of "PRAGMA name". */
int conn_pragma(struct conn *c, const char *pragma, int64_t *ret) MUST_CHECK;
/* Several statements without parameters or results. */
int conn_exec(struct conn *c, const char *sql, const char *what) MUST_CHECK;

/* ---- index_pool.c: who uses which connection ---- */

struct index {
	char *path;	/* constant: of index.db */
	bool read_only; /* constant */
	int wal_fd;	/* constant: for fsync, -1 when read_only */

	pthread_mutex_t write;	 /* held across one transaction */
	struct conn *writer;	 /* [write]; NULL when read_only */
	atomic_uintptr_t owner;	 /* the thread inside a batch, 0 none */
	int batch_error;	 /* [write] SQLite gave the batch up */
	int wal_pages;		 /* [write] after the last commit */
	int restart_at;		 /* [write] pages at which to try harder */
	atomic_int checkpoint_at; /* pages at which to checkpoint */
	atomic_bool is_checkpointing;
	atomic_uint_fast64_t version; /* commits */

	struct memo memo; /* of nodes, unused when read_only */

	pthread_mutex_t readers;
	pthread_cond_t returned; /* [readers] a conn became idle */
	struct conn *idle;	 /* [readers] */
	unsigned conns;		 /* [readers] in being, idle or not */
};

void pool_init(struct index *ix);
int pool_open_writer(struct index *ix) MUST_CHECK;
void pool_destroy(struct index *ix);

/* A connection to read by: the writer inside this thread's batch, so that it
 * sees its own changes; else one of the pool, which may have to be waited
 * for. Hold it in a READER() so that it goes back. */
struct reader {
	struct index *ix;
	struct conn *c;
};
int reader_begin(struct index *ix, struct reader *ret) MUST_CHECK;
void reader_end(struct reader *rd);
#define READER(name) CLEANUP(reader_end) struct reader name = { NULL, NULL }

/* Take the write lock and begin a transaction (inside this thread's batch: a
 * savepoint). On 0 write_end() must follow, with the result so far: negative
 * undoes everything since; else it is committed and `r` or the error of the
 * commit is returned. -EROFS when read_only. */
int write_begin(struct index *ix, struct conn **ret) MUST_CHECK;
int write_end(struct index *ix, int r) MUST_CHECK;
bool write_is_batch(struct index *ix); /* by this thread */

/* ---- index_schema.c ---- */

/* Is it ours, and not newer than we? *ret_version: 0 for an empty file. */
int schema_check(struct conn *c, int *ret_version) MUST_CHECK;
/* Bring it to the newest version, inside a transaction; a new one gets the
 * root directory with cur, new and tmp. */
int schema_migrate(struct conn *c, int version, int64_t now_ns) MUST_CHECK;
extern const int schema_version; /* the newest */

/* ---- index_nodes.c, index_tree.c: within a transaction of the caller ---- */

#define NODE_COLUMNS 13
void node_read(sqlite3_stmt *st, int col, struct node *ret);
int node_get(struct conn *c, int64_t ino, struct node *ret) MUST_CHECK;
/* -ENOENT when `dir` is not there or removed, -ENOTDIR. */
int node_check_dir(struct conn *c, int64_t dir) MUST_CHECK;
/* -EINVAL, -ENAMETOOLONG. */
int name_check(const char *name) MUST_CHECK;
/* 1 with the entry's id and node, 0 when there is no such name. */
int entry_find(struct conn *c, int64_t dir, const char *name, int64_t *ret_id,
    struct node *ret) MUST_CHECK;
int entry_add(struct conn *c, int64_t dir, const char *name, int64_t ino)
    MUST_CHECK;
int entry_rename(struct conn *c, int64_t id, const char *name) MUST_CHECK;
/* A name out of a row. */
void name_read(sqlite3_stmt *st, int col, char ret[INDEX_NAME_MAX + 1]);
/* Move dir's times, and its nlink by `links`. */
int dir_touch(struct conn *c, int64_t dir, int64_t now_ns, int links)
    MUST_CHECK;
/* A new node; ret_ino its number. n->ino is not read. */
int node_add(struct conn *c, const struct node *n, int64_t *ret_ino)
    MUST_CHECK;
/* A new node with its first name, in a directory that is known to be one;
 * moves its times. -EEXIST. */
int node_add_named(struct conn *c, int64_t dir, const char *name,
    const struct node *n, int64_t now_ns, int64_t *ret_ino) MUST_CHECK;

/* ---- index_objects.c ---- */

/* An ETag as it is stored: 16 bytes when it is an MD5 in lower-case hex, else
 * its text. */
struct etag {
	uint8_t byte[128];
	size_t len;
	bool is_text;
};
void etag_pack(const char *etag, struct etag *ret);
struct val etag_val(const struct etag *e);
bool etag_is_column(const struct etag *e, sqlite3_stmt *st, int col);
int object_read(sqlite3_stmt *st, int col, struct object *ret) MUST_CHECK;

#endif
