/* The blob cache: what comes back, what is a miss, what goes first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "store/blobcache.h"
#include "store/blobcache_priv.h"
#include "store/bloblru.h"
#include "store/blobtable.h"
#include "store/lock.h"
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

/* The only segment there is, or the n-th; its name to ret. */
static size_t
segments(const char *dir, char ret[300])
{
	char blobs[280];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(blobs, sizeof(blobs), "%s/blobs", dir);
	CHECK((d = opendir(blobs)) != NULL);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strstr(e->d_name, ".seg") || strstr(e->d_name, ".big")) {
			snprintf(ret, 300, "%.250s/%.40s", blobs, e->d_name);
			n++;
		}
	closedir(d);
	return n;
}

/* What all the files take on disk. */
static uint64_t
disk_bytes(const char *dir)
{
	uint64_t sum = 0;
	char name[600];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(name, sizeof(name), "%s/blobs", dir);
	CHECK((d = opendir(name)) != NULL);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/blobs/%s", dir, e->d_name);
		if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return sum;
}

static size_t
read_file(const char *name, uint8_t *ret, size_t max)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, ret, max);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void
write_file(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK_EQ(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* As if the process had been killed: there is no table. */
static void
crash(const char *dir)
{
	char name[300];

	snprintf(name, sizeof(name), "%s/blobs/table", dir);
	unlink(name);
}

static void
put(struct blobcache *c, int64_t id, const struct blob *b)
{
	CHECK_EQ_AT(id, blobcache_put(c, id, b), 0);
}

static int
get(struct blobcache *c, int64_t id, struct blob *ret)
{
	return blobcache_get(c, id, UINT64_MAX, ret);
}

static bool
gets(struct blobcache *c, int64_t id, int fill)
{
	bool is_right;
	struct blob b;

	if (get(c, id, &b) != 0)
		return false;
	is_right = b.len > 0 && b.body[0] == fill && b.body[b.len - 1] == fill;
	CHECK_AT(id, is_right);
	blob_clear(&b);
	return is_right;
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
		in.is_unauthenticated = i & 2;
		CHECK_EQ_AT(i, blobcache_put(c, 1000 + (int64_t)i, &in), 0);
		CHECK_AT(i, blobcache_has(c, 1000 + (int64_t)i));
		CHECK_EQ_AT(i, get(c, 1000 + (int64_t)i, &b), 0);
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
	CHECK_EQ(get(c, 7, &b), -ENOENT);
	CHECK(!blobcache_has(c, 7));
	CHECK_EQ(segments(dir, name), 1);
	CHECK_EQ(stat(name, &s), 0);
	CHECK_EQ(s.st_mode & 0777, 0600);
	blobcache_drop(c, 1000);
	CHECK(!blobcache_has(c, 1000));
	CHECK_EQ(get(c, 1000, &b), -ENOENT);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, NELEMS(len) - 1);
	CHECK_EQ(st.hits, NELEMS(len));
	CHECK_EQ(st.misses, 2);
	CHECK_EQ(st.puts, NELEMS(len));
	CHECK_EQ(blobcache_drop_all(c), 0);
	CHECK_EQ(get(c, 1001, &b), -ENOENT);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, 0);
	CHECK_EQ(st.bytes, 0);
	CHECK_EQ(segments(dir, name), 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Every truncation and every flipped bit of what is not body is a miss, and
 * so is another's record; what is damaged leaves the table. */
static void
test_damage(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[64], file[1024];
	struct blob in = make_blob(body, sizeof(body), 5), b;
	struct blobcache *c;
	size_t len, text = 64 + 7;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (size_t i = 0; i < NELEMS(meta); i++)
		text += strlen(meta[i].name) + strlen(meta[i].value) + 2;
	for (size_t at = 0; at <= text + 64; at++) {
		put(c, 300, &in);
		CHECK_EQ(segments(dir, name), 1);
		len = read_file(name, file, sizeof(file));
		CHECK_EQ(len, 512);
		file[at] ^= 4;
		write_file(name, file, len);
		if (at < text)
			CHECK_EQ_AT(at, get(c, 300, &b), -ENOENT);
		CHECK_EQ_AT(at, blobcache_has(c, 300), at >= text);
		blobcache_drop(c, 300);
	}
	/* Nothing else tells of damage to such a body. */
	in.is_unauthenticated = true;
	for (size_t at = text; at < text + 64; at++) {
		put(c, 300, &in);
		CHECK(gets(c, 300, 5));
		segments(dir, name);
		len = read_file(name, file, sizeof(file));
		file[at] ^= 4;
		write_file(name, file, len);
		CHECK_EQ_AT(at, get(c, 300, &b), -ENOENT);
	}
	for (size_t cut = 0; cut < len; cut++) {
		put(c, 300, &in);
		segments(dir, name);
		CHECK_EQ(truncate(name, (off_t)cut), 0);
		CHECK_EQ_AT(cut, get(c, 300, &b), -ENOENT);
		CHECK_AT(cut, !blobcache_has(c, 300));
	}
	blobcache_close(c);
	tmpdir_free(dir);
}

/* A whole record in the place of another is a miss. */
static void
test_moved(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[64], file[2048];
	struct blob in = make_blob(body, sizeof(body), 5), b;
	struct blobcache *c;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 4; id++)
		put(c, id, &in);
	segments(dir, name);
	CHECK_EQ(read_file(name, file, sizeof(file)), 2048);
	memcpy(file + 512, file, 512);
	memcpy(file + 1024, file + 1536, 512);
	write_file(name, file, sizeof(file));
	CHECK(gets(c, 1, 5));
	CHECK_EQ(get(c, 2, &b), -ENOENT);
	CHECK_EQ(get(c, 3, &b), -ENOENT);
	CHECK(gets(c, 4, 5));
	/* Nor does a scan believe it. */
	blobcache_close(c);
	crash(dir);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 2));
	CHECK(gets(c, 1, 5));
	CHECK(gets(c, 4, 5));
	blobcache_close(c);
	tmpdir_free(dir);
}

static void
test_eviction(void)
{
	char *dir = tmpdir_make(), name[300];
	static uint8_t body[200000];
	struct blobcache_stats st;
	struct blob in = make_blob(body, 8192 - 200, 1);
	struct blobcache *c;

	/* Each takes two blocks; there is room for four, the file's extents, and
	 * the table. */
	CHECK_EQ(blobcache_open(dir, 4 * 8192 + 2 * 4096, &c), 0);
	for (int64_t id = 1; id <= 4; id++)
		put(c, id, &in);
	CHECK(gets(c, 1, 1));
	put(c, 5, &in);
	put(c, 6, &in);
	CHECK(blobcache_has(c, 1));
	CHECK(!blobcache_has(c, 2));
	CHECK(!blobcache_has(c, 3));
	CHECK(blobcache_has(c, 4));
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.evictions, 2);
	CHECK_EQ(st.bytes, 4 * 8192 + 2 * 4096);
	CHECK(disk_bytes(dir) <= 4 * 8192 + 4096);
	/* What can never fit pushes nothing out. */
	in = make_blob(body, sizeof(body), 2);
	put(c, 9, &in);
	CHECK(!blobcache_has(c, 9));
	CHECK(blobcache_has(c, 4));
	/* What just fits is alone. */
	in = make_blob(body, 4 * 8192 - 200, 3);
	put(c, 10, &in);
	CHECK(gets(c, 10, 3));
	CHECK(!blobcache_has(c, 4));
	CHECK_EQ(segments(dir, name), 1);
	CHECK(strstr(name, ".big") != NULL);
	blobcache_close(c);

	CHECK_EQ(blobcache_open(dir, 0, &c), 0);
	in = make_blob(body, 1, 2);
	put(c, 9, &in);
	CHECK(!blobcache_has(c, 9));
	CHECK(wait_objects(c, 0));
	blobcache_close(c);
	CHECK_EQ(segments(dir, name), 0);
	CHECK_EQ(disk_bytes(dir), 0);
	tmpdir_free(dir);
}

/* Whatever is put, used and dropped, the files stay within the limit, and what
 * the statistics say is what they take. */
static void
test_space(bool is_without_holes)
{
	char *dir = tmpdir_make(), name[300];
	static uint8_t body[400000];
	static const uint64_t limit = 4 * MB;
	struct blobcache_stats st;
	struct blobcache *c;
	unsigned x = 12345;

	CHECK_EQ(blobcache_open(dir, limit, &c), 0);
	CHECK(wait_objects(c, 0));
	if (is_without_holes) {
		LOCK_SCOPE(c->segs.lock);
		blobspace_cannot_punch_locked(&c->segs);
	}
	for (int i = 0; i < 4000; i++) {
		int64_t id;
		struct blob in;

		x = x * 1103515245 + 12345;
		id = 1 + x / 65536 % 700;
		if (x % 7 == 0)
			blobcache_drop(c, id);
		else if (x % 3 == 0)
			gets(c, id, (int)(id & 0xff));
		else {
			in = make_blob(body, x / 256 % 97 == 0 ? 300000 :
			    1 + x / 128 % 30000, (int)(id & 0xff));
			put(c, id, &in);
		}
		if (i % 100 != 0)
			continue;
		blobcache_get_stats(c, &st);
		CHECK_AT(i, st.bytes <= limit);
		CHECK_AT(i, disk_bytes(dir) <= st.bytes);
	}
	blobcache_get_stats(c, &st);
	CHECK(st.evictions > 100);
	CHECK(st.objects > 20);
	/* But the table, which is not there yet, and what a file system may
	 * need for extents, two blocks a file. */
	CHECK(is_without_holes || disk_bytes(dir) + c->segs.count * 8192 >
	    st.bytes - blobtable_len(c->segs.count, c->lru.count));
	for (int64_t id = 1; id <= 700; id++)
		blobcache_drop(c, id);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 0);
	CHECK_EQ(segments(dir, name), 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Small records share blocks: one that goes takes none of its neighbours
 * along. */
static void
test_neighbours(void)
{
	char *dir = tmpdir_make();
	uint8_t body[300];
	struct blobcache_stats st;
	struct blobcache *c;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 0));
	for (int64_t id = 1; id <= 64; id++) {
		struct blob in = make_blob(body, sizeof(body), (int)id);

		put(c, id, &in);
	}
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 8 * 4096 + 2 * 4096);
	for (int64_t id = 1; id <= 64; id++)
		if (id % 8 != 3)
			blobcache_drop(c, id);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 8 * 4096 + 2 * 4096);
	for (int64_t id = 3; id <= 64; id += 16) {
		CHECK(gets(c, id, (int)id));
		blobcache_drop(c, id);
	}
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 4 * 4096 + 2 * 4096);
	CHECK(disk_bytes(dir) <= 5 * 4096);
	for (int64_t id = 11; id <= 64; id += 16)
		CHECK(gets(c, id, (int)id));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* A block that was given up in the segment that grows is not written again. */
static void
test_growing_end(void)
{
	char *dir = tmpdir_make();
	uint8_t body[300];
	struct blob in = make_blob(body, sizeof(body), 7);
	struct blobcache *c;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 9; id++)
		put(c, id, &in);
	blobcache_drop(c, 9); /* the first of the second block */
	put(c, 10, &in);
	CHECK(c->segs.active->end == 2 * 4096 + 512);
	CHECK(gets(c, 10, 7));
	CHECK(gets(c, 8, 7));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Order of use and the bound survive an orderly end; begun segments are gone
 * on with. */
static void
test_restart(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[8192 - 200];
	struct blob in = make_blob(body, sizeof(body), 1);
	struct blobcache *c;
	struct stat st;

	CHECK_EQ(blobcache_open(dir, 2 * MB, &c), 0);
	for (int64_t id = 1; id <= 6; id++)
		put(c, id, &in);
	CHECK(gets(c, 1, 1));
	blobcache_close(c);
	snprintf(name, sizeof(name), "%s/blobs/table", dir);
	CHECK_EQ(stat(name, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);

	/* No get has to ask S3 because the table is not read yet. */
	CHECK_EQ(blobcache_open(dir, 2 * MB, &c), 0);
	CHECK_EQ(access(name, F_OK), -1);
	CHECK(gets(c, 2, 1));
	CHECK(wait_objects(c, 6));
	put(c, 7, &in);
	CHECK_EQ(segments(dir, name), 1);
	blobcache_close(c);

	CHECK_EQ(blobcache_open(dir, 4 * 8192 + 2 * 4096, &c), 0);
	CHECK(wait_objects(c, 4));
	CHECK(blobcache_has(c, 7));
	CHECK(blobcache_has(c, 2));
	CHECK(blobcache_has(c, 1));
	CHECK(blobcache_has(c, 6));
	CHECK(disk_bytes(dir) <= 4 * 8192 + 4096);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* After a crash the records tell; of one id the last one counts, and what had
 * been punched out does not come back. */
static void
test_crash(void)
{
	char *dir = tmpdir_make(), name[300];
	static uint8_t body[100000];
	struct blobcache_stats st, was;
	struct blobcache *c;
	struct blob in;

	CHECK_EQ(blobcache_open(dir, 2 * MB, &c), 0);
	for (int64_t id = 1; id <= 200; id++) {
		in = make_blob(body, id % 50 == 0 ? 90000 :
		    1 + (size_t)id * 37 % 9000, (int)id);
		put(c, id, &in);
	}
	in = make_blob(body, 5000, 77);
	put(c, 5, &in);
	for (int64_t id = 21; id <= 90; id++)
		blobcache_drop(c, id);
	blobcache_get_stats(c, &was);
	blobcache_close(c);
	crash(dir);
	CHECK_EQ(blobcache_open(dir, 2 * MB, &c), 0);
	CHECK(gets(c, 5, 77));
	CHECK(gets(c, 200, 200));
	CHECK(gets(c, 20, 20));
	for (int i = 0; i < 5000; i++) {
		blobcache_get_stats(c, &st);
		if (!st.is_scanning)
			break;
		usleep(1000);
	}
	/* A record of which no whole block was punched is found again. */
	CHECK(st.objects >= was.objects && st.objects < was.objects + 10);
	CHECK(st.bytes >= was.bytes && st.bytes <= was.bytes + 10 * 4096);
	CHECK(disk_bytes(dir) <= st.bytes);
	CHECK(!blobcache_has(c, 50));
	for (int64_t id = 91; id <= 200; id++)
		CHECK_AT(id, gets(c, id, (int)id));
	blobcache_close(c);
	CHECK(segments(dir, name) > 4);
	/* A limit that is lower by now: the last written are kept. */
	crash(dir);
	CHECK_EQ(blobcache_open(dir, MB / 4, &c), 0);
	CHECK(gets(c, 200, 200));
	for (int i = 0; i < 5000; i++) {
		blobcache_get_stats(c, &st);
		if (!st.is_scanning)
			break;
		usleep(1000);
	}
	CHECK(!st.is_scanning);
	CHECK(st.objects > 10 && st.bytes <= MB / 4);
	CHECK(disk_bytes(dir) <= MB / 4);
	CHECK(gets(c, 199, 199));
	CHECK(!blobcache_has(c, 1));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* The file as a crash may leave it, cut or zeroed anywhere: what comes before
 * is there, what was torn is not, and the next record has its place. */
static void
test_torn(void)
{
	char *dir = tmpdir_make(), name[300];
	static uint8_t file[8 * 4096], torn[8 * 4096];
	uint8_t body[3000];
	struct blob in = make_blob(body, sizeof(body), 9);
	struct blobcache *c;
	size_t len;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 4; id++)
		put(c, id, &in);
	segments(dir, name);
	len = read_file(name, file, sizeof(file));
	CHECK_EQ(len, 4 * 3584);
	blobcache_close(c);
	for (size_t cut = 0; cut <= 2 * len; cut += 256) {
		size_t n = cut <= len ? cut : len, whole = n / 3584;

		memcpy(torn, file, len);
		if (cut > len) { /* never written, though the end was */
			n = cut - len;
			whole = 3 - (n - 1) / 3584;
			memset(torn, 0, n);
			n = len;
		}
		write_file(name, torn, n);
		crash(dir);
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		CHECK_AT(cut, wait_objects(c, whole));
		put(c, 5, &in);
		CHECK_AT(cut, gets(c, 5, 9));
		for (int64_t id = 1; id <= 4; id++)
			CHECK_EQ_AT(cut, gets(c, id, 9), cut <= len ?
			    (size_t)id <= whole : (size_t)id > 4 - whole);
		CHECK_EQ(blobcache_drop_all(c), 0);
		blobcache_close(c);
	}
	tmpdir_free(dir);
}

/* Copies of blobs/ taken while it is written to: whatever a kill leaves, what
 * is found in it is right. */
static void
test_killed(void)
{
	static uint8_t body[20000];

	for (int ms = 1; ms < 60; ms += 3) {
		char *dir = tmpdir_make();
		struct blobcache *c;
		int status, n = 0;
		pid_t pid;

		if ((pid = fork()) == 0) {
			if (blobcache_open(dir, MB, &c) < 0)
				_exit(1);
			for (int64_t id = 1;; id = id % 150 + 1) {
				struct blob in = make_blob(body,
				    1 + (size_t)id * 131 % 20000, (int)id);

				if (blobcache_put(c, id, &in) < 0)
					_exit(1);
			}
		}
		usleep((useconds_t)ms * 1000);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		for (int64_t id = 1; id <= 150; id++)
			n += gets(c, id, (int)id);
		CHECK_AT(ms, disk_bytes(dir) <= MB);
		blobcache_close(c);
		tmpdir_free(dir);
		(void)n;
	}
}

/* What is put, used and dropped before the scan is through counts once. */
static void
test_use_during_scan(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[100];
	struct blob in = make_blob(body, sizeof(body), 1);
	struct blobcache_stats st;
	struct blobcache *c;

	for (int round = 0; round < 6; round++) {
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		for (int64_t id = 1; id <= 40; id++)
			put(c, id, &in);
		for (int64_t id = 30; id <= 40; id++)
			blobcache_drop(c, id);
		CHECK(gets(c, 20, 1));
		CHECK(wait_objects(c, 29));
		blobcache_get_stats(c, &st);
		CHECK(st.bytes <= 12 * 4096);
		blobcache_close(c);
		if (round % 2 == 0)
			crash(dir);
	}
	CHECK(segments(dir, name) < 6);
	tmpdir_free(dir);
}

static void
test_errors(void)
{
	char *dir = tmpdir_make(), name[300], was[300];
	uint8_t body[10];
	static struct pair many[100];
	struct blob in = make_blob(body, sizeof(body), 1), b;
	struct blobcache *c;

	CHECK_EQ(blobcache_open("/nonexistent/dir", MB, &c), -ENOENT);
	CHECK(c == NULL);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK_EQ(blobcache_put(c, 0, &in), -EINVAL);
	CHECK_EQ(blobcache_put(c, BLOBLRU_ID_MAX + 1, &in), -EINVAL);
	for (size_t i = 0; i < NELEMS(many); i++)
		many[i] = (struct pair){ "a", "b" };
	in.meta = many;
	in.meta_len = NELEMS(many);
	CHECK_EQ(blobcache_put(c, 1, &in), -EINVAL);
	in.meta_len = 1;
	put(c, BLOBLRU_ID_MAX, &in);
	CHECK(gets(c, BLOBLRU_ID_MAX, 1));
	/* The place of the next segment is taken by what is no file. */
	CHECK_EQ(blobcache_drop_all(c), 0);
	snprintf(name, sizeof(name), "%s/blobs/00000002.seg", dir);
	CHECK_EQ(symlink("/etc/passwd", name), 0);
	CHECK_EQ(blobcache_put(c, 2, &in), -ELOOP);
	CHECK(!blobcache_has(c, 2));
	put(c, 2, &in);
	CHECK(gets(c, 2, 1));
	/* The segment is gone: a miss, and no more. */
	segments(dir, was);
	blobcache_close(c);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 1));
	for (size_t i = 0; i < BLOBSEG_FDS; i++)
		if (c->segs.open[i] != NULL) {
			close(c->segs.open[i]->fd);
			c->segs.open[i]->fd = -1;
			c->segs.open[i] = NULL;
		}
	CHECK_EQ(unlink(was), 0);
	CHECK_EQ(get(c, 2, &b), -ENOENT);
	CHECK(!blobcache_has(c, 2));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Everything is dropped while a record is on its way to disk: its file does not
 * come back, and neither does it. */
static void
test_dropped_while_written(void)
{
	char *dir = tmpdir_make(), name[300];
	struct bloblru_place at;
	struct blobseg_use u, v;
	struct blobcache *c;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK_EQ(blobroom_reserve(c, 512, &u, &at), 1);
	CHECK_EQ(blobroom_reserve(c, 512, &v, &at), 1);
	CHECK(v.seg == u.seg && v.fd == -1);
	CHECK_EQ(blobseg_open(&c->segs, &u), 0);
	CHECK_EQ(blobseg_open(&c->segs, &v), 0);
	CHECK_EQ(v.fd, u.fd); /* opened once */
	for (int i = 0; i < 2; i++) {
		struct blobseg_use *w = i == 0 ? &u : &v;

		CHECK_EQ(blobcache_drop_all(c), 0);
		CHECK_EQ(segments(dir, name), 0);
		blobseg_end_locked(w);
		CHECK_EQ(w->is_doomed, i == 1);
		blobseg_finish(w);
	}
	/* Before it was even made. */
	CHECK_EQ(blobroom_reserve(c, 512, &u, &at), 1);
	CHECK_EQ(blobcache_drop_all(c), 0);
	CHECK_EQ(blobseg_open(&c->segs, &u), -ESTALE);
	blobseg_end_locked(&u);
	CHECK(u.is_doomed);
	blobseg_finish(&u);
	CHECK_EQ(segments(dir, name), 0);
	CHECK_EQ(c->segs.bytes, 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* A full disk costs what was to be written, not what is there. */
static void
test_no_space(void)
{
	struct rlimit old, small = { 20000, RLIM_INFINITY };
	char *dir = tmpdir_make();
	static uint8_t body[15000];
	struct blob in = make_blob(body, sizeof(body), 4);
	struct blobcache_stats st;
	struct blobcache *c;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	put(c, 1, &in);
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = old.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
	CHECK_EQ(blobcache_put(c, 2, &in), -EFBIG);
	CHECK_EQ(blobcache_put(c, 1, &in), -EFBIG);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK(gets(c, 1, 4));
	CHECK(!blobcache_has(c, 2));
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, 1);
	CHECK_EQ(st.bytes, 6 * 4096); /* extents, and the table */
	put(c, 2, &in);
	CHECK(gets(c, 2, 4));
	blobcache_close(c);
	tmpdir_free(dir);
}

/* ---- what may stand in the directory ---- */

static void
plant(const char *dir, const char *name, const char *target, off_t len)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/blobs/%s", dir, name);
	unlink(path);
	if (target != NULL) {
		CHECK_EQ(symlink(target, path), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK_EQ(ftruncate(fd, len), 0);
	CHECK(len == 0 || pwrite(fd, "SESFREC1SESFTAB1", 16, 0) == 16);
	close(fd);
}

static void
test_planted(void)
{
	char *dir = tmpdir_make(), name[300], precious[300];
	uint8_t body[100], read[100];
	struct blob in = make_blob(body, sizeof(body), 6);
	struct blobcache *c;

	snprintf(precious, sizeof(precious), "%s/precious", dir);
	write_file(precious, "dear diary", 10);
	for (int with_table = 0; with_table < 2; with_table++) {
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		CHECK_EQ(blobcache_drop_all(c), 0);
		put(c, 1, &in);
		blobcache_close(c);
		if (!with_table)
			crash(dir);
		plant(dir, "00000100.seg", precious, 0);
		plant(dir, "00000101.big", precious, 0);
		plant(dir, "00000102.seg", NULL, (off_t)1 << 40);
		plant(dir, "00000103.big", NULL, (off_t)1 << 40);
		plant(dir, "00000104.seg", NULL, BLOBSEG_MAX);
		plant(dir, "00000105.seg", NULL, 0);
		plant(dir, "ffffffff.seg", NULL, 512);
		plant(dir, "table.tmp", precious, 0);
		snprintf(name, sizeof(name), "%s/blobs/00000106.seg", dir);
		CHECK_EQ(mkfifo(name, 0600), 0);
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		CHECK(wait_objects(c, 1));
		CHECK(gets(c, 1, 6));
		put(c, 2, &in);
		CHECK(gets(c, 2, 6));
		blobcache_close(c);
		CHECK_EQ(segments(dir, name), 2); /* one is not ours */
		CHECK_EQ(read_file(precious, read, sizeof(read)), 10);
	}
	/* A table that is no table. */
	plant(dir, "table", precious, 0);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 2));
	blobcache_close(c);
	plant(dir, "table", NULL, (off_t)1 << 40);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 2));
	CHECK(gets(c, 2, 6));
	blobcache_close(c);
	CHECK_EQ(read_file(precious, read, sizeof(read)), 10);
	tmpdir_free(dir);
}

/* Every flipped bit and cut of the table is noticed, and the records tell. */
static void
test_bad_table(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[100], file[300];
	struct blob in = make_blob(body, sizeof(body), 6);
	struct blobcache *c;
	size_t len;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 4; id++)
		put(c, id, &in);
	blobcache_close(c);
	snprintf(name, sizeof(name), "%s/blobs/table", dir);
	len = read_file(name, file, sizeof(file));
	CHECK_EQ(len, blobtable_len(1, 4));
	for (size_t at = 0; at < 2 * len; at++) {
		if (at < len)
			file[at] ^= 1;
		write_file(name, file, at < len ? len : at - len);
		if (at < len)
			file[at] ^= 1;
		CHECK_EQ(blobcache_open(dir, MB, &c), 0);
		CHECK_AT(at, gets(c, 1, 6));
		CHECK_AT(at, wait_objects(c, 4));
		blobcache_close(c);
	}
	tmpdir_free(dir);
}

/* A table with a good hash that tells what cannot be: two records in one place,
 * others beyond the end, of no segment, of no id. */
static void
test_lying_table(void)
{
	char *dir = tmpdir_make(), name[300];
	uint8_t body[100];
	struct blob in = make_blob(body, sizeof(body), 6), b;
	static const struct blobtable_item lies[] = {
		{ 1, { 0, 0, 1 } }, { 2, { 0, 7, 9 } }, { 3, { 9, 0, 1 } },
		{ 0, { 0, 1, 1 } }, { 4, { 0, 0, 0 } }, { 5, { 0, 0, 8 } },
		{ 1, { 0, 2, 1 } }, { 6, { 0, BLOBLRU_UNIT_MAX, 32767 } } };
	struct blobtable_out *t;
	struct blobcache_stats st;
	struct blobcache *c;
	int fd;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int64_t id = 1; id <= 8; id++)
		put(c, id, &in);
	blobcache_close(c);
	snprintf(name, sizeof(name), "%s/blobs", dir);
	fd = open(name, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(blobtable_create(fd, 1, NELEMS(lies), &t), 0);
	blobtable_put_seg(t, &(struct blobtable_seg){ 1, false, 4096 });
	for (size_t i = 0; i < NELEMS(lies); i++)
		blobtable_put_item(t, &lies[i]);
	CHECK_EQ(blobtable_finish(t), 0);
	close(fd);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	CHECK(wait_objects(c, 2)); /* 1, and 5, which is not there */
	CHECK(gets(c, 1, 6));
	CHECK_EQ(get(c, 5, &b), -ENOENT);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.objects, 1);
	CHECK_EQ(st.bytes, 2 * 4096);
	blobcache_drop(c, 1);
	blobcache_get_stats(c, &st);
	CHECK_EQ(st.bytes, 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

/* Whole records, each of its id, that are longer than the object can be, go.
 * What they have beside the body does not count. */
static void
test_too_long(void)
{
	static const struct {
		uint64_t len, max;
		bool is_good;
	} rows[] = { { 0, 0, true }, { 1, 0, false }, { 1000, 1000, true },
		{ 1000, 999, false }, { 200000, 200000, true },
		{ 200000, 199999, false }, { 5 * MB, 100, false },
		{ 5 * MB, 5 * MB, true }, { 5 * MB, UINT64_MAX, true } };
	char *dir = tmpdir_make();
	static uint8_t body[5 * MB];
	static char text[70000];
	struct pair long_meta = { "m", text };
	struct blobcache *c;

	memset(text, 'x', sizeof(text) - 1);
	CHECK_EQ(blobcache_open(dir, 64 * MB, &c), 0);
	for (size_t i = 0; i < NELEMS(rows); i++) {
		int64_t id = 1 + (int64_t)i;
		struct blob in = make_blob(body, rows[i].len, 7), b;

		in.meta = &long_meta;
		in.meta_len = 1;
		put(c, id, &in);
		CHECK_EQ_AT(i, blobcache_get(c, id, rows[i].max, &b),
		    rows[i].is_good ? 0 : -ENOENT);
		CHECK_EQ_AT(i, b.len, rows[i].is_good ? rows[i].len : 0);
		CHECK_AT(i, rows[i].is_good || b.arena_ == NULL);
		CHECK_EQ_AT(i, blobcache_has(c, id), rows[i].is_good);
		blob_clear(&b);
	}
	blobcache_close(c);
	tmpdir_free(dir);
}

/* The files of the layout before this one go; links among them go alone. */
static void
test_old_layout(void)
{
	char *dir = tmpdir_make(), name[300], precious[300];
	struct blobcache *c;

	snprintf(precious, sizeof(precious), "%s/outside", dir);
	CHECK_EQ(mkdir(precious, 0700), 0);
	snprintf(name, sizeof(name), "%s/blobs", dir);
	CHECK_EQ(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/blobs/0a", dir);
	CHECK_EQ(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/blobs/0a/10", dir);
	write_file(name, "x", 1);
	snprintf(name, sizeof(name), "%s/outside/10", dir);
	write_file(name, "x", 1);
	snprintf(name, sizeof(name), "%s/blobs/0b", dir);
	CHECK_EQ(symlink(precious, name), 0);
	CHECK_EQ(blobcache_open(dir, MB, &c), 0);
	for (int i = 0; i < 5000 && access(name, F_OK) == 0; i++)
		usleep(1000);
	snprintf(name, sizeof(name), "%s/blobs/0a", dir);
	blobcache_close(c);
	CHECK_EQ(access(name, F_OK), -1);
	snprintf(name, sizeof(name), "%s/outside/10", dir);
	CHECK_EQ(access(name, F_OK), 0);
	tmpdir_free(dir);
}

/* More segments than descriptors, and than are worth it. */
static void
test_many_segments(void)
{
	char *dir = tmpdir_make(), name[300];
	static uint8_t body[40000];
	struct blob in = make_blob(body, 40000, 8);
	struct blobcache *c;
	size_t n = 0;

	CHECK_EQ(blobcache_open(dir, MB, &c), 0); /* segments of 64 KiB */
	CHECK(wait_objects(c, 0));
	for (int64_t id = 1; id <= 2000; id++) {
		struct blob small = make_blob(body, 12000, (int)(id & 0x7f));

		put(c, id, &small);
		/* One of each segment is always in use. */
		for (int64_t old = 5; old < id; old += 5)
			n += gets(c, old, (int)(old & 0x7f));
		CHECK_AT(id, c->segs.shared <= c->segs.max_shared + 1);
	}
	CHECK(n > 0);
	CHECK_EQ(blobcache_drop_all(c), 0);
	for (int64_t id = 1; id <= 20; id++)
		put(c, id, &in);
	CHECK(segments(dir, name) == 20);
	for (size_t i = n = 0; i < BLOBSEG_FDS; i++)
		n += c->segs.open[i] != NULL;
	CHECK_EQ(n, 20);
	blobcache_close(c);
	tmpdir_free(dir);
}

static const struct bloblru_place somewhere = { 3, 77, 12 };

static void
test_lru(void)
{
	struct bloblru_place at;
	uint32_t walk = 0;
	struct bloblru l;

	CHECK_EQ(bloblru_init(&l), 0);
	CHECK_EQ(bloblru_oldest(&l, &at), 0);
	for (int64_t id = 1; id <= 5000; id++)
		CHECK_EQ(bloblru_add(&l, id, &somewhere), 0);
	CHECK_EQ(l.count, 5000);
	CHECK(bloblru_use(&l, 1, &at));
	CHECK(at.slot == 3 && at.unit == 77 && at.units == 12);
	CHECK(!bloblru_use(&l, 5001, &at));
	CHECK_EQ(bloblru_next(&l, &walk, &at), 1);
	CHECK_EQ(bloblru_next(&l, &walk, &at), 5000);
	CHECK_EQ(bloblru_oldest(&l, &at), 2);
	for (int64_t id = 2; id <= 5000; id++) {
		CHECK_EQ_AT(id, bloblru_oldest(&l, &at), id);
		CHECK_AT(id, bloblru_remove(&l, id, &at));
		CHECK_AT(id, !bloblru_find(&l, id, &at));
	}
	CHECK(!bloblru_remove(&l, 2, &at));
	CHECK_EQ(bloblru_oldest(&l, &at), 1);
	CHECK_EQ(bloblru_add(&l, BLOBLRU_ID_MAX, &(struct bloblru_place){
	    65534, BLOBLRU_UNIT_MAX, BLOBLRU_UNITS_MAX }), 0);
	CHECK(bloblru_find(&l, BLOBLRU_ID_MAX, &at));
	CHECK(at.slot == 65534 && at.unit == BLOBLRU_UNIT_MAX &&
	    at.units == BLOBLRU_UNITS_MAX);
	walk = 0;
	CHECK_EQ(bloblru_next_of(&l, 65534, &walk), BLOBLRU_ID_MAX);
	CHECK_EQ(bloblru_next_of(&l, 65534, &walk), 0);
	CHECK_EQ(l.items, 5001); /* items are used again */
	bloblru_clear(&l);
	CHECK_EQ(l.count, 0);
	CHECK(!bloblru_find(&l, 1, &at));
	bloblru_destroy(&l);
}

/* What was there before comes in last, and only if it still is there. */
static void
test_lru_partial(void)
{
	struct bloblru_place at;
	struct bloblru l;

	CHECK_EQ(bloblru_init(&l), 0);
	CHECK_EQ(bloblru_add(&l, 1, &somewhere), 0);
	CHECK_EQ(bloblru_add(&l, 2, &somewhere), 0);
	CHECK(bloblru_drop(&l, 2, &at));
	CHECK(!bloblru_drop(&l, 7, &at));
	CHECK(!bloblru_drop(&l, 3, &at));
	CHECK_EQ(bloblru_found(&l, 1, &somewhere), 0); /* known */
	CHECK_EQ(bloblru_found(&l, 2, &somewhere), 0); /* dropped */
	CHECK_EQ(bloblru_found(&l, 3, &somewhere), 0); /* dropped */
	CHECK_EQ(bloblru_found(&l, 4, &somewhere), 1);
	CHECK(!bloblru_drop(&l, 6, &at));
	CHECK_EQ(bloblru_found(&l, 5, &somewhere), 1);
	CHECK_EQ(bloblru_found(&l, 6, &somewhere), 0); /* dropped */
	CHECK_EQ(bloblru_found(&l, 7, &somewhere), 0); /* dropped */
	bloblru_complete(&l);
	CHECK_EQ(l.count, 3);
	CHECK_EQ(bloblru_oldest(&l, &at), 5);
	CHECK(bloblru_remove(&l, 5, &at));
	CHECK_EQ(bloblru_oldest(&l, &at), 4);
	bloblru_destroy(&l);

	CHECK_EQ(bloblru_init(&l), 0);
	bloblru_clear(&l);
	CHECK_EQ(bloblru_add(&l, 1, &somewhere), 0);
	CHECK_EQ(bloblru_found(&l, 2, &somewhere), 0); /* before the clear */
	CHECK_EQ(l.count, 1);
	bloblru_destroy(&l);

	/* More than can be remembered: then nothing is found any more. */
	CHECK_EQ(bloblru_init(&l), 0);
	for (int64_t id = 1; id <= 70000; id++)
		CHECK(!bloblru_drop(&l, id, &at));
	CHECK_EQ(bloblru_found(&l, 69999, &somewhere), 0);
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
		} else if (i % 997 == 500) {
			wrong += blobcache_drop_all(c) != 0;
		} else if (get(c, id, &b) == 0) {
			wrong += b.len != 100 + (size_t)id * 50 ||
			    b.body[b.len - 1] != (uint8_t)id;
			blob_clear(&b);
		}
	}
	return (void *)wrong;
}

static void
test_threads(bool is_without_holes)
{
	char *dir = tmpdir_make();
	pthread_t t[4];
	struct blobcache *c;
	struct blobcache_stats st;

	CHECK_EQ(blobcache_open(dir, 10 * 4096, &c), 0);
	CHECK(wait_objects(c, 0));
	if (is_without_holes) {
		LOCK_SCOPE(c->segs.lock);
		blobspace_cannot_punch_locked(&c->segs);
	}
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
	CHECK(disk_bytes(dir) <= st.bytes);
	CHECK_EQ(blobcache_drop_all(c), 0);
	CHECK_EQ(disk_bytes(dir), 0);
	blobcache_close(c);
	tmpdir_free(dir);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_round_trip();
	test_damage();
	test_moved();
	test_eviction();
	test_space(false);
	test_space(true);
	test_neighbours();
	test_growing_end();
	test_restart();
	test_crash();
	test_torn();
	test_killed();
	test_use_during_scan();
	test_errors();
	test_dropped_while_written();
	test_no_space();
	test_planted();
	test_bad_table();
	test_lying_table();
	test_too_long();
	test_old_layout();
	test_many_segments();
	test_lru();
	test_lru_partial();
	test_threads(false);
	test_threads(true);
	return check_done();
}
