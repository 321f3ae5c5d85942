#include "generate.h"

#include "gen_maker.h"
#include "mail.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEDIAN_LEN 12288.0 /* bytes */
#define SPREAD 1.1 /* sigma of the logarithm */
#define LEN_CAP (8u << 20) /* bytes */
#define PREFIXES_MAX 64

/* The numbers and strings a caller may give. */
enum param { P_BUCKET, P_PREFIX, P_FOLDERS, P_COUNT, P_SEED, P_SIZE, P_SPAM,
	P_VIRUS, P_FORMAT, P_KEY, P_CMK, P_UNTIL, P_DAYS, P_SETUP, P_PARAMS };

static const struct {
	const char *name, *standard, *help;
} table[P_PARAMS] = {
	[P_BUCKET] = { "bucket", NULL, "made when missing" },
	[P_PREFIX] = { "prefix", "", "before each key" },
	[P_FOLDERS] = { "folders", "",
	    "a/:b/:c/ -- messages go to PREFIX and these in turn" },
	[P_COUNT] = { "count", "100", "messages" },
	[P_SEED] = { "seed", "1", "same seed, same mail" },
	[P_SIZE] = { "size", "0",
	    "bytes each (1024 to 41943040); 0 log-normal, median 12 KiB" },
	[P_SPAM] = { "spam", "5", "% with the spam verdict FAIL" },
	[P_VIRUS] = { "virus", "0", "% with the virus verdict FAIL" },
	[P_FORMAT] = { "format", "kms-gcm",
	    "kms-gcm, kmsctx-gcm, commit, cbc, plain" },
	[P_KEY] = { "key", "alias/aws/ses", "KMS key that wraps" },
	[P_CMK] = { "cmk", "", "kms_cmk_id written; default the key's ARN" },
	[P_UNTIL] = { "until", "1790000000", "date of the newest (unix)" },
	[P_DAYS] = { "days", "540", "the dates are spread over" },
	[P_SETUP] = { "setup", "0",
	    "1: AMAZON_SES_SETUP_NOTIFICATION as well" },
};

static bool
is_number(enum param p)
{
	return p == P_COUNT || p == P_SEED || p == P_SIZE || p == P_SPAM ||
	    p == P_VIRUS || p == P_UNTIL || p == P_DAYS || p == P_SETUP;
}

struct job {
	const char *text[P_PARAMS];
	uint64_t num[P_PARAMS];
	char *prefixes[PREFIXES_MAX];
	size_t nprefixes;
	struct arena arena;
};

static int
read_params(struct job *j, const struct pair *params, size_t n, char why[128])
{
	char *end;
	int p;

	for (p = 0; p < P_PARAMS; p++)
		j->text[p] = table[p].standard;
	for (size_t i = 0; i < n; i++) {
		for (p = 0; p < P_PARAMS; p++)
			if (strcmp(table[p].name, params[i].name) == 0)
				break;
		if (p == P_PARAMS) {
			snprintf(why, 128, "no such parameter: %.80s",
			    params[i].name);
			return -EINVAL;
		}
		j->text[p] = params[i].value;
	}
	for (p = 0; p < P_PARAMS; p++) {
		if (!is_number((enum param)p))
			continue;
		j->num[p] = strtoull(j->text[p], &end, 10);
		if (end == j->text[p] || *end != '\0') {
			snprintf(why, 128, "%s: not a number", table[p].name);
			return -EINVAL;
		}
	}
	return 0;
}

static int
check_params(const struct job *j, char why[128])
{
	const char *wrong = NULL;

	if (j->text[P_BUCKET] == NULL ||
	    strlen(j->text[P_BUCKET]) > BUCKET_NAME_MAX)
		wrong = "bucket: needed";
	else if (j->num[P_COUNT] > 10000000)
		wrong = "count: at most 10000000";
	else if (j->num[P_SIZE] != 0 && (j->num[P_SIZE] < MAIL_MIN ||
		     j->num[P_SIZE] > MAIL_MAX))
		wrong = "size: 1024 to 41943040";
	else if (j->num[P_SPAM] > 100 || j->num[P_VIRUS] > 100)
		wrong = "spam, virus: at most 100";
	else if (j->num[P_DAYS] > 36500 || j->num[P_UNTIL] > 4000000000)
		wrong = "days, until: too large";
	if (wrong == NULL)
		return 0;
	snprintf(why, 128, "%s", wrong);
	return -EINVAL;
}

static int
read_prefixes(struct job *j, char why[128])
{
	char *rest = arena_fmt(&j->arena, "%s", j->text[P_FOLDERS]), *name;

	j->prefixes[j->nprefixes++] = arena_fmt(&j->arena, "%s",
	    j->text[P_PREFIX]);
	while (*j->text[P_FOLDERS] != '\0' &&
	    (name = strsep(&rest, ":")) != NULL) {
		if (j->nprefixes == PREFIXES_MAX) {
			snprintf(why, 128, "folders: at most %d",
			    PREFIXES_MAX - 1);
			return -EINVAL;
		}
		j->prefixes[j->nprefixes++] = arena_fmt(&j->arena, "%s%s",
		    j->text[P_PREFIX], name);
	}
	return 0;
}

/* A normal deviate (Box and Muller). */
static double
normal(struct rng *r)
{
	double u = ((double)(rng_next(r) >> 11) + 1) / 9007199254740993.0;
	double v = (double)(rng_next(r) >> 11) / 9007199254740992.0;

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static uint32_t
pick_len(const struct job *j, struct rng *r)
{
	double len = MEDIAN_LEN * exp(SPREAD * normal(r));

	if (j->num[P_SIZE] != 0)
		return (uint32_t)j->num[P_SIZE];
	return len < MAIL_MIN ? MAIL_MIN
	    : len > LEN_CAP   ? LEN_CAP
			      : (uint32_t)len;
}

/* A message id of SES: 40 characters of base32hex, the last one a 1. */
static void
pick_id(struct rng *r, char ret[GEN_ID_LEN + 1])
{
	static const char abc[] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t v = 0;

	for (int i = 0; i < GEN_ID_LEN; i++, v >>= 5) {
		if (i % 12 == 0)
			v = rng_next(r);
		ret[i] = abc[v & 31];
	}
	ret[GEN_ID_LEN - 1] = '1';
	ret[GEN_ID_LEN] = '\0';
}

static struct object *
make_object(const struct job *j, struct gen *g, uint32_t i)
{
	struct rng r = rng_for(j->num[P_SEED], i);
	uint64_t span = j->num[P_DAYS] * 86400, count = j->num[P_COUNT];
	char id[GEN_ID_LEN + 1];
	struct arena a = { 0 };
	struct object *o;
	uint32_t len;
	int64_t at;

	pick_id(&r, id);
	len = pick_len(j, &r);
	at = (int64_t)(j->num[P_UNTIL] - span + span * (i + 1) / count);
	o = object_new_made(arena_fmt(&a, "%s%s", j->prefixes[i % j->nprefixes],
	    id), at, gen_body_len(g, len), &g->maker, i);
	o->plain_len = len;
	rng_fill(&r, o->etag, sizeof o->etag);
	arena_free(&a);
	return o;
}

static void
put_setup_notification(struct cloud *c, const struct job *j)
{
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct object *o;

	buf_str(&b, "Date: Thu, 02 Jul 2026 09:14:52 +0000\r\n"
	    "To: recipient@example.com\r\n"
	    "From: Amazon Web Services <no-reply-aws@amazon.com>\r\n"
	    "Subject: Amazon SES Setup Notification\r\n\r\n"
	    "You received this message because you attempted to set up "
	    "Amazon SES to deliver emails to this S3 bucket.\r\n");
	o = object_new(arena_fmt(&a, "%sAMAZON_SES_SETUP_NOTIFICATION",
	    j->text[P_PREFIX]),
	    (int64_t)(j->num[P_UNTIL] - j->num[P_DAYS] * 86400));
	object_set_body(o, &b);
	o->stored->plain = bytes_ref(o->stored->body);
	store_put(c->store, j->text[P_BUCKET], o, NULL);
	arena_free(&a);
}

static int
make_all(struct cloud *c, struct job *j, struct gen *g)
{
	size_t count = j->num[P_COUNT];
	struct object **o = xmalloc(count * sizeof(struct object *));
	int r;

	for (size_t i = 0; i < count; i++)
		o[i] = make_object(j, g, (uint32_t)i);
	cloud_need_bucket(c, j->text[P_BUCKET]);
	r = store_put_many(c->store, j->text[P_BUCKET], o, count);
	if (j->num[P_SETUP] != 0)
		put_setup_notification(c, j);
	free(o);
	return r;
}

int
generate(struct cloud *c, const struct pair *params, size_t n, char why[128],
    size_t *ret_count)
{
	struct gen_opts opts = { .region = c->region, .account = c->account };
	struct job j = { 0 };
	struct gen *g = NULL;
	int r;

	if ((r = read_params(&j, params, n, why)) == 0 &&
	    (r = check_params(&j, why)) == 0 &&
	    (r = read_prefixes(&j, why)) == 0) {
		opts.seed = j.num[P_SEED];
		opts.spam = (unsigned)j.num[P_SPAM];
		opts.virus = (unsigned)j.num[P_VIRUS];
		opts.format = j.text[P_FORMAT];
		opts.key = j.text[P_KEY];
		opts.cmk_id = j.text[P_CMK];
		r = gen_new(c->kms, &opts, why, &g);
	}
	if (r == 0) {
		r = make_all(c, &j, g);
		*ret_count = j.num[P_COUNT];
		gen_unref(g);
	}
	arena_free(&j.arena);
	return r;
}

void
generate_help(struct buf *b)
{
	for (int p = 0; p < P_PARAMS; p++)
		buf_fmt(b, "    %-16s %s (%s)\n", table[p].name, table[p].help,
		    table[p].standard != NULL ? table[p].standard : "needed");
}
