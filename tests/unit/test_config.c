#include "fs/config.h"

#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/crypto.h"
#include "crypto/envelope.h"
#include "store/log.h"

#define ARN                                                                    \
	"arn:aws:kms:us-east-1:123456789012:key/"                              \
	"11111111-2222-3333-4444-555555555555"
#define ARGS_MAX 16

/* Reads a command line with blanks between its words ('~' is a blank within
 * one). */
static int
parse(struct config *c, const char *command, const char *line, char *err)
{
	static char copy[2048];
	static char *argv[ARGS_MAX];
	int argc = 0;

	memset(c, 0, sizeof(*c));
	err[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " ")) {
		for (char *p = w; (p = strchr(p, '~')) != NULL;)
			*p = ' ';
		argv[argc++] = w;
	}
	return config_parse_args(c, option_command(command), argc, argv, err);
}

static const struct {
	const char *command, *line;
} good[] = {
	{ "mount", "s3://b m --jobs 5 --region=eu-west-1 -f -v" },
	{ "mount", "s3://b m -fv -o jobs=5,region=eu-west-1,allow_other" },
	{ "mount", "s3://b m -ojobs=5,ro,noauto,_netdev,x-systemd.foo=1,rw" },
	{ "mount", "s3://b m -o ro,rw -o ro,ro --nonempty" },
	{ "mount", "s3://b m -o defaults,nosuid,nodev,noexec,uid=0,umask=022" },
	{ "mount", "--jobs 5 -- s3://b -m" },
	{ "mount", "s3://b m --read-only=no --fips=yes" },
	{ "mount", "s3://b m --kms-key " ARN " --kms-key alias/x" },
	{ "mount", "s3://b m --kms-key " ARN "~alias/x" },
	{ "mount", "s3://b m --poll auto --cache-size 0 --key-ttl 10m" },
	{ "mount", "s3://b m -o accept=kms-gcm:cbc" },
	{ "mount", "s3://b m -o accept=kms-gcm\\,cbc" },
	{ "mount", "s3://b m --accept +cbc,plain" },
	{ "ls", "s3://b from=x size>1M --json --brief" },
	{ "umount", "m -z" },
	{ "verify", "s3://b --sample 5%" },
	{ "policy", "s3://b --rule a/b --terraform --read-only" },
	{ "policy", "s3://b --rule a.b_c-d/0 --delete refuse --jobs 5" },
};

static const struct {
	const char *command, *line;
	const char *says; /* part of the message */
} bad[] = {
	{ "mount", "s3://b m --jbos 5", "did you mean --jobs?" },
	{ "mount", "s3://b m -o jbos=5", "did you mean -o jobs?" },
	{ "mount", "s3://b m --utterly-wrong", "no such option" },
	{ "mount", "s3://b m -q", "-q: no such option" },
	{ "ls", "s3://b --allow-other", "not an option of \"ls\"" },
	{ "mount", "s3://b m --source x", "no such option" },
	{ "mount", "s3://b m --jobs", "needs a value" },
	{ "mount", "s3://b m -o jobs", "needs a value" },
	{ "mount", "s3://b m -o", "needs a value" },
	{ "mount", "s3://b m --jobs 5 --jobs 6", "--jobs: given twice" },
	{ "mount", "s3://b m --jobs 5 -o jobs=5", "given twice" },
	{ "mount", "s3://b m -f -f", "given twice" },
	{ "mount", "s3://b m --jobs 0", "out of range (1 to 1024)" },
	{ "mount", "s3://b m --jobs 1025", "out of range" },
	{ "mount", "s3://b m --jobs -1", "not a whole number" },
	{ "mount", "s3://b m --jobs 5x", "not a whole number" },
	{ "mount", "s3://b m --cache-size 5Q", "not a size" },
	{ "mount", "s3://b m --max-message-size 2G", "out of range" },
	{ "mount", "s3://b m --key-ttl 0", "out of range" },
	{ "mount", "s3://b m --poll 0", "out of range" },
	{ "mount", "s3://b m --poll often", "not a time" },
	{ "mount", "s3://b m --umask 0778", "not an octal number" },
	{ "mount", "s3://b m --delete remove", "not one of hide|refuse" },
	{ "mount", "s3://b m --kms-key arn:aws:kms:us-east-1:12:key/x",
	    "not a KMS key" },
	{ "mount", "s3://b m --umask 1000", "out of range (0 to 777)" },
	{ "mount", "s3://b m --index header", "not one of headers|envelope" },
	{ "mount", "s3://b m --read-only=maybe", "neither yes nor no" },
	{ "mount", "s3://b m --accept kms-gcm,cbcx", "is no format" },
	{ "mount", "s3://b m --accept ,", "names no format" },
	{ "mount", "s3://b m --kms-key foo", "not a KMS key" },
	{ "mount", "s3://b m --kms-key alias/x --kms-key alias/x",
	    "named twice" },
	{ "mount", "s3://b m --account 12345", "12 digits" },
	{ "mount", "s3://b m --region eu~west", "do not belong" },
	{ "mount", "s3://b m --endpoint-url https://a:b@h",
	    "has a user name or password in it" },
	{ "mount", "s3://b m --endpoint-url h:80", "needs a URL like" },
	{ "mount", "s3://b m --junk .Junk", "not a folder name" },
	{ "mount", "s3://b m --junk a/b", "not a folder name" },
	{ "mount", "s3://b m x", "too many arguments" },
	{ "mount", "", "something is missing" },
	{ "verify", "s3://b --sample 0", "out of range" },
	{ "policy", "s3://b m", "too many arguments" },
	{ "policy", "s3://b --rule ab", "SET/RULE" },
	{ "policy", "s3://b --rule a/", "SET/RULE" },
	{ "policy", "s3://b --rule /a", "SET/RULE" },
	{ "policy", "s3://b --rule a/b/c", "SET/RULE" },
	{ "policy", "s3://b --rule -a/b", "SET/RULE" },
	{ "policy", "s3://b --rule a/b~c", "SET/RULE" },
	{ "policy", "s3://b --rule a/"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "SET/RULE" },
	{ "mount", "s3://b m --rule a/b", "not an option of \"mount\"" },
	{ "verify", "s3://b --sample 101%", "out of range" },
	{ "verify", "s3://b --sample 5%%", "not a whole number" },
};

static void
test_args(void)
{
	char err[CONFIG_ERR_MAX];
	struct config c;

	for (size_t i = 0; i < NELEMS(good); i++) {
		CHECK_EQ_AT(i, parse(&c, good[i].command, good[i].line, err),
		    0);
		CHECK_STR_AT(i, err, "");
		config_free(&c);
	}
	for (size_t i = 0; i < NELEMS(bad); i++) {
		CHECK_EQ_AT(i, parse(&c, bad[i].command, bad[i].line, err),
		    -EINVAL);
		CHECK_AT(i, strstr(err, bad[i].says) != NULL);
		if (strstr(err, bad[i].says) == NULL)
			fprintf(stderr, "\tsaid \"%s\"\n", err);
		CHECK_AT(i, strchr(err, '\n') == NULL);
		config_free(&c);
	}
}

static void
test_values(void)
{
	char err[CONFIG_ERR_MAX];
	struct config c;

	CHECK_EQ(parse(&c, "mount", "s3://b m -o jobs=5,allow_other,ro,uid=7,"
	    "umask=027,accept=cbc:plain -d --endpoint-url https://h/ "
	    "--kms-key " ARN "~alias/x --inbox in/ --cache-size 2M", err), 0);
	CHECK_EQ(c.args_n, 2);
	CHECK_STR(c.args[0], "s3://b");
	CHECK_EQ(c.jobs, 5);
	CHECK(c.allow_other && c.read_only && c.debug && !c.verbose);
	CHECK_EQ(c.uid, 7);
	CHECK_EQ(c.umask, 027);
	CHECK_EQ(c.accept, ACCEPT_CBC | ACCEPT_PLAIN);
	CHECK_STR(c.endpoint_url, "https://h");
	CHECK_EQ(c.kms_key.n, 2);
	CHECK_STR(c.kms_key.item[1], "alias/x");
	CHECK_STR(c.inbox, "in");
	CHECK_EQ(c.cache_size, 2 << 20);
	config_free(&c);

	/* '+' adds to the default */
	CHECK_EQ(parse(&c, "mount", "s3://b m --accept +cbc", err), 0);
	CHECK_EQ(c.accept, ACCEPT_DEFAULT | ACCEPT_CBC);
	config_free(&c);
}

/* ---- what must agree ---- */

static const struct {
	const char *command, *line;
	const char *says; /* NULL: it is fine */
} finishes[] = {
	{ "mount", "s3://b m", NULL },
	{ "mount", "s3://b m --fips --crypto openssl", NULL },
	{ "mount", "s3://b m --fips --crypto sodium", "--crypto=openssl" },
	{ "mount", "s3://b m --fips --endpoint-url https://h",
	    "cannot go with --endpoint-url" },
	{ "mount", "s3://b m --fips --endpoint-url https://localhost:9", NULL },
	{ "mount", "s3://b m --fips --endpoint-url http://[::1]:9", NULL },
	{ "check", "s3://b --fips --queue "
	    "https://q.example.com/123456789012/mail",
	    "the host of --queue is another" },
	{ "check", "s3://b --fips --queue "
	    "https://sqs.us-east-1.amazonaws.com/123456789012/mail", NULL },
	{ "mount", "s3://b m --dual-stack --endpoint-url http://localhost:9",
	    "--dual-stack chooses" },
	{ "mount", "s3://b m --dual-stack --kms-endpoint-url https://h",
	    "cannot go with --kms-endpoint-url" },
	{ "mount", "s3://b m --endpoint-url http://h", "not encrypted" },
	{ "mount", "s3://b m --sts-endpoint-url http://127.evil.example",
	    "not encrypted" },
	{ "mount", "s3://b m --endpoint-url http://h --allow-http", NULL },
	{ "mount", "s3://b m --endpoint-url http://127.0.0.1:9000", NULL },
	{ "mount", "s3://b m --endpoint-url http://mail.localhost:9000", NULL },
	{ "mount", "s3://b m --kms-key account", NULL },
	{ "mount", "s3://b m --kms-key account --kms-key alias/x",
	    "\"account\" means every" },
	{ "mount", "s3://b m --delete refuse", NULL },
	{ "mount", "s3://b m --junk Junk --index envelope", "--junk needs" },
	{ "mount", "s3://b m -v -d", "exclude each other" },
	{ "mount", "s3://b m -d --log-level info", "exclude each other" },
	{ "mount", "s3://b m --log stderr", "needs --foreground" },
	{ "mount", "s3://b m --log stderr -f", NULL },
	{ "mount", "s3://b m --log nowhere", "neither stderr" },
	{ "ls", "s3://b --log stderr", NULL },
};

static void
test_finish(void)
{
	char err[CONFIG_ERR_MAX];
	struct config c;

	for (size_t i = 0; i < NELEMS(finishes); i++) {
		int r;

		CHECK_EQ_AT(i, parse(&c, finishes[i].command,
		    finishes[i].line, err), 0);
		r = config_finish(&c, err);
		CHECK_EQ_AT(i, r == 0, finishes[i].says == NULL);
		if (finishes[i].says != NULL)
			CHECK_AT(i, strstr(err, finishes[i].says) != NULL);
		config_free(&c);
	}
}

static void
test_defaults(void)
{
	char err[CONFIG_ERR_MAX];
	struct config c;

	CHECK_EQ(parse(&c, "mount", "s3://b m", err), 0);
	CHECK_EQ(config_finish(&c, err), 0);
	CHECK_EQ(c.accept, ACCEPT_DEFAULT);
	CHECK_EQ(c.cache_size, 1 << 30);
	CHECK_EQ(c.max_message_size, 64 << 20);
	CHECK_EQ(c.jobs, 64);
	CHECK_EQ(c.kms_rate, 200);
	CHECK_EQ(c.key_ttl_s, 3600);
	CHECK_EQ(c.poll_s, 0);
	CHECK_EQ(c.umask, 077);
	CHECK_EQ(c.log_level, LOG_LEVEL_WARN);
	CHECK_EQ(c.delete_mode, DELETE_HIDE);
	CHECK_EQ(c.index, INDEX_HEADERS);
	CHECK_EQ(c.crypto, CRYPTO_AUTO);
	CHECK(c.seal_key == NULL && c.junk == NULL && !c.read_only);
	CHECK_STR(c.inbox, "");
	config_free(&c);

	/* the last of ro and rw holds */
	CHECK_EQ(parse(&c, "mount", "s3://b m -o ro,rw", err), 0);
	CHECK(!c.read_only);
	config_free(&c);
	CHECK_EQ(parse(&c, "mount", "s3://b m -o rw,ro", err), 0);
	CHECK(c.read_only);
	config_free(&c);

	CHECK_EQ(parse(&c, "mount", "s3://b m --fips -d --kms-key alias/x",
	    err), 0);
	CHECK_EQ(config_finish(&c, err), 0);
	CHECK_EQ(c.crypto, CRYPTO_OPENSSL);
	CHECK_EQ(c.log_level, LOG_LEVEL_DEBUG);
	CHECK_STR(c.seal_key, "alias/x"); /* the first --kms-key */
	config_free(&c);

	CHECK_EQ(parse(&c, "mount",
	    "s3://b m --kms-key alias/x --seal-key none", err), 0);
	CHECK_EQ(config_finish(&c, err), 0);
	CHECK(c.seal_key == NULL);
	config_free(&c);
}

/* ---- sesfs.conf ---- */

static const char conf[] = "# comment\n"
			   "[defaults]\n"
			   "jobs = 10\n"
			   "kms-rate = 20\n"
			   "[work]\n"
			   "source = s3://work/in\n"
			   "mountpoint = /mnt/work\n"
			   "jobs = 11   ; of the section\n"
			   "kms-key = alias/a\n"
			   "kms-key = alias/b\n"
			   "[other]\n"
			   "source = s3://other\n"
			   "jobs = 12\n";

static const struct {
	const char *text, *section;
	int want;
	const char *says;
} files[] = {
	{ conf, NULL, 0, NULL },
	{ conf, "work", 0, NULL },
	{ conf, "none", -ENOENT, NULL },
	{ "", "work", -ENOENT, NULL },
	{ "[work]\njbos = 1\n", "work", -EINVAL, "f:2: jbos: no such key" },
	{ "[work]\njobs = x\n", "work", -EINVAL, "f:2: jobs: \"x\" is not" },
	/* a section that is not wanted is checked all the same */
	{ "[work]\njobs = x\n", NULL, -EINVAL, "f:2: jobs" },
	{ "[work]\njobs = 1\njobs = 2\n", "work", -EINVAL, "given twice" },
	{ "[a]\njobs = 1\n[b]\njobs = 2\n", "b", 0, NULL },
	{ "[work]\njson = yes\n", "work", -EINVAL, "no such key" },
	{ "[work]\nstate-dir = x\n", "work", -EINVAL, "absolute path" },
	{ "[work]\nnonsense\n", "work", -EINVAL, "f:2: neither" },
	{ "jobs = 1\n", NULL, -EINVAL, "f:1:" },
	{ "[work]\njobs = 1\n  x\n", "work", -EINVAL, "indentation" },
};

static int
parse_text(struct config *c, const char *text, const char *section, char *err)
{
	return config_parse_file(c,
	    (struct slice){ (const uint8_t *)text, strlen(text) }, section,
	    "f", err);
}

static void
test_file(void)
{
	char err[CONFIG_ERR_MAX];

	for (size_t i = 0; i < NELEMS(files); i++) {
		struct config c = { 0 };

		err[0] = '\0';
		CHECK_EQ_AT(i, parse_text(&c, files[i].text, files[i].section,
		    err), files[i].want);
		if (files[i].says != NULL)
			CHECK_AT(i, strstr(err, files[i].says) != NULL);
		config_free(&c);
	}
}

/* ---- who wins ---- */

static char *
aws_env(const char *name)
{
	static char values[][32] = { "AWS_REGION", "eu-west-3",
		"AWS_ENDPOINT_URL", "https://all", "AWS_ENDPOINT_URL_KMS",
		"https://kms", "AWS_USE_FIPS_ENDPOINT", "false",
		"AWS_CONFIG_FILE", "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE", "/dev/null" };

	for (size_t i = 0; i < NELEMS(values); i += 2)
		if (strcmp(values[i], name) == 0)
			return values[i + 1];
	return NULL;
}

static void
test_order(void)
{
	const struct awsconf_opts o = { .getenv = aws_env };
	CLEANUP(awsconf_freep) struct awsconf *aws = NULL;
	char err[CONFIG_ERR_MAX];
	struct config c;

	CHECK_EQ(awsconf_load(&o, &aws), 0);
	CHECK_EQ(parse(&c, "mount", "work -o kms-endpoint-url=https://flag",
	    err), 0);
	CHECK_EQ(parse_text(&c, conf, "work", err), 0);
	CHECK_EQ(config_parse_aws(&c, aws, err), 0);
	CHECK_EQ(config_finish(&c, err), 0);
	CHECK_STR(c.source, "s3://work/in");
	CHECK_STR(c.mountpoint, "/mnt/work");
	CHECK_EQ(c.jobs, 11);
	CHECK_EQ(c.kms_rate, 20);
	CHECK_EQ(c.kms_key.n, 2);
	CHECK_STR(c.region, "eu-west-3");
	CHECK_STR(c.endpoint_url, "https://all");
	CHECK_STR(c.kms_endpoint_url, "https://flag");
	CHECK_EQ(config_level(&c, "jobs"), LEVEL_SECTION);
	CHECK_EQ(config_level(&c, "kms-rate"), LEVEL_DEFAULTS);
	CHECK_EQ(config_level(&c, "region"), LEVEL_AWS);
	CHECK_EQ(config_level(&c, "umask"), LEVEL_DEFAULT);
	config_free(&c);

	/* A list of a higher level replaces that of a lower one. */
	CHECK_EQ(parse(&c, "mount", "work --kms-key alias/c --jobs 13", err),
	    0);
	CHECK_EQ(parse_text(&c, conf, "work", err), 0);
	CHECK_EQ(c.jobs, 13);
	CHECK_EQ(c.kms_key.n, 1);
	CHECK_STR(c.kms_key.item[0], "alias/c");
	config_free(&c);
}

/* ---- the table itself ---- */

static void
test_table(void)
{
	size_t n;
	const struct option *t = option_table(&n);
	struct config c = { 0 };
	char why[OPTION_WHY_MAX];

	for (size_t i = 0; i < n; i++) {
		CHECK_AT(i, option_find(t[i].name, strlen(t[i].name)) == &t[i]);
		CHECK_AT(i, t[i].letter == '\0' ||
		    option_find_letter(t[i].letter) == &t[i]);
		CHECK_AT(i, t[i].letter == '\0' || t[i].arg == NULL);
		CHECK_AT(i, (t[i].arg == NULL) == (t[i].kind == OPTION_BOOL));
		CHECK_AT(i, t[i].is_file_only == (t[i].commands == 0));
		if (t[i].def != NULL)
			CHECK_EQ_AT(i, option_set(&t[i], t[i].def, &c, why),
			    0);
		option_clear(&t[i], &c);
	}
	CHECK(option_find("allow_other", 11) == option_find("allow-other", 11));
	CHECK(option_find("ro", 2) == option_find("read-only", 9));
	CHECK(option_find("nothing", 7) == NULL);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_ERR);
	test_table();
	test_args();
	test_values();
	test_finish();
	test_defaults();
	test_file();
	test_order();
	return check_done();
}
