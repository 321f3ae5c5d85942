/* mail.h -- messages as Amazon SES hands them over, out of thin air. */
#ifndef CLOUD_MAIL_H
#define CLOUD_MAIL_H

#include "buf.h"
#include "rng.h"

#define MAIL_MIN 1024 /* bytes: no message is shorter */
#define MAIL_MAX (40u << 20)

struct mail_facts {
	const char *id; /* SES message id */
	const char *region;
	int64_t at_unix;
	size_t len; /* bytes, MAIL_MIN to MAIL_MAX; kept to exactly */
	bool is_spam, has_virus;
	struct rng rng; /* decides all the rest */
};

/* Append the message. The same facts give the same bytes. */
void mail_write(const struct mail_facts *f, struct buf *ret);

#endif
