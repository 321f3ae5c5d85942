#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/files.h"

static bool
is_odd(void *arg, int64_t ino)
{
	return ino % 2 == 1;
}

static void
test_bytes(struct files *f)
{
	struct files_attr a;
	char buf[16] = "";
	const struct timespec ts[2] = { { 5, 6 }, { 7, 8 } };

	CHECK_EQ(files_create(f, 7), 0);
	CHECK_EQ(files_write(f, 7, "hello", 5, 3), 5);
	CHECK_EQ(files_read(f, 7, buf, sizeof(buf), 0), 8);
	CHECK(memcmp(buf, "\0\0\0hello", 8) == 0);
	CHECK_EQ(files_truncate(f, 7, 4), 0);
	CHECK_EQ(files_restore(f, 7), 0);
	CHECK_EQ(files_stat(f, 7, &a), 0);
	CHECK_EQ(a.size, 4);
	CHECK_EQ(files_utimens(f, 7, ts), 0);
	CHECK_EQ(files_stat(f, 7, &a), 0);
	CHECK_EQ(a.mtime_ns, 7000000008);
	CHECK_EQ(files_allocate(f, 7, 0, 0, 4096), 0);
	CHECK_EQ(files_stat(f, 7, &a), 0);
	CHECK_EQ(a.size, 4096);
	CHECK_EQ(files_sync(f, 7), 0);
	CHECK_EQ(files_remove(f, 7), 0);
	CHECK_EQ(files_remove(f, 7), 0);
	CHECK_EQ(files_stat(f, 7, &a), -ENOENT);
	CHECK_EQ(files_read(f, 7, buf, 1, 0), -ENOENT);
	CHECK_EQ(files_write(f, 8, "x", 1, 0), -ENOENT);
	CHECK_EQ(files_restore(f, 8), 0);
	CHECK_EQ(files_stat(f, 8, &a), 0);
	CHECK_EQ(a.size, 0);
	CHECK_EQ(files_remove(f, 8), 0);
}

/* More files than descriptors, from several threads. */
static void *
many(void *arg)
{
	struct files *f = arg;
	char buf[8];

	for (int i = 0; i < 2000; i++) {
		int64_t ino = 100 + i * 7 % 150;

		if (files_read(f, ino, buf, 8, 0) != 8 ||
		    memcmp(buf, &ino, 8) != 0)
			return f; /* not NULL: failed */
	}
	return NULL;
}

int
main(void)
{
	char dir[] = "/tmp/sesfs-files-XXXXXX", cmd[64];
	struct files *f = NULL;
	struct files_attr a;
	pthread_t t[4];
	void *bad;

	CHECK(mkdtemp(dir) != NULL);
	CHECK_EQ(files_open(dir, &f), 0);
	test_bytes(f);
	for (int64_t ino = 100; ino < 250; ino++) {
		CHECK_EQ(files_create(f, ino), 0);
		CHECK_EQ(files_write(f, ino, &ino, 8, 0), 8);
	}
	for (size_t i = 0; i < NELEMS(t); i++)
		CHECK_EQ(pthread_create(&t[i], NULL, many, f), 0);
	for (size_t i = 0; i < NELEMS(t); i++) {
		pthread_join(t[i], &bad);
		CHECK(bad == NULL);
	}
	CHECK_EQ(files_sweep(f, is_odd, NULL), 0);
	CHECK_EQ(files_stat(f, 100, &a), -ENOENT);
	CHECK_EQ(files_stat(f, 101, &a), 0);
	files_close(f);
	/* A planted link is not followed. */
	snprintf(cmd, sizeof(cmd), "%s/files/300", dir);
	CHECK_EQ(symlink("/etc/passwd", cmd), 0);
	CHECK_EQ(files_open(dir, &f), 0);
	CHECK_EQ(files_create(f, 300), -ELOOP);
	files_close(f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_EQ(system(cmd), 0);
	return check_done();
}
