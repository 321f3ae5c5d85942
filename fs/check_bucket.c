#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/check.h"

#define LIST_KEYS 100  /* looked through for those that are mail */
#define SAMPLES_MAX 5  /* fetched until one is not refused */

/* ---- who we are ---- */

/* Are there any to sign with? Without them nothing else can be asked. */
static void
check_creds(struct check *k)
{
	char why[CREDS_WHY_MAX];
	struct creds_value v;

	k->has_creds = creds_get(k->g.creds, &v) == 0;
	creds_value_wipe(&v);
	if (k->has_creds)
		return;
	if (creds_failure(k->g.creds, why) == 0)
		snprintf(why, sizeof(why), "there are none");
	check_quote(k, &(struct check_finding){ "identity", CHECK_MISSING,
	    "credentials", NULL, "see CREDENTIALS in sesfs(1)" },
	    "no credentials", why);
}

static void
check_identity(struct check *k)
{
	const struct sts_opts o = graph_sts_opts(&k->g);
	/* Only to know the account's own keys is STS needed. */
	const struct check_call call = { "identity", k->c->kms_key.n > 0 ?
	    CHECK_WARN : CHECK_MISSING, "sts:GetCallerIdentity",
	    "the caller" };
	struct sts_identity id;
	struct endpoint e;
	int r;

	check_creds(k);
	if (!k->has_creds)
		return;
	if (sts_endpoint(&o, &e) < 0 ||
	    !check_reach(k, "STS", &e, call.result)) {
		check_skip(k, "identity", "STS cannot be reached; credentials "
		    "are from %s", creds_source(k->g.creds));
		return;
	}
	r = sts_get_caller_identity(&o, &id);
	if (r == 0) {
		snprintf(k->account, sizeof(k->account), "%s", id.account);
		check_ok(k, "identity", "%s (from %s)", id.arn,
		    creds_source(k->g.creds));
	} else {
		struct check_call failed = call;

		/* What STS does not take, nobody will. */
		if (r == -EACCES)
			failed.result = CHECK_MISSING;
		check_failed(k, &failed, r, "credentials from %s",
		    creds_source(k->g.creds));
	}
}

/* ---- the bucket ---- */

/* Would the bucket be ours to see, were its owner not named? */
static bool
is_other_owner(struct check *k)
{
	struct s3_opts o = graph_s3_opts(&k->g);
	struct s3 *s3;
	char region[32];
	bool ret;

	o.expected_bucket_owner = NULL;
	if (s3_new(&o, &s3) < 0)
		return false;
	ret = s3_reach(s3, k->c->location.prefix, region) == 0;
	s3_free(s3);
	return ret;
}

static void
check_owner(struct check *k, bool is_good)
{
	const char *owner = k->c->expected_bucket_owner;
	char fix[64] = "--expected-bucket-owner=ACCOUNT";

	if (k->account[0] != '\0')
		snprintf(fix, sizeof(fix), "--expected-bucket-owner=%s, if it "
		    "is yours", k->account);
	if (owner != NULL && is_good)
		check_ok(k, "owner", "%s, as expected", owner);
	else if (owner != NULL)
		check_note(k, &(struct check_finding){ "owner", CHECK_MISSING,
		    "wrong-owner", NULL, "the right --expected-bucket-owner, "
		    "or another bucket" }, "%s does not own %s", owner,
		    k->c->location.bucket);
	else
		check_note(k, &(struct check_finding){ "owner", CHECK_WARN,
		    "owner-unset", NULL, fix }, "any: were the bucket deleted, "
		    "whoever takes its name next would be asked");
}

static void
compare_region(struct check *k, const char *real)
{
	const char *given = k->c->region;
	char fix[64];

	if (given == NULL || strcmp(given, real) == 0)
		return;
	snprintf(fix, sizeof(fix), "--region=%s, unless the keys are in %s",
	    real, given);
	check_note(k, &(struct check_finding){ "region", CHECK_WARN, "region",
	    NULL, fix }, "the bucket is in %s, not %s", real, given);
}

static bool
check_reachable(struct check *k)
{
	static const struct check_call call = { "bucket", CHECK_MISSING,
		"s3:ListBucket", "the bucket" };
	const char *bucket = k->c->location.bucket;
	char region[32] = "";
	int r = s3_reach(k->g.s3, k->c->location.prefix, region);

	if (r == -EACCES && k->c->expected_bucket_owner != NULL &&
	    is_other_owner(k)) {
		check_owner(k, false);
		return false;
	}
	if (r < 0) {
		check_failed(k, &call, r, "%s", bucket);
		return false;
	}
	check_ok(k, "bucket", "%s in %s", bucket,
	    region[0] != '\0' ? region : k->g.region);
	compare_region(k, region);
	check_owner(k, true);
	return true;
}

/* ---- one message ---- */

/* Fetch an object, and keep it when it is one that policy takes. Returns
 * whether the search is over; *why: the refusal when not. */
static bool
try_sample(struct check *k, const char *key, enum refusal *why)
{
	const struct envelope_policy policy = { k->c->accept, k->c->account };
	static const struct check_call call = { "get", CHECK_MISSING,
		"s3:GetObject", "the objects" };
	struct s3_object o;
	int r = s3_get(k->g.s3, key, NULL, k->c->max_message_size, &o);

	if (r == -EMSGSIZE) {
		*why = TOO_LARGE;
		return false;
	}
	s3_object_free(&k->sample);
	if (r < 0) {
		check_failed(k, &call, r, "%s", key);
		return true;
	}
	k->sample = o;
	snprintf(k->sample_key, sizeof(k->sample_key), "%s", key);
	return envelope_parse(o.meta, o.meta_len, (struct slice){ NULL, 0 },
	    key, o.len, &policy, &k->envelope, why) == 0;
}

/* What was fetched is good for the listing's sake, but cannot be decrypted. */
static void
note_refused(struct check *k, unsigned tried, enum refusal why)
{
	check_note(k, &(struct check_finding){ "decrypt", CHECK_WARN,
	    refusal_name(why), NULL, "see REFUSALS in sesfs(7), and --accept "
	    "for what may be taken" }, "not tried: %u of %u are refused, %s is "
	    "%s", tried, tried, k->sample_key, refusal_name(why));
}

static void
check_get(struct check *k, const struct s3_page *page)
{
	enum refusal why = REFUSAL_NONE;
	unsigned tried = 0;
	bool is_over = false;

	for (size_t i = 0; i < page->n && tried < SAMPLES_MAX && !is_over;
	     i++) {
		if (!source_key_is_mail(page->item[i].key) ||
		    page->item[i].is_archived)
			continue;
		tried++;
		is_over = try_sample(k, page->item[i].key, &why);
	}
	if (tried == 0)
		check_skip(k, "get", "no mail there to try it with");
	else if (k->sample.body != NULL)
		check_ok(k, "get", "%" PRIu64 " bytes of %s", k->sample.len,
		    k->sample_key);
	else if (!is_over)
		check_note(k, &(struct check_finding){ "get", CHECK_WARN,
		    "too-large", NULL, "--max-message-size" }, "%u of %u are "
		    "larger than allowed", tried, tried);
	if (k->sample.body != NULL && k->envelope == NULL)
		note_refused(k, tried, why);
}

static void
check_list(struct check *k)
{
	static const struct check_call call = { "list", CHECK_MISSING,
		"s3:ListBucket", "the bucket" };
	const char *prefix = k->c->location.prefix;
	struct s3_page page = { .n = 0 };
	int r = s3_list(k->g.s3, prefix, NULL, NULL, LIST_KEYS, &page);

	if (r < 0) {
		check_failed(k, &call, r, "%s/%s", k->c->location.bucket,
		    prefix);
		check_skip(k, "get", "nothing could be listed");
		return;
	}
	check_ok(k, "list", "%zu%s objects under \"%s\"", page.n,
	    page.is_truncated ? " and more" : "", prefix);
	check_get(k, &page);
	s3_page_free(&page);
}

void
check_bucket(struct check *k)
{
	const char *why = NULL;
	struct endpoint e;

	check_identity(k);
	if (!k->has_creds)
		why = "there are no credentials";
	else if (s3_endpoint(k->g.s3, &e) < 0 ||
	    !check_reach(k, "S3", &e, CHECK_MISSING))
		why = "S3 cannot be reached";
	if (why != NULL) {
		check_skip(k, "bucket", "%s", why);
		check_skip(k, "list", "%s", why);
		check_skip(k, "get", "%s", why);
	} else if (check_reachable(k)) {
		check_list(k);
	} else {
		check_skip(k, "list", "the bucket is not to be had");
		check_skip(k, "get", "nothing could be listed");
	}
}
