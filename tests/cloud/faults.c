#include "faults.h"

#include "stamp.h"

#include <string.h>

/* Which settings are a service's. */
static const struct profile {
	enum setting latency, throttle, e500, e503, reset, truncate, stall;
} profiles[SERVICE_COUNT] = {
	[SERVICE_S3] = { SET_S3_LATENCY, SET_S3_THROTTLE, SET_S3_500,
	    SET_S3_503, SET_S3_RESET, SET_S3_TRUNCATE, SET_S3_STALL },
	[SERVICE_KMS] = { SET_KMS_LATENCY, SET_KMS_THROTTLE, SET_KMS_500,
	    SET_KMS_503, SET_KMS_RESET, SET_KMS_TRUNCATE, SET_KMS_STALL },
	[SERVICE_STS] = { SET_STS_LATENCY, SET_STS_THROTTLE, SET_STS_500,
	    SET_STS_503, SET_STS_RESET, SET_STS_TRUNCATE, SET_STS_STALL },
	[SERVICE_SQS] = { SET_SQS_LATENCY, SET_SQS_THROTTLE, SET_SQS_500,
	    SET_SQS_503, SET_SQS_RESET, SET_SQS_TRUNCATE, SET_SQS_STALL },
	[SERVICE_ID] = { SET_ID_LATENCY, SET_ID_THROTTLE, SET_ID_500,
	    SET_ID_503, SET_ID_RESET, SET_ID_TRUNCATE, SET_ID_STALL },
};

/* Count a KMS request in this second; true when it is one too many. The word
 * holds the second above and the count in its 24 low bits. */
static bool
above_rate(struct cloud *c)
{
	long rate = settings_get(&c->settings, SET_KMS_RATE);
	uint64_t now = (uint64_t)stamp_mono_ms() / 1000, was, next;

	if (rate == 0)
		return false;
	was = __atomic_load_n(&c->kms_window, __ATOMIC_RELAXED);
	do {
		next = was >> 24 == now ? was + 1 : now << 24 | 1;
	} while (!__atomic_compare_exchange_n(&c->kms_window, &was, next, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (long)(next & 0xffffff) > rate;
}

static long
latency(struct cloud *c, enum setting which)
{
	long ms = settings_get(&c->settings, which);
	long jitter = settings_get(&c->settings, SET_JITTER);

	if (ms > 0 && jitter > 0)
		ms += (long)(settings_roll(&c->settings) %
		    ((uint64_t)jitter + 1));
	return ms;
}

static enum fault
pick(struct cloud *c, struct request *req, const struct profile *p)
{
	const struct {
		enum setting setting;
		enum fault kind;
		const char *name;
	} tries[] = {
		{ p->throttle, FAULT_THROTTLE, "throttle" },
		{ p->e500, FAULT_500, "error500" },
		{ p->e503, FAULT_503, "error503" },
		{ p->reset, FAULT_RESET, "reset" },
		{ p->truncate, FAULT_TRUNCATE, "truncate" },
	};

	if (req->service == SERVICE_KMS && above_rate(c)) {
		req->fault = "rate";
		return FAULT_THROTTLE;
	}
	for (size_t i = 0; i < NELEMS(tries); i++) {
		if (settings_happens(&c->settings, tries[i].setting)) {
			req->fault = tries[i].name;
			return tries[i].kind;
		}
	}
	if (req->op == OP_S3_GET &&
	    settings_happens(&c->settings, SET_S3_BITFLIP)) {
		req->fault = "bitflip";
		return FAULT_BITFLIP;
	}
	if ((req->service == SERVICE_STS &&
		settings_happens(&c->settings, SET_STS_GARBAGE)) ||
	    (req->service == SERVICE_ID &&
		settings_happens(&c->settings, SET_ID_GARBAGE))) {
		req->fault = "garbage";
		return FAULT_GARBAGE;
	}
	return FAULT_NONE;
}

struct fault_plan
faults_plan(struct cloud *c, struct request *req)
{
	const struct profile *p = &profiles[req->service];
	struct fault_plan plan;

	plan.kind = pick(c, req, p);
	plan.delay_ms = latency(c, p->latency);
	if (settings_happens(&c->settings, p->stall)) {
		plan.delay_ms += 1000 * settings_get(&c->settings,
		    SET_STALL_SECONDS);
		if (req->fault == NULL)
			req->fault = "stall";
	}
	return plan;
}

static void
throttle(struct cloud *c, struct request *req)
{
	long ms = settings_get(&c->settings, SET_RETRY_AFTER);

	if (req->service == SERVICE_KMS)
		kms_error(req, 400, "ThrottlingException", "Rate exceeded");
	else if (req->service == SERVICE_STS)
		sts_error(req, 400, "Throttling", "Rate exceeded");
	else if (req->service == SERVICE_SQS)
		sqs_error(req, 400, "RequestThrottled", "Rate exceeded");
	else if (req->service == SERVICE_ID)
		id_error(req, 429, "TooManyRequestsException",
		    "Rate exceeded");
	else
		s3_error(req, 503, "SlowDown",
		    "Please reduce your request rate.");
	if (ms > 0)
		reply_header_fmt(req, "x-amz-retry-after", "%ld", ms);
}

bool
faults_reply(struct cloud *c, struct request *req, enum fault kind)
{
	static const char *const internal[SERVICE_COUNT] = {
		[SERVICE_S3] = "InternalError",
		[SERVICE_KMS] = "KMSInternalException",
		[SERVICE_STS] = "InternalFailure",
		[SERVICE_SQS] = "InternalFailure",
		[SERVICE_ID] = "InternalServerException",
	};
	static void (*const error[SERVICE_COUNT])(struct request *, int,
	    const char *, const char *) = {
		[SERVICE_S3] = s3_error,
		[SERVICE_KMS] = kms_error,
		[SERVICE_STS] = sts_error,
		[SERVICE_SQS] = sqs_error,
		[SERVICE_ID] = id_error,
	};

	switch (kind) {
	case FAULT_THROTTLE:
		throttle(c, req);
		return true;
	case FAULT_500:
		error[req->service](req, 500, internal[req->service],
		    "We encountered an internal error. Please try again.");
		return true;
	case FAULT_503:
		error[req->service](req, 503, "ServiceUnavailable",
		    "Service is unable to handle request.");
		return true;
	default:
		return false;
	}
}

void
faults_halve(struct request *req)
{
	struct buf *b = &req->reply.body;

	if (b->len > 0)
		b->p[b->len /= 2] = '\0';
}

void
faults_flip(struct cloud *c, struct request *req)
{
	struct reply *r = &req->reply;
	uint64_t roll = settings_roll(&c->settings);

	if (r->shared == NULL || r->len == 0)
		return;
	buf_clear(&r->body);
	buf_add(&r->body, r->shared->p + r->from, r->len);
	bytes_unref(r->shared);
	r->shared = NULL;
	r->body.p[(roll >> 3) % r->len] ^= (char)(1u << (roll & 7));
}
