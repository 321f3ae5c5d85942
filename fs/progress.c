#include "fs/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "store/stamp.h"

#define DRAW_MS 100   /* between two drawings of the line */
#define PLAIN_MS 5000 /* between two plain lines */
#define BAR_MIN 10    /* columns worth drawing a bar in */
#define BAR_MAX 40

const char *
progress_size(uint64_t bytes, char ret[32])
{
	static const char units[] = "KMGTPE";
	double v = (double)bytes;
	int i = -1;

	while (v >= 999.95 && i < 5) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(ret, 32, "%" PRIu64 " B", bytes);
	else
		snprintf(ret, 32, "%.1f %ciB", v, units[i]);
	return ret;
}

const char *
progress_time(uint64_t seconds, char ret[32])
{
	if (seconds < 60)
		snprintf(ret, 32, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		snprintf(ret, 32, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60,
		    seconds % 60);
	else if (seconds < 86400)
		snprintf(ret, 32, "%" PRIu64 "h %02" PRIu64 "m",
		    seconds / 3600, seconds / 60 % 60);
	else
		snprintf(ret, 32, "%" PRIu64 "d %02" PRIu64 "h",
		    seconds / 86400, seconds / 3600 % 24);
	return ret;
}

/* Appends to a bounded line. */
struct line {
	char *buf;
	size_t len;
};

static void PRINTF(2, 3)
put(struct line *l, const char *fmt, ...)
{
	size_t room = PROGRESS_LINE_MAX - l->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void
put_numbers(struct line *l, const struct progress_state *s)
{
	double rate = s->elapsed_ms > 0 ?
	    (double)s->done * 1000 / (double)s->elapsed_ms :
	    0;
	char buf[32];

	put(l, "%" PRIu64, s->done);
	if (s->todo > 0)
		put(l, "/%" PRIu64, s->todo);
	put(l, rate < 10 ? "  %.1f/s" : "  %.0f/s", rate);
	if (s->bytes > 0)
		put(l, "  %s", progress_size(s->bytes, buf));
	if (s->refused > 0)
		put(l, "  %" PRIu64 " refused", s->refused);
	if (s->failed > 0)
		put(l, "  %" PRIu64 " failed", s->failed);
	/* An estimate from the first moments would be worth nothing. */
	if (s->todo > s->done && rate > 0 && s->elapsed_ms >= 2000)
		put(l, "  %s left", progress_time((uint64_t)(
		    (double)(s->todo - s->done) / rate + 0.5), buf));
}

static void
put_bar(struct line *l, const struct progress_state *s, unsigned columns)
{
	unsigned full = (unsigned)((double)columns *
	    (s->done < s->todo ? (double)s->done / (double)s->todo : 1));

	put(l, " [");
	for (unsigned i = 0; i < columns; i++)
		put(l, "%c", i < full ? '#' : '.');
	put(l, "]");
}

void
progress_format(const struct progress_state *s, unsigned width, bool with_bar,
    char ret[PROGRESS_LINE_MAX])
{
	struct line head = { .buf = ret };
	char numbers[PROGRESS_LINE_MAX];
	struct line tail = { .buf = numbers };
	size_t used;

	ret[0] = numbers[0] = '\0';
	put_numbers(&tail, s);
	put(&head, "%s", s->verb);
	used = head.len + tail.len + 5;
	if (with_bar && s->todo > 0 && used + BAR_MIN <= width)
		put_bar(&head, s, (unsigned)(width - used) < BAR_MAX ?
		    (unsigned)(width - used) : BAR_MAX);
	put(&head, "  %s", numbers);
	if (head.len > width && width < PROGRESS_LINE_MAX)
		ret[width] = '\0';
}

void
progress_init(struct progress *p, FILE *out)
{
	struct winsize ws;

	*p = (struct progress){ .out = out, .width = 80 };
	p->is_tty = isatty(fileno(out)) == 1;
	if (p->is_tty && ioctl(fileno(out), TIOCGWINSZ, &ws) == 0 &&
	    ws.ws_col > 0)
		p->width = ws.ws_col;
	p->shown_ms = stamp_now_ms();
}

void
progress_show(struct progress *p, const struct progress_state *s,
    int64_t now_ms, bool force)
{
	char line[PROGRESS_LINE_MAX];

	if (!force && now_ms - p->shown_ms < (p->is_tty ? DRAW_MS : PLAIN_MS))
		return;
	p->shown_ms = now_ms;
	if (p->is_tty) {
		progress_format(s, p->width - 1, true, line);
		fprintf(p->out, "\r%s\033[K", line);
		p->is_drawn = true;
	} else {
		progress_format(s, PROGRESS_LINE_MAX - 1, false, line);
		fprintf(p->out, "%s\n", line);
	}
	fflush(p->out);
}

void
progress_end(struct progress *p)
{
	if (p->is_drawn)
		fputc('\n', p->out);
	p->is_drawn = false;
	fflush(p->out);
}
