/* progress.h -- how far a long piece of work is.
 *
 * On a terminal one line that redraws itself, otherwise a plain line every few
 * seconds. Threads: one caller at a time. */
#ifndef SESFS_FS_PROGRESS_H
#define SESFS_FS_PROGRESS_H

#include <stdio.h>

#include "crypto/base.h"

#define PROGRESS_LINE_MAX 512 /* bytes, with the zero */

/* What is known of the work. */
struct progress_state {
	const char *verb; /* "listing", "fetching" */
	uint64_t done, todo; /* todo 0: how much there is is not known */
	uint64_t bytes;	     /* moved so far; 0: not shown */
	uint64_t refused, failed;
	int64_t elapsed_ms;
};

/* The line, at most `width` columns (all ASCII): counts, rate, time left and,
 * with room for it, a bar. Pure. */
void progress_format(const struct progress_state *s, unsigned width,
    bool with_bar, char ret[PROGRESS_LINE_MAX]);

struct progress {
	FILE *out;
	bool is_tty;
	unsigned width;
	int64_t shown_ms; /* monotonic; when last */
	bool is_drawn;	  /* the cursor stands behind a drawn line */
};

void progress_init(struct progress *p, FILE *out);
/* Show, when it is time to (or force). now_ms: monotonic. */
void progress_show(struct progress *p, const struct progress_state *s,
    int64_t now_ms, bool force);
/* Leave the terminal on a fresh line. */
void progress_end(struct progress *p);

/* "1.5 MiB" and "2h 03m". ret: 32 bytes. Pure. */
const char *progress_size(uint64_t bytes, char ret[32]);
const char *progress_time(uint64_t seconds, char ret[32]);

#endif
