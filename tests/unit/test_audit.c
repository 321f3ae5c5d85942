#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fs/audit.h"
#include "store/buf.h"
#include "store/log.h"
#include "store/stamp.h"
#include "tmpdir.h"

#define WRITERS 8
#define LINES 200 /* of each */

static char path[80], other[80], sock[80];

static struct audit *
open_to(const char *dest)
{
	struct audit *a;

	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = dest,
	    .bucket = "mail", .mountpoint = "/mnt", .socket = sock }, &a), 0);
	return a;
}

static struct audit_event
event(const char *key, const char *request)
{
	return (struct audit_event){ .key = key, .kms_request = request,
		.uid = 1000, .pid = getpid() };
}

/* All lines of a file as an array; each must be one object and nothing else, but
 * for `bad` of them. */
static json_t *
lines_but(const char *file, size_t bad)
{
	struct buf b = BUF_INIT(1 << 20);
	json_t *ret = json_array();
	char *s, *end;
	size_t n = 0;

	CHECK_EQ(buf_add_file(&b, file), 0);
	s = (char *)(uintptr_t)buf_str(&b);
	for (; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		json_t *line = json_loadb(s, (size_t)(end - s),
		    JSON_REJECT_DUPLICATES, NULL);

		n += !json_is_object(line);
		if (line != NULL)
			json_array_append_new(ret, line);
	}
	CHECK_EQ(n, bad);
	CHECK_STR(s, ""); /* the last one ended, too */
	buf_free(&b);
	return ret;
}

static json_t *
lines_of(const char *file)
{
	return lines_but(file, 0);
}

static const char *
text(const json_t *lines, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(lines, i),
	    name));
}

static bool
is_null(const json_t *lines, size_t i, const char *name)
{
	return json_is_null(json_object_get(json_array_get(lines, i), name));
}

/* The id of a process that was. */
static pid_t
ended(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void
test_line(void)
{
	struct audit *a = open_to(path);
	struct audit_event e = event("in/abc123", "REQ-1"), hidden;
	struct stat st;
	json_t *l;

	prctl(PR_SET_NAME, "a\"b\n\x01\xff");
	CHECK_EQ(audit_write(a, &e), 0);
	e = event("plain", "");
	CHECK_EQ(audit_write(a, &e), 0);
	/* A key may be anything but a zero. */
	e = event("x/\"\\\n\x1b[1m\xe2\x80\xa8\xff/", "");
	CHECK_EQ(audit_write(a, &e), 0);
	hidden = event("k", "");
	hidden.pid = 0;
	CHECK_EQ(audit_write(a, &hidden), 0);
	hidden.pid = ended();
	CHECK_EQ(audit_write(a, &hidden), 0);
	audit_close(a);
	prctl(PR_SET_NAME, "test_audit");

	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	l = lines_of(path);
	CHECK_EQ(json_array_size(l), 5);
	CHECK_EQ(json_object_size(json_array_get(l, 0)), 9);
	CHECK_STR(text(l, 0, "bucket"), "mail");
	CHECK_STR(text(l, 0, "key"), "in/abc123");
	CHECK_STR(text(l, 0, "message_id"), "abc123");
	CHECK_STR(text(l, 0, "kms_request"), "REQ-1");
	CHECK_STR(text(l, 0, "mountpoint"), "/mnt");
	CHECK_STR(text(l, 0, "program"), "a\"b\n\x01\xef\xbf\xbd");
	CHECK_EQ(json_integer_value(json_object_get(json_array_get(l, 0),
	    "uid")), 1000);
	CHECK_EQ(json_integer_value(json_object_get(json_array_get(l, 0),
	    "pid")), getpid());
	CHECK_EQ(strlen(text(l, 0, "time")), 24);
	CHECK(text(l, 0, "time")[19] == '.' && text(l, 0, "time")[23] == 'Z');
	CHECK_STR(text(l, 1, "message_id"), "plain");
	CHECK(is_null(l, 1, "kms_request"));
	CHECK_STR(text(l, 2, "key"),
	    "x/\"\\\n\x1b[1m\xe2\x80\xa8\xef\xbf\xbd/");
	CHECK_STR(text(l, 2, "message_id"), "");
	CHECK(is_null(l, 3, "pid") && is_null(l, 3, "program"));
	CHECK(is_null(l, 4, "pid") && is_null(l, 4, "program"));
	json_decref(l);
}

/* Appended to, and found again by its name. */
static void
test_reopen(void)
{
	struct audit_event e = event("k", "");
	struct audit *a = open_to(path);
	json_t *l;

	CHECK_EQ(rename(path, other), 0);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	/* The name is taken by something else: the old file goes on. */
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(mkdir(path, 0700), 0);
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	CHECK_EQ(rmdir(path), 0);
	audit_close(a);
	l = lines_of(other);
	CHECK_EQ(json_array_size(l), 6);
	json_decref(l);
	CHECK_EQ(unlink(other), 0);
	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = "/nonesuch/x" }, &a),
	    -ENOENT);
	CHECK(a == NULL);
	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = "/" }, &a), -EISDIR);
	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = AUDIT_JOURNAL,
	    .socket = "/nonesuch/x" }, &a), -ENOENT);
}

struct writer {
	struct audit *audit;
	pthread_t thread;
	int failed;
};

static void *
write_many(void *arg)
{
	struct writer *w = arg;
	struct audit_event e = event("a/key", "r");

	e.pid = 0; /* what it takes to look it up is not what is tested */
	for (int i = 0; i < LINES; i++)
		w->failed += audit_write(w->audit, &e) != 0;
	return NULL;
}

/* Two sesfs with several threads each, one file that is opened anew all the
 * time: every line whole. */
static void
test_crowd(void)
{
	struct audit *a[2] = { open_to(path), open_to(path) };
	struct writer w[WRITERS] = { { NULL } };
	json_t *l;

	for (int i = 0; i < WRITERS; i++) {
		w[i].audit = a[i % 2];
		CHECK_EQ(pthread_create(&w[i].thread, NULL, write_many, &w[i]),
		    0);
	}
	for (int i = 0; i < 50; i++)
		audit_reopen(a[i % 2]);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		CHECK_EQ_AT(i, w[i].failed, 0);
	}
	audit_close(a[0]);
	audit_close(a[1]);
	l = lines_of(path);
	CHECK_EQ(json_array_size(l), WRITERS * LINES);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
}

static void
limit_file(off_t len)
{
	struct rlimit r;

	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = len < 0 ? r.rlim_max : (rlim_t)len;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* No room for a whole line: the open fails, and what is left of it spoils no
 * other line. */
static void
test_full(void)
{
	struct audit_event e = event("k", "");
	struct audit *a = open_to(path), *b = open_to(path);
	struct stat st;
	json_t *l;

	CHECK_EQ(audit_write(a, &e), 0);
	CHECK_EQ(stat(path, &st), 0);
	limit_file(st.st_size + 20);
	CHECK_EQ(audit_write(a, &e), -EIO);
	limit_file(st.st_size + 30);
	CHECK_EQ(audit_write(a, &e), -EIO);
	limit_file(-1);
	/* Another does not know what the first has left. */
	CHECK_EQ(audit_write(b, &e), 0);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_close(a);
	audit_close(b);
	l = lines_but(path, 1);
	CHECK_EQ(json_array_size(l), 3);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
}

/* The half line of a crash. */
static void
test_crashed(void)
{
	struct audit_event e = event("k", "");
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	struct audit *a;
	json_t *l;

	CHECK_EQ(write(fd, "{\"time\":", 8), 8);
	close(fd);
	a = open_to(path);
	CHECK_EQ(audit_write(a, &e), 0);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_close(a);
	l = lines_but(path, 1);
	CHECK_EQ(json_array_size(l), 2);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
}

/* Whoever may read the file can lock it. */
static void
test_locked(void)
{
	struct audit_event e = event("k", "");
	struct audit *a = open_to(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK_EQ(flock(fd, LOCK_EX), 0);
	CHECK_EQ(audit_write(a, &e), 0);
	close(fd);
	audit_close(a);
	CHECK_EQ(unlink(path), 0);
}

/* What would wait for its other end, or goes nowhere. */
static void
test_no_file(void)
{
	struct audit_event e = event("k", "");
	struct audit *a, *none;
	json_t *l;

	CHECK_EQ(mkfifo(other, 0600), 0);
	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = other }, &none),
	    -EINVAL);
	CHECK_EQ(audit_open(&(struct audit_opts){ .dest = "/dev/null" },
	    &none), -EINVAL);
	a = open_to(path);
	CHECK_EQ(audit_write(a, &e), 0);
	CHECK_EQ(unlink(other), 0);
	CHECK_EQ(rename(path, other), 0);
	CHECK_EQ(mkfifo(path, 0600), 0);
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_close(a);
	l = lines_of(other);
	CHECK_EQ(json_array_size(l), 2);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(unlink(other), 0);
}

/* Where the mount is, once there is one. */
static void
test_avoided(void)
{
	struct audit_event e = event("k", "");
	struct audit *a = open_to(path);
	struct stat st;
	json_t *l;

	CHECK_EQ(stat(path, &st), 0);
	audit_avoid(a, st.st_dev);
	CHECK_EQ(rename(path, other), 0);
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_avoid(a, st.st_dev + 1);
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_close(a);
	l = lines_of(other);
	CHECK_EQ(json_array_size(l), 1);
	json_decref(l);
	l = lines_of(path);
	CHECK_EQ(json_array_size(l), 1);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(unlink(other), 0);
}

/* ---- what does not answer ---- */

static atomic_bool is_hung; /* the disk */
static sem_t has_hung, goes_on;

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	struct stat st;

	if (atomic_load(&is_hung) && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode)) {
		sem_post(&has_hung);
		while (sem_wait(&goes_on) < 0)
			continue;
	}
	return __real_write(fd, data, len);
}

static void *
write_one(void *arg)
{
	struct writer *w = arg;
	struct audit_event e = event("k", "");

	w->failed = audit_write(w->audit, &e);
	return NULL;
}

/* Milliseconds until it fails. */
static int64_t
time_to_fail(struct audit *a)
{
	struct audit_event e = event("k", "");
	int64_t since_ms = stamp_now_ms();

	CHECK_EQ(audit_write(a, &e), -EIO);
	return stamp_now_ms() - since_ms;
}

/* One waits for the disk; the others not for long, and then not at all. */
static void
test_hung(void)
{
	struct audit_event e = event("k", "");
	struct audit *a = open_to(path);
	struct writer w = { .audit = a };
	int64_t took_ms;
	json_t *l;

	sem_init(&has_hung, 0, 0);
	sem_init(&goes_on, 0, 0);
	atomic_store(&is_hung, true);
	CHECK_EQ(pthread_create(&w.thread, NULL, write_one, &w), 0);
	while (sem_wait(&has_hung) < 0)
		continue;
	took_ms = time_to_fail(a);
	CHECK(took_ms >= 2000 && took_ms < 6000);
	CHECK(time_to_fail(a) < 1000);
	audit_reopen(a); /* by the thread that hears signals */
	CHECK_EQ(rename(path, other), 0);
	atomic_store(&is_hung, false);
	sem_post(&goes_on);
	pthread_join(w.thread, NULL);
	CHECK_EQ(w.failed, 0);
	CHECK_EQ(audit_write(a, &e), 0);
	audit_close(a);
	l = lines_of(other);
	CHECK_EQ(json_array_size(l), 1);
	json_decref(l);
	l = lines_of(path);
	CHECK_EQ(json_array_size(l), 1);
	json_decref(l);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(unlink(other), 0);
}

static int
listen_as_journal(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, sock);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Find NAME=value, or NAME and a value with its length before it. */
static bool
has_field(const char *data, size_t len, const char *name, const char *value)
{
	char want[512];
	size_t n;

	if (strchr(value, '\n') == NULL) {
		n = (size_t)snprintf(want, sizeof(want), "\n%s=%s\n", name,
		    value);
	} else {
		n = (size_t)snprintf(want, sizeof(want), "\n%s\n%c%c%c%c%c%c%c"
		    "%c%s\n", name, (int)strlen(value), 0, 0, 0, 0, 0, 0, 0,
		    value);
	}
	return memmem(data, len, want, n) != NULL;
}

/* Let its queue be full. */
static void
fill(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, sock);
	while (sendto(s, "", 1, MSG_DONTWAIT, (const struct sockaddr *)&to,
	    sizeof(to)) == 1)
		continue;
	close(s);
}

/* A journal that does not read: whoever is there waits a while, all at the same
 * time; who comes later not at all; until it reads again. */
static void
stand_still(struct audit *a, int fd)
{
	struct audit_event e = event("k", "");
	struct writer w[WRITERS];
	int64_t since_ms = stamp_now_ms(), took_ms;
	char byte;

	fill();
	for (int i = 0; i < WRITERS; i++) {
		w[i].audit = a;
		CHECK_EQ(pthread_create(&w[i].thread, NULL, write_one, &w[i]),
		    0);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		CHECK_EQ_AT(i, w[i].failed, -EIO);
	}
	took_ms = stamp_now_ms() - since_ms;
	CHECK(took_ms >= 2000 && took_ms < 6000);
	CHECK(time_to_fail(a) < 1000);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		continue;
	CHECK_EQ(audit_write(a, &e), 0);
}

static void
test_journal(void)
{
	struct audit_event e = event("in/a\nSESFS_UID=0\nb", "REQ-9");
	int fd = listen_as_journal();
	struct audit *a = open_to(AUDIT_JOURNAL);
	char data[8192] = "\n";
	ssize_t n;

	CHECK_EQ(audit_write(a, &e), 0);
	n = recv(fd, data + 1, sizeof(data) - 2, MSG_DONTWAIT);
	CHECK(n > 0);
	if (n < 0)
		n = 0;
	CHECK(strncmp(data, "\nMESSAGE={\"time\":\"", 17) == 0);
	CHECK(has_field(data, (size_t)n + 1, "SYSLOG_IDENTIFIER", "sesfs"));
	CHECK(has_field(data, (size_t)n + 1, "PRIORITY", "6"));
	CHECK(has_field(data, (size_t)n + 1, "SESFS_KEY", e.key));
	CHECK(has_field(data, (size_t)n + 1, "SESFS_MESSAGE_ID",
	    "a\nSESFS_UID=0\nb"));
	CHECK(has_field(data, (size_t)n + 1, "SESFS_KMS_REQUEST", "REQ-9"));
	CHECK(has_field(data, (size_t)n + 1, "SESFS_UID", "1000"));
	CHECK(has_field(data, (size_t)n + 1, "SESFS_BUCKET", "mail"));
	audit_reopen(a);
	CHECK_EQ(audit_write(a, &e), 0);
	stand_still(a, fd);
	/* It is gone, and comes back. */
	close(fd);
	CHECK_EQ(audit_write(a, &e), -EIO);
	CHECK_EQ(unlink(sock), 0);
	CHECK_EQ(audit_write(a, &e), -EIO);
	fd = listen_as_journal();
	CHECK_EQ(audit_write(a, &e), 0);
	close(fd);
	audit_close(a);
}

static int
probe(const char *dest)
{
	return audit_probe(&(struct audit_opts){ .dest = dest,
	    .socket = sock });
}

/* Looked at, and nothing made or sent. */
static void
test_probe(void)
{
	struct stat st;
	char byte;
	int fd;

	CHECK_EQ(probe(path), -ENOENT);
	CHECK_EQ(stat(path, &st), -1);
	audit_close(open_to(path));
	CHECK_EQ(probe(path), 0);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(probe(path), -EINVAL);
	CHECK_EQ(unlink(path), 0);

	CHECK_EQ(unlink(sock), 0);
	CHECK_EQ(probe(AUDIT_JOURNAL), -ENOENT);
	fd = listen_as_journal();
	CHECK_EQ(probe(AUDIT_JOURNAL), 0);
	CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	fill();
	CHECK_EQ(probe(AUDIT_JOURNAL), -EAGAIN);
	close(fd);
	CHECK_EQ(probe(AUDIT_JOURNAL), -ECONNREFUSED);
}

int
main(void)
{
	char *dir = tmpdir_make();

	snprintf(path, sizeof(path), "%s/audit", dir);
	snprintf(other, sizeof(other), "%s/audit.1", dir);
	snprintf(sock, sizeof(sock), "%s/socket", dir);
	CHECK_EQ(log_open("/dev/null"), 0);
	test_line();
	test_reopen();
	test_crowd();
	test_full();
	test_crashed();
	test_locked();
	test_no_file();
	test_avoided();
	test_hung();
	test_journal();
	test_probe();
	tmpdir_free(dir);
	return check_done();
}
