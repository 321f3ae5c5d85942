#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/check.h"

#define LIST_KEYS 100 /* looked through for those that are mail */
#define PLACES_MAX 3  /* named when nothing is where it was looked for */

/* ---- who we are ---- */

/* Are there any to sign with? Without them nothing else can be asked. */
static void
check_creds(struct check *k)
{
	struct check_finding f = { "identity", CHECK_MISSING, "credentials",
		NULL, "see CREDENTIALS in sesfs(1)" };
	const struct awserr *e = &aws_outcome()->error;
	char why[CREDS_WHY_MAX], action[AWSERR_ACTION_MAX];
	struct creds_value v;

	k->has_creds = creds_get(k->g.creds, &v) == 0;
	creds_value_wipe(&v);
	if (k->has_creds)
		return;
	if (creds_failure(k->g.creds, why) == 0)
		snprintf(why, sizeof(why), "there are none");
	/* A role may be refused for a wrong code, too. */
	if (strstr(e->message, "is not authorized") != NULL &&
	    awserr_is_denied(e, "sts:AssumeRole", action))
		f.missing = action;
	check_quote(k, &f, "no credentials", why);
}

/* STS answers everybody, unless a policy says that it may not; what it does not
 * take for another reason, nobody will. */
static void
note_no_identity(struct check *k, const struct check_call *call, int err)
{
	const struct awserr *e = &aws_outcome()->error;
	struct check_call failed = *call;
	char action[AWSERR_ACTION_MAX];

	if (awserr_is_denied(e, call->action, action))
		failed.fix = "it needs no permission: find the explicit deny, "
		    "in a policy of the user, the role or the organization";
	else if (err == -EACCES)
		failed.result = CHECK_MISSING;
	check_failed(k, &failed, err, "credentials from %s",
	    creds_source(k->g.creds));
}

static void
check_identity(struct check *k)
{
	const struct sts_opts o = graph_sts_opts(&k->g);
	/* Only to know the account's own keys is STS needed. */
	const struct check_call call = { "identity", k->c->kms_key.n > 0 ?
	    CHECK_WARN : CHECK_MISSING, "sts:GetCallerIdentity",
	    "the caller", NULL };
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
		note_no_identity(k, &call, r);
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
	const struct check_call call = { "bucket", CHECK_MISSING,
		"s3:ListBucket", k->c->requester_pays ? "the bucket" :
		"the bucket; if it is another's who has the requester pay, "
		"--requester-pays", NULL };
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

/* ---- what is in it ---- */

/* The "directory" above a prefix: its length. */
static size_t
parent_len(const char *prefix)
{
	size_t n = strlen(prefix);

	if (n > 0 && prefix[n - 1] == '/')
		n--;
	while (n > 0 && prefix[n - 1] != '/')
		n--;
	return n;
}

/* Append the "directory" of a key below the first `above` bytes of it, unless
 * it stands there already. Returns whether it was appended. */
static bool
add_place(char *list, size_t size, const char *key, size_t above)
{
	const char *slash = strchr(key + above, '/');
	size_t len = slash != NULL ? (size_t)(slash + 1 - key) : above;
	char place[S3_KEY_MAX + 4];
	size_t used = strlen(list);

	snprintf(place, sizeof(place), "\"%.*s\"", (int)len, key);
	if (strstr(list, place) != NULL)
		return false;
	snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "",
	    place);
	return true;
}

/* Where there are keys above a prefix that has none: "" when that cannot be
 * told, as with a policy for the prefix alone. */
static void
find_places(struct check *k, const char *prefix, char *ret, size_t size)
{
	size_t above = parent_len(prefix), places = 0;
	char parent[LOCATION_PREFIX_MAX + 1];
	struct s3_page page;

	ret[0] = '\0';
	snprintf(parent, sizeof(parent), "%.*s", (int)above, prefix);
	if (prefix[0] == '\0' ||
	    s3_list(k->g.s3, parent, NULL, NULL, LIST_KEYS, &page) < 0)
		return;
	for (size_t i = 0; i < page.n && places < PLACES_MAX; i++)
		places += add_place(ret, size, page.item[i].key, above);
	s3_page_free(&page);
}

/* Mail may be yet to come; more often the prefix is another one. */
static void
note_empty(struct check *k, const char *prefix)
{
	char places[PLACES_MAX * (S3_KEY_MAX + 4)], fix[CHECK_FIX_MAX];

	find_places(k, prefix, places, sizeof(places));
	aws_outcome_clear(); /* the finding is not about that call */
	if (places[0] != '\0')
		snprintf(fix, sizeof(fix), "is the prefix right? there are "
		    "keys under %s", places);
	else
		snprintf(fix, sizeof(fix), "is the %s right? mail may be yet "
		    "to come", prefix[0] != '\0' ? "prefix" : "bucket");
	check_note(k, &(struct check_finding){ "list", CHECK_WARN, "empty",
	    NULL, fix }, "0 objects under \"%s\"", prefix);
}

static void
check_list(struct check *k)
{
	static const struct check_call call = { "list", CHECK_MISSING,
		"s3:ListBucket", "the bucket", NULL };
	const char *prefix = k->c->location.prefix;
	struct s3_page page = { .n = 0 };
	int r = s3_list(k->g.s3, prefix, NULL, NULL, LIST_KEYS, &page);

	if (r < 0) {
		check_failed(k, &call, r, "%s/%s", k->c->location.bucket,
		    prefix);
		check_skip(k, "get", "nothing could be listed");
		return;
	}
	if (page.n == 0)
		note_empty(k, prefix);
	else
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
