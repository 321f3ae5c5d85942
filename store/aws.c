#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/aws.h"
#include "store/aws_sign.h"
#include "store/awscause.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"

#define DEADLINE_MS 60000
/* AWS takes 15 minutes of skew. A HEAD has no body to say so; past this the
 * Date header of a refusal is taken as the reason. */
#define SKEW_S 600
#define CLOCK_GOOD_S 60 /* not worth a warning */

struct counters {
	atomic_uint_fast64_t requests, retries, throttled, failed;
};

struct aws {
	struct http *http;		   /* constant */
	struct creds *creds;		   /* constant */
	struct aws_signer *signer;	   /* constant */
	const struct retry_policy *policy; /* constant */
	int64_t deadline_ms;		   /* constant */
	bool allow_http;		   /* constant */
	atomic_int_fast64_t offset_s;
	struct counters count[AWS_OPS];
	atomic_uint_fast64_t bytes_in, bytes_out;

	pthread_mutex_t lock;
	struct retry_budget budget[HTTP_LANES]; /* [lock] */
};

/* One call while it lasts. */
struct call {
	struct aws *aws;
	const struct aws_request *req;
	struct creds_value creds; /* wiped at the end */
	int64_t until_ms;	  /* monotonic */
	int64_t signed_unix;	  /* by AWS's clock, as we know it */
	unsigned failed[RETRY_KINDS]; /* attempts, by why */
	int taken; /* from the budget by the last retry */
	struct awserr last; /* how the attempt before failed */
	int last_err;	    /* " , 0 = there was none */
	bool has_fixed_clock, has_fixed_creds;
};

static const char *const op_name[AWS_OPS] = {
	[AWS_S3_LIST] = "s3.list",
	[AWS_S3_GET] = "s3.get",
	[AWS_S3_HEAD] = "s3.head",
	[AWS_S3_PUT] = "s3.put",
	[AWS_S3_DELETE] = "s3.delete",
	[AWS_KMS_DECRYPT] = "kms.decrypt",
	[AWS_KMS_GENERATE] = "kms.generate-data-key",
	[AWS_KMS_DESCRIBE] = "kms.describe-key",
	[AWS_STS] = "sts",
	[AWS_SQS] = "sqs",
};

const char *
aws_op_name(enum aws_op op)
{
	return op_name[op];
}

int
aws_new(const struct aws_opts *o, struct aws **ret)
{
	struct aws *a;
	int r;

	*ret = NULL;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return -ENOMEM;
	if ((r = aws_signer_new(&a->signer)) < 0) {
		free(a);
		return r;
	}
	a->http = o->http;
	a->creds = o->creds;
	a->policy = o->retry != NULL ? o->retry : &retry_default;
	a->deadline_ms = o->deadline_ms > 0 ? o->deadline_ms : DEADLINE_MS;
	a->allow_http = o->allow_http;
	pthread_mutex_init(&a->lock, NULL);
	for (int i = 0; i < HTTP_LANES; i++)
		a->budget[i] = (struct retry_budget)RETRY_BUDGET_INIT;
	*ret = a;
	return 0;
}

void
aws_free(struct aws *a)
{
	if (a == NULL)
		return;
	aws_signer_free(a->signer);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void
aws_get_stats(struct aws *a, struct aws_stats *ret)
{
	for (int i = 0; i < AWS_OPS; i++) {
		ret->requests[i] = atomic_load(&a->count[i].requests);
		ret->retries[i] = atomic_load(&a->count[i].retries);
		ret->throttled[i] = atomic_load(&a->count[i].throttled);
		ret->failed[i] = atomic_load(&a->count[i].failed);
	}
	ret->bytes_in = atomic_load(&a->bytes_in);
	ret->bytes_out = atomic_load(&a->bytes_out);
}

static enum http_lane
lane_of(const struct aws_request *req)
{
	if (strcmp(req->service, "s3") == 0)
		return HTTP_LANE_S3;
	return strcmp(req->service, "kms") == 0 ? HTTP_LANE_KMS :
	    HTTP_LANE_OTHER;
}

/* One line for each request that went out. */
static void
log_request(const struct call *c, const struct http_reply *h, int r,
    int64_t ms)
{
	const char *op = aws_op_name(c->req->op);
	char id[AWSERR_ID_MAX];

	if (log_get_level() < LOG_LEVEL_DEBUG)
		return; /* also spares looking for the id */
	awserr_request_id(h, id);
	if (r < 0)
		log_debug(0, "aws: %s %s: %s after %lld ms", op, c->req->path,
		    h->why, (long long)ms);
	else
		log_debug(0, "aws: %s %s: HTTP %d in %lld ms (request %s)", op,
		    c->req->path, h->status, (long long)ms,
		    id[0] != '\0' ? id : "without an id");
}

static int
send_signed(struct call *c, const struct aws_signed *s, struct aws_reply *ret)
{
	const struct aws_request *req = c->req;
	int64_t began = stamp_now_ms(), left = c->until_ms - began;
	struct http_request hr = {
		.method = req->method,
		.url = s->url,
		.header = s->header,
		.header_len = s->header_len,
		.body = req->body,
		.max_body = req->max_body,
		.timeout_ms = left > 0 ? left : 1,
		.lane = lane_of(req),
		.prio = http_thread_prio(),
		.is_loopback = endpoint_is_loopback(req->endpoint),
	};
	int r;

	atomic_fetch_add(&c->aws->count[req->op].requests, 1);
	r = http_do(c->aws->http, &hr, &ret->http);
	if (ret->http.is_unsent)
		atomic_fetch_sub(&c->aws->count[req->op].requests, 1);
	atomic_fetch_add(&c->aws->bytes_in, ret->http.bytes_in);
	atomic_fetch_add(&c->aws->bytes_out, ret->http.bytes_out);
	log_request(c, &ret->http, r, stamp_now_ms() - began);
	return r;
}

static void
explain_creds(struct call *c, int err, char ret[HTTP_WHY_MAX])
{
	char why[CREDS_WHY_MAX];

	if (err == -EACCES && creds_failure(c->aws->creds, why) < 0)
		snprintf(ret, HTTP_WHY_MAX, "no credentials: %.230s", why);
	else
		snprintf(ret, HTTP_WHY_MAX, "%s", strerror(-err));
}

/* One attempt: an HTTP reply of any status in ret, or an error. */
static int
attempt(struct call *c, struct aws_reply *ret)
{
	struct aws_signed s;
	int r;

	if ((r = creds_get(c->aws->creds, &c->creds)) < 0) {
		explain_creds(c, r, ret->http.why);
		return r;
	}
	c->signed_unix = stamp_now_unix() + atomic_load(&c->aws->offset_s);
	if ((r = aws_sign(c->aws->signer, c->req, &c->creds, c->signed_unix,
	    &s)) < 0) {
		snprintf(ret->http.why, sizeof(ret->http.why),
		    "cannot be signed: %s", strerror(-r));
		return r;
	}
	r = send_signed(c, &s, ret);
	aws_signed_free(&s);
	return r;
}

static struct awserr_verdict
judge_network(int err)
{
	struct awserr_verdict v = { .failure = { RETRY_TRANSIENT, err, -1 } };

	if (err == -ECONNREFUSED)
		v.failure.err = -ECONNRESET;
	else if (err != -ECONNRESET && err != -ETIMEDOUT &&
	    err != -EHOSTUNREACH)
		v.failure.kind = RETRY_NEVER;
	return v;
}

static bool
is_success(const struct call *c, const struct http_reply *h)
{
	if (h->status < 200 || h->status > 299)
		return false;
	return !c->req->may_fail_late ||
	    !awserr_is_error_xml((struct slice){ h->body.ptr, h->body.len });
}

static int64_t
server_skew_s(const struct call *c, const struct http_reply *h)
{
	const char *date = http_reply_header(h, "date");
	int64_t at;

	if (date == NULL || stamp_parse_http(date, &at) < 0)
		return 0;
	return at - c->signed_unix;
}

static struct awserr_verdict
judge_reply(const struct call *c, struct aws_reply *ret)
{
	struct awserr_verdict v;
	int64_t skew;

	awserr_parse(&ret->http, &ret->error);
	v = awserr_judge(&ret->error);
	if (ret->error.status < 300 && v.failure.kind == RETRY_NEVER &&
	    v.cure == AWSERR_NO_CURE && v.failure.err == -EIO)
		v.failure = (struct retry_failure){ RETRY_TRANSIENT, -EAGAIN,
			-1 };
	v.failure.after_ms = awserr_retry_after_ms(&ret->http);
	if (strcmp(c->req->method, "HEAD") != 0 ||
	    v.cure != AWSERR_NO_CURE)
		return v;
	/* A refused HEAD has no code: look for the two that can be cured. */
	skew = server_skew_s(c, &ret->http);
	if (ret->error.status == 403 && (skew > SKEW_S || skew < -SKEW_S))
		v.cure = AWSERR_CLOCK;
	else if ((ret->error.status == 400 || ret->error.status == 403) &&
	    ret->error.region[0] == '\0' && c->creds.token[0] != '\0')
		v.cure = AWSERR_CREDS;
	return v;
}

static bool
fix_clock(struct call *c, const struct http_reply *h)
{
	int64_t skew = server_skew_s(c, h), offset;

	if (c->has_fixed_clock || skew == 0)
		return false;
	c->has_fixed_clock = true;
	/* Two calls may find the same skew: the offset is from the time this
	 * one was signed with, not added to what stands there now. */
	offset = c->signed_unix + skew - stamp_now_unix();
	atomic_store(&c->aws->offset_s, offset);
	if (offset < CLOCK_GOOD_S && offset > -CLOCK_GOOD_S)
		log_info(0, "aws: sign requests: this machine's clock is right "
		    "again");
	else
		log_warn(0, "aws: sign requests: this machine's clock is %lld "
		    "s %s; signing with AWS's", llabs(offset),
		    offset > 0 ? "slow" : "fast");
	return true;
}

static bool
fix_creds(struct call *c)
{
	uint64_t had = c->creds.generation;
	bool is_new;

	if (c->has_fixed_creds)
		return false;
	c->has_fixed_creds = true;
	if (!creds_reject(c->aws->creds, had) ||
	    creds_get(c->aws->creds, &c->creds) < 0)
		return false;
	is_new = c->creds.generation != had;
	if (is_new)
		log_info(0, "aws: credentials were refused as expired; using "
		    "new ones from %s", creds_source(c->aws->creds));
	return is_new;
}

static bool
cure(struct call *c, enum awserr_cure how, const struct http_reply *h)
{
	switch (how) {
	case AWSERR_CLOCK:
		return fix_clock(c, h);
	case AWSERR_CREDS:
		return fix_creds(c);
	case AWSERR_NO_CURE:
		break;
	}
	return false;
}

static int
take_budget(struct aws *a, enum http_lane lane, enum retry_kind kind)
{
	LOCK_SCOPE(&a->lock);
	return retry_budget_take(&a->budget[lane], kind);
}

static void
give_budget(struct aws *a, enum http_lane lane, int taken)
{
	LOCK_SCOPE(&a->lock);
	retry_budget_give(&a->budget[lane], taken);
}

/* Sleep before another attempt. Returns 0 to make it, else the error. Where a
 * pace keeps what is sent down to what is taken, it protects the service from
 * retries after throttling, and whoever waits gets a turn: that takes no
 * tokens. */
static int
back_off(struct call *c, const struct retry_failure *f,
    const struct aws_reply *reply)
{
	const enum http_lane lane = lane_of(c->req);
	struct counters *count = &c->aws->count[c->req->op];
	bool is_paced = false;
	char why[AWS_WHY_MAX];
	int64_t wait;

	if (f->kind == RETRY_THROTTLE) {
		atomic_fetch_add(&count->throttled, 1);
		is_paced = http_report(c->aws->http, lane, true);
	}
	wait = retry_wait_ms(c->aws->policy, ++c->failed[f->kind], f,
	    c->until_ms - stamp_now_ms(), randombytes_random());
	if (wait < 0)
		return (int)wait;
	c->taken = is_paced ? 0 : take_budget(c->aws, lane, f->kind);
	if (!is_paced && c->taken == 0)
		return f->err;
	atomic_fetch_add(&count->retries, 1);
	log_info(0, "aws: %s %s: %s; again in %lld ms",
	    aws_op_name(c->req->op), c->req->path,
	    aws_why(reply, why, sizeof(why)), (long long)wait);
	return http_sleep_ms(c->aws->http, wait);
}

/* The deadline came while another attempt waited for its turn: what is known is
 * how the last one failed. */
static int
recall(const struct call *c, struct aws_reply *ret)
{
	if (c->last_err == 0)
		return -ETIMEDOUT;
	ret->error = c->last;
	return c->last_err;
}

static int
run(struct call *c, struct aws_reply *ret)
{
	for (;;) {
		struct awserr_verdict v;
		int r;

		aws_reply_free(ret);
		r = attempt(c, ret);
		if (r == 0 && is_success(c, &ret->http)) {
			http_report(c->aws->http, lane_of(c->req), false);
			give_budget(c->aws, lane_of(c->req), c->taken);
			awserr_request_id(&ret->http, ret->error.request_id);
			return 0;
		}
		if (ret->http.is_unsent)
			return recall(c, ret);
		v = r < 0 ? judge_network(r) : judge_reply(c, ret);
		/* A refusal is a request served. */
		if (r == 0 && v.failure.kind == RETRY_NEVER)
			http_report(c->aws->http, lane_of(c->req), false);
		if (r == 0 && cure(c, v.cure, &ret->http))
			continue;
		c->last = ret->error;
		c->last_err = v.failure.err;
		if ((r = back_off(c, &v.failure, ret)) < 0)
			return r;
	}
}

/* ---- what is remembered of a call ---- */

static _Thread_local struct aws_outcome outcome;

const struct aws_outcome *
aws_outcome(void)
{
	return &outcome;
}

void
aws_outcome_clear(void)
{
	outcome = (struct aws_outcome){ .is_set = false };
}

static void
note_outcome(int err, const struct aws_reply *r)
{
	outcome.is_set = true;
	outcome.error = r->error;
	outcome.why[0] = '\0';
	if (err == 0)
		outcome.error.status = r->http.status;
	else
		aws_why(r, outcome.why, sizeof(outcome.why));
}

int
aws_call(struct aws *a, const struct aws_request *req, struct aws_reply *ret)
{
	struct call c = { .aws = a, .req = req,
		.until_ms = stamp_now_ms() + (req->deadline_ms > 0 ?
		    req->deadline_ms : a->deadline_ms) };
	int r;

	*ret = (struct aws_reply){ .http.status = 0 };
	if (!req->endpoint->is_tls && !a->allow_http &&
	    !endpoint_is_loopback(req->endpoint)) {
		snprintf(ret->http.why, sizeof(ret->http.why), "plain http:// "
		    "to another machine needs --allow-http");
		note_outcome(-EPERM, ret);
		return -EPERM;
	}
	r = run(&c, ret);
	creds_value_wipe(&c.creds);
	note_outcome(r, ret);
	if (r < 0)
		atomic_fetch_add(&a->count[req->op].failed, 1);
	return r;
}

bool
aws_is_out_of_reach(int err)
{
	return err == -ETIMEDOUT || err == -ECONNRESET ||
	    err == -EHOSTUNREACH || err == -ENETUNREACH || err == -EAGAIN;
}

void
aws_reply_free(struct aws_reply *r)
{
	http_reply_free(&r->http);
	r->error = (struct awserr){ .status = 0 };
}

const char *
aws_why(const struct aws_reply *r, char *buf, size_t size)
{
	const struct awserr *e = &r->error;
	char ids[256] = "";

	if (e->status == 0) {
		snprintf(buf, size, "%s", r->http.why);
		return buf;
	}
	if (e->request_id[0] != '\0')
		snprintf(ids, sizeof(ids), " (request %s%s%s)", e->request_id,
		    e->host_id[0] != '\0' ? ", host " : "", e->host_id);
	snprintf(buf, size, "%s%s%s%s", e->code,
	    e->message[0] != '\0' ? ": " : "", e->message, ids);
	return buf;
}

const char *
aws_why_not(const struct aws_reply *r, const char *action, char *buf,
    size_t size)
{
	char needed[AWSERR_ACTION_MAX];
	const struct awscause *cause;
	size_t n;

	aws_why(r, buf, size);
	n = strlen(buf);
	if (awserr_is_denied(&r->error, action, needed))
		snprintf(buf + n, size - n, "; the policy must allow %s",
		    needed);
	else if ((cause = awscause_of(r->error.code)) != NULL)
		snprintf(buf + n, size - n, "; %s", cause->advice);
	return buf;
}
