/* Connections and transactions.
 *
 * In WAL mode a commit is a write() to index.db-wal, which outlives the
 * process; fsync comes with index_sync and with checkpoints. A checkpoint
 * copies the WAL into the file. The usual one is passive and made outside the
 * write lock, on a reader's connection, by the thread whose commit made it
 * due. Readers that never pause can keep it from ever finishing, and then the
 * WAL cannot start over: past WAL_HARD pages the writer insists, while nobody
 * can add to it, and waits a moment for the readers that are in it. */
#include "store/index_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

#define CONNS_MAX 16	 /* readers at once; more wait */
#define WAL_SOFT 4000	 /* pages of 4 KiB */
#define WAL_HARD 12000
#define RESTART_WAIT_MS 200

void
pool_init(struct index *ix)
{
	pthread_mutex_init(&ix->write, NULL);
	pthread_mutex_init(&ix->readers, NULL);
	pthread_cond_init(&ix->returned, NULL);
	memo_init(&ix->memo);
	ix->wal_fd = -1;
	ix->restart_at = WAL_HARD;
	atomic_init(&ix->checkpoint_at, WAL_SOFT);
}

void
pool_destroy(struct index *ix)
{
	struct conn *c;

	while ((c = ix->idle) != NULL) {
		ix->idle = c->next;
		conn_close(c);
	}
	/* Last of all, so that it can fold the WAL into the file. */
	conn_close(ix->writer);
	if (ix->wal_fd >= 0)
		close(ix->wal_fd);
	memo_destroy(&ix->memo);
	pthread_cond_destroy(&ix->returned);
	pthread_mutex_destroy(&ix->readers);
	pthread_mutex_destroy(&ix->write);
}

/* An idle connection, or NULL when the caller may open a new one. */
static struct conn *
pool_take(struct index *ix)
{
	struct conn *c;

	LOCK_SCOPE(&ix->readers);
	while (ix->idle == NULL && ix->conns >= CONNS_MAX)
		pthread_cond_wait(&ix->returned, &ix->readers);
	if ((c = ix->idle) != NULL)
		ix->idle = c->next;
	else
		ix->conns++;
	return c;
}

static void
pool_give(struct index *ix, struct conn *c)
{
	LOCK_SCOPE(&ix->readers);
	if (c != NULL) {
		c->next = ix->idle;
		ix->idle = c;
	} else {
		ix->conns--;
	}
	pthread_cond_signal(&ix->returned);
}

bool
write_is_batch(struct index *ix)
{
	return atomic_load(&ix->owner) == (uintptr_t)pthread_self();
}

int
reader_begin(struct index *ix, struct reader *ret)
{
	struct conn *c;
	int r;

	*ret = (struct reader){ NULL, NULL };
	if (write_is_batch(ix)) {
		ret->c = ix->writer;
		return 0;
	}
	if ((c = pool_take(ix)) == NULL &&
	    (r = conn_open(ix->path, ix->read_only ? CONN_READ_ONLY :
						     CONN_READER, &c)) < 0) {
		pool_give(ix, NULL);
		return r;
	}
	*ret = (struct reader){ ix, c };
	return 0;
}

void
reader_end(struct reader *rd)
{
	if (rd->ix != NULL)
		pool_give(rd->ix, rd->c);
	*rd = (struct reader){ NULL, NULL };
}

/* Called by SQLite after a commit, with the length of the WAL. */
static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct index *ix = arg;

	if (pages < ix->wal_pages) { /* it has started over */
		ix->restart_at = WAL_HARD;
		atomic_store(&ix->checkpoint_at, WAL_SOFT);
	}
	ix->wal_pages = pages;
	return SQLITE_OK;
}

int
pool_open_writer(struct index *ix)
{
	int r = conn_open(ix->path, CONN_WRITER, &ix->writer);

	if (r == 0)
		sqlite3_wal_hook(ix->writer->db, on_commit, ix);
	return r;
}

/* What is left of the transaction, if SQLite has not ended it already. */
static void
roll_back(struct index *ix)
{
	if (!sqlite3_get_autocommit(ix->writer->db))
		(void)!RUN0(ix->writer, Q_ROLLBACK);
}

/* Copy all of the WAL into the file, so that the next write starts it over. */
static void
restart_wal(struct index *ix)
{
	sqlite3_busy_timeout(ix->writer->db, RESTART_WAIT_MS);
	(void)sqlite3_wal_checkpoint_v2(ix->writer->db, NULL,
	    SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	sqlite3_busy_timeout(ix->writer->db, CONN_BUSY_MS);
}

static int
commit(struct index *ix)
{
	int r = RUN0(ix->writer, Q_COMMIT);

	/* Before anybody is told of the change. */
	atomic_fetch_add(&ix->version, 1);
	if (r >= 0 && ix->wal_pages >= ix->restart_at) {
		ix->restart_at = ix->wal_pages + WAL_SOFT;
		restart_wal(ix);
	}
	return r < 0 ? r : 0;
}

static void
checkpoint(struct index *ix, int pages)
{
	READER(rd);

	if (pages < atomic_load(&ix->checkpoint_at) ||
	    atomic_exchange(&ix->is_checkpointing, true))
		return;
	atomic_store(&ix->checkpoint_at, pages + WAL_SOFT);
	if (reader_begin(ix, &rd) == 0)
		(void)sqlite3_wal_checkpoint_v2(rd.c->db, NULL,
		    SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	atomic_store(&ix->is_checkpointing, false);
}

/* Commit (r >= 0) or roll back, give the lock back. */
static int
finish(struct index *ix, int r)
{
	int pages, e;

	if (r >= 0 && (e = commit(ix)) < 0)
		r = e;
	if (r < 0)
		roll_back(ix);
	/* It may be the WAL that had no room to grow; then there will be. */
	if (r == -ENOSPC)
		restart_wal(ix);
	pages = ix->wal_pages;
	pthread_mutex_unlock(&ix->write);
	checkpoint(ix, pages);
	return r;
}

int
write_begin(struct index *ix, struct conn **ret)
{
	int r;

	*ret = ix->writer;
	if (ix->read_only)
		return -EROFS;
	if (write_is_batch(ix)) {
		if (ix->batch_error < 0)
			return ix->batch_error;
		return (r = RUN0(ix->writer, Q_SAVE)) < 0 ? r : 0;
	}
	pthread_mutex_lock(&ix->write);
	if ((r = RUN0(ix->writer, Q_BEGIN)) >= 0)
		return 0;
	pthread_mutex_unlock(&ix->write);
	return r;
}

static int
end_inner(struct index *ix, int r)
{
	int e = 0;

	/* Some errors (a full disk is one) end the whole transaction. */
	if (sqlite3_get_autocommit(ix->writer->db)) {
		ix->batch_error = r < 0 ? r : -EIO;
		return ix->batch_error;
	}
	if (r < 0)
		e = RUN0(ix->writer, Q_SAVE_UNDO);
	if (e >= 0)
		e = RUN0(ix->writer, Q_SAVE_END);
	if (e < 0)
		ix->batch_error = e;
	return r < 0 || e >= 0 ? r : e;
}

int
write_end(struct index *ix, int r)
{
	return write_is_batch(ix) ? end_inner(ix, r) : finish(ix, r);
}

int
index_batch_begin(struct index *ix)
{
	struct conn *c;
	int r;

	if (write_is_batch(ix))
		return -EDEADLK;
	if ((r = write_begin(ix, &c)) < 0)
		return r;
	ix->batch_error = 0;
	atomic_store(&ix->owner, (uintptr_t)pthread_self());
	return 0;
}

int
index_batch_end(struct index *ix, bool do_commit)
{
	int r = ix->batch_error;

	atomic_store(&ix->owner, 0);
	if (r < 0)
		return finish(ix, r);
	r = finish(ix, do_commit ? 0 : -ECANCELED);
	return do_commit ? r : 0;
}

int
index_sync(struct index *ix)
{
	if (ix->read_only)
		return 0;
	if (fdatasync(ix->wal_fd) < 0)
		return log_err(-errno, "index: sync %s-wal: %s", ix->path,
		    strerror(errno));
	return 0;
}
