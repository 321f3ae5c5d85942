#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/check.h"
#include "store/stamp.h"

#define PROBE_MS 15000
#define SKEW_GOOD_S 60	   /* not worth a word */
#define SKEW_REFUSED_S 900 /* from where on AWS refuses */

/* ---- hosts ---- */

static const char *
trusted(const struct config *c)
{
	const char *file = c->ca_bundle != NULL ? c->ca_bundle :
						  http_default_ca();

	return file != NULL ? file : "the system's certificates";
}

static void
note_skew(struct check *k, const struct http_reply *reply, int64_t now_unix)
{
	const char *date = http_reply_header(reply, "date");
	int64_t at;

	if (k->has_skew || date == NULL || stamp_parse_http(date, &at) < 0)
		return;
	k->has_skew = true;
	k->skew_s = at - now_unix;
}

static void
note_peer(struct check *k, const char *name, const struct endpoint *e,
    const struct check_peer *p, const struct http_reply *reply)
{
	if (e->is_tls)
		check_ok(k, "tls", "%s at %s: %s, trusting %s", name, p->host,
		    reply->tls[0] != '\0' ? reply->tls : "TLS",
		    trusted(k->c));
	else if (endpoint_is_loopback(e))
		check_ok(k, "tls", "%s at %s: plain http, but to this machine",
		    name, p->host);
	else
		check_note(k, &(struct check_finding){ "tls", CHECK_WARN,
		    "plain-http", NULL, "https://" },
		    "%s at %s: plain http, and --allow-http allows it", name,
		    p->host);
}

static void
note_absence(struct check *k, const char *name, const struct endpoint *e,
    enum check_result if_not, const struct check_peer *p, int err,
    const char *why)
{
	const struct check_cause c = check_cause_of_network(err, e->is_tls,
	    why);
	char before[sizeof(p->host) + 80];

	snprintf(before, sizeof(before), "%.60s at %s", name, p->host);
	check_quote(k, &(struct check_finding){ "tls", if_not, c.cause, NULL,
	    c.fix }, before, why);
}

/* A request that is not signed: any answer will do. */
static void
probe(struct check *k, const char *name, const struct endpoint *e,
    enum check_result if_not, struct check_peer *p)
{
	char url[ENDPOINT_HOST_MAX + 20];
	const struct http_request req = { .method = "HEAD", .url = url,
		.timeout_ms = PROBE_MS, .lane = HTTP_LANE_OTHER,
		.is_loopback = endpoint_is_loopback(e), .wants_tls = true };
	int64_t before = stamp_now_unix();
	struct http_reply reply;
	int r;

	snprintf(url, sizeof(url), "http%s://%s/", e->is_tls ? "s" : "",
	    p->host);
	r = http_do(k->g.http, &req, &reply);
	p->is_there = r == 0;
	if (r == 0) {
		note_skew(k, &reply, (before + stamp_now_unix()) / 2);
		note_peer(k, name, e, p, &reply);
	} else {
		note_absence(k, name, e, if_not, p, r, reply.why);
	}
	http_reply_free(&reply);
}

bool
check_reach(struct check *k, const char *name, const struct endpoint *e,
    enum check_result if_not)
{
	struct check_peer p = { .is_there = true };

	endpoint_host_header(e, p.host);
	for (size_t i = 0; i < k->peers; i++)
		if (strcmp(k->peer[i].host, p.host) == 0)
			return k->peer[i].is_there;
	/* More of them than anybody has: the call itself will tell. */
	if (k->peers == CHECK_PEERS_MAX)
		return true;
	probe(k, name, e, if_not, &p);
	k->peer[k->peers++] = p;
	return p.is_there;
}

/* ---- region ---- */

static const char *
given_by(const struct config *c)
{
	switch (config_level(c, "region")) {
	case LEVEL_ARGS:
		return "--region";
	case LEVEL_SECTION:
	case LEVEL_DEFAULTS:
		return "sesfs.conf";
	default:
		break;
	}
	if (awsconf_env(c->aws, "AWS_REGION") != NULL)
		return "AWS_REGION";
	if (awsconf_env(c->aws, "AWS_DEFAULT_REGION") != NULL)
		return "AWS_DEFAULT_REGION";
	return "the profile";
}

static void
check_region(struct check *k)
{
	const char *from = NULL;

	switch (k->g.region_from) {
	case GRAPH_REGION_GIVEN:
		from = given_by(k->c);
		break;
	case GRAPH_REGION_OF_KEY:
		from = "the key's ARN";
		break;
	case GRAPH_REGION_REMEMBERED:
	case GRAPH_REGION_OF_BUCKET:
		from = "the bucket";
		break;
	case GRAPH_REGION_OF_ENDPOINT:
		from = "the endpoint URL or, where it names none, the default";
		break;
	case GRAPH_REGION_OF_INSTANCE:
		from = "the instance";
		break;
	case GRAPH_REGION_UNKNOWN:
		break;
	}
	if (from != NULL)
		check_ok(k, "region", "%s, by %s", k->g.region, from);
	else
		check_note(k, &(struct check_finding){ "region",
		    CHECK_MISSING, "region", NULL, "--region, AWS_REGION or "
		    "the profile's region" }, "none is set, and the bucket "
		    "does not tell; looking in %s", k->g.region);
}

/* ---- clock ---- */

static void
check_clock(struct check *k)
{
	static const char fix[] = "set the clock (timedatectl set-ntp true)";
	const struct check_finding f = { "clock", CHECK_WARN, "clock", NULL,
		fix };
	int64_t off = k->skew_s < 0 ? -k->skew_s : k->skew_s;
	const char *way = k->skew_s < 0 ? "fast" : "slow";

	if (!k->has_skew)
		check_skip(k, "clock", "no server answered with its time");
	else if (off < SKEW_GOOD_S)
		check_ok(k, "clock", "within a minute of AWS's");
	else if (off < SKEW_REFUSED_S)
		check_note(k, &f, "%" PRId64 " s %s; AWS refuses 15 minutes",
		    off, way);
	else
		check_note(k, &f, "%" PRId64 " s %s: AWS refuses what is "
		    "signed with it; sesfs signs with AWS's, others do not",
		    off, way);
}

/* ---- all of it ---- */

static void
reach_kms(struct check *k, const char *key)
{
	char region[ENDPOINT_REGION_MAX], name[64];
	struct endpoint e;

	if (kms_endpoint(k->g.kms, key, &e, region) < 0)
		return;
	snprintf(name, sizeof(name), "KMS in %s", region);
	check_reach(k, name, &e, CHECK_MISSING);
}

void
check_net(struct check *k)
{
	const struct config *c = k->c;
	const struct sts_opts so = graph_sts_opts(&k->g);
	struct endpoint e;

	check_region(k);
	if (s3_endpoint(k->g.s3, &e) == 0)
		check_reach(k, "S3", &e, CHECK_MISSING);
	if (c->kms_key.n == 0)
		reach_kms(k, NULL);
	for (size_t i = 0; i < c->kms_key.n; i++)
		reach_kms(k, c->kms_key.item[i]);
	if (c->seal_key != NULL)
		reach_kms(k, c->seal_key);
	/* Named keys need nobody's account. */
	if (sts_endpoint(&so, &e) == 0)
		check_reach(k, "STS", &e, c->kms_key.n > 0 ? CHECK_WARN :
							     CHECK_MISSING);
	check_clock(k);
}
