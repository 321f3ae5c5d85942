#include "fs/audit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fs/auditfile.h"
#include "fs/text.h"
#include "store/log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* What journalctl finds these entries by; sesfs(7) names it. */
#define JOURNAL_ID "5e5f4a0d17c84b0f9d2b6c3a71e8f204"
#define PATIENCE_S 3 /* for a journal that is busy */
#define COMM_MAX 64 /* bytes; the kernel has 15 */

struct audit {
	struct audit_opts o;	    /* constant; dest is ours */
	struct auditfile *file;	    /* constant; NULL: the journal */
	struct sockaddr_un journal; /* constant */
	int fd;			    /* constant; of the journal */
	atomic_bool is_stuck; /* the journal takes nothing: nobody waits */
	atomic_uint_fast64_t lines, failed;
};

/* ---- where it goes ---- */

static int
open_journal(struct audit *a)
{
	const char *path = a->o.socket != NULL ? a->o.socket : JOURNAL_SOCKET;
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	size_t len = strlen(path);

	a->journal.sun_family = AF_UNIX;
	if (len >= sizeof(a->journal.sun_path))
		return -ENAMETOOLONG;
	memcpy(a->journal.sun_path, path, len + 1);
	if (access(path, W_OK) < 0 ||
	    (a->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0 ||
	    /* One that has stopped reading must not stop us for ever. */
	    setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		sizeof(patience)) < 0)
		return -errno;
	return 0;
}

/* Does someone read at the other end? */
static int
knock(struct audit *a)
{
	const struct sockaddr *to = (const struct sockaddr *)&a->journal;
	struct pollfd p = { .fd = a->fd, .events = POLLOUT };

	if (connect(a->fd, to, sizeof(a->journal)) < 0)
		return -errno;
	return poll(&p, 1, 0) == 1 ? 0 : -EAGAIN;
}

int
audit_probe(const struct audit_opts *o)
{
	struct audit a = { .o = *o, .fd = -1 };
	int r;

	if (strcmp(o->dest, AUDIT_JOURNAL) != 0)
		return auditfile_probe(o->dest);
	if ((r = open_journal(&a)) == 0)
		r = knock(&a);
	if (a.fd >= 0)
		close(a.fd);
	return r;
}

const char *
audit_error(int r)
{
	return auditfile_error(r);
}

int
audit_open(const struct audit_opts *o, struct audit **ret)
{
	CLEANUP(audit_closep) struct audit *a = NULL;
	int r;

	*ret = NULL;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return -ENOMEM;
	a->o = *o;
	a->fd = -1;
	if ((a->o.dest = strdup(o->dest)) == NULL)
		return -ENOMEM;
	r = strcmp(o->dest, AUDIT_JOURNAL) == 0 ? open_journal(a) :
	    auditfile_open(o->dest, &a->file);
	if (r < 0)
		return log_err(r, "audit: open %s: %s", o->dest,
		    audit_error(r));
	*ret = TAKE(a);
	return 0;
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	auditfile_close(a->file);
	if (a->fd >= 0)
		close(a->fd);
	free_const(a->o.dest);
	free(a);
}

void
audit_avoid(struct audit *a, dev_t dev)
{
	if (a->file != NULL)
		auditfile_avoid(a->file, dev);
}

void
audit_reopen(struct audit *a)
{
	if (a->file != NULL)
		auditfile_reopen(a->file);
}

void
audit_get_stats(struct audit *a, struct audit_stats *ret)
{
	*ret = (struct audit_stats){ a->o.dest, atomic_load(&a->lines),
		atomic_load(&a->failed) };
}

/* ---- the journal's own protocol: a datagram of NAME=value lines ---- */

static void
put_field(FILE *f, const char *name, const char *value)
{
	uint64_t len = strlen(value);

	if (strchr(value, '\n') == NULL) {
		fprintf(f, "%s=%s\n", name, value);
		return;
	}
	/* NAME, line end, length as 64 bits little endian, value, line end */
	fprintf(f, "%s\n", name);
	for (int i = 0; i < 64; i += 8)
		fputc((int)(len >> i & 0xff), f);
	fprintf(f, "%s\n", value);
}

/* SESFS_KEY and so on, beside the line itself. */
static void
put_member(FILE *f, const char *name, const json_t *value)
{
	char field[64] = "SESFS_", number[32];
	size_t n = strlen(field);

	for (; *name != '\0' && n < sizeof(field) - 1; name++)
		field[n++] = (char)toupper((unsigned char)*name);
	field[n] = '\0';
	if (json_is_string(value)) {
		put_field(f, field, json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		put_field(f, field, number);
	}
}

static int
send_datagram(struct audit *a, const char *datagram, size_t len)
{
	const struct sockaddr *to = (const struct sockaddr *)&a->journal;
	bool is_patient = !atomic_load(&a->is_stuck);
	int r = 0;

	if (sendto(a->fd, datagram, len, MSG_NOSIGNAL |
	    (is_patient ? 0 : MSG_DONTWAIT), to, sizeof(a->journal)) < 0)
		r = -errno;
	atomic_store(&a->is_stuck, r == -EAGAIN);
	return r;
}

static int
send_line(struct audit *a, json_t *doc, const char *line, size_t line_len)
{
	char *datagram = NULL;
	const char *name;
	json_t *value;
	size_t len = 0;
	FILE *f = open_memstream(&datagram, &len);
	int r;

	if (f == NULL)
		return -ENOMEM;
	fprintf(f, "MESSAGE=%.*s", (int)line_len, line);
	put_field(f, "MESSAGE_ID", JOURNAL_ID);
	put_field(f, "PRIORITY", "6");
	put_field(f, "SYSLOG_IDENTIFIER", "sesfs");
	json_object_foreach(doc, name, value)
		put_member(f, name, value);
	r = fclose(f) != 0 ? -ENOMEM : send_datagram(a, datagram, len);
	free(datagram);
	return r;
}

/* ---- a line ---- */

/* The first line of a file of /proc, "" when there is none. */
static void
read_proc(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, ret, size - 1);
		close(fd);
	}
	ret[n > 0 ? n : 0] = '\0';
}

/* FUSE tells the thread; people ask for the process. 0 = it cannot be seen. */
static pid_t
process_of(pid_t thread)
{
	char status[1024];
	const char *at;
	long pid;

	read_proc(thread, "status", status, sizeof(status));
	/* In its own first line the name is escaped: no line is forged. */
	if ((at = strstr(status, "\nTgid:")) == NULL)
		return 0;
	pid = strtol(at + strlen("\nTgid:"), NULL, 10);
	return pid > 0 ? (pid_t)pid : 0;
}

static json_t *
program_of(pid_t pid)
{
	char comm[COMM_MAX];
	size_t len;

	read_proc(pid, "comm", comm, sizeof(comm));
	if ((len = strlen(comm)) > 0 && comm[len - 1] == '\n')
		comm[--len] = '\0';
	return len > 0 ? text_json(comm) : json_null();
}

static json_t *
string_or_null(const char *s)
{
	return s != NULL && *s != '\0' ? text_json(s) : json_null();
}

static const char *
last_part(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash != NULL ? slash + 1 : key;
}

/* "2026-01-31T08:30:15.123Z" */
static json_t *
time_now(void)
{
	char text[32], whole[40];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	text_time(now.tv_sec, text);
	snprintf(whole, sizeof(whole), "%.19s.%03ldZ", text,
	    now.tv_nsec / 1000000);
	return json_string(whole);
}

/* NULL: out of memory. */
static json_t *
describe(const struct audit *a, const struct audit_event *e)
{
	pid_t pid = e->pid > 0 ? process_of(e->pid) : 0;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
	    "time", time_now(),
	    "bucket", text_json(a->o.bucket),
	    "key", text_json(e->key),
	    "message_id", text_json(last_part(e->key)),
	    "kms_request", string_or_null(e->kms_request),
	    "uid", (json_int_t)e->uid,
	    "pid", pid > 0 ? json_integer(pid) : json_null(),
	    "program", pid > 0 ? program_of(pid) : json_null(),
	    "mountpoint", string_or_null(a->o.mountpoint));
}

static int
deliver(struct audit *a, json_t *doc, const char *line, size_t len)
{
	int r = a->file != NULL ? auditfile_append(a->file, line, len) :
				  send_line(a, doc, line, len);

	atomic_fetch_add(r == 0 ? &a->lines : &a->failed, 1);
	return r;
}

static int
put_line(struct audit *a, json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT), *line = NULL;
	int len = text != NULL ? asprintf(&line, "%s\n", text) : -1;
	int r = len > 0 ? deliver(a, doc, line, (size_t)len) : -ENOMEM;

	free(text);
	if (len > 0)
		free(line);
	return r;
}

int
audit_write(struct audit *a, const struct audit_event *e)
{
	json_t *doc = describe(a, e);
	int r = doc != NULL ? put_line(a, doc) : -ENOMEM;

	json_decref(doc);
	if (r == 0 || r == -ENOMEM)
		return r;
	return log_err(-EIO, "audit: write to %s: %s; %s is not opened",
	    a->o.dest, audit_error(r), e->key);
}
