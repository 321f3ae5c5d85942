/* OPEN, when a record is kept of who opened what.
 *
 * The page cache stays, so that a READ need not come: OPEN is the one moment
 * that no program gets around. The line in the audit is written before the
 * program has its descriptor: no line, no descriptor. It says by which call of
 * KMS the message was unwrapped, if one had to be made; so where the key is not
 * at hand, what the first READ would do is done at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/ops_priv.h"

struct open_job {
	struct pool_job job; /* first */
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
};

static int
record(fuse_req_t req, const struct mailbox_opened *m)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct audit_event e = {
		.key = m->key,
		.kms_request = m->trace.kms_request,
		.uid = ctx->uid,
		.pid = ctx->pid,
	};

	return audit_write(ops_of(req)->audit, &e);
}

/* Open and reply, unless that would take waiting: then -EINPROGRESS and no
 * reply. */
static int
open_reply(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi,
    bool may_wait)
{
	struct fuse_file_info ours = *fi;
	struct mailbox_opened m;
	int r = mailbox_open(ops_of(req)->mailbox, (int64_t)ino, may_wait, &m);

	if (r == 0 && m.is_message)
		r = record(req, &m);
	if (r == 0) {
		ours.keep_cache = 1;
		ours.fh = may_wait ? OPS_HAS_WAITED : 0;
		fuse_reply_open(req, &ours);
	} else if (r != -EINPROGRESS) {
		reply_err(req, r);
	}
	mailbox_opened_clear(&m);
	return r;
}

static void
run_open(struct pool_job *job)
{
	struct open_job *j = (struct open_job *)job;

	(void)open_reply(j->req, j->ino, &j->fi, true);
	free(j);
}

static void
open_later(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct open_job *j = malloc(sizeof(*j));

	if (j != NULL)
		*j = (struct open_job){ { run_open, NULL }, req, ino, *fi };
	if (answer_later(req, (struct pool_job *)j) < 0)
		free(j);
}

void
ops_open_audited(fuse_req_t req, fuse_ino_t ino,
    const struct fuse_file_info *fi)
{
	struct fuse_file_info ours = *fi;

	/* Nothing can be read through it. */
	if ((fi->flags & O_ACCMODE) == O_WRONLY) {
		ours.keep_cache = 1;
		fuse_reply_open(req, &ours);
		return;
	}
	if (open_reply(req, ino, fi, false) == -EINPROGRESS)
		open_later(req, ino, fi);
}
