/* Extended attributes.
 *
 * Most are answered at once. Those that are header fields may have to be read
 * from the message, and then wait for S3 and KMS in the pool, as a READ. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops_priv.h"

#define VALUE_MAX 4096 /* bytes; none is longer */

/* Which socket commands talk to: how they find the daemon of a mountpoint. */
static ssize_t
control_xattr(const struct ops *o, char *buf, size_t max)
{
	size_t len = strlen(o->control);

	if (max > 0 && len > max)
		return -ERANGE;
	if (max > 0)
		memcpy(buf, o->control, len);
	return (ssize_t)len;
}

static void
reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
	if (n < 0)
		reply_err(req, (int)n);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static bool
is_control(const struct ops *o, fuse_ino_t ino, const char *name)
{
	return ino == INDEX_ROOT_INO && o->control != NULL &&
	    strcmp(name, "user.sesfs.control") == 0;
}

static void
get_and_reply(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct ops *o = ops_of(req);
	char buf[VALUE_MAX];
	size_t max = size < sizeof(buf) ? size : sizeof(buf);
	ssize_t n = is_control(o, ino, name) ? control_xattr(o, buf, max) :
	    mailbox_getxattr(o->mailbox, (int64_t)ino, name, buf, max);

	reply_xattr(req, n, buf, size);
}

struct get_job {
	struct pool_job job; /* first */
	fuse_req_t req;
	fuse_ino_t ino;
	size_t size;
	char name[];
};

static void
run_get(struct pool_job *job)
{
	struct get_job *j = (struct get_job *)job;

	get_and_reply(j->req, j->ino, j->name, j->size);
	free(j);
}

static void
get_later(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	size_t len = strlen(name) + 1;
	struct get_job *j = malloc(sizeof(*j) + len);

	if (j != NULL) {
		*j = (struct get_job){ { run_get, NULL }, req, ino, size };
		memcpy(j->name, name, len);
	}
	if (answer_later(req, ops_of(req)->pool, (struct pool_job *)j) < 0)
		free(j);
}

void
ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	begin(req, OPS_XATTR);
	if (mailbox_xattr_may_wait(name))
		get_later(req, ino, name, size);
	else
		get_and_reply(req, ino, name, size);
}

/* There are some, but none that is listed: see mailbox_getxattr(). */
void
ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	begin(req, OPS_XATTR);
	reply_xattr(req, 0, NULL, size);
}

void
ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
    const char *value, size_t size, int flags)
{
	begin(req, OPS_XATTR);
	reply_err(req, -ENOTSUP);
}

void
ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	begin(req, OPS_XATTR);
	reply_err(req, -ENOTSUP);
}
