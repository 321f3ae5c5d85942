/* Each source of credentials against the local cloud: good, refused, expired,
 * malformed, slow and out of reach. What is got must be taken by STS, which
 * says whose it is. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "net.h"
#include "store/awsconf.h"
#include "store/imds.h"
#include "store/log.h"
#include "store/sso_token.h"

#define ENV_MAX 24
#define ROLE "role_arn = arn:aws:iam::123456789012:role/"

static struct net net;
static char home[96], nowhere[64];
static struct {
	char name[64], value[1024];
} env[ENV_MAX];

/* ---- the environment and the files ---- */

static char *
fake_getenv(const char *name)
{
	for (size_t i = 0; i < ENV_MAX; i++)
		if (strcmp(env[i].name, name) == 0)
			return env[i].value;
	return NULL;
}

static void
set(const char *name, const char *value)
{
	size_t i = 0;

	while (env[i].name[0] != '\0' && strcmp(env[i].name, name) != 0)
		i++;
	snprintf(env[i].name, sizeof(env[i].name), "%s", name);
	snprintf(env[i].value, sizeof(env[i].value), "%s", value);
}

static const char *
at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", home, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "we");

	CHECK(f != NULL && fputs(text, f) >= 0);
	if (f != NULL)
		fclose(f);
}

static const char config[] =
    "[profile keys]\n"
    "aws_access_key_id = test\n"
    "aws_secret_access_key = testsecret\n"
    "[profile role]\n"
    ROLE "mail\n"
    "source_profile = keys\n"
    "role_session_name = alice\n"
    "duration_seconds = 900\n"
    "[profile own]\n"
    ROLE "mail\n"
    "source_profile = own\n"
    "aws_access_key_id = test\n"
    "aws_secret_access_key = testsecret\n"
    "[profile chain]\n"
    ROLE "chained\n"
    "source_profile = role\n"
    "[profile external]\n"
    ROLE "external\n"
    "external_id = ext-42\n"
    "source_profile = keys\n"
    "[profile denied]\n"
    ROLE "nobody\n"
    "source_profile = keys\n"
    "[profile mfa]\n"
    ROLE "mfa\n"
    "source_profile = keys\n"
    "mfa_serial = arn:aws:iam::123456789012:mfa/test\n"
    "[profile byenv]\n"
    ROLE "mail\n"
    "credential_source = Environment\n"
    "[profile byecs]\n"
    ROLE "mail\n"
    "credential_source = EcsContainer\n"
    "[profile byec2]\n"
    ROLE "mail\n"
    "credential_source = Ec2InstanceMetadata\n"
    "[profile byother]\n"
    ROLE "mail\n"
    "credential_source = Magic\n"
    "[profile both]\n"
    ROLE "mail\n"
    "source_profile = keys\n"
    "credential_source = Environment\n"
    "[profile neither]\n"
    ROLE "mail\n"
    "[profile lost]\n"
    ROLE "mail\n"
    "source_profile = nonesuch\n"
    "[profile self]\n"
    ROLE "mail\n"
    "source_profile = self\n"
    "[profile a]\n"
    ROLE "mail\n"
    "source_profile = b\n"
    "[profile b]\n"
    ROLE "mail\n"
    "source_profile = c\n"
    "[profile c]\n"
    ROLE "mail\n"
    "source_profile = a\n"
    "[profile long]\n"
    ROLE "mail\n"
    "source_profile = keys\n"
    "duration_seconds = 50000\n"
    "[profile web]\n"
    ROLE "web\n"
    "web_identity_token_file = ~/token\n"
    "[profile webless]\n"
    "web_identity_token_file = ~/token\n"
    "[profile overweb]\n"
    ROLE "mail\n"
    "source_profile = web\n"
    "[sso-session corp]\n"
    "sso_start_url = https://corp.awsapps.com/start\n"
    "sso_region = us-east-1\n"
    "[profile sso]\n"
    "sso_session = corp\n"
    "sso_account_id = 123456789012\n"
    "sso_role_name = Mail\n"
    "[profile ssolegacy]\n"
    "sso_start_url = https://old.awsapps.com/start\n"
    "sso_region = us-east-1\n"
    "sso_account_id = 123456789012\n"
    "sso_role_name = Mail\n"
    "[profile ssoother]\n"
    "sso_session = corp\n"
    "sso_account_id = 123456789012\n"
    "sso_role_name = Other\n"
    "[profile ssohalf]\n"
    "sso_session = corp\n"
    "sso_account_id = 123456789012\n"
    "[profile ssoless]\n"
    "sso_session = nonesuch\n"
    "sso_account_id = 123456789012\n"
    "sso_role_name = Mail\n"
    "[profile ssodiffers]\n"
    "sso_session = corp\n"
    "sso_region = eu-west-1\n"
    "sso_account_id = 123456789012\n"
    "sso_role_name = Mail\n"
    "[profile oversso]\n"
    ROLE "mail\n"
    "source_profile = sso\n"
    "[profile empty]\n"
    "output = json\n";

static void
start(void)
{
	memset(env, 0, sizeof(env));
	set("HOME", home);
	set("AWS_ENDPOINT_URL", net.cloud.url); /* of SSO and OIDC */
	set("AWS_EC2_METADATA_SERVICE_ENDPOINT", nowhere);
	net_reset(&net);
}

/* ---- one login ---- */

struct login {
	struct awsconf *conf;
	struct creds *creds;
	struct creds_setup setup;
	char why[CREDS_WHY_MAX], arn[512];
};

static int
open_login(struct login *l, const char *profile)
{
	struct creds_value v;
	int r;

	*l = (struct login){ .why = "" };
	CHECK_EQ(awsconf_load(&(struct awsconf_opts){ .getenv = fake_getenv,
	    .profile = profile }, &l->conf), 0);
	l->setup = (struct creds_setup){ .conf = l->conf, .http = net.http,
		.region = "us-east-1", .sts_endpoint_url = net.cloud.url,
		.fips = fake_getenv("AWS_USE_FIPS_ENDPOINT") != NULL };
	CHECK_EQ(creds_new_default(&l->setup, &l->creds), 0);
	r = creds_get(l->creds, &v);
	CHECK(r == 0 || r == -EACCES);
	creds_value_wipe(&v);
	return creds_failure(l->creds, l->why);
}

static void
close_login(struct login *l)
{
	creds_free(l->creds);
	awsconf_free(l->conf);
}

static const char *
whose(struct login *l)
{
	struct sts_identity id = { .arn = "" };
	struct aws *aws;

	CHECK_EQ(aws_new(&(struct aws_opts){ .http = net.http,
	    .creds = l->creds, .deadline_ms = 5000 }, &aws), 0);
	CHECK_EQ(sts_get_caller_identity(&(struct sts_opts){ .aws = aws,
	    .region = "us-east-1", .endpoint_url = net.cloud.url }, &id), 0);
	aws_free(aws);
	snprintf(l->arn, sizeof(l->arn), "%s", id.arn);
	return l->arn;
}

static bool
has(const char *all, const char *part)
{
	if (strstr(all, part) != NULL)
		return true;
	fprintf(stderr, "\t\"%s\" has no \"%s\"\n", all, part);
	return false;
}

/* It works, and is that somebody, by that source. */
static void
good(const char *profile, const char *arn, const char *source)
{
	struct login l;
	int r = open_login(&l, profile);

	CHECK_EQ(r, 0);
	if (r == 0) {
		CHECK(has(whose(&l), arn));
		CHECK(has(creds_source(l.creds), source));
	} else {
		fprintf(stderr, "\t%s: %s\n", profile, l.why);
	}
	close_login(&l);
}

/* It does not, and says why. */
static void
bad(const char *profile, int err, const char *why)
{
	struct login l;

	CHECK_EQ(open_login(&l, profile), err);
	CHECK(has(l.why, why));
	CHECK_STR(creds_source(l.creds), NULL);
	close_login(&l);
}

/* ---- roles ---- */

static void
test_roles(void)
{
	start();
	good("keys", ":user/test", "config file");
	good("role", ":assumed-role/mail/alice", "role of profile role");
	good("own", ":assumed-role/mail/sesfs-", "role of profile own");
	good("chain", ":assumed-role/chained/", "role of profile chain");
	good("external", ":assumed-role/external/", "role");
	bad("denied", -EACCES, "STS: AccessDenied: ");
	bad("both", -EINVAL, "both source_profile and credential_source");
	bad("neither", -EINVAL, "neither source_profile nor");
	bad("lost", -EINVAL, "source_profile nonesuch is not there");
	bad("self", -EINVAL, "in a circle: self, self");
	bad("a", -EINVAL, "in a circle: a, b, c, a");
	bad("byother", -EINVAL, "credential_source is none of");
	bad("long", -EINVAL, "duration_seconds is not a number from 900");
	bad("byenv", -EACCES, "AWS_ACCESS_KEY_ID is not set");
	set("AWS_ACCESS_KEY_ID", "test");
	set("AWS_SECRET_ACCESS_KEY", "testsecret");
	good("byenv", ":assumed-role/mail/", "role");
	/* The environment comes before what AWS_PROFILE says. */
	set("AWS_SECRET_ACCESS_KEY", "testsecret");
	set("AWS_PROFILE", "role");
	good(NULL, ":user/test", "environment");
	set("AWS_ACCESS_KEY_ID", "");
	good(NULL, ":assumed-role/mail/alice", "role");
	/* The credentials file's keys are before those of the config file. */
	write_file(".aws/credentials", "[keys]\naws_access_key_id = no\n"
	    "aws_secret_access_key = no\n");
	bad("role", -EACCES, "STS: InvalidClientTokenId");
	unlink(at(".aws/credentials"));
}

static void
test_role_faults(void)
{
	start();
	net_post(&net, "set?sts_garbage=100", "");
	bad("role", -EPROTO, "a malformed answer of STS");
	net_post(&net, "set?sts_garbage=0&deny=sts:AssumeRole", "");
	bad("role", -EACCES, "STS: AccessDenied");
	/* Passing trouble is waited for. */
	net_post(&net, "set?allow=*&sts_500=100&fault_limit=2", "");
	good("role", ":assumed-role/mail/alice", "role");
	net_post(&net, "set?sts_500=0&sts_throttle=100&fault_limit=1", "");
	good("role", ":assumed-role/mail/alice", "role");
	net_post(&net, "set?sts_throttle=0&sts_latency_ms=100", "");
	good("role", ":assumed-role/mail/alice", "role");
}

/* ---- one-time codes ---- */

static void
write_askpass(const char *line)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/sh\nprintf '%%s' \"$1\" "
	    ">'%s/asked'\n%s\n", home, line);
	write_file("askpass", text);
	CHECK_EQ(chmod(at("askpass"), 0700), 0);
}

static void
test_mfa(void)
{
	char asked[256] = "";
	struct login l;
	FILE *f;

	start();
	bad("mfa", -ENOTTY, "there is no terminal to ask for it");
	bad("mfa", -ENOTTY, "SESFS_ASKPASS");
	write_askpass("echo 123456");
	set("SESFS_ASKPASS", at("askpass"));
	CHECK_EQ(open_login(&l, "mfa"), 0);
	CHECK(creds_may_ask(l.creds));
	CHECK(has(whose(&l), ":assumed-role/mfa/"));
	close_login(&l);
	f = fopen(at("asked"), "re");
	CHECK(f != NULL && fgets(asked, sizeof(asked), f) != NULL);
	if (f != NULL)
		fclose(f);
	CHECK_STR(asked, "MFA code for arn:aws:iam::123456789012:mfa/test: ");
	/* The same code again. */
	bad("mfa", -EACCES, "STS: AccessDenied");
	write_askpass("exit 1");
	bad("mfa", -ECANCELED, "exit status 1");
	write_askpass("true");
	bad("mfa", -ECANCELED, "no answer was given");
	/* ssh's way, which wants a display. */
	write_askpass("echo 654321");
	net_post(&net, "set?mfa_code=654321", "");
	set("SESFS_ASKPASS", "");
	set("SSH_ASKPASS", at("askpass"));
	bad("mfa", -ENOTTY, "no terminal");
	set("DISPLAY", ":0");
	good("mfa", ":assumed-role/mfa/", "role");
	CHECK_EQ(open_login(&l, "role"), 0);
	CHECK(!creds_may_ask(l.creds));
	close_login(&l);
}

/* ---- web identity ---- */

static void
test_web(void)
{
	struct login l;
	struct creds_value v;

	start();
	bad("web", -EIO, "~/token: No such file");
	write_file("token", "web-identity-token\n");
	good("web", ":assumed-role/web/sesfs-", "web identity");
	good("overweb", ":assumed-role/mail/", "role");
	bad("webless", -EINVAL, "no role: AWS_ROLE_ARN");
	/* By the environment, before any profile. */
	set("AWS_WEB_IDENTITY_TOKEN_FILE", at("token"));
	set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web");
	set("AWS_ROLE_SESSION_NAME", "pod");
	set("AWS_PROFILE", "keys");
	good(NULL, ":assumed-role/web/pod", "web identity");
	good("keys", ":user/test", "config file");
	set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/mail");
	bad(NULL, -EACCES, "HTTP 403: AccessDenied");
	set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web");
	net_post(&net, "set?web_token_expired=1", "");
	bad(NULL, -EIO, "HTTP 400: ExpiredTokenException: Token expired");
	net_post(&net, "set?web_token_expired=0&sts_garbage=100", "");
	bad(NULL, -EPROTO, "a malformed answer of STS");
	net_post(&net, "set?sts_garbage=0&sts_reset=100&fault_limit=2", "");
	good(NULL, ":assumed-role/web/pod", "web identity");
	net_post(&net, "set?sts_reset=0&sts_throttle=100&fault_limit=2", "");
	good(NULL, ":assumed-role/web/pod", "web identity");
	/* The file is read anew for a renewal. */
	net_post(&net, "reset", "");
	CHECK_EQ(open_login(&l, NULL), 0);
	net_post(&net, "set?web_token=second", "");
	write_file("token", "second");
	CHECK_EQ(creds_get(l.creds, &v), 0);
	CHECK(!creds_reject(l.creds, v.generation)); /* too young */
	close_login(&l);
	good(NULL, ":assumed-role/web/pod", "web identity");
	write_file("token", "");
	bad(NULL, -ENODATA, "it is empty");
	write_file("token", "web-identity-token");
}

/* ---- IAM Identity Center ---- */

static char sso_path[256];

/* As `aws sso login` does. name: of the session, or the start URL. */
static void
sso_login(const char *name, const char *query)
{
	struct http_reply r;
	char url[256], *path;
	FILE *f;

	snprintf(url, sizeof(url), "%s/_cloud/sso-login?%s", net.cloud.url,
	    query);
	CHECK_EQ(http_do(net.http, &(struct http_request){ .method = "POST",
	    .url = url, .max_body = 65536, .timeout_ms = 10000,
	    .lane = HTTP_LANE_OTHER, .is_loopback = true }, &r), 0);
	CHECK_EQ(sso_token_path(at(".aws/sso/cache"), name, &path), 0);
	snprintf(sso_path, sizeof(sso_path), "%s", path);
	free(path);
	f = fopen(sso_path, "we");
	CHECK(f != NULL && fputs(buf_str(&r.body), f) >= 0);
	if (f != NULL)
		fclose(f);
	http_reply_free(&r);
}

static void
test_sso(void)
{
	start();
	bad("sso", -EACCES, "nobody has logged in; run: aws sso login "
	    "--profile sso");
	sso_login("corp", "");
	good("sso", "AWSReservedSSO_Mail_", "IAM Identity Center, profile sso");
	CHECK_EQ(net_count(&net, "oidc.token"), 0);
	good("oversso", ":assumed-role/mail/", "role");
	bad("ssoother", -EACCES, "HTTP 403: ForbiddenException: No access");
	bad("ssohalf", -EINVAL, "sso_role_name is not set");
	bad("ssoless", -EINVAL, "there is no [sso-session nonesuch] in ");
	bad("ssodiffers", -EINVAL, "sso_region differs");
	net_post(&net, "set?id_garbage=100", "");
	bad("sso", -EPROTO, "not a JSON object");
	net_post(&net, "set?id_garbage=0&id_503=100&fault_limit=2", "");
	good("sso", "AWSReservedSSO_Mail_", "IAM");
	net_post(&net, "set?id_503=100&fault_limit=-1", "");
	bad("sso", -EAGAIN, "HTTP 503: ServiceUnavailable");
	net_post(&net, "reset", "");
	net_post(&net, "sso-logout", "");
	bad("sso", -EACCES, "no longer valid; run: aws sso login");
	/* The old way: no refresh. */
	sso_login("https://old.awsapps.com/start", "life=60");
	good("ssolegacy", "AWSReservedSSO_Mail_", "IAM");
	CHECK_EQ(net_count(&net, "oidc.token"), 0);
	sso_login("https://old.awsapps.com/start", "life=-60");
	bad("ssolegacy", -EACCES, "the login has expired; run: aws sso login "
	    "--profile ssolegacy");
	/* It has no FIPS endpoints, but nor is it to be somebody else's. */
	sso_login("corp", "life=-60");
	set("AWS_USE_FIPS_ENDPOINT", "true");
	good("sso", "AWSReservedSSO_Mail_", "IAM");
	set("AWS_ENDPOINT_URL_SSO", "https://sso.sesfs.invalid");
	bad("sso", -EINVAL, "cannot go with an endpoint URL of sso");
	set("AWS_ENDPOINT_URL_SSO", "");
	set("AWS_ENDPOINT_URL_SSO_OIDC", "https://oidc.sesfs.invalid");
	sso_login("corp", "life=-60");
	bad("sso", -EINVAL, "cannot go with an endpoint URL of sso_oidc");
	set("AWS_ENDPOINT_URL_SSO_OIDC", "");
	write_file("x", "{\"accessToken\": 1}");
	CHECK_EQ(rename(at("x"), sso_path), 0);
	bad("sso", -EACCES, "cannot be read; run: aws sso login");
}

static void
test_sso_refresh(void)
{
	struct sso_token *was = sso_token_new(), *is = sso_token_new();
	struct stat st;

	start();
	sso_login("corp", "life=-60");
	CHECK_EQ(chmod(sso_path, 0644), 0);
	CHECK_EQ(sso_token_load(sso_path, was), 0);
	good("sso", "AWSReservedSSO_Mail_", "IAM");
	CHECK_EQ(net_count(&net, "oidc.token"), 1);
	/* Written back, for awscli and the next one of us. */
	CHECK_EQ(sso_token_load(sso_path, is), 0);
	CHECK(strcmp(was->access, is->access) != 0);
	CHECK(strcmp(was->refresh, is->refresh) != 0);
	CHECK(is->expires_unix > was->expires_unix);
	CHECK_STR(is->client_id, was->client_id);
	CHECK(stat(sso_path, &st) == 0 && (st.st_mode & 0777) == 0600);
	good("sso", "AWSReservedSSO_Mail_", "IAM");
	CHECK_EQ(net_count(&net, "oidc.token"), 1);
	/* Early, and its failure does no harm while the token is good. */
	sso_login("corp", "life=600");
	net_post(&net, "set?deny=sso-oauth:CreateToken", "");
	good("sso", "AWSReservedSSO_Mail_", "IAM");
	sso_login("corp", "life=-60");
	bad("sso", -EACCES, "the login has expired, HTTP 403");
	bad("sso", -EACCES, "run: aws sso login --profile sso");
	net_post(&net, "set?allow=*", "");
	sso_login("corp", "life=-60&client_life=-1");
	bad("sso", -EACCES, "the login has expired; run");
	CHECK_EQ(net_count(&net, "oidc.token"), 4);
	sso_token_free(was);
	sso_token_free(is);
}

/* ---- container ---- */

static void
test_container(void)
{
	char url[128];

	start();
	set("AWS_PROFILE", "empty");
	snprintf(url, sizeof(url), "%s/_container/open", net.cloud.url);
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	good(NULL, ":assumed-role/container/", "container");
	good("byecs", ":assumed-role/mail/", "role");
	snprintf(url, sizeof(url), "%s/_container/locked", net.cloud.url);
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	bad(NULL, -EACCES, "HTTP 401: Unauthorized: Authorization is wrong");
	set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token");
	good(NULL, ":assumed-role/container/", "container");
	CHECK_STR(fake_getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"), "");
	/* The file comes first, and must be one line. */
	write_file("auth", "container-token");
	set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
	set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", at("auth"));
	good(NULL, ":assumed-role/container/", "container");
	write_file("auth", "container-token\r\nx: y");
	bad(NULL, -EINVAL, "more than one line");
	set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", at("none"));
	bad(NULL, -EIO, "No such file");
	/* Not to anybody, and not to nobody. */
	set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "");
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/x");
	bad(NULL, -EPERM, "http:// only to this machine");
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.169.254/x");
	bad(NULL, -EPERM, "http:// only to this machine");
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://127.0.0.1/x");
	bad(NULL, -EINVAL, "is neither http:// nor https://");
	snprintf(url, sizeof(url), "%s/x", nowhere);
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	bad(NULL, -ECONNREFUSED, "127.0.0.1: ");
	set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "x");
	bad(NULL, -EINVAL, "is no path");
}

static void
test_container_faults(void)
{
	char url[128];

	start();
	set("AWS_PROFILE", "empty");
	snprintf(url, sizeof(url), "%s/_container/open", net.cloud.url);
	set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	net_post(&net, "set?container_life=0", "");
	bad(NULL, -EKEYEXPIRED, "expired already");
	net_post(&net, "reset", "");
	net_post(&net, "set?id_500=100&fault_limit=2", "");
	good(NULL, ":assumed-role/container/", "container");
	net_post(&net, "set?fault_limit=-1", "");
	bad(NULL, -EAGAIN, "HTTP 500: InternalServerException");
	net_post(&net, "reset", "");
	net_post(&net, "set?id_truncate=100&fault_limit=1", "");
	good(NULL, ":assumed-role/container/", "container");
	/* Half a second of silence is a stall here; see net.h. */
	net_post(&net, "reset", "");
	net_post(&net, "set?id_stall=100&stall_seconds=30&fault_limit=1", "");
	good(NULL, ":assumed-role/container/", "container");
}

/* ---- the instance ---- */

static void
test_imds(void)
{
	char region[ENDPOINT_REGION_MAX], why[CREDS_WHY_MAX];
	struct login l;

	start();
	set("AWS_PROFILE", "empty");
	bad(NULL, -ECONNREFUSED, "instance metadata: 127.0.0.1: ");
	set("AWS_EC2_METADATA_SERVICE_ENDPOINT", net.cloud.url);
	good(NULL, ":assumed-role/instance/", IMDS_SOURCE);
	CHECK_EQ(net_count(&net, "imds.token"), 1);
	CHECK_EQ(net_count(&net, "refused"), 0); /* not even tried as v1 */
	good("byec2", ":assumed-role/mail/", "role");
	CHECK_EQ(open_login(&l, NULL), 0);
	CHECK_EQ(imds_region(&l.setup, region, why), 0);
	CHECK_STR(region, "us-east-1");
	close_login(&l);
	net_post(&net, "set?imds_role=0", "");
	bad(NULL, -ENOENT, "none found (see CREDENTIALS in sesfs(1)), "
	    "tried environment, web identity, ");
	bad("byec2", -EHOSTUNREACH, "no role is attached to the instance");
	net_post(&net, "set?imds_role=1&imds_life=0", "");
	bad(NULL, -EKEYEXPIRED, "expired already");
	net_post(&net, "reset", "");
	net_post(&net, "set?deny=imds:Token", "");
	bad(NULL, -EACCES, "HTTP 403");
	net_post(&net, "set?allow=*&id_garbage=100", "");
	bad(NULL, -EACCES, "HTTP 401"); /* half a token is none */
	net_post(&net, "set?id_garbage=0&id_503=100&fault_limit=1", "");
	good(NULL, ":assumed-role/instance/", IMDS_SOURCE);
	set("AWS_EC2_METADATA_DISABLED", "true");
	bad(NULL, -ENOENT, "none found");
	set("AWS_EC2_METADATA_DISABLED", "false");
	set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5");
	bad(NULL, -EINVAL, "neither IPv4 nor IPv6");
	set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6");
	set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1");
	bad(NULL, -EPERM, "needs --allow-http");
}

/* ---- renewal ---- */

/* New ones without anybody asking for them, well before the end. */
static void
test_renewed_alone(void)
{
	struct creds_value v;
	struct login l;
	uint64_t first;
	int had;

	start();
	net_post(&net, "set?sts_life=4", "");
	CHECK_EQ(open_login(&l, "chain"), 0);
	CHECK_EQ(creds_get(l.creds, &v), 0);
	first = v.generation;
	had = net_count(&net, "sts.assume");
	CHECK_EQ(had, 2);
	for (int i = 0; i < 3000 && net_count(&net, "sts.assume") < had + 4;
	     i++)
		usleep(10000);
	CHECK(net_count(&net, "sts.assume") >= had + 4);
	CHECK_EQ(creds_get(l.creds, &v), 0);
	CHECK(v.generation > first);
	CHECK(has(whose(&l), ":assumed-role/chained/"));
	close_login(&l);
}

/* Fails, expires, and comes back, while everybody asks. */
static void *
ask_on(void *arg)
{
	struct creds_value v;

	for (int i = 0; i < 200; i++) {
		if (creds_get(arg, &v) != 0)
			creds_value_wipe(&v);
		usleep(1000);
	}
	return NULL;
}

static void
test_outage(void)
{
	char why[CREDS_WHY_MAX];
	struct creds_value v;
	struct login l;
	pthread_t t[4];

	start();
	net_post(&net, "set?sts_life=2", "");
	CHECK_EQ(open_login(&l, "role"), 0);
	net_post(&net, "set?deny=sts:AssumeRole", "");
	while (creds_get(l.creds, &v) == 0)
		usleep(10000);
	CHECK_EQ(creds_failure(l.creds, why), -EACCES);
	CHECK(has(why, "role of profile role: STS: AccessDenied"));
	CHECK(has(why, "(the old ones have expired)"));
	for (size_t i = 0; i < NELEMS(t); i++)
		CHECK_EQ(pthread_create(&t[i], NULL, ask_on, l.creds), 0);
	net_post(&net, "set?allow=*&sts_life=900", "");
	for (size_t i = 0; i < NELEMS(t); i++)
		pthread_join(t[i], NULL);
	while (creds_get(l.creds, &v) < 0)
		usleep(10000);
	CHECK(has(whose(&l), ":assumed-role/mail/alice"));
	close_login(&l);
}

static void
leave_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	CHECK(ioctl(fd, TIOCNOTTY) == 0);
	close(fd);
}

int
main(void)
{
	char command[128];

	/* No terminal is ours, whoever runs this. */
	leave_terminal();
	net_start(&net);
	if (getenv("SESFS_LOG") == NULL)
		CHECK_EQ(log_open("/dev/null"), 0);
	snprintf(home, sizeof(home), "%s/home", net.cloud.dir);
	snprintf(nowhere, sizeof(nowhere), "http://127.0.0.1:9");
	snprintf(command, sizeof(command), "mkdir -p '%s/.aws/sso/cache'",
	    home);
	CHECK_EQ(system(command), 0);
	write_file(".aws/config", config);
	test_roles();
	test_role_faults();
	test_mfa();
	test_web();
	test_sso();
	test_sso_refresh();
	test_container();
	test_container_faults();
	test_imds();
	test_renewed_alone();
	test_outage();
	snprintf(command, sizeof(command), "rm -r '%s'", home);
	CHECK_EQ(system(command), 0);
	net_stop(&net);
	return check_done();
}
