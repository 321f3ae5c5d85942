/* The blob cache: what comes back, what is a miss, what goes first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "store/blobcache.h"
#include "store/bloblru.h"
#include "store/log.h"
#include "tmpdir.h"

#define MB (1024 * 1024)

static struct pair meta[] = { { "x-amz-key-v2", "AAAA" }, { "empty", "" },
	{ " instruction", "{\"a\": 1}" } };

static struct blob
make_blob(uint8_t *body, size_t len, int fill)
{
	struct blob b = { .body = body, .len = len, .meta = meta,
		.meta_len = NELEMS(meta) };

	memset(body, fill, len);
	snprintf(b.etag, sizeof(b.etag), "etag-%d", fill);
	return b;
}

static void
file_name(const char *dir, int64_t id, char ret[300])
{
	snprintf(ret, 300, "%s/blobs/%02x/%lld", dir, (unsigned)(id % 256),
	    (long long)id);
}

/* The scan is in the background: wait for the number it must arrive at. */
static bool
wait_objects(struct blobcache *c, uint64_t want)
{
	struct blobcache_stats st;

	for (int i = 0; i < 10000; i++) {
		blobcache_get_stats(c, &st);
		if (!st.is_scanning && st.objects == want)
			return true;
		usleep(1000);
	}
	return false;
}

static void
test_round_trip(void)
{
	static const size_t len[] = { 0, 1, 4095, 4096, 100000 };
	char *dir = tmpdir_make(), name[300];
	static uint8_t body[100000];
	struct blobcache_stats st;
	struct blobcache *c;
	struct stat s;
	struct blob b;

	CHECK_EQ(blobcache_open(dir, 10 * MB, &c), 0);
	for (size_t i = 0; i < NELEMS(len); i++) {
		struct blob in = make_blob(body, len[i], (int)i + 1);

		in.is_sealed_plain = i & 1;
		CHECK_EQ_AT(i, blobcache_put(c, 1000 + (int64_t)i, &in), 0);
		CHECK_AT(i, blobcache_has(c, 1000 + (int64_t)i));
		CHECK_EQ_AT(i, blobcache_get(c, 1000 + (int64_t)i, &b), 0);
		CHECK_EQ_AT(i, b.len, len[i]);
		CHECK_AT(i, memcmp(b.body, body, len[i]) == 0);
		CHECK_STR_AT(i, b.etag, in.etag);
		CHECK_EQ_AT(i, b.is_sealed_plain, in.is_sealed_plain);
		CHECK_EQ_AT(i, b.meta_len, NELEMS(meta));
		for (size_t k = 0; k < b.meta_len && k < NELEMS(meta); k++) {
			CHECK_STR_AT(i, b.meta[k].name, meta[k].name);
			CHECK_STR_AT(i, b.meta[k].value, meta[k].value);
		}
		blob_clear(&b);
		CHECK_AT(i, b.body == NULL && b.meta == NULL);
	}
	CHECK_EQ(blobcache_get(c, 7, &b), -ENOENT);
	CHECK(!blobcache_has(c, 7));
	file_name(dir, 1000, name);
	CHECK_EQ(stat(name, &s), 0);
	CHECK_EQ(s.st_mode & 0777, 0600);
	blobcache_drop(c, 1000);
	CHECK(!blobcache_has(c, 1000));
	CHECK_EQ(blobcache_get(c, 1000, &b), -ENOENT);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, NELEMS(len) - 1);
	CHECK_EQ(st.hits, NELEMS(len));
	CHECK_EQ(st.misses, 2);
	CHECK_EQ(st.puts, NELEMS(len));
	CHECK_EQ(blobcache_drop_all(c), 0);
	CHECK_EQ(blobcache_get(c, 1001, &b), -ENOENT);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, 0);
	CHECK_EQ(st.bytes, 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Every truncation and every flipped bit of what is not body is a miss, and
 * so is another's file; the file goes. */
static void
test_damage(void)
{
	char *dir = tmpdir_make(), name[300], other[300];
	uint8_t body[64], file[1024];
	struct blob in = make_blob(body, sizeof(body), 5), b;
	struct blobcache *c;
	ssize_t len;
	int fd;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK_EQ(blobcache_put(c, 300, &in), 0);
	file_name(dir, 300, name);
	fd = open(name, O_RDONLY);
	len = read(fd, file, sizeof(file));
	close(fd);
	CHECK(len > 64 + 64);
	for (ssize_t cut = 0; cut < len; cut++) {
		CHECK_EQ(blobcache_put(c, 300, &in), 0);
		CHECK_EQ(truncate(name, cut), 0);
		CHECK_EQ_AT(cut, blobcache_get(c, 300, &b), -ENOENT);
		CHECK_EQ_AT(cut, access(name, F_OK), -1);
	}
	for (ssize_t at = sizeof(body); at < len; at++) {
		CHECK_EQ(blobcache_put(c, 300, &in), 0);
		fd = open(name, O_WRONLY);
		file[at] ^= 4;
		CHECK_EQ(pwrite(fd, file, (size_t)len, 0), len);
		file[at] ^= 4;
		close(fd);
		CHECK_EQ_AT(at, blobcache_get(c, 300, &b), -ENOENT);
	}
	/* A piece out of the middle. */
	CHECK_EQ(blobcache_put(c, 300, &in), 0);
	fd = open(name, O_WRONLY | O_TRUNC);
	CHECK_EQ(write(fd, file + 10, (size_t)len - 10), len - 10);
	close(fd);
	CHECK_EQ(blobcache_get(c, 300, &b), -ENOENT);
	CHECK_EQ(blobcache_put(c, 300, &in), 0);
	file_name(dir, 300 + 256, other);
	CHECK_EQ(rename(name, other), 0);
	CHECK_EQ(blobcache_get(c, 300 + 256, &b), -ENOENT);
	CHECK_EQ(blobcache_get(c, 300, &b), -ENOENT);
	CHECK(!blobcache_has(c, 300));
	/* A link is not followed, and the next put takes its place. */
	CHECK_EQ(symlink("/etc/passwd", name), 0);
	CHECK_EQ(blobcache_get(c, 300, &b), -ENOENT);
	CHECK_EQ(blobcache_put(c, 300, &in), 0);
	CHECK_EQ(blobcache_get(c, 300, &b), 0);
	blob_clear(&b);
	blobcache_close(c);
	tmpdir_free(dir);
}

static void
test_eviction(void)
{
	char *dir = tmpdir_make();
	static uint8_t body[200000];
	struct blobcache_stats st;
	struct blob in = make_blob(body, 4000, 1), b;
	struct blobcache *c;

	/* Each takes two blocks; there is room for four. */
	CHECK_EQ(blobcache_open(dir, 4 * 8192, &c), 0);
	for (int64_t id = 1; id <= 4; id++)
		CHECK_EQ(blobcache_put(c, id, &in), 0);
	CHECK_EQ(blobcache_get(c, 1, &b), 0);
	blob_clear(&b);
	CHECK_EQ(blobcache_put(c, 5, &in), 0);
	CHECK_EQ(blobcache_put(c, 6, &in), 0);
	CHECK(blobcache_has(c, 1));
	CHECK(!blobcache_has(c, 2));
	CHECK(!blobcache_has(c, 3));
	CHECK(blobcache_has(c, 4));
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.evictions, 2);
	CHECK_EQ(st.bytes, 4 * 8192);
	/* What can never fit pushes nothing out. */
	in = make_blob(body, sizeof(body), 2);
	CHECK_EQ(blobcache_put(c, 9, &in), 0);
	CHECK(!blobcache_has(c, 9));
	CHECK(blobcache_has(c, 4));
	blobcache_close(c);

	CHECK_EQ(blobcache_open(dir, 0, &c), 0);
	in = make_blob(body, 1, 2);
	CHECK_EQ(blobcache_put(c, 9, &in), 0);
	CHECK_EQ(blobcache_get(c, 9, &b), -ENOENT);
	CHECK(wait_objects(c, 0));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Order of use and the bound survive a restart; what a dead process left half
 * written does not. */
static void
test_restart(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[4000];
	struct blob in = make_blob(body, sizeof(body), 1), b;
	struct timespec t[2] = { { 0 }, { 0 } };
	struct blobcache_stats st;
	struct blobcache *c;
	struct stat s;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 10; id++) {
		CHECK_EQ(blobcache_put(c, id, &in), 0);
		file_name(dir, id, name);
		t[1].tv_sec = 1000000 + 10 * id;
		CHECK_EQ(utimensat(AT_FDCWD, name, t, 0), 0);
	}
	blobcache_close(c);
	snprintf(name, sizeof(name), "%s/blobs/01/tmp.1.2", dir);
	close(open(name, O_CREAT | O_WRONLY, 0600));

	/* A use shows in the file's mtime. */
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 10));
	CHECK_EQ(access(name, F_OK), -1);
	CHECK_EQ(blobcache_get(c, 1, &b), 0);
	blob_clear(&b);
	file_name(dir, 1, name);
	CHECK_EQ(stat(name, &s), 0);
	CHECK(s.st_mtime > 1000100);
	blobcache_close(c);

	CHECK_EQ(blobcache_open(dir, 3 * 8192, &c), 0);
	CHECK(wait_objects(c, 3));
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 3 * 8192);
	CHECK(blobcache_has(c, 1));
	CHECK(!blobcache_has(c, 2));
	CHECK(!blobcache_has(c, 8));
	CHECK(blobcache_has(c, 9));
	CHECK(blobcache_has(c, 10));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* What is put, used and dropped before the scan is through counts once. */
static void
test_use_during_scan(void)
{
	char *dir = tmpdir_make();
	uint8_t body[100];
	struct blob in = make_blob(body, sizeof(body), 1), b;
	struct blobcache_stats st;
	struct blobcache *c;

	for (int round = 0; round < 5; round++) {
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		for (int64_t id = 1; id <= 40; id++)
			CHECK_EQ(blobcache_put(c, id, &in), 0);
		for (int64_t id = 30; id <= 40; id++)
			blobcache_drop(c, id);
		CHECK_EQ(blobcache_get(c, 20, &b), 0);
		blob_clear(&b);
		CHECK(wait_objects(c, 29));
		blobcache_get_stats(c, &st);
		CHECK_EQ(st.bytes, 29 * 4096);
		blobcache_close(c);
	}
	tmpdir_free(dir);
}

static void
test_errors(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[10];
	static struct pair many[100];
	struct blob in = make_blob(body, sizeof(body), 1);
	struct blobcache *c;

	CHECK_EQ(blobcache_open("/nonexistent/dir", MB, &c), -ENOENT);
	CHECK(c == NULL);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK_EQ(blobcache_put(c, 0, &in), -EINVAL);
	for (size_t i = 0; i < NELEMS(many); i++)
		many[i] = (struct pair){ "a", "b" };
	in.meta = many;
	in.meta_len = NELEMS(many);
	CHECK_EQ(blobcache_put(c, 1, &in), -EINVAL);
	/* Its place is taken by what is no file: nothing is left behind. */
	in.meta_len = 1;
	snprintf(name, sizeof(name), "%s/blobs/02", dir);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(blobcache_put(c, 2, &in), -ENOTDIR);
	snprintf(name, sizeof(name), "%s/blobs/tmp.%ld.1", dir,
	    (long)getpid());
	CHECK_EQ(access(name, F_OK), -1);
	/* Nor where a file that cannot be renamed was written. */
	snprintf(name, sizeof(name), "%s/blobs/03/3", dir);
	CHECK_EQ(blobcache_put(c, 3, &in), 0);
	CHECK_EQ(unlink(name), 0);
	CHECK_EQ(mkdir(name, 0700), 0);
	CHECK_EQ(blobcache_put(c, 3, &in), -EISDIR);
	CHECK_EQ(rmdir(name), 0);
	snprintf(name, sizeof(name), "%s/blobs/03", dir);
	CHECK_EQ(rmdir(name), 0);
	CHECK(!blobcache_has(c, 2));
	blobcache_close(c);
	tmpdir_free(dir);
}

static void
test_lru(void)
{
	struct bloblru l;

	CHECK_EQ(bloblru_init(&l), 0);
	CHECK_EQ(bloblru_oldest(&l), 0);
	for (int64_t id = 1; id <= 5000; id++)
		CHECK_EQ(bloblru_add(&l, id, 10, 0), 0);
	CHECK_EQ(l.count, 5000);
	CHECK_EQ(l.bytes, 50000);
	CHECK_EQ(bloblru_add(&l, 1, 12, 0), 0);
	CHECK_EQ(l.bytes, 50002);
	CHECK_EQ(bloblru_oldest(&l), 2);
	for (int64_t id = 2; id <= 5000; id++) {
		CHECK_EQ_AT(id, bloblru_oldest(&l), id);
		CHECK_AT(id, bloblru_remove(&l, id));
		CHECK_AT(id, bloblru_find(&l, id) == NULL);
	}
	CHECK(!bloblru_remove(&l, 2));
	CHECK_EQ(bloblru_oldest(&l), 1);
	CHECK_EQ(bloblru_add(&l, 3, 1, 0), 0);
	CHECK_EQ(l.items, 5001); /* items are used again */
	bloblru_clear(&l);
	CHECK_EQ(l.count, 0);
	CHECK_EQ(l.bytes, 0);
	CHECK(bloblru_find(&l, 1) == NULL);
	bloblru_destroy(&l);
}

/* What was there before comes in last, and only if it still is there. */
static void
test_lru_partial(void)
{
	struct bloblru l;

	CHECK_EQ(bloblru_init(&l), 0);
	CHECK_EQ(bloblru_add(&l, 1, 10, 0), 0);
	CHECK_EQ(bloblru_add(&l, 2, 10, 0), 0);
	CHECK(bloblru_remove(&l, 2));
	CHECK(!bloblru_remove(&l, 7));
	CHECK(!bloblru_remove(&l, 3));
	CHECK_EQ(bloblru_found(&l, 1, 99, 0), 0); /* known */
	CHECK_EQ(bloblru_found(&l, 2, 99, 0), 0); /* removed */
	CHECK_EQ(bloblru_found(&l, 3, 99, 0), 0); /* removed */
	CHECK_EQ(bloblru_found(&l, 4, 5, 0), 0);
	CHECK(!bloblru_remove(&l, 6));
	CHECK_EQ(bloblru_found(&l, 5, 5, 0), 0);
	CHECK_EQ(bloblru_found(&l, 6, 5, 0), 0); /* removed */
	CHECK_EQ(bloblru_found(&l, 7, 5, 0), 0); /* removed */
	bloblru_complete(&l);
	CHECK_EQ(l.count, 3);
	CHECK_EQ(l.bytes, 20);
	CHECK_EQ(bloblru_oldest(&l), 5);
	CHECK(bloblru_remove(&l, 5));
	CHECK_EQ(bloblru_oldest(&l), 4);
	bloblru_destroy(&l);

	CHECK_EQ(bloblru_init(&l), 0);
	bloblru_clear(&l);
	CHECK_EQ(bloblru_add(&l, 1, 10, 0), 0);
	CHECK_EQ(bloblru_found(&l, 2, 10, 0), 0); /* from before the clear */
	CHECK_EQ(l.count, 1);
	bloblru_destroy(&l);
}

static void *
hammer(void *arg)
{
	struct blobcache *c = arg;
	uint8_t body[3000];
	long wrong = 0;

	for (int i = 0; i < 2000; i++) {
		int64_t id = 1 + (i * 7 + (int)(uintptr_t)&wrong / 64) % 40;
		struct blob in, b;

		id = id < 1 ? 1 - id : id;
		if (i % 3 == 0) {
			in = make_blob(body, 100 + (size_t)id * 50, (int)id);
			wrong += blobcache_put(c, id, &in) != 0;
		} else if (i % 31 == 1) {
			blobcache_drop(c, id);
		} else if (blobcache_get(c, id, &b) == 0) {
			wrong += b.len != 100 + (size_t)id * 50 ||
			    b.body[b.len - 1] != (uint8_t)id;
			blob_clear(&b);
		}
	}
	return (void *)wrong;
}

static void
test_threads(void)
{
	char *dir = tmpdir_make();
	pthread_t t[4];
	struct blobcache *c;
	struct blobcache_stats st;

	CHECK_EQ(blobcache_open(dir, 20 * 4096, &c), 0);
	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_create(&t[i], NULL, hammer, c);
	for (size_t i = 0; i < NELEMS(t); i++) {
		void *wrong;

		pthread_join(t[i], &wrong);
		CHECK_EQ((intptr_t)wrong, 0);
	}
	blobcache_get_stats(c, &st);
	CHECK(st.bytes <= st.limit);
	CHECK(st.evictions > 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_round_trip();
	test_damage();
	test_eviction();
	test_restart();
	test_use_during_scan();
	test_errors();
	test_lru();
	test_lru_partial();
	test_threads();
	return check_done();
}
