/* text.h -- other people's bytes, made fit for a terminal or for JSON.
 *
 * Keys and header fields come from strangers: control characters and broken
 * UTF-8 must not reach a terminal, and not break a column. Widths are those of
 * wcwidth(3), so main sets LC_CTYPE to UTF-8. Pure. */
#ifndef SESFS_FS_TEXT_H
#define SESFS_FS_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "crypto/base.h"

/* Write at most `width` columns of text (SIZE_MAX: all): control characters
 * and what is not UTF-8 as '?', an ellipsis where it was cut. Returns the
 * columns used. */
size_t text_print(FILE *f, const char *text, size_t width);

/* A JSON string; broken UTF-8 as U+FFFD. NULL: out of memory. */
json_t *text_json(const char *text) MUST_CHECK;

/* Write a value and a line end, as json_dumpf does with these flags; to a
 * terminal in ASCII alone, for JSON leaves C1 controls and marks of direction
 * as they are. -EIO when it cannot be written. */
int text_dump(FILE *f, const json_t *value, size_t flags);

/* Does text contain `part`, letters compared without regard to case? An empty
 * part is in everything. */
bool text_contains(const char *text, const char *part);

/* "2026-01-31T08:30:15Z". ret: 32 bytes. */
const char *text_time(int64_t unix_s, char ret[32]);

#endif
