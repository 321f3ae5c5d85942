/* filter.h -- which messages `sesfs ls` shows.
 *
 * A filter is a list of terms KEY OP VALUE, written without blanks between
 * them; a message is shown when all hold.
 *
 *	folder=Sales   that folder exactly; INBOX for the INBOX
 *	from= to= cc= subject= message-id= list-id= key=
 *		       contains, letters compared without regard to case
 *	spam= virus=   the verdict: PASS, FAIL, GRAY ...
 *	flags=FS       has all of these letters; flags!=FS has none of them; N
 *		       is a message that still lies in new/
 *	size>1M	       bytes, with = != < <= > >=
 *	date>=2026-01-31T08:30
 *		       of the Date: field, else of arrival; a day or minute is
 *		       a span: > is after all of it, = within it
 *	arrived<2026-01-31
 *
 * What is not known of a message (no header fields) fulfils no term about it.
 * Pure. */
#ifndef SESFS_FS_FILTER_H
#define SESFS_FS_FILTER_H

#include "crypto/base.h"
#include "crypto/rfc822.h"

#define FILTER_TERMS_MAX 32
#define FILTER_ERR_MAX 256 /* bytes, with the zero */

enum filter_key {
	FILTER_FOLDER,
	FILTER_FROM,
	FILTER_TO,
	FILTER_CC,
	FILTER_SUBJECT,
	FILTER_MESSAGE_ID,
	FILTER_LIST_ID,
	FILTER_SPAM,
	FILTER_VIRUS,
	FILTER_KEY,
	FILTER_FLAGS,
	FILTER_SIZE,
	FILTER_DATE,
	FILTER_ARRIVED,
};

enum filter_op { FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT,
	FILTER_GE };

struct filter_term {
	enum filter_key key;
	enum filter_op op;
	const char *text;  /* the value; belongs to the arguments */
	int64_t from, end; /* numbers: the span that the value is */
};

struct filter {
	struct filter_term term[FILTER_TERMS_MAX];
	size_t n;
};

/* What is known of a message. */
struct filter_message {
	const char *folder; /* "" the INBOX; NULL unknown */
	const char *key;
	const char *flags; /* letters */
	bool is_new;
	uint64_t size;
	int64_t arrived_unix;
	const struct rfc822 *headers; /* NULL unknown */
};

/* n terms, which must stay. -EINVAL with err. */
int filter_parse(const char *const *args, size_t n, struct filter *ret,
    char err[FILTER_ERR_MAX]) MUST_CHECK;

/* Must header fields be known to decide? */
bool filter_needs_headers(const struct filter *f);

bool filter_matches(const struct filter *f, const struct filter_message *m);

/* Of the Date: field when there is a sane one, else of arrival. */
int64_t filter_date(const struct filter_message *m);

#endif
