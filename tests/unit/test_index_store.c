/* The index as a file: opening, transactions, full disks, kill -9, threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "index_util.h"

static const struct node a_file = { .kind = NODE_FILE, .mode = 0600,
	.uid = UINT32_MAX, .gid = UINT32_MAX };

/* Run SQL on the file of a closed index. */
static void
sql(const char *dir, const char *text)
{
	char path[300];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/index.db", dir);
	CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
check_integrity(const char *dir)
{
	sqlite3_stmt *st = NULL;
	char path[300];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/index.db", dir);
	CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_EQ(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st,
		     NULL), SQLITE_OK);
	CHECK_EQ(sqlite3_step(st), SQLITE_ROW);
	CHECK_STR((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(db);
}

/* ---- opening ---- */

static void
test_open(void)
{
	char *dir = tmpdir_make(), path[300];
	struct index *ix, *ro;
	struct stat st;
	struct node n;

	CHECK_EQ(index_open(dir, "s3://b", true, NOW, &ix), -ENOENT);
	CHECK(ix == NULL);
	CHECK_EQ(index_open(dir, NULL, false, NOW, &ix), -EINVAL);
	CHECK_EQ(index_open("/nonexistent", "s3://b", false, NOW, &ix),
	    -ENOENT);
	ix = ix_open(dir);
	snprintf(path, sizeof(path), "%s/index.db", dir);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	strcat(path, "-wal");
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);

	/* `ls` beside the daemon, and after it. */
	CHECK_EQ(index_open(dir, NULL, true, NOW, &ro), 0);
	CHECK_EQ(index_create(ix, 1, "f", &a_file, NOW, &n), 0);
	CHECK_EQ(index_lookup(ro, 1, "f", &n), 0);
	CHECK_EQ(index_create(ro, 1, "g", &a_file, NOW, &n), -EROFS);
	CHECK_EQ(index_batch_begin(ro), -EROFS);
	CHECK_EQ(index_sync(ix), 0);
	CHECK_EQ(index_sync(ro), 0);
	index_close(ix);
	index_close(ro);
	CHECK_EQ(index_open(dir, "s3://bucket/p", true, NOW, &ro), 0);
	CHECK_EQ(index_lookup(ro, 1, "f", &n), 0);
	index_close(ro);
	CHECK_EQ(index_open(dir, "s3://other", false, NOW, &ix), -EXDEV);
	CHECK_EQ(index_open(dir, "s3://other", true, NOW, &ix), -EXDEV);
	CHECK_EQ(index_open(dir, NULL, false, NOW, &ix), 0);
	index_close(ix);
	check_integrity(dir);
	tmpdir_free(dir);
}

static void
write_file(const char *dir, const char *text, size_t len)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/index.db", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK_EQ(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static void
test_foreign_files(void)
{
	static char junk[8192];
	char *dir = tmpdir_make(), path[300];
	struct index *ix;

	memset(junk, 'x', sizeof(junk));
	write_file(dir, junk, sizeof(junk));
	CHECK_EQ(index_open(dir, "s3://b", false, NOW, &ix), -EUCLEAN);
	CHECK_EQ(index_open(dir, "s3://b", true, NOW, &ix), -EUCLEAN);
	/* Empty: as if it were not there. */
	write_file(dir, "", 0);
	CHECK_EQ(index_open(dir, "s3://b", true, NOW, &ix), -ENOENT);
	CHECK_EQ(index_open(dir, "s3://b", false, NOW, &ix), 0);
	index_close(ix);
	/* From the future. */
	sql(dir, "PRAGMA user_version = 99");
	CHECK_EQ(index_open(dir, "s3://b", false, NOW, &ix), -EUCLEAN);
	CHECK_EQ(index_open(dir, "s3://b", true, NOW, &ix), -EUCLEAN);
	tmpdir_free(dir);

	dir = tmpdir_make();
	sql(dir, "CREATE TABLE their_own(x)");
	CHECK_EQ(index_open(dir, "s3://b", false, NOW, &ix), -EUCLEAN);
	snprintf(path, sizeof(path), "%s/index.db", dir);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK_EQ(index_open(dir, "s3://b", false, NOW, &ix), -EUCLEAN);
	tmpdir_free(dir);
}

/* A file of the first version: nothing in it is lost, and it is no file for
 * those who only read. */
static void
test_first_version(void)
{
	const struct object_listed l = { "p/k", "e", 100, 1700000000 };
	uint8_t key[4] = { 1, 2, 3, 4 };
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir), *ro;
	int64_t ino, replaced;
	struct object o;

	CHECK_EQ(merge_page(ix, "p/", NULL, NULL, &l, 1, NULL, NULL,
	    NULL), 0);
	CHECK_EQ(index_object_by_key(ix, "p/k", &o), 0);
	o.key_sealed = key;
	o.key_sealed_len = sizeof(key);
	CHECK_EQ(index_object_publish(ix, &o, INDEX_ROOT_INO, "n", NOW, &ino,
	    &replaced), 0);
	o.key_sealed = NULL;
	object_clear(&o);
	index_close(ix);
	sql(dir, "ALTER TABLE object DROP COLUMN envelope;"
	    "PRAGMA user_version = 1");
	CHECK_EQ(index_open(dir, NULL, true, NOW, &ro), -EUCLEAN);
	for (int i = 0; i < 2; i++) {
		ix = ix_open(dir);
		CHECK_EQ(index_object_by_key(ix, "p/k", &o), 0);
		CHECK_EQ(o.state, OBJECT_READY);
		CHECK_EQ(o.size, 100);
		CHECK_EQ(o.key_sealed_len, sizeof(key));
		CHECK(o.envelope == NULL);
		object_clear(&o);
		CHECK_EQ(ino_of(ix, INDEX_ROOT_INO, "n"), ino);
		index_close(ix);
	}
	check_integrity(dir);
	tmpdir_free(dir);
}

/* Damage inside is an error, not a wrong answer or a crash. */
static void
test_damaged_page(void)
{
	char *dir = tmpdir_make(), path[300], junk[4096];
	struct index *ix = ix_open(dir);
	struct dirent_row row[8];
	struct node n;
	int fd, bad = 0;

	for (int i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "file-%d", i);
		CHECK_EQ(index_create(ix, 1, name, &a_file, NOW, &n), 0);
	}
	index_close(ix);
	snprintf(path, sizeof(path), "%s/index.db", dir);
	fd = open(path, O_WRONLY);
	memset(junk, 0xa5, sizeof(junk));
	for (off_t page = 20; page < 40; page++)
		(void)!pwrite(fd, junk, sizeof(junk), page * 4096);
	close(fd);
	if (index_open(dir, NULL, true, NOW, &ix) == 0) {
		int64_t cookie = 0;
		int got;

		while ((got = list_dir(ix, 1, cookie, row, 8)) > 0)
			cookie = row[got - 1].cookie;
		bad = got;
		index_close(ix);
	}
	CHECK_EQ(bad, -EUCLEAN);
	tmpdir_free(dir);
}

/* ---- batches ---- */

static void *
look_from_outside(void *arg)
{
	struct node n;

	return (void *)(intptr_t)index_lookup(arg, 1, "inside", &n);
}

static int
seen_by_another(struct index *ix)
{
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, look_from_outside, ix);
	pthread_join(t, &r);
	return (int)(intptr_t)r;
}

static void
test_batch(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct node n, root;

	CHECK_EQ(index_batch_begin(ix), 0);
	CHECK_EQ(index_batch_begin(ix), -EDEADLK);
	CHECK_EQ(index_create(ix, 1, "inside", &a_file, NOW, &n), 0);
	/* One that fails undoes itself alone. */
	CHECK_EQ(index_create(ix, 1, "inside", &a_file, NOW, &n), -EEXIST);
	CHECK_EQ(index_unlink(ix, 1, "none", NOW, &n), -ENOENT);
	CHECK_EQ(index_lookup(ix, 1, "inside", &n), 0);
	CHECK_EQ(seen_by_another(ix), -ENOENT);
	CHECK_EQ(index_batch_end(ix, true), 0);
	CHECK_EQ(seen_by_another(ix), 0);

	CHECK_EQ(index_batch_begin(ix), 0);
	CHECK_EQ(index_unlink(ix, 1, "inside", NOW, &n), 0);
	CHECK_EQ(index_lookup(ix, 1, "inside", &n), -ENOENT);
	CHECK_EQ(seen_by_another(ix), 0);
	CHECK_EQ(index_batch_end(ix, false), 0);
	CHECK_EQ(index_lookup(ix, 1, "inside", &n), 0);

	/* A call that fails in its middle leaves nothing of its beginning:
	 * the new name is taken after the replaced object was dropped. */
	CHECK_EQ(index_node(ix, 1, &root), 0);
	CHECK_EQ(index_rename(ix, 1, "inside", 1, "cur", 0, NOW, &n, &n),
	    -EISDIR);
	CHECK_EQ(index_node(ix, 1, &n), 0);
	CHECK_EQ(n.mtime_ns, root.mtime_ns);
	index_close(ix);
	tmpdir_free(dir);
}

/* In a batch or not, a publish that fails late does not drop what it was to
 * replace. */
static void
test_inner_undo(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	struct object_listed l = { "k", "1", 100, 1000 };
	int64_t ino, old, new;
	struct object o;
	struct node n;

	CHECK_EQ(merge_page(ix, "k", NULL, NULL, &l, 1, NULL, NULL,
		     NULL), 0);
	CHECK_EQ(index_object(ix, first_pending(ix), &o), 0);
	CHECK_EQ(index_object_publish(ix, &o, dir_new(ix), "m", NOW, &old,
		     &ino), 0);
	object_clear(&o);
	l.etag = "2";
	CHECK_EQ(merge_page(ix, "k", NULL, NULL, &l, 1, NULL, NULL,
		     NULL), 0);
	CHECK_EQ(index_object(ix, first_pending(ix), &o), 0);
	for (int in_batch = 0; in_batch < 2; in_batch++) {
		if (in_batch)
			CHECK_EQ(index_batch_begin(ix), 0);
		CHECK_EQ(index_object_publish(ix, &o, 1, "cur", NOW, &new,
			     &ino), -EEXIST);
		if (in_batch)
			CHECK_EQ(index_batch_end(ix, true), 0);
		CHECK_EQ(index_lookup(ix, dir_new(ix), "m", &n), 0);
		CHECK_EQ(n.ino, old);
		CHECK_EQ(n.nlink, 1);
		CHECK(!n.is_gone);
	}
	object_clear(&o);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- a full disk ---- */

static void
limit_pages(struct index *ix, int more)
{
	char text[64];
	int64_t pages;

	CHECK_EQ(conn_pragma(ix->writer, "page_count", &pages), 0);
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %d",
	    more < 0 ? 1 << 30 : (int)pages + more);
	CHECK_EQ(conn_exec(ix->writer, text, "limit"), 0);
}

static int
create_until_it_fails(struct index *ix, int *ret_made)
{
	struct node n;
	int r = 0;

	for (*ret_made = 0; *ret_made < 10000; ++*ret_made) {
		char name[64];

		snprintf(name, sizeof(name), "a-name-that-takes-room-%d",
		    *ret_made);
		if ((r = index_create(ix, 1, name, &a_file, NOW, &n)) < 0)
			break;
	}
	return r;
}

static void
test_disk_full(void)
{
	char *dir = tmpdir_make(), name[64];
	struct index *ix = ix_open(dir);
	struct node n;
	int made, r;

	limit_pages(ix, 4);
	CHECK_EQ(create_until_it_fails(ix, &made), -ENOSPC);
	CHECK(made > 0);
	snprintf(name, sizeof(name), "a-name-that-takes-room-%d", made - 1);
	CHECK_EQ(index_lookup(ix, 1, name, &n), 0);
	snprintf(name, sizeof(name), "a-name-that-takes-room-%d", made);
	CHECK_EQ(index_lookup(ix, 1, name, &n), -ENOENT);
	CHECK_EQ(index_unlink(ix, 1, "a-name-that-takes-room-0", NOW, &n), 0);

	/* In a batch: either its end says so, or what did succeed is there. */
	limit_pages(ix, 2);
	CHECK_EQ(index_batch_begin(ix), 0);
	for (int i = made + 1, e = 0; e == 0; i++) {
		r = e = index_create(ix, 1, name, &a_file, NOW, &n);
		snprintf(name, sizeof(name), "a-name-that-takes-room-%d", i);
	}
	CHECK_EQ(r, -ENOSPC);
	r = index_batch_end(ix, true);
	CHECK(r == 0 || r == -ENOSPC);
	if (r < 0)
		CHECK_EQ(index_lookup(ix, 1, name, &n), -ENOENT);

	limit_pages(ix, -1);
	CHECK_EQ(index_create(ix, 1, "room-again", &a_file, NOW, &n), 0);
	index_close(ix);
	check_integrity(dir);
	ix = ix_open(dir);
	CHECK_EQ(index_lookup(ix, 1, "room-again", &n), 0);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- kill -9 ---- */

/* Change for ever: single calls and batches, each told to the parent once it
 * has returned: the number of the last file that must be there. */
static void
change_for_ever(const char *dir, int first, int out)
{
	struct index *ix;
	struct node n, old;

	if (index_open(dir, NULL, false, NOW, &ix) < 0)
		_exit(2);
	for (int i = first;; i++) {
		char name[32], to[32];
		int size = i % 4 == 3 ? 20 : 1;

		if (size > 1 && index_batch_begin(ix) < 0)
			_exit(3);
		for (int k = 0; k < size; k++, i += k < size) {
			snprintf(name, sizeof(name), "t%d", i);
			snprintf(to, sizeof(to), "f%d", i);
			if (index_create(ix, 1, name, &a_file, NOW + i, &n) <
			    0 || index_rename(ix, 1, name, 1, to, 0, NOW + i,
			    &n, &old) < 0)
				_exit(4);
		}
		if (size > 1 && index_batch_end(ix, true) < 0)
			_exit(5);
		if (write(out, &i, sizeof(i)) != sizeof(i))
			_exit(6);
	}
}

/* Read numbers until the pipe is empty after the kill. */
static int
last_reported(int in, pid_t pid, long kill_after_us, int before)
{
	struct timespec wait = { 0, kill_after_us * 1000 };
	int i, last = before, status;

	/* At least one, so that each round begins with a living child. */
	if (read(in, &i, sizeof(i)) == sizeof(i))
		last = i;
	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	while (read(in, &i, sizeof(i)) == sizeof(i))
		last = i;
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status));
	return last;
}

static void
check_all_there(const char *dir, int last, int *ret_next)
{
	struct index *ix = ix_open(dir);
	char name[32];
	int missing = 0, next;

	for (int i = 0; i <= last; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		missing += ino_of(ix, 1, name) == 0;
	}
	CHECK_EQ(missing, 0);
	/* What was not reported may be there, in order and whole. */
	for (next = last + 1;; next++) {
		snprintf(name, sizeof(name), "f%d", next);
		if (ino_of(ix, 1, name) == 0)
			break;
	}
	snprintf(name, sizeof(name), "t%d", next);
	if (ino_of(ix, 1, name) != 0) { /* killed between the two */
		struct node n, old;
		char to[32];

		snprintf(to, sizeof(to), "f%d", next++);
		CHECK_EQ(index_rename(ix, 1, name, 1, to, 0, NOW, &n, &old),
		    0);
	}
	CHECK_EQ(count_rows(ix, "entry"), 3 + next);
	CHECK_EQ(count_rows(ix, "node"), 3 + next + 1);
	*ret_next = next;
	index_close(ix);
}

static void
test_kill(void)
{
	char *dir = tmpdir_make();
	int next = 0, last;

	index_close(ix_open(dir));
	srandom(7);
	for (int round = 0; round < 50; round++) {
		int p[2];
		pid_t pid;

		if (pipe(p) < 0 || (pid = fork()) < 0) {
			CHECK(!"fork");
			break;
		}
		if (pid == 0) {
			close(p[0]);
			change_for_ever(dir, next, p[1]);
		}
		close(p[1]);
		last = last_reported(p[0], pid, random() % 8000, next - 1);
		close(p[0]);
		CHECK(last >= next);
		check_all_there(dir, last, &next);
	}
	check_integrity(dir);
	tmpdir_free(dir);
}

/* ---- the WAL ---- */

static int64_t
file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* A reader that never pauses is the worst case for checkpoints. */
static void *
read_for_ever(void *arg)
{
	struct dirent_row row[4];
	struct index *ix = arg;
	struct node n;

	while (index_lookup(ix, 1, "stop", &n) == -ENOENT)
		(void)!list_dir(ix, 1, 0, row, 4);
	return NULL;
}

static void
test_wal_is_bounded(void)
{
	char *dir = tmpdir_make(), path[300];
	struct index *ix = ix_open(dir);
	uint8_t *big = calloc(1, 200000);
	pthread_t t[3];
	int64_t most = 0;
	struct node n;

	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_create(&t[i], NULL, read_for_ever, ix);
	snprintf(path, sizeof(path), "%s/index.db-wal", dir);
	for (int i = 0; i < 1500; i++) { /* 300 MB in all */
		int64_t size;

		CHECK_EQ(index_meta_set(ix, "big", big, 200000 -
			     (size_t)(i % 7)), 0);
		size = file_size(path);
		most = size > most ? size : most;
	}
	/* It is begun anew from 48 MiB on; on a busy machine readers may win
	 * that race a few times. */
	CHECK(most < 200 * 1024 * 1024);
	CHECK_EQ(index_create(ix, 1, "stop", &a_file, NOW, &n), 0);
	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_join(t[i], NULL);
	free(big);
	index_close(ix);
	tmpdir_free(dir);
}

/* ---- threads ---- */

#define FILES 64
#define ROUNDS 400

struct shared {
	struct index *ix;
	int64_t dir;
	atomic_bool is_done;
	atomic_int wrong;
	int who; /* of a writer */
};

/* Every staying entry is seen exactly once, though all are renamed in place
 * meanwhile. */
static void
list_once(struct shared *s)
{
	struct dirent_row row[7];
	uint8_t seen[FILES] = { 0 };
	int64_t cookie = 0;
	int got;

	while ((got = list_dir(s->ix, s->dir, cookie, row,
		    NELEMS(row))) > 0) {
		for (int i = 0; i < got; i++) {
			int k = atoi(row[i].name + 1);

			if (row[i].name[0] == 'm')
				seen[k]++;
		}
		cookie = row[got - 1].cookie;
	}
	for (int k = 0; k < FILES; k++)
		if (got < 0 || seen[k] != 1)
			atomic_fetch_add(&s->wrong, 1);
}

static void *
reader_main(void *arg)
{
	struct shared *s = arg;
	struct node n;

	for (int i = 0; i < 50 || !atomic_load(&s->is_done); i++) {
		list_once(s);
		if (index_node(s->ix, s->dir, &n) < 0 || n.nlink != 2)
			atomic_fetch_add(&s->wrong, 1);
	}
	return NULL;
}

/* Rename own files through flag after flag; make and remove others. */
static void
write_round(struct shared *s, int round)
{
	char from[32], to[32];
	struct node n, old;
	int k = (round * 2 + s->who) % FILES, gen = round * 2 / FILES;

	snprintf(from, sizeof(from), "m%d:2,%d", k, gen);
	snprintf(to, sizeof(to), "m%d:2,%d", k, gen + 1);
	if (index_rename(s->ix, s->dir, from, s->dir, to, 0, NOW, &n, &old) <
	    0)
		atomic_fetch_add(&s->wrong, 1);
	snprintf(from, sizeof(from), "x%d", s->who);
	if (index_create(s->ix, s->dir, from, &a_file, NOW, &n) < 0 ||
	    index_unlink(s->ix, s->dir, from, NOW, &n) < 0 ||
	    index_node_forget(s->ix, n.ino, NULL) < 0)
		atomic_fetch_add(&s->wrong, 1);
}

static void *
writer_main(void *arg)
{
	struct shared *s = arg;

	for (int round = 0; round < ROUNDS; round++) {
		bool in_batch = round % 10 < 5;

		if (in_batch && index_batch_begin(s->ix) < 0)
			atomic_fetch_add(&s->wrong, 1);
		write_round(s, round);
		if (in_batch && index_batch_end(s->ix, true) < 0)
			atomic_fetch_add(&s->wrong, 1);
	}
	return NULL;
}

static void
test_threads(void)
{
	char *dir = tmpdir_make(), name[32];
	struct index *ix = ix_open(dir);
	struct node n = { .kind = NODE_DIR, .mode = 0700 };
	pthread_t reader[8], writer[2];
	struct shared s = { .ix = ix }, w[2];

	CHECK_EQ(index_create(ix, 1, "d", &n, NOW, &n), 0);
	s.dir = n.ino;
	for (int k = 0; k < FILES; k++) {
		snprintf(name, sizeof(name), "m%d:2,0", k);
		CHECK_EQ(index_create(ix, s.dir, name, &a_file, NOW, &n), 0);
	}
	for (size_t i = 0; i < NELEMS(reader); i++)
		pthread_create(&reader[i], NULL, reader_main, &s);
	for (int i = 0; i < 2; i++) {
		w[i].ix = ix;
		w[i].dir = s.dir;
		w[i].who = i;
		atomic_init(&w[i].wrong, 0);
		pthread_create(&writer[i], NULL, writer_main, &w[i]);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(writer[i], NULL);
		CHECK_EQ(atomic_load(&w[i].wrong), 0);
	}
	atomic_store(&s.is_done, true);
	for (size_t i = 0; i < NELEMS(reader); i++)
		pthread_join(reader[i], NULL);
	CHECK_EQ(atomic_load(&s.wrong), 0);
	index_close(ix);
	check_integrity(dir);
	tmpdir_free(dir);
}

/* More readers at once than the pool has connections: they wait. */
static void *
crowd_main(void *arg)
{
	struct index *ix = arg;
	struct node n;
	intptr_t wrong = 0;

	for (int i = 0; i < 200; i++)
		wrong += index_lookup(ix, 1, "cur", &n) != 0;
	return (void *)wrong;
}

static void
test_crowd(void)
{
	char *dir = tmpdir_make();
	struct index *ix = ix_open(dir);
	pthread_t t[40];

	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_create(&t[i], NULL, crowd_main, ix);
	for (size_t i = 0; i < NELEMS(t); i++) {
		void *wrong;

		pthread_join(t[i], &wrong);
		CHECK_EQ((intptr_t)wrong, 0);
	}
	CHECK(ix->conns >= 1 && ix->conns <= 16);
	index_close(ix);
	tmpdir_free(dir);
}

int
main(void)
{
	/* The errors provoked here are not of interest. */
	(void)!log_open("/dev/null");
	test_open();
	test_foreign_files();
	test_first_version();
	test_damaged_page();
	test_batch();
	test_inner_undo();
	test_disk_full();
	test_kill();
	test_wal_is_bounded();
	test_threads();
	test_crowd();
	return check_done();
}
