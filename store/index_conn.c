#include "store/index_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/log.h"



/* SQLite counts its memory under one global mutex unless told not to before
 * its first use; with a reader per FUSE worker that mutex is the busiest. */
static pthread_once_t sqlite_once = PTHREAD_ONCE_INIT;

static void
sqlite_setup(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_initialize();
}

static const char common_pragmas[] =
    "PRAGMA temp_store = MEMORY;"   /* nothing beside the state directory */
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA synchronous = NORMAL;"; /* index_sync() is the fsync */
static const char writer_pragmas[] =
    "PRAGMA cache_size = -8192;"
    /* What is deleted here was readable or sealed before; overwriting it
     * would only cost I/O. */
    "PRAGMA secure_delete = OFF;"
    "PRAGMA journal_size_limit = 33554432;";
static const char reader_pragmas[] =
    "PRAGMA cache_size = -2048;"
    "PRAGMA query_only = ON;";

static int
to_errno(sqlite3 *db, int rc)
{
	int sys = db != NULL ? sqlite3_system_errno(db) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (sys == ENOSPC || sys == EDQUOT)
			return -ENOSPC;
		if (sys == EACCES || sys == EROFS)
			return -sys;
		return -EIO;
	default:
		return -EIO;
	}
}

int
conn_fail(struct conn *c, int rc, const char *what)
{
	return log_err(to_errno(c->db, rc), "index: %s: %s: %s (%d)", what,
	    c->path, sqlite3_errstr(rc & 0xff), rc);
}

int
conn_open(const char *path, enum conn_mode mode, struct conn **ret)
{
	CLEANUP(conn_closep) struct conn *c = NULL;
	int flags = SQLITE_OPEN_NOMUTEX, r, rc;

	*ret = NULL;
	pthread_once(&sqlite_once, sqlite_setup);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	c->path = path;
	flags |= mode == CONN_READ_ONLY ? SQLITE_OPEN_READONLY :
					  SQLITE_OPEN_READWRITE;
	if ((rc = sqlite3_open_v2(path, &c->db, flags, NULL)) != SQLITE_OK)
		return conn_fail(c, rc, "open");
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, CONN_BUSY_MS);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if ((r = conn_exec(c, common_pragmas, "set up")) < 0 ||
	    (r = conn_exec(c, mode == CONN_WRITER ? writer_pragmas :
						    reader_pragmas,
		 "set up")) < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

void
conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	for (size_t q = 0; q < Q_COUNT; q++)
		sqlite3_finalize(c->stmt[q]);
	sqlite3_close(c->db);
	free(c);
}

int
conn_exec(struct conn *c, const char *sql, const char *what)
{
	int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : conn_fail(c, rc, what);
}

static int
bind(sqlite3_stmt *st, int at, const struct val *v)
{
	switch (v->type) {
	case VAL_INT:
		return sqlite3_bind_int64(st, at, v->num);
	case VAL_BLOB:
		return sqlite3_bind_blob64(st, at, v->ptr, v->len,
		    SQLITE_STATIC);
	case VAL_TEXT:
		return sqlite3_bind_text64(st, at, v->ptr, v->len,
		    SQLITE_STATIC, SQLITE_UTF8);
	default:
		return sqlite3_bind_null(st, at);
	}
}

/* Every parameter is bound at every use, so none needs clearing after. */
static int
prepare(struct conn *c, enum query q, const struct val *v, size_t n,
    sqlite3_stmt **ret)
{
	const struct query_text *t = &index_queries[q];
	int rc = SQLITE_OK;

	if (c->stmt[q] == NULL)
		rc = sqlite3_prepare_v3(c->db, t->sql, -1,
		    SQLITE_PREPARE_PERSISTENT, &c->stmt[q], NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = bind(c->stmt[q], (int)i + 1, &v[i]);
	*ret = rc == SQLITE_OK ? c->stmt[q] : NULL;
	return rc == SQLITE_OK ? 0 : conn_fail(c, rc, t->what);
}

int
conn_query(struct conn *c, enum query q, const struct val *v, size_t n,
    sqlite3_stmt **ret)
{
	int r = prepare(c, q, v, n, ret);

	return r < 0 ? r : conn_next(c, q, *ret);
}

int
conn_next(struct conn *c, enum query q, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 :
				   conn_fail(c, rc, index_queries[q].what);
}

int
conn_run(struct conn *c, enum query q, const struct val *v, size_t n)
{
	STMT(st);
	int r;

	if ((r = conn_query(c, q, v, n, &st)) < 0)
		return r;
	return sqlite3_changes(c->db);
}

int
conn_int(struct conn *c, enum query q, const struct val *v, size_t n,
    int64_t *ret)
{
	STMT(st);
	int r = conn_query(c, q, v, n, &st);

	*ret = r == 1 ? sqlite3_column_int64(st, 0) : 0;
	return r;
}

int
conn_pragma(struct conn *c, const char *pragma, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	char sql[64];
	int rc;

	snprintf(sql, sizeof(sql), "PRAGMA %s", pragma);
	if ((rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL)) == SQLITE_OK)
		rc = sqlite3_step(st);
	*ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 :
						       conn_fail(c, rc, "open");
}
