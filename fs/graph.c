#include "fs/graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/imds.h"
#include "store/log.h"
#include "store/run.h"
#include "store/stamp.h"

#define KEYRING_SLOTS 16384
#define PLAIN_LIMIT (64ULL << 20)
#define UNREAD_MAX (32ULL << 20) /* bytes fetched ahead that nobody read */
#define REGION_META "aws.region"
#define REGION_FIRST "us-east-1"
#define ASK_MS 5000 /* for who we are, when it would only be good to know */
#define TRY_MS 10000 /* for KMS, with GRAPH_TRY */

int64_t
graph_now_s(void)
{
	return stamp_now_ms() / 1000;
}

/* ---- the region ---- */

/* The fourth part of arn:aws:kms:REGION:... */
static bool
arn_region(const char *arn, char ret[64])
{
	size_t n;

	if (arn == NULL || strncmp(arn, "arn:", 4) != 0)
		return false;
	for (int i = 0; i < 3; i++) {
		if ((arn = strchr(arn, ':')) == NULL)
			return false;
		arn++;
	}
	n = strcspn(arn, ":");
	if (n == 0 || n >= 64 || arn[n] != ':')
		return false;
	memcpy(ret, arn, n);
	ret[n] = '\0';
	return true;
}

static struct creds_setup
login_setup(const struct graph *g)
{
	const struct config *c = g->c;

	return (struct creds_setup){
		.conf = c->aws,
		.http = g->http,
		.region = g->region[0] != '\0' ? g->region : NULL,
		.sts_endpoint_url = c->sts_endpoint_url,
		.fips = c->fips,
		.dual_stack = c->dual_stack,
		.allow_http = c->allow_http,
	};
}

/* What AWS's own hosts say, and what others pretend. */
static void
region_of_endpoint(const char *url, char ret[64])
{
	struct endpoint e;
	const char *why;

	if (endpoint_parse(url, &e, &why) < 0 || !endpoint_region(&e, ret))
		snprintf(ret, 64, REGION_FIRST);
}

/* Where KMS is: as told, as the keys say, where the access point is, or as S3
 * said last time. */
static enum graph_region
known_region(const struct graph *g, char ret[64])
{
	const struct config *c = g->c;
	size_t len = 0;

	if (c->region != NULL) {
		snprintf(ret, 64, "%s", c->region);
		return GRAPH_REGION_GIVEN;
	}
	if ((c->kms_key.n > 0 && arn_region(c->kms_key.item[0], ret)) ||
	    arn_region(c->seal_key, ret))
		return GRAPH_REGION_OF_KEY;
	if (arn_region(c->location.bucket, ret))
		return GRAPH_REGION_OF_BUCKET;
	if (g->index != NULL && index_meta_get(g->index, REGION_META, ret, 63,
				    &len) == 0 && len > 0) {
		ret[len] = '\0';
		return GRAPH_REGION_REMEMBERED;
	}
	if (c->endpoint_url != NULL) {
		region_of_endpoint(c->endpoint_url, ret);
		return GRAPH_REGION_OF_ENDPOINT;
	}
	ret[0] = '\0';
	return GRAPH_REGION_UNKNOWN;
}

/* The region of the instance that we run on, if it also is what gives us
 * credentials: elsewhere nobody is asked, and waited for in vain. */
static void
guess_region(const struct graph *g, char ret[ENDPOINT_REGION_MAX])
{
	const struct creds_setup s = login_setup(g);
	char why[CREDS_WHY_MAX];
	struct creds_value v;

	ret[0] = '\0';
	if (g->region[0] == '\0' && creds_get(g->creds, &v) == 0 &&
	    strcmp(creds_source(g->creds), IMDS_SOURCE) == 0 &&
	    imds_region(&s, ret, why) < 0)
		log_warn(0, "config: ask the instance for its region: %s", why);
	creds_value_wipe(&v);
}

/* The bucket's own, which S3 tells, is a better guess than where we run. */
static int
settle_region(struct graph *g, const char *instance, bool may_guess)
{
	char learnt[32];
	int r;

	if (g->region[0] != '\0')
		return 0;
	r = s3_reach(g->s3, g->c->location.prefix, learnt);
	if (r == 0) {
		snprintf(g->region, sizeof(g->region), "%s", learnt);
		g->region_from = GRAPH_REGION_OF_BUCKET;
	} else if (instance[0] != '\0') {
		snprintf(g->region, sizeof(g->region), "%s", instance);
		g->region_from = GRAPH_REGION_OF_INSTANCE;
	} else if (may_guess) {
		snprintf(g->region, sizeof(g->region), REGION_FIRST);
	} else {
		return log_err(r, "config: the bucket cannot be asked for its "
		    "region; give --region");
	}
	return 0;
}

/* ---- the parts ---- */

static const char *
app_id(const struct config *c)
{
	const char *id = awsconf_env(c->aws, "AWS_SDK_UA_APP_ID");

	return id != NULL ? id : awsconf_get(c->aws, NULL, "sdk_ua_app_id");
}

static int
open_login(struct graph *g)
{
	const struct http_opts ho = { .jobs = (unsigned)g->c->jobs,
		.ca_bundle = g->c->ca_bundle,
		.fips = g->c->fips,
		.app_id = app_id(g->c),
		.rate[HTTP_LANE_KMS] = (unsigned)g->c->kms_rate };
	struct creds_setup s;
	int r;

	/* Once it is known it stays: renewals read it. */
	g->region_from = known_region(g, g->region);
	if ((r = http_new(&ho, &g->http)) < 0)
		return r;
	s = login_setup(g);
	return creds_new_default(&s, &g->creds);
}

static int
open_aws(struct graph *g, int64_t deadline_ms)
{
	const struct aws_opts o = { .http = g->http, .creds = g->creds,
		.allow_http = g->c->allow_http, .deadline_ms = deadline_ms };

	return aws_new(&o, &g->aws);
}

/* What STS is asked for alone can do without an answer. */
static int
open_sts(struct graph *g)
{
	int r = open_login(g);

	return r < 0 ? r : open_aws(g, ASK_MS);
}

struct s3_opts
graph_s3_opts(const struct graph *g)
{
	const struct config *c = g->c;

	return (struct s3_opts){
		.aws = g->aws,
		.bucket = c->location.bucket,
		.region = c->region,
		.endpoint_url = c->endpoint_url,
		.path_style = c->path_style,
		.dual_stack = c->dual_stack,
		.fips = c->fips,
		.requester_pays = c->requester_pays,
		.expected_bucket_owner = c->expected_bucket_owner,
	};
}

static int
open_cloud(struct graph *g, bool is_trial)
{
	const struct config *c = g->c;
	struct s3_opts so;
	struct kms_opts ko = {
		.region = g->region,
		.endpoint_url = c->kms_endpoint_url,
		.fips = c->fips,
		.dual_stack = c->dual_stack,
		.deadline_ms = is_trial ? TRY_MS : 0,
	};
	char instance[ENDPOINT_REGION_MAX];
	int r;

	if ((r = open_login(g)) < 0)
		return r;
	guess_region(g, instance);
	if ((r = open_aws(g, 0)) < 0)
		return r;
	ko.aws = g->aws;
	so = graph_s3_opts(g);
	if (so.region == NULL && instance[0] != '\0')
		so.region = instance;
	if ((r = s3_new(&so, &g->s3)) < 0 ||
	    (r = settle_region(g, instance, is_trial)) < 0)
		return r;
	return kms_new(&ko, &g->kms);
}

struct sts_opts
graph_sts_opts(const struct graph *g)
{
	return (struct sts_opts){
		.aws = g->aws,
		.region = g->region,
		.endpoint_url = g->c->sts_endpoint_url,
		.fips = g->c->fips,
		.dual_stack = g->c->dual_stack,
	};
}

static int
ask_account(void *arg, char ret[16])
{
	const struct sts_opts o = graph_sts_opts(arg);
	struct sts_identity id;
	int r = sts_get_caller_identity(&o, &id);

	if (r == 0)
		memcpy(ret, id.account, sizeof(id.account));
	return r;
}

/* A seal key that is named is allowed by that, be it among --kms-key or not;
 * and likelier than those. */
static int
seal_names(void *arg, const char *arn, const char **ret, size_t max)
{
	const struct graph *g = arg;
	const char *key = g->c->seal_key;
	int n = keypolicy_names(g->keys, arn, ret, max);

	if (key == NULL || !kms_arn_matches(key, arn))
		return n;
	for (int i = 0; i < n; i++)
		if (strcmp(ret[i], key) == 0)
			return n;
	if (n < 0)
		n = 0; /* what --kms-key allows cannot be told, nor need it */
	else if ((size_t)n == max)
		n--;
	memmove(ret + 1, ret, (size_t)n * sizeof(*ret));
	ret[0] = key;
	return n + 1;
}

static int
seal_generate(void *arg, const char *key_id, const struct pair *context,
    size_t context_len, uint8_t ret_key[KMS_DATA_KEY_LEN], uint8_t *ret_blob,
    size_t *ret_blob_len, char ret_arn[KMS_ARN_MAX], enum refusal *ret_why)
{
	return kms_generate_data_key(arg, key_id, context, context_len,
	    ret_key, ret_blob, ret_blob_len, ret_arn, ret_why);
}

static int
seal_decrypt(void *arg, const char *key_id, const char *region,
    struct slice blob, const struct pair *context, size_t context_len,
    uint8_t *ret, size_t *ret_len, char ret_arn[KMS_ARN_MAX],
    enum refusal *ret_why)
{
	return kms_decrypt(arg, key_id, region, blob, context, context_len, ret,
	    ret_len, ret_arn, ret_why);
}

static int
open_index(struct graph *g, bool read_only)
{
	const struct config *c = g->c;
	struct timespec ts;
	int r;

	clock_gettime(CLOCK_REALTIME, &ts);
	r = index_open(c->state_dir, c->location.url, read_only,
	    ts.tv_sec * 1000000000LL + ts.tv_nsec, &g->index);
	if (r == -ENOENT && read_only)
		return log_err(r, "index: nothing is known of %s yet; run "
		    "sesfs sync or mount it first", c->location.url);
	return r;
}

static int
open_cache(struct graph *g, bool is_off)
{
	char *dir;
	int r;

	if (!is_off)
		return blobcache_open(g->c->state_dir, g->c->cache_size,
		    &g->cache);
	/* Of its own, so that its limit of 0 empties nobody else's. */
	if (asprintf(&dir, "%s/nocache", g->c->state_dir) < 0)
		return -ENOMEM;
	r = mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (r == 0)
		r = blobcache_open(dir, 0, &g->cache);
	free(dir);
	return r;
}

static int
open_source(struct graph *g, unsigned parts)
{
	const struct config *c = g->c;
	const struct seal_opts so = {
		.index = g->index,
		.key_id = c->seal_key,
		.generate = seal_generate,
		.decrypt = seal_decrypt,
		.kms_arg = g->kms,
		.names = seal_names,
		.names_arg = g,
		.ttl_s = (int64_t)c->key_ttl_s,
		.now_s = graph_now_s,
	};
	struct source_opts o = {
		.http = g->http,
		.s3 = g->s3,
		.kms = g->kms,
		.index = g->index,
		.policy = { .accept = c->accept,
		    .source_account = c->account },
		.max_message_size = c->max_message_size,
		.plain_limit = PLAIN_LIMIT,
		.jobs = (unsigned)c->jobs,
		.key_ttl_s = (int64_t)c->key_ttl_s,
		.now_s = graph_now_s,
	};
	int r;

	if ((r = keypolicy_new((const char *const *)c->kms_key.item,
		 c->kms_key.n, ask_account, g, &g->keys)) < 0 ||
	    (r = keyring_new(KEYRING_SLOTS, (int64_t)c->key_ttl_s,
		 &g->keyring)) < 0 ||
	    (r = seal_new(&so, &g->seal)) < 0 ||
	    (r = open_cache(g, (parts & GRAPH_NO_CACHE) != 0)) < 0)
		return r;
	o.cache = g->cache;
	o.keyring = g->keyring;
	o.seal = g->seal;
	o.keys = g->keys;
	return source_new(&o, &g->source);
}

static int
open_mailbox(struct graph *g)
{
	const struct config *c = g->c;
	const struct mailbox_opts o = {
		.index = g->index,
		.source = g->source,
		.state_dir = c->state_dir,
		.prefix = c->location.prefix,
		.inbox = c->inbox,
		.junk = c->junk,
		.uid = (uid_t)c->uid,
		.gid = (gid_t)c->gid,
		.umask = (mode_t)c->umask,
		.read_only = c->read_only,
		.refuse_delete = c->delete_mode == DELETE_REFUSE,
	};

	return mailbox_new(&o, &g->mailbox);
}

static int
deliver(void *arg, struct arrival *a, size_t n)
{
	struct graph *g = arg;

	return mailbox_deliver(g->mailbox, a, n);
}

static int
gone(void *arg, int64_t object_id)
{
	struct graph *g = arg;

	return mailbox_gone(g->mailbox, object_id);
}

static void
progress(void *arg, const struct sync_progress *p)
{
	struct graph *g = arg;

	if (g->progress != NULL)
		g->progress(g->progress_arg, p);
}

static int
open_sync(struct graph *g)
{
	const struct config *c = g->c;
	const struct sync_opts o = {
		.s3 = g->s3,
		.index = g->index,
		.source = g->source,
		.prefix = c->location.prefix,
		.jobs = (unsigned)c->jobs,
		.envelope_only = c->index == INDEX_ENVELOPE,
		.poll_s = (int64_t)c->poll_s,
		.deliver = deliver,
		.gone = gone,
		.progress = progress,
		.arg = g,
	};

	return sync_new(&o, &g->sync);
}

/* A read waits for S3, then for KMS: with twice the jobs at work both have
 * their hands full. Readers have as many threads again for themselves. What is
 * fetched ahead must find a place in the cache until it is read, or it would be
 * fetched again. */
static int
open_ahead(struct graph *g)
{
	unsigned ahead = 2 * (unsigned)g->c->jobs;
	uint64_t share = g->c->cache_size / 4;
	struct prefetch_opts o = {
		.index = g->index,
		.source = g->source,
		.window = 2 * ahead,
		.unread_max = share < UNREAD_MAX ? share : UNREAD_MAX,
	};
	int r = pool_new(2 * ahead, ahead, &g->pool);

	o.pool = g->pool;
	return r < 0 ? r : prefetch_new(&o, &g->prefetch);
}

static int
open_parts(struct graph *g, unsigned parts)
{
	int r = 0;

	if (parts & (GRAPH_INDEX | GRAPH_INDEX_RO))
		r = open_index(g, (parts & GRAPH_INDEX) == 0);
	if (r == 0 && (parts & GRAPH_STS))
		r = open_sts(g);
	if (r == 0 && (parts & GRAPH_CLOUD))
		r = open_cloud(g, (parts & GRAPH_TRY) != 0);
	if (r == 0 && (parts & GRAPH_SOURCE))
		r = open_source(g, parts);
	if (r == 0 && (parts & GRAPH_MAILBOX))
		r = open_mailbox(g);
	if (r == 0 && (parts & GRAPH_AHEAD))
		r = open_ahead(g);
	if (r == 0 && (parts & GRAPH_SYNC))
		r = open_sync(g);
	return r;
}

int
graph_open(const struct config *c, unsigned parts, struct graph *g)
{
	int r;

	memset(g, 0, sizeof(*g));
	g->c = c;
	if ((r = open_parts(g, parts)) == 0)
		return 0;
	graph_close(g);
	/* The rest has been logged by who found it. */
	if (r == -ENOMEM || r == -EAGAIN)
		log_err(r, "sesfs: cannot start: %s", strerror(-r));
	return r;
}

void
graph_stop(struct graph *g)
{
	run_cancel();
	if (g->http != NULL)
		http_stop(g->http);
}

void
graph_close(struct graph *g)
{
	if (g->http != NULL)
		http_stop(g->http); /* nobody waits for the network any more */
	sync_free(TAKE(g->sync));
	if (g->pool != NULL)
		pool_stop(g->pool); /* its jobs use all of the below */
	prefetch_free(TAKE(g->prefetch));
	pool_free(TAKE(g->pool));
	mailbox_free(TAKE(g->mailbox));
	source_free(TAKE(g->source));
	blobcache_close(TAKE(g->cache));
	seal_free(TAKE(g->seal));
	keyring_free(TAKE(g->keyring));
	keypolicy_free(TAKE(g->keys));
	kms_free(TAKE(g->kms));
	s3_free(TAKE(g->s3));
	aws_free(TAKE(g->aws));
	creds_free(TAKE(g->creds));
	http_free(TAKE(g->http));
	index_close(TAKE(g->index));
}

int
graph_reach(struct graph *g)
{
	char region[32] = "";
	int r = s3_reach(g->s3, g->c->location.prefix, region);

	if (r == 0 && g->index != NULL && region[0] != '\0' &&
	    index_meta_set(g->index, REGION_META, region, strlen(region)) < 0)
		log_debug(0, "index: the bucket's region was not kept");
	return r;
}

const char *
graph_error(int err)
{
	switch (err) {
	case -ENXIO:
		return "there is no such bucket";
	case -EACCES:
		return "AWS refused";
	case -ENOKEY:
		return "KMS refused the key";
	case -ENETUNREACH:
		return "a proxy refuses, or something else answers instead "
		       "of AWS";
	/* Every trouble with a connection, whatever errno has it for. */
	case -ECONNRESET:
	case -ECONNREFUSED:
		return "no connection, or it broke off (the line before this "
		       "one says how)";
	case -EPROTO:
		return "what answered makes no sense (the line before this one "
		       "says how)";
	default:
		return strerrordesc_np(-err);
	}
}

const char *
graph_advice(int err)
{
	return err == -EACCES || err == -ENOKEY || err == -ENXIO ?
	    "; sesfs check says what is missing" : "";
}

bool
graph_is_offline(int err)
{
	return aws_is_out_of_reach(err) || err == -ECONNREFUSED ||
	    err == -EIO;
}
