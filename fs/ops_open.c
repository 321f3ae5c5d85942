/* OPEN, when a record is kept of who opened what.
 *
 * The page cache stays, so that a READ need not come: OPEN is the one moment
 * that no program gets around. The line in the audit is written before the
 * program has its descriptor: no line, no descriptor. It says by which call of
 * KMS the message was unwrapped, if one had to be made; so where the key is not
 * at hand, what the first READ would do is done at once.
 *
 * A disk or a journal may take its time for the line. Nothing else shall wait
 * for that, not even mail that has to be fetched: lines are written by threads
 * of their own, or those that have waited for S3 and KMS. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/ops_priv.h"

struct open_job {
	struct pool_job job; /* first */
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	struct mailbox_opened opened;
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

static void
discard(struct open_job *j)
{
	mailbox_opened_clear(&j->opened);
	free(j);
}

/* The last of a job: r is what mailbox_open said. */
static void
answer(struct open_job *j, int r)
{
	if (r == 0 && j->opened.is_message)
		r = record(j->req, &j->opened);
	if (r == 0)
		fuse_reply_open(j->req, &j->fi);
	else
		reply_err(j->req, r);
	discard(j);
}

static void
run_answer(struct pool_job *job)
{
	answer((struct open_job *)job, 0);
}

static void
run_open(struct pool_job *job)
{
	struct open_job *j = (struct open_job *)job;

	mailbox_opened_clear(&j->opened);
	j->fi.fh = OPS_HAS_WAITED;
	answer(j, mailbox_open(ops_of(j->req)->mailbox, (int64_t)j->ino, true,
	    &j->opened));
}

static void
later(struct open_job *j, struct pool *pool,
    void (*run)(struct pool_job *job))
{
	j->job.run = run;
	if (answer_later(j->req, pool, &j->job) < 0)
		discard(j);
}

static void
open_message(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct open_job *j = calloc(1, sizeof(*j));
	struct ops *o = ops_of(req);
	int r;

	if (j == NULL) {
		reply_err(req, -ENOMEM);
		return;
	}
	j->req = req;
	j->ino = ino;
	j->fi = *fi;
	r = mailbox_open(o->mailbox, (int64_t)ino, false, &j->opened);
	if (r == -EINPROGRESS)
		later(j, o->pool, run_open);
	else if (r == 0 && j->opened.is_message)
		later(j, o->audit_pool, run_answer);
	else
		answer(j, r);
}

void
ops_open_audited(fuse_req_t req, fuse_ino_t ino,
    const struct fuse_file_info *fi)
{
	struct fuse_file_info ours = *fi;

	ours.keep_cache = 1;
	/* Nothing can be read through it. */
	if ((fi->flags & O_ACCMODE) == O_WRONLY)
		fuse_reply_open(req, &ours);
	else
		open_message(req, ino, &ours);
}
