#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/index_priv.h"
#include "store/log.h"

/* Make the file if there is none, with our mode; SQLite gives the -wal and
 * -shm files the mode of this one. It is never opened here once SQLite may
 * have it open: closing a descriptor would drop the process's locks on it. */
static int
make_file(const char *path, bool read_only)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0)
		return S_ISREG(st.st_mode) ? 0 :
		    log_err(-EUCLEAN, "index: open %s: not a regular file; "
			"move away what is there", path);
	if (errno != ENOENT || read_only)
		return errno == ENOENT ? -ENOENT :
		    log_err(-errno, "index: open %s: %s", path,
			strerror(errno));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return log_err(-errno, "index: create %s: %s", path,
		    strerror(errno));
	close(fd);
	return 0;
}

/* The WAL to fsync, and its directory entry made durable once. */
static int
open_wal(struct index *ix, const char *dir)
{
	char *wal;
	int fd, r = 0;

	if (asprintf(&wal, "%s-wal", ix->path) < 0)
		return -ENOMEM;
	ix->wal_fd = open(wal, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	free(wal);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ix->wal_fd < 0 || fd < 0 || fsync(fd) < 0)
		r = log_err(-errno, "index: open %s-wal: %s", ix->path,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

static int
check_source(struct index *ix, const char *source)
{
	char was[2048];
	size_t len;
	int r;

	if (source == NULL)
		return 0;
	r = index_meta_get(ix, "source", was, sizeof(was), &len);
	if (r < 0)
		return r;
	if (len != strlen(source) || memcmp(was, source, len) != 0)
		return log_err(-EXDEV, "index: open %s: belongs to %.*s; give "
		    "each source a --state-dir of its own", ix->path,
		    (int)len, was);
	return 0;
}

/* Nodes that lost their last name and were held until their process died. */
static int
drop_nameless(struct conn *c)
{
	int r;

	if ((r = RUN0(c, Q_NAMELESS_GONE)) < 0 ||
	    (r = RUN0(c, Q_NAMELESS_OBJECTS)) < 0)
		return r;
	return RUN0(c, Q_NAMELESS_NODES);
}

static int
set_up(struct index *ix, const char *source, int version, int64_t now_ns)
{
	struct conn *c;
	int r;

	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = schema_migrate(c, version, now_ns);
	if (r >= 0 && version == 0)
		r = RUN(c, Q_META_SET, V_STR("source"), V_STR(source));
	if (r >= 0)
		r = drop_nameless(c);
	return write_end(ix, r < 0 ? r : 0);
}

static int
open_writer(struct index *ix, const char *dir, const char *source,
    int64_t now_ns)
{
	int version, r;

	if ((r = pool_open_writer(ix)) < 0 ||
	    (r = schema_check(ix->writer, &version)) < 0)
		return r;
	if (version == 0 && source == NULL)
		return -EINVAL;
	if ((r = conn_exec(ix->writer, "PRAGMA journal_mode = WAL", "open")) <
	    0 || (r = set_up(ix, source, version, now_ns)) < 0)
		return r;
	return open_wal(ix, dir);
}

static int
open_reader(struct index *ix)
{
	READER(rd);
	int version, r;

	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = schema_check(rd.c, &version)) < 0)
		return r;
	if (version == 0)
		return -ENOENT;
	if (version < schema_version)
		return log_err(-EUCLEAN, "index: open %s: has the schema of an "
		    "older sesfs; sesfs mount or sync makes it anew", ix->path);
	return 0;
}

int
index_open(const char *dir, const char *source, bool read_only, int64_t now_ns,
    struct index **ret)
{
	CLEANUP(index_closep) struct index *ix = NULL;
	int r;

	*ret = NULL;
	if ((ix = calloc(1, sizeof(*ix))) == NULL)
		return -ENOMEM;
	pool_init(ix);
	ix->read_only = read_only;
	/* Not to be taken for a URI. */
	if (asprintf(&ix->path, "%s%s/index.db", dir[0] == '/' ? "" : "./",
		dir) < 0) {
		ix->path = NULL;
		return -ENOMEM;
	}
	if ((r = make_file(ix->path, read_only)) < 0 ||
	    (r = read_only ? open_reader(ix) :
			     open_writer(ix, dir, source, now_ns)) < 0 ||
	    (r = check_source(ix, source)) < 0)
		return r;
	*ret = TAKE(ix);
	return 0;
}

void
index_close(struct index *ix)
{
	if (ix == NULL)
		return;
	pool_destroy(ix);
	free(ix->path);
	free(ix);
}

/* ---- small tables ---- */

int
index_meta_get(struct index *ix, const char *name, void *ret, size_t max,
    size_t *ret_len)
{
	READER(rd);
	STMT(st);
	size_t len;
	int r;

	*ret_len = 0;
	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = QUERY(rd.c, Q_META_GET, &st, V_STR(name))) < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	len = (size_t)sqlite3_column_bytes(st, 0);
	if (len > max)
		return -ERANGE;
	if (len > 0)
		memcpy(ret, sqlite3_column_blob(st, 0), len);
	*ret_len = len;
	return 0;
}

int
index_meta_set(struct index *ix, const char *name, const void *val, size_t len)
{
	struct conn *c;
	int r;

	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = RUN(c, Q_META_SET, V_STR(name), V_BLOB(len > 0 ? val : "", len));
	return write_end(ix, r < 0 ? r : 0);
}

/* 1 when the folder's directory is in being, 0 when a row points nowhere. */
static int
folder_read(struct conn *c, const char *key_dir, int64_t *ret_dir)
{
	STMT(st);
	int r = QUERY(c, Q_FOLDER_GET, &st, V_STR(key_dir));

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_dir = sqlite3_column_int64(st, 0);
	return sqlite3_column_int(st, 1);
}

/* A client removed the directory; the row goes too. */
static int
folder_forget(struct index *ix, const char *key_dir, int64_t dir)
{
	struct conn *c;
	int r;

	if (ix->read_only)
		return -ENOENT;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	r = RUN(c, Q_FOLDER_DELETE, V_STR(key_dir), V_INT(dir));
	r = write_end(ix, r < 0 ? r : 0);
	return r < 0 ? r : -ENOENT;
}

int
index_folder_get(struct index *ix, const char *key_dir, int64_t *ret_dir)
{
	int64_t dir = 0;
	int r;

	*ret_dir = 0;
	{
		READER(rd);
		if ((r = reader_begin(ix, &rd)) < 0 ||
		    (r = folder_read(rd.c, key_dir, &dir)) < 0)
			return r;
	}
	if (r == 0)
		return folder_forget(ix, key_dir, dir);
	*ret_dir = dir;
	return 0;
}

int
index_folder_set(struct index *ix, const char *key_dir, int64_t dir)
{
	struct conn *c;
	int r;

	if ((r = write_begin(ix, &c)) < 0)
		return r;
	if ((r = node_check_dir(c, dir)) == 0)
		r = RUN(c, Q_FOLDER_SET, V_STR(key_dir), V_INT(dir));
	return write_end(ix, r < 0 ? r : 0);
}

int
index_folder_is_other(struct index *ix, const char *key_dir, int64_t dir)
{
	READER(rd);
	int64_t is_other;
	int r;

	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = conn_int(rd.c, Q_FOLDER_OTHER,
		 VALS(V_STR(key_dir), V_INT(dir)), &is_other)) < 0)
		return r;
	return is_other != 0;
}

static int
kms_find(struct conn *c, const char *arn, int64_t *ret_id)
{
	return conn_int(c, Q_KMS_FIND,
	    VALS({ VAL_TEXT, 0, arn, strlen(arn) }), ret_id);
}

static int
kms_add(struct conn *c, const char *arn, int64_t *ret_id)
{
	int r = kms_find(c, arn, ret_id);

	if (r == 0)
		r = RUN(c, Q_KMS_ADD, { VAL_TEXT, 0, arn, strlen(arn) });
	else if (r == 1)
		return 0;
	if (r >= 0)
		*ret_id = sqlite3_last_insert_rowid(c->db);
	return r < 0 ? r : 0;
}

int
index_kms_key(struct index *ix, const char *arn, int64_t *ret_id)
{
	struct conn *c;
	int r;

	*ret_id = 0;
	if (strlen(arn) >= sizeof(((struct kms_key_row *)0)->arn))
		return -EINVAL;
	{
		READER(rd);
		if ((r = reader_begin(ix, &rd)) < 0 ||
		    (r = kms_find(rd.c, arn, ret_id)) != 0)
			return r < 0 ? r : 0;
	}
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	return write_end(ix, kms_add(c, arn, ret_id));
}

int
index_kms_key_get(struct index *ix, int64_t id, struct kms_key_row *ret)
{
	READER(rd);
	STMT(st);
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = reader_begin(ix, &rd)) < 0 ||
	    (r = QUERY(rd.c, Q_KMS_GET, &st, V_INT(id))) < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	ret->id = id;
	snprintf(ret->arn, sizeof(ret->arn), "%s",
	    (const char *)sqlite3_column_text(st, 0));
	return 0;
}
