/* The settings and the static credentials of files and environment. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "store/awsconf.h"
#include "store/creds_json.h"
#include "store/log.h"

static char dir[] = "/tmp/sesfs-conf.XXXXXX";
static char env_text[16][9000];
static struct {
	const char *name;
	char *value;
} env[16];
static size_t env_len;

static char *
fake_getenv(const char *name)
{
	for (size_t i = env_len; i > 0; i--)
		if (strcmp(env[i - 1].name, name) == 0)
			return env[i - 1].value;
	return NULL;
}

static void
set(const char *name, const char *value)
{
	snprintf(env_text[env_len], sizeof(env_text[0]), "%s", value);
	env[env_len].name = name;
	env[env_len].value = env_text[env_len];
	env_len++;
}

static void
write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/.aws/%s", dir, name);
	f = fopen(path, "we");
	CHECK(f != NULL && fputs(text, f) >= 0);
	fclose(f);
}

static const char config[] =
    "[default]\n"
    "region = eu-west-1\n"
    "endpoint_url = http://default\n"
    "[profile work]\n"
    "region = us-west-2\n"
    "services = local\n"
    "use_fips_endpoint = true\n"
    "aws_access_key_id = AKCONFIG\n"
    "aws_secret_access_key = secret # with a hash\n"
    "[profile \"two words\"]\n"
    "region = eu-north-1\n"
    "[profile proc]\n"
    "credential_process = printf '%s' '{\"Version\":1,\"AccessKeyId\":\"AKP\","
    "\"SecretAccessKey\":\"sp\",\"SessionToken\":\"tp\","
    "\"Expiration\":\"2099-01-01T00:00:00Z\"}' | cat\n"
    "[profile bad]\n"
    "credential_process = echo oops; exit 3\n"
    "[profile typo]\n"
    "services = lcoal\n"
    "[profile ignore]\n"
    "endpoint_url = http://x\n"
    "ignore_configured_endpoint_urls = true\n"
    "services = lcoal\n"
    "[services local]\n"
    "s3 =\n"
    "  endpoint_url = http://s3.local\n"
    "  other = x\n"
    "kms =\n"
    "  other = y\n"
    "[work]\n"
    "region = not-a-profile-in-this-file\n";

static const char credentials[] =
    "[default]\n"
    "aws_access_key_id = AKDEFAULT\n"
    "aws_secret_access_key = sd\n"
    "aws_session_token = td\n"
    "[half]\n"
    "aws_access_key_id = AKHALF\n";

static void
start(void)
{
	env_len = 0;
	set("HOME", dir);
	set("AWS_EC2_METADATA_DISABLED", "true"); /* there is no network */
}

static struct awsconf *
load(const char *profile)
{
	struct awsconf *c;

	CHECK_EQ(awsconf_load(&(struct awsconf_opts){
	    .getenv = fake_getenv, .profile = profile }, &c), 0);
	return c;
}

/* As the table of options looks for it. */
static const char *
region(const struct awsconf *c)
{
	const char *v = awsconf_env(c, "AWS_REGION");

	if (v == NULL)
		v = awsconf_env(c, "AWS_DEFAULT_REGION");
	return v != NULL ? v : awsconf_get(c, NULL, "region");
}

static void
test_settings(void)
{
	struct awsconf *c;

	start();
	c = load(NULL);
	CHECK_STR(awsconf_profile(c), "default");
	CHECK(!awsconf_has_explicit_profile(c));
	CHECK_STR(region(c), "eu-west-1");
	CHECK_STR(awsconf_endpoint_url(c, "s3"), "http://default");
	CHECK(!awsconf_bool(c, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
	CHECK_STR(awsconf_get(c, "two words", "REGION"), "eu-north-1");
	/* No secret is kept. */
	CHECK_STR(awsconf_get(c, "work", "aws_secret_access_key"), NULL);
	CHECK_STR(awsconf_get(c, "default", "aws_access_key_id"),
	    "AKDEFAULT");
	awsconf_free(c);

	c = load("work");
	CHECK(awsconf_has_explicit_profile(c));
	CHECK_STR(region(c), "us-west-2");
	CHECK_STR(awsconf_endpoint_url(c, "s3"), "http://s3.local");
	CHECK_STR(awsconf_endpoint_url(c, "kms"), NULL);
	CHECK(awsconf_bool(c, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
	CHECK_STR(awsconf_section_get(c, "services", "local", "s3", "other"),
	    "x");
	awsconf_free(c);

	set("AWS_ENDPOINT_URL", "http://all");
	set("AWS_ENDPOINT_URL_KMS", "http://kms");
	set("AWS_REGION", "sa-east-1");
	set("AWS_USE_FIPS_ENDPOINT", "false");
	c = load("work");
	CHECK_STR(region(c), "sa-east-1");
	CHECK_STR(awsconf_endpoint_url(c, "s3"), "http://all");
	CHECK_STR(awsconf_endpoint_url(c, "kms"), "http://kms");
	CHECK(!awsconf_bool(c, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
	awsconf_free(c);

	start();
	set("AWS_PROFILE", "ignore");
	c = load(NULL);
	CHECK(!awsconf_has_explicit_profile(c));
	CHECK_STR(awsconf_profile(c), "ignore");
	CHECK_STR(awsconf_endpoint_url(c, "s3"), NULL);
	CHECK_STR(region(c), NULL);
	awsconf_free(c);
	CHECK_EQ(awsconf_load(&(struct awsconf_opts){
	    .getenv = fake_getenv, .profile = "nonesuch" }, &c), -ENOENT);
	CHECK(c == NULL);
	CHECK_EQ(awsconf_load(&(struct awsconf_opts){
	    .getenv = fake_getenv, .profile = "typo" }, &c), -ENOENT);
	CHECK(c == NULL);
}

static void
expect(const char *profile, const char *key_id, const char *secret,
    const char *token, const char *source)
{
	struct awsconf *conf = load(profile);
	struct creds_value v;
	struct creds *c;

	CHECK_EQ(creds_new_default(&(struct creds_setup){ .conf = conf },
	    &c), 0);
	CHECK_EQ(creds_get(c, &v), key_id != NULL ? 0 : -EACCES);
	CHECK_STR(v.key_id, key_id != NULL ? key_id : "");
	CHECK_STR(v.secret, key_id != NULL ? secret : "");
	CHECK_STR(v.token, key_id != NULL ? token : "");
	CHECK_STR(creds_source(c), source);
	creds_value_wipe(&v);
	creds_free(c);
	awsconf_free(conf);
}

static void
test_chain(void)
{
	char token[5000];

	start();
	expect(NULL, "AKDEFAULT", "sd", "td", "credentials file");
	expect("work", "AKCONFIG", "secret # with a hash", "", "config file");
	expect("proc", "AKP", "sp", "tp", "credential_process");
	expect("bad", NULL, NULL, NULL, NULL);
	expect("half", NULL, NULL, NULL, NULL);
	expect("two words", NULL, NULL, NULL, NULL);

	memset(token, 'T', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	set("AWS_ACCESS_KEY_ID", "AKENV");
	set("AWS_SECRET_ACCESS_KEY", "senv");
	set("AWS_SESSION_TOKEN", token);
	/* A named profile beats the environment, which is left alone. */
	expect("work", "AKCONFIG", "secret # with a hash", "", "config file");
	CHECK_STR(fake_getenv("AWS_SECRET_ACCESS_KEY"), "senv");
	expect(NULL, "AKENV", "senv", token, "environment");
	/* Once taken in, the secrets stand there no more. */
	CHECK_STR(fake_getenv("AWS_SECRET_ACCESS_KEY"), "");
	CHECK_STR(fake_getenv("AWS_SESSION_TOKEN"), "");
	CHECK_EQ(memcmp(env_text[3], "\0\0\0\0", 4), 0);
	/* A key without its secret is an error, not a reason to go on. */
	expect(NULL, NULL, NULL, NULL, NULL);
}

static const struct {
	const char *json;
	int want;
	int64_t expires;
} process[] = {
	{ "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}",
	    0, 0 },
	{ "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\","
	  "\"SessionToken\":null,\"Expiration\":\"2030-01-01T00:00:00+00:00\"}",
	    0, 1893456000 },
	{ "{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}",
	    -EPROTO, 0 },
	{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}", -EPROTO, 0 },
	{ "{\"Version\":1,\"AccessKeyId\":\"A\"}", -EPROTO, 0 },
	{ "{\"Version\":1,\"AccessKeyId\":7,\"SecretAccessKey\":\"s\"}",
	    -EPROTO, 0 },
	{ "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\","
	  "\"Expiration\":\"soon\"}", -EPROTO, 0 },
	{ "[1]", -EPROTO, 0 },
	{ "not json", -EPROTO, 0 },
	{ "", -EPROTO, 0 },
};

static void
test_process_json(void)
{
	for (size_t i = 0; i < NELEMS(process); i++) {
		char why[CREDS_WHY_MAX] = "";
		struct creds_value v;

		CHECK_EQ_AT(i, creds_json_parse(CREDS_JSON_PROCESS, (struct slice){
		    (const uint8_t *)process[i].json,
		    strlen(process[i].json) }, &v, why), process[i].want);
		CHECK_EQ_AT(i, v.expires_unix, process[i].expires);
		CHECK_AT(i, (why[0] != '\0') == (process[i].want != 0));
		CHECK_STR_AT(i, v.key_id, process[i].want == 0 ? "A" : "");
	}
}

/* For awsconf.py: what the true files and environment say, "KEY VALUE" a line
 * and nothing after the blank where nothing is set. */
static int
answer(void)
{
	static const char *const service[] = { "s3", "kms", "sts", "sqs",
		"sso", "sso_oidc" };
	struct awsconf *c;
	const char *v;

	if (awsconf_load(&(struct awsconf_opts){ .profile = NULL }, &c) < 0)
		return puts("refused yes") < 0;
	for (size_t i = 0; i < NELEMS(service); i++) {
		v = awsconf_endpoint_url(c, service[i]);
		printf("%s %s\n", service[i], v != NULL ? v : "");
	}
	v = region(c);
	printf("region %s\n", v != NULL ? v : "");
	if ((v = awsconf_env(c, "AWS_CA_BUNDLE")) == NULL)
		v = awsconf_get(c, NULL, "ca_bundle");
	printf("ca_bundle %s\n", v != NULL ? v : "");
	printf("fips %s\n", awsconf_bool(c, "AWS_USE_FIPS_ENDPOINT",
	    "use_fips_endpoint") ? "true" : "false");
	printf("dual %s\n", awsconf_bool(c, "AWS_USE_DUALSTACK_ENDPOINT",
	    "use_dualstack_endpoint") ? "true" : "false");
	awsconf_free(c);
	return 0;
}

int
main(int argc, char **argv)
{
	char path[256];

	if (argc > 1 && strcmp(argv[1], "--ask") == 0)
		return answer();

	CHECK(sodium_init() >= 0);
	CHECK_EQ(log_open("/dev/null"), 0);
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/.aws", dir);
	CHECK_EQ(mkdir(path, 0700), 0);
	write_file("config", config);
	write_file("credentials", credentials);
	test_settings();
	test_chain();
	test_process_json();
	snprintf(path, sizeof(path), "rm -r '%s'", dir);
	CHECK_EQ(system(path), 0);
	return check_done();
}
