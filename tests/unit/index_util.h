/* index_util.h -- what the tests of the index have in common. */
#ifndef SESFS_TESTS_INDEX_UTIL_H
#define SESFS_TESTS_INDEX_UTIL_H

#include <stdlib.h>
#include <sys/stat.h>

#include "store/index.h"
#include "store/index_priv.h"
#include "store/log.h"
#include "merge_page.h"
#include "tmpdir.h"

#define NOW INT64_C(1700000000000000000) /* ns */
#define SECOND INT64_C(1000000000)

static inline struct index *
ix_open(const char *dir)
{
	struct index *ix;

	if (index_open(dir, "s3://bucket/p", false, NOW, &ix) < 0) {
		fprintf(stderr, "index_open failed\n");
		exit(1);
	}
	return ix;
}

/* Rows of a table; -1 when it cannot be read. */
static inline int64_t
count_rows(struct index *ix, const char *table)
{
	READER(rd);
	sqlite3_stmt *st = NULL;
	int64_t n = -1;
	char sql[64];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	if (reader_begin(ix, &rd) == 0 &&
	    sqlite3_prepare_v2(rd.c->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Up to n entries after the cookie; their number. */
struct rows_ {
	struct dirent_row *at;
	size_t n, max;
};

static inline bool
rows_add_(void *arg, const struct dirent_row *row)
{
	struct rows_ *r = arg;

	if (r->n == r->max)
		return false;
	r->at[r->n++] = *row;
	return true;
}

static inline int
list_dir(struct index *ix, int64_t dir, int64_t cookie,
    struct dirent_row *ret, size_t n)
{
	struct rows_ rows = { ret, 0, n };
	int r = index_readdir(ix, dir, cookie, NULL, rows_add_, &rows);

	return r < 0 ? r : (int)rows.n;
}

static inline int64_t
ino_of(struct index *ix, int64_t dir, const char *name)
{
	struct node n;

	return index_lookup(ix, dir, name, &n) == 0 ? n.ino : 0;
}

static inline int64_t
dir_new(struct index *ix)
{
	return ino_of(ix, INDEX_ROOT_INO, "new");
}

static inline int64_t
dir_cur(struct index *ix)
{
	return ino_of(ix, INDEX_ROOT_INO, "cur");
}

/* The ids of up to 256 objects that index_pending() finds; their count. */
static inline int
pending_ids(struct index *ix, int64_t now_unix, struct index_cursor *cur,
    int64_t *ret, size_t n)
{
	static struct object o[256];
	int count;

	count = index_pending(ix, now_unix, cur, o, n < 256 ? n : 256);
	for (int i = 0; i < count; i++) {
		ret[i] = o[i].id;
		object_clear(&o[i]);
	}
	return count;
}

static inline int64_t
first_pending(struct index *ix)
{
	struct index_cursor cur = { 0 };
	int64_t id = 0;

	return pending_ids(ix, INT64_MAX, &cur, &id, 1) == 1 ? id : 0;
}

/* A listed object of 100 bytes; its id. */
static inline int64_t
add_object(struct index *ix, const char *key)
{
	struct object_listed l = { key, "etag", 100, 1000 };
	struct object o;
	int64_t id;

	if (merge_page(ix, key, NULL, NULL, &l, 1, NULL, NULL, NULL) <
		0 ||
	    index_object_by_key(ix, key, &o) < 0)
		return 0;
	id = o.id;
	object_clear(&o);
	return id;
}

/* Bytes of the WAL: while it is short, every commit adds to it. */
static inline int64_t
wal_bytes(struct index *ix)
{
	struct stat st;

	return fstat(ix->wal_fd, &st) == 0 ? st.st_size : -1;
}

#endif
