/* s3_list.h -- the XML of one page of ListObjectsV2.
 *
 * Pure. Used by s3.c, and fuzzed. */
#ifndef SESFS_STORE_S3_LIST_H
#define SESFS_STORE_S3_LIST_H

#include "store/s3.h"

struct s3_list_want {
	const char *prefix;	 /* every key must begin with it */
	unsigned max_keys;	 /* and there may be no more */
};

/* Read a page. Keys must ascend strictly, in bytes. Returns 0; -EPROTO when
 * it is no such page, with *ret_why (never NULL) saying what is wrong;
 * -ENOMEM. On failure *ret is empty. */
int s3_list_parse(struct slice xml, const struct s3_list_want *want,
    struct s3_page *ret, const char **ret_why) MUST_CHECK;

/* Decode %XX and '+' in place. Returns the new length, or -EPROTO for a bad
 * escape or a zero byte. */
int64_t s3_url_decode(char *s, size_t len) MUST_CHECK;

#endif
