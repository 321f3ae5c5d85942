/* The SQS service: AmazonSQS.* over JSON 1.0. */
#include "sqs.h"

#include "admin.h"
#include "permit.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET "AmazonSQS."
#define QUEUES_MAX 32
#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* What may be set, and what is told beside it. */
enum attribute { POLICY, VISIBILITY, KMS_KEY, WAITING, HIDDEN, ARN, ATTRIBUTES };
#define SETTABLE WAITING /* those before it */

static const struct {
	const char *name, *standard; /* NULL: absent */
} table[ATTRIBUTES] = {
	[POLICY] = { "Policy", NULL },
	[VISIBILITY] = { "VisibilityTimeout", "30" },
	[KMS_KEY] = { "KmsMasterKeyId", NULL },
	[WAITING] = { "ApproximateNumberOfMessages", "0" },
	[HIDDEN] = { "ApproximateNumberOfMessagesNotVisible", "0" },
	[ARN] = { "QueueArn", NULL },
};

struct queue {
	char region[32], name[81];
	char *value[ATTRIBUTES]; /* NULL: absent */
};

struct sqs {
	pthread_mutex_t lock;
	struct queue queues[QUEUES_MAX]; /* [lock] */
	size_t n;			 /* [lock] */
};

struct sqs *
sqs_new(void)
{
	struct sqs *q = xcalloc(1, sizeof *q);

	pthread_mutex_init(&q->lock, NULL);
	return q;
}

void
sqs_free(struct sqs *q)
{
	for (size_t i = 0; i < q->n; i++)
		for (int a = 0; a < ATTRIBUTES; a++)
			free(q->queues[i].value[a]);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static void
set_value(struct queue *q, enum attribute a, const char *value)
{
	free(q->value[a]);
	q->value[a] = value != NULL && *value != '\0' ? xstrdup(value) : NULL;
}

static struct queue *
find_locked(struct sqs *s, const char *region, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->queues[i].region, region) == 0 &&
		    strcmp(s->queues[i].name, name) == 0)
			return &s->queues[i];
	return NULL;
}

/* The queue of that name; made when it is not there. NULL: no name for one, or
 * too many. */
static struct queue *
need_locked(struct cloud *c, const char *region, const char *name)
{
	struct sqs *s = c->sqs;
	struct queue *q = find_locked(s, region, name);
	char arn[160];
	size_t len = strlen(name);

	if (q != NULL)
		return q;
	if (s->n == QUEUES_MAX || len < 1 || len >= sizeof q->name ||
	    strspn(name, NAME_CHARS) != len || strlen(region) >= sizeof q->region)
		return NULL;
	q = &s->queues[s->n++];
	strcpy(q->region, region);
	strcpy(q->name, name);
	for (int a = 0; a < ATTRIBUTES; a++)
		set_value(q, (enum attribute)a, table[a].standard);
	snprintf(arn, sizeof arn, "arn:aws:sqs:%s:%s:%s", region, c->account,
	    name);
	set_value(q, ARN, arn);
	return q;
}

/* ---- replies ---- */

static void
answer(struct request *req, int status, json_t *o)
{
	char *s = json_dumps(o, JSON_COMPACT);

	reply_reset(req, status);
	reply_header(req, "Content-Type", "application/x-amz-json-1.0");
	buf_str(&req->reply.body, s);
	free(s);
	json_decref(o);
}

void
sqs_error(struct request *req, int status, const char *code,
    const char *message)
{
	answer(req, status, json_pack("{s:o, s:s*}", "__type", json_string(
	    arena_fmt(&req->arena, "com.amazonaws.sqs#%s", code)), "message",
	    message));
}

static void
no_queue(struct request *req)
{
	sqs_error(req, 400, "QueueDoesNotExist",
	    "The specified queue does not exist.");
	reply_header(req, "x-amzn-query-error",
	    "AWS.SimpleQueueService.NonExistentQueue;Sender");
}

static void
answer_url(struct cloud *c, struct request *req, const char *name)
{
	const char *host = request_header(req, "host");

	answer(req, 200, json_pack("{s:o}", "QueueUrl", json_string(arena_fmt(
	    &req->arena, "http://%s/%s/%s", host != NULL ? host : "",
	    c->account, name))));
}

/* ---- operations ---- */

/* The queue that is meant, which must be the caller's. */
static struct queue *
take_queue_locked(struct cloud *c, struct request *req, const json_t *in)
{
	const char *url = json_string_value(json_object_get(in, "QueueUrl"));
	const char *name = url != NULL ? strrchr(url, '/') : NULL;
	size_t len = strlen(c->account);
	struct queue *q;

	if (name == NULL || name - url < (long)len + 1 ||
	    memcmp(name - len, c->account, len) != 0 || name[-(long)len - 1] != '/' ||
	    (q = find_locked(c->sqs, req->region, name + 1)) == NULL) {
		no_queue(req);
		return NULL;
	}
	return q;
}

static bool
set_attributes(struct request *req, struct queue *q, json_t *attributes)
{
	const char *name;
	json_t *v, *policy;
	int a;

	json_object_foreach (attributes, name, v) {
		for (a = 0; a < SETTABLE; a++)
			if (strcmp(table[a].name, name) == 0)
				break;
		policy = a == POLICY && json_is_string(v) &&
			json_string_length(v) > 0
		    ? json_loads(json_string_value(v), 0, NULL)
		    : json_object();
		if (a == SETTABLE || !json_is_string(v) ||
		    !json_is_object(policy)) {
			json_decref(policy);
			sqs_error(req, 400, a == SETTABLE
				? "InvalidAttributeName"
				: "InvalidAttributeValue", name);
			return false;
		}
		json_decref(policy);
		set_value(q, (enum attribute)a, json_string_value(v));
	}
	return true;
}

static void
create(struct cloud *c, struct request *req, const json_t *in)
{
	const char *name = json_string_value(json_object_get(in, "QueueName"));
	struct queue *q;

	q = name != NULL ? need_locked(c, req->region, name) : NULL;
	if (q == NULL)
		sqs_error(req, 400, "InvalidParameterValue",
		    "Can only include alphanumeric characters, hyphens, or "
		    "underscores. 1 to 80 in length");
	else if (set_attributes(req, q, json_object_get(in, "Attributes")))
		answer_url(c, req, q->name);
}

static void
get_url(struct cloud *c, struct request *req, const json_t *in)
{
	const char *name = json_string_value(json_object_get(in, "QueueName"));

	if (name == NULL || find_locked(c->sqs, req->region, name) == NULL)
		no_queue(req);
	else
		answer_url(c, req, name);
}

static void
get(struct cloud *c, struct request *req, const json_t *in)
{
	json_t *names = json_object_get(in, "AttributeNames"), *o, *name;
	struct queue *q = take_queue_locked(c, req, in);
	size_t i;

	if (q == NULL)
		return;
	o = json_object();
	json_array_foreach (names, i, name) {
		const char *s = json_string_value(name);
		bool all = s != NULL && strcmp(s, "All") == 0, known = all;

		for (int a = 0; a < ATTRIBUTES; a++) {
			if (s == NULL ||
			    (!all && strcmp(table[a].name, s) != 0))
				continue;
			known = true;
			if (q->value[a] != NULL)
				json_object_set_new(o, table[a].name,
				    json_string(q->value[a]));
		}
		if (!known) {
			json_decref(o);
			sqs_error(req, 400, "InvalidAttributeName",
			    "Unknown Attribute");
			return;
		}
	}
	answer(req, 200, json_pack("{s:o}", "Attributes", o));
}

static void
set(struct cloud *c, struct request *req, const json_t *in)
{
	struct queue *q = take_queue_locked(c, req, in);

	if (q != NULL &&
	    set_attributes(req, q, json_object_get(in, "Attributes")))
		answer(req, 200, json_object());
}

static const struct {
	const char *name;
	enum op op;
	void (*run)(struct cloud *c, struct request *req, const json_t *in);
} operations[] = {
	{ "CreateQueue", OP_SQS_CREATE, create },
	{ "GetQueueUrl", OP_SQS_URL, get_url },
	{ "GetQueueAttributes", OP_SQS_GET, get },
	{ "SetQueueAttributes", OP_SQS_SET, set },
};

void
sqs_route(struct request *req)
{
	const char *target = request_header(req, "x-amz-target");

	req->op = OP_SQS_OTHER;
	if (target == NULL || strncmp(target, TARGET, strlen(TARGET)) != 0)
		return;
	for (size_t i = 0; i < NELEMS(operations); i++)
		if (strcmp(target + strlen(TARGET), operations[i].name) == 0)
			req->op = operations[i].op;
}

/* The queue that is meant, be there such a one or not. */
static const char *
resource(struct cloud *c, struct request *req, const json_t *in)
{
	const char *name = json_string_value(json_object_get(in, "QueueName"));
	const char *url = json_string_value(json_object_get(in, "QueueUrl"));
	const char *slash = url != NULL ? strrchr(url, '/') : NULL;

	if (slash != NULL)
		name = slash + 1;
	return arena_fmt(&req->arena, "arn:aws:sqs:%s:%s:%s", req->region,
	    c->account, name != NULL ? name : "");
}

static bool
may(struct cloud *c, struct request *req, const json_t *in)
{
	const struct iam_ask ask = { .action = op_action(req->op),
		.resource = resource(c, req, in) };
	const char *why = ask.action != NULL
	    ? permit_refuses(c, req, &ask, ask.resource)
	    : NULL;

	if (why != NULL)
		sqs_error(req, 403, "AccessDeniedException", why);
	return why == NULL;
}

void
sqs_handle(struct cloud *c, struct request *req)
{
	json_t *in = json_loadb(req->body.p != NULL ? req->body.p : "",
	    req->body.len, JSON_REJECT_DUPLICATES, NULL);

	if (!may(c, req, in)) {
		json_decref(in);
		return;
	}
	sqs_error(req, 400, json_is_object(in) ? "UnknownOperationException"
					       : "SerializationException", NULL);
	pthread_mutex_lock(&c->sqs->lock);
	for (size_t i = 0; i < NELEMS(operations) && json_is_object(in); i++)
		if (operations[i].op == req->op)
			operations[i].run(c, req, in);
	pthread_mutex_unlock(&c->sqs->lock);
	json_decref(in);
}

/* ---- the command ---- */

void
sqs_admin_queue(struct cloud *c, struct request *req)
{
	static const char *const params[ATTRIBUTES] = { [POLICY] = "policy",
		[VISIBILITY] = "visibility", [KMS_KEY] = "kms_key",
		[WAITING] = "waiting", [HIDDEN] = "hidden" };
	const char *name = admin_need(req, "queue"), *v;
	const char *region = request_query(req, "region");
	struct queue *q;

	if (name == NULL)
		return;
	pthread_mutex_lock(&c->sqs->lock);
	q = need_locked(c, region != NULL ? region : c->region, name);
	for (int a = 0; q != NULL && a < ARN; a++)
		if ((v = request_query(req, params[a])) != NULL)
			set_value(q, (enum attribute)a, v);
	if (q == NULL)
		admin_say(req, 400, "queue: no name for one, or too many");
	else
		admin_say(req, 200, "%s", q->value[ARN]);
	pthread_mutex_unlock(&c->sqs->lock);
}
