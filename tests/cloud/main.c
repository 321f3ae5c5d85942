/* sesfs-cloud -- S3, KMS, STS and SQS on loopback, in memory, for tests. */
#include "admin.h"
#include "generate.h"
#include "identity.h"
#include "kms.h"
#include "permit.h"
#include "server.h"
#include "sqs.h"
#include "vectors.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define GENERATE_MAX 32 /* --generate and --set options */

struct options {
	uint16_t port;
	const char *port_file, *access_key, *secret_key, *session_token;
	const char *region, *account, *cert_file, *key_file, *vectors;
	const char *generate[GENERATE_MAX], *set[GENERATE_MAX];
	size_t ngenerate, nset;
};

static void
usage(FILE *out)
{
	struct buf settings = { 0 }, commands = { 0 }, gen = { 0 }, id = { 0 };

	settings_help(&settings);
	admin_help(&commands);
	generate_help(&gen);
	identity_help(&id);
	fprintf(out,
	    "usage: sesfs-cloud [options]\n\n"
	    "S3, KMS, STS, SQS and the sources of temporary credentials on 127.0.0.1,"
	    "\nin memory, as strict as AWS.\n\n"
	    "    --port N            0 picks one (0)\n"
	    "    --port-file FILE    written, whole, when ready\n"
	    "    --access-key AK     (test)\n"
	    "    --secret-key SK     (testsecret)\n"
	    "    --session-token T   demand temporary credentials\n"
	    "    --region R          of the endpoint (us-east-1)\n"
	    "    --account A         of the caller (123456789012)\n"
	    "    --tls-cert FILE, --tls-key FILE   PEM; https then\n"
	    "    --load-vectors DIR  test vectors: buckets v-NAME and "
	    "vectors-positive\n"
	    "    --generate SPEC     mail, as in bucket=mail,count=1000\n"
	    "    --set NAME=VALUE    a setting, from the start\n"
	    "    --die-with-parent   end when the parent does\n"
	    "    --help\n\n"
	    "A bucket's region is the one it was made in. A request signed for "
	    "the\nendpoint's region gets 301 for a bucket elsewhere, any other "
	    "400.\n\n"
	    "Commands, unsigned, under /_cloud/:\n%s\n"
	    "Settings (default):\n%s\n"
	    "Parameters of generate (default):\n%s\n"
	    "Temporary credentials, good for all services until they end:\n%s",
	    commands.p, settings.p, gen.p, id.p);
	buf_free(&settings);
	buf_free(&commands);
	buf_free(&gen);
	buf_free(&id);
}

static int
misuse(const char *what, const char *value)
{
	fprintf(stderr, "sesfs-cloud: %s: %s\n", what, value);
	return -EINVAL;
}

static int
parse_port(const char *s, uint16_t *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end != '\0' || v > 65535)
		return misuse("--port", s);
	*ret = (uint16_t)v;
	return 0;
}

enum long_option { O_PORT = 256, O_PORT_FILE, O_ACCESS, O_SECRET, O_TOKEN,
	O_REGION, O_ACCOUNT, O_CERT, O_KEY, O_VECTORS, O_GENERATE, O_SET, O_DIE,
	O_HELP };

static const struct option long_options[] = {
	{ "port", required_argument, NULL, O_PORT },
	{ "port-file", required_argument, NULL, O_PORT_FILE },
	{ "access-key", required_argument, NULL, O_ACCESS },
	{ "secret-key", required_argument, NULL, O_SECRET },
	{ "session-token", required_argument, NULL, O_TOKEN },
	{ "region", required_argument, NULL, O_REGION },
	{ "account", required_argument, NULL, O_ACCOUNT },
	{ "tls-cert", required_argument, NULL, O_CERT },
	{ "tls-key", required_argument, NULL, O_KEY },
	{ "load-vectors", required_argument, NULL, O_VECTORS },
	{ "generate", required_argument, NULL, O_GENERATE },
	{ "set", required_argument, NULL, O_SET },
	{ "die-with-parent", no_argument, NULL, O_DIE },
	{ "help", no_argument, NULL, O_HELP },
	{ NULL, 0, NULL, 0 },
};

static int
append(const char **list, size_t *n, const char *value)
{
	if (*n == GENERATE_MAX)
		return misuse("too many options", value);
	list[(*n)++] = value;
	return 0;
}

/* 0 to go on, 1 after --help, or -EINVAL. */
static int
parse_option(int opt, struct options *o)
{
	switch (opt) {
	case O_PORT:
		return parse_port(optarg, &o->port);
	case O_PORT_FILE:
		o->port_file = optarg;
		return 0;
	case O_ACCESS:
		o->access_key = optarg;
		return 0;
	case O_SECRET:
		o->secret_key = optarg;
		return 0;
	case O_TOKEN:
		o->session_token = optarg;
		return 0;
	case O_REGION:
		o->region = optarg;
		return 0;
	case O_ACCOUNT:
		o->account = optarg;
		return 0;
	case O_CERT:
		o->cert_file = optarg;
		return 0;
	case O_KEY:
		o->key_file = optarg;
		return 0;
	case O_VECTORS:
		o->vectors = optarg;
		return 0;
	case O_GENERATE:
		return append(o->generate, &o->ngenerate, optarg);
	case O_SET:
		return append(o->set, &o->nset, optarg);
	case O_DIE:
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		return 0;
	case O_HELP:
		usage(stdout);
		return 1;
	default:
		return -EINVAL;
	}
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	int opt, r;

	*o = (struct options){ .access_key = "test",
		.secret_key = "testsecret", .region = "us-east-1",
		.account = "123456789012" };
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if ((r = parse_option(opt, o)) != 0)
			return r;
	if (optind < argc)
		return misuse("what is", argv[optind]);
	if ((o->cert_file == NULL) != (o->key_file == NULL))
		return misuse("TLS", "needs --tls-cert and --tls-key");
	if (strlen(o->account) != 12 ||
	    strspn(o->account, "0123456789") != 12 || strlen(o->region) > 31)
		return misuse("--account, --region", "12 digits, and a region");
	return 0;
}

static int
read_file(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (f == NULL)
		return misuse(path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(ret, chunk, n);
	fclose(f);
	return 0;
}

/* Whoever waits for the file must never see half of it. */
static int
write_port(const char *path, uint16_t port)
{
	struct arena a = { 0 };
	char *tmp = arena_fmt(&a, "%s.tmp", path);
	FILE *f = fopen(tmp, "we");
	int r = -EIO;

	if (f != NULL) {
		r = fprintf(f, "%u\n", port) > 0 ? 0 : -EIO;
		if (fclose(f) != 0 || r < 0 || rename(tmp, path) != 0)
			r = -EIO;
	}
	arena_free(&a);
	return r < 0 ? misuse(path, "cannot be written") : 0;
}

static int
generate_spec(struct cloud *c, const char *spec)
{
	struct pair params[GENERATE_MAX];
	struct arena a = { 0 };
	char *rest = arena_fmt(&a, "%s", spec), *name, *eq, why[128];
	size_t n = 0, count;
	int r = 0;

	while (r == 0 && (name = strsep(&rest, ",&")) != NULL) {
		eq = strchr(name, '=');
		if (eq == NULL || n == GENERATE_MAX) {
			r = misuse("--generate", "name=value,... is wanted");
			break;
		}
		*eq = '\0';
		params[n++] = (struct pair){ name, eq + 1 };
	}
	if (r == 0 && (r = generate(c, params, n, why, &count)) < 0)
		misuse("--generate", why);
	arena_free(&a);
	return r;
}

static int
apply_setting(struct cloud *c, const char *setting)
{
	struct arena a = { 0 };
	char *name = arena_fmt(&a, "%s", setting), *eq = strchr(name, '=');
	char why[128] = "NAME=VALUE is wanted";
	int r = -EINVAL;

	if (eq != NULL) {
		*eq = '\0';
		r = settings_set(&c->settings, name, eq + 1, why);
	}
	if (r < 0)
		misuse("--set", why);
	arena_free(&a);
	return r;
}

static int
fill(struct cloud *c, const struct options *o)
{
	char why[128];

	for (size_t i = 0; i < o->nset; i++)
		if (apply_setting(c, o->set[i]) < 0)
			return -EINVAL;
	if (o->vectors != NULL && vectors_load(c, o->vectors, why) < 0)
		return misuse("--load-vectors", why);
	for (size_t i = 0; i < o->ngenerate; i++)
		if (generate_spec(c, o->generate[i]) < 0)
			return -EINVAL;
	return 0;
}

static int
start(struct cloud *c, const struct options *o, struct server **ret)
{
	struct buf cert = { 0 }, key = { 0 };
	int r = 0;

	if (o->cert_file != NULL && (r = read_file(o->cert_file, &cert)) == 0)
		r = read_file(o->key_file, &key);
	if (r == 0 && (r = server_start(c, o->port, cert.p, key.p, ret)) < 0)
		misuse("cannot listen", strerror(-r));
	buf_free(&cert);
	buf_free(&key);
	return r;
}

/* Serve until told to stop. */
static int
serve(struct cloud *c, const struct options *o, const sigset_t *ends)
{
	struct server *s;
	int r, sig;

	if (fill(c, o) < 0 || start(c, o, &s) < 0)
		return -EINVAL;
	r = o->port_file != NULL ? write_port(o->port_file, server_port(s)) : 0;
	if (r == 0) {
		printf("http%s://127.0.0.1:%u\n",
		    o->cert_file != NULL ? "s" : "", server_port(s));
		fflush(stdout);
		sigwait(ends, &sig);
	}
	server_stop(s);
	return r;
}

int
main(int argc, char **argv)
{
	struct cloud c = { 0 };
	struct options o;
	sigset_t ends;
	int r = parse_options(argc, argv, &o);

	if (r != 0)
		return r < 0 ? 2 : 0;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	json_object_seed(1);
	c.region = o.region;
	c.account = o.account;
	settings_init(&c.settings);
	c.auth = auth_new(o.access_key, o.secret_key, o.session_token);
	c.store = store_new();
	c.kms = kms_new(o.region, o.account);
	c.sqs = sqs_new();
	c.identity = identity_new();
	c.permits = permits_new();
	c.journal = journal_new();
	r = serve(&c, &o, &ends);
	store_free(c.store);
	kms_free(c.kms);
	sqs_free(c.sqs);
	identity_free(c.identity);
	permits_free(c.permits);
	journal_free(c.journal);
	auth_free(c.auth);
	return r < 0 ? 2 : 0;
}
