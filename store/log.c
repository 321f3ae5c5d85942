#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/log.h"

#define LINE_MAX_BYTES 2048 /* of one message before escaping */
#define BURST 20	    /* lines of one format a minute */
#define WINDOW_S 60
#define FORMATS 64 /* formats watched at once */

/* A format string's recent use, as a whole or about one thing. Formats are
 * literals, so that their address tells them apart. */
struct seen {
	const char *fmt;
	uint64_t about; /* hash, 0: whatever it is about */
	int64_t since_s;
	unsigned printed, dropped;
};

static struct {
	pthread_mutex_t lock;
	atomic_int level;
	bool to_syslog;		   /* [lock] */
	int fd;			   /* [lock] */
	struct seen seen[FORMATS]; /* [lock] */
} log_state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_LEVEL_INFO,
	.fd = STDERR_FILENO,
};

/* Of log_keep(). */
static _Thread_local struct {
	char *buf; /* NULL: none */
	size_t size;
} kept;

/* Of log_set_thread_quiet(). */
static _Thread_local const atomic_bool *quiet;

static const char *const level_name[] = { "error", "warning", "info",
	"debug" };
static const int level_syslog[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
	LOG_DEBUG };

int
log_open(const char *dest)
{
	bool to_syslog = strcmp(dest, "syslog") == 0;
	int fd = STDERR_FILENO;

	if (!to_syslog && strcmp(dest, "stderr") != 0) {
		fd = open(dest, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		    O_NOCTTY, 0600);
		if (fd < 0)
			return -errno;
	}
	if (to_syslog)
		openlog("sesfs", LOG_PID, LOG_MAIL);

	LOCK_SCOPE(&log_state.lock);
	if (log_state.fd != STDERR_FILENO)
		close(log_state.fd);
	log_state.fd = fd;
	log_state.to_syslog = to_syslog;
	return 0;
}

void
log_set_level(enum log_level max)
{
	atomic_store_explicit(&log_state.level, (int)max, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&log_state.level,
	    memory_order_relaxed);
}

void
log_keep(char *buf, size_t size)
{
	kept.buf = buf;
	kept.size = size;
	if (buf != NULL)
		buf[0] = '\0';
}

void
log_set_thread_quiet(const atomic_bool *is_quiet)
{
	quiet = is_quiet;
}

bool
log_thread_is_quiet(void)
{
	return quiet != NULL && atomic_load(quiet);
}

/* C1 controls are the two bytes C2 80..C2 9F in UTF-8. */
static bool
is_c1(const unsigned char *p)
{
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

/* Copy `in` to `out` with every control byte as \xHH, so that a key's name can
 * neither forge a line nor drive a terminal. */
static void
escape(const char *in, char *out, size_t max)
{
	const unsigned char *first = (const unsigned char *)in, *p = first;
	size_t n = 0;

	for (; *p != '\0' && n + 5 < max; p++) {
		if (*p < 0x20 || *p == 0x7f || is_c1(p) ||
		    (p > first && is_c1(p - 1)))
			n += (size_t)snprintf(out + n, max - n, "\\x%02x", *p);
		else
			out[n++] = (char)*p;
	}
	out[n] = '\0';
}

static void
emit_locked(enum log_level level, const char *text)
{
	char line[3 * LINE_MAX_BYTES], stamp[32];
	struct timespec now;
	struct tm tm;
	ssize_t ignored;
	int n;

	if (log_state.to_syslog) {
		syslog(level_syslog[level], "%s", text);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "%s.%03ldZ sesfs: %s: %s\n", stamp,
	    now.tv_nsec / 1000000, level_name[level], text);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* One write, so that lines of several processes do not mix. */
	ignored = write(log_state.fd, line, (size_t)n);
	(void)ignored;
}

/* May this format print now? *ret_dropped: how many were swallowed since the
 * last time, to be told first. */
static bool
admit_locked(const char *fmt, uint64_t about, int64_t now_s,
    unsigned *ret_dropped)
{
	struct seen *oldest = &log_state.seen[0], *s;

	*ret_dropped = 0;
	for (size_t i = 0; i < FORMATS; i++) {
		s = &log_state.seen[i];
		if (s->fmt == NULL || (s->fmt == fmt && s->about == about)) {
			oldest = s;
			break;
		}
		if (s->since_s < oldest->since_s)
			oldest = s;
	}
	s = oldest;
	if (s->fmt != fmt || s->about != about)
		*s = (struct seen){ fmt, about, now_s, 0, 0 };
	if (now_s - s->since_s >= WINDOW_S) {
		*ret_dropped = s->dropped;
		*s = (struct seen){ fmt, about, now_s, 0, 0 };
	}
	if (s->printed >= (about != 0 ? 1 : BURST)) {
		s->dropped++;
		return false;
	}
	s->printed++;
	return true;
}

/* FNV-1a; never 0. */
static uint64_t
hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h | 1;
}

static PRINTF(3, 0) void
log_line(enum log_level said, const char *about, const char *fmt, va_list ap)
{
	enum log_level level = log_thread_is_quiet() ? LOG_LEVEL_DEBUG : said;
	char raw[LINE_MAX_BYTES], text[2 * LINE_MAX_BYTES];
	bool is_shown = (int)level <= (int)log_get_level();
	bool is_kept = level == LOG_LEVEL_ERR && kept.buf != NULL &&
	    kept.buf[0] == '\0';
	struct timespec now;
	unsigned dropped;
	int saved = errno;

	if (!is_shown && !is_kept)
		return;
	vsnprintf(raw, sizeof(raw), fmt, ap);
	escape(raw, text, sizeof(text));
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (is_kept)
		snprintf(kept.buf, kept.size, "%s", text);

	LOCK_SCOPE(&log_state.lock);
	/* Who switched debug lines on wants all of them. */
	if (log_get_level() == LOG_LEVEL_DEBUG)
		emit_locked(level, text);
	else if (is_shown && admit_locked(fmt, about != NULL ?
	    hash(about) : 0, now.tv_sec, &dropped)) {
		char note[64];

		if (dropped > 0) {
			snprintf(note, sizeof(note),
			    "log: %u lines like the next left out", dropped);
			emit_locked(level, note);
		}
		emit_locked(level, text);
	}
	errno = saved;
}

#define DEFINE_LOG(fn, level)                                                  \
	int fn(int err, const char *fmt, ...)                                  \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		log_line(level, NULL, fmt, ap);                                \
		va_end(ap);                                                    \
		return err;                                                    \
	}

DEFINE_LOG(log_err, LOG_LEVEL_ERR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

#define DEFINE_LOG_ABOUT(fn, level)                                            \
	int fn(int err, const char *about, const char *fmt, ...)               \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		log_line(level, about, fmt, ap);                               \
		va_end(ap);                                                    \
		return err;                                                    \
	}

DEFINE_LOG_ABOUT(log_err_about, LOG_LEVEL_ERR)
DEFINE_LOG_ABOUT(log_warn_about, LOG_LEVEL_WARN)
