#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/check.h"

#define CLOCK_TOLERANCE_S 60 /* AWS refuses from 15 minutes on */
#define LIST_KEYS 100	      /* looked through for one that is mail */

static void
check_identity(struct check *k)
{
	const struct sts_opts o = graph_sts_opts(&k->g);
	char why[CREDS_WHY_MAX];
	struct sts_identity id;
	int r = sts_get_caller_identity(&o, &id);

	if (r == 0)
		check_note(k, "identity", CHECK_OK, NULL, "%s (from %s)",
		    id.arn, creds_source(k->g.creds));
	else if (creds_failure(k->g.creds, why) < 0)
		check_note(k, "identity", CHECK_MISSING, "credentials: see "
		    "CREDENTIALS in sesfs(1)", "%s", why);
	else
		check_note(k, "identity", CHECK_MISSING, r == -EACCES ?
		    "credentials that AWS takes" :
		    "the network, or --sts-endpoint-url", "%s", graph_error(r));
}

static void
check_clock(struct check *k)
{
	int64_t offset = aws_clock_offset_s(k->g.aws);

	if (offset > -CLOCK_TOLERANCE_S && offset < CLOCK_TOLERANCE_S)
		check_note(k, "clock", CHECK_OK, NULL,
		    "within a minute of AWS's");
	else
		check_note(k, "clock", CHECK_WARN,
		    "set the clock (timedatectl set-ntp true)",
		    "AWS's is %" PRId64 " s ahead", offset);
}

static bool
check_bucket(struct check *k)
{
	const char *bucket = k->c->location.bucket;
	char region[32] = "";
	int r = s3_reach(k->g.s3, k->c->location.prefix, region);

	if (r == 0)
		check_note(k, "bucket", CHECK_OK, NULL, "%s in %s", bucket,
		    region[0] != '\0' ? region : k->g.region);
	else if (r == -ENXIO)
		check_note(k, "bucket", CHECK_MISSING, "the bucket's name",
		    "there is no bucket %s", bucket);
	else
		check_note(k, "bucket", CHECK_MISSING, r == -EACCES ?
		    "s3:ListBucket on the bucket" : "the network", "%s: %s",
		    bucket, graph_error(r));
	return r == 0;
}

/* Remember the key of one object that is mail. */
static bool
check_list(struct check *k)
{
	const char *prefix = k->c->location.prefix;
	struct s3_page page = { 0 };
	int r = s3_list(k->g.s3, prefix, NULL, NULL, LIST_KEYS, &page);

	if (r < 0) {
		check_note(k, "list", CHECK_MISSING,
		    r == -EACCES ? "s3:ListBucket on the bucket" : NULL,
		    "%s", graph_error(r));
		return false;
	}
	for (size_t i = 0; i < page.n && !k->has_sample; i++) {
		if (!source_key_is_mail(page.item[i].key) ||
		    page.item[i].is_archived)
			continue;
		snprintf(k->sample_key, sizeof(k->sample_key), "%s",
		    page.item[i].key);
		k->has_sample = true;
	}
	check_note(k, "list", CHECK_OK, NULL, "%zu%s objects under \"%s\"",
	    page.n, page.is_truncated ? " and more" : "", prefix);
	s3_page_free(&page);
	return true;
}

static void
check_get(struct check *k)
{
	int r;

	if (!k->has_sample) {
		check_note(k, "get", CHECK_WARN, NULL,
		    "no mail there to try it with");
		return;
	}
	r = s3_get(k->g.s3, k->sample_key, NULL, k->c->max_message_size,
	    &k->sample);
	k->has_sample = r == 0;
	if (r == 0)
		check_note(k, "get", CHECK_OK, NULL, "%" PRIu64 " bytes of %s",
		    k->sample.len, k->sample_key);
	else
		check_note(k, "get", CHECK_MISSING,
		    r == -EACCES ? "s3:GetObject on the objects" : NULL,
		    "%s: %s", k->sample_key, graph_error(r));
}

void
check_cloud(struct check *k)
{
	check_identity(k);
	if (check_bucket(k) && check_list(k))
		check_get(k);
	check_clock(k);
}
