/* config_load.c -- the order of the sources, and what they must agree on. */
#include "fs/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "fs/audit.h"
#include "fs/statedir.h"
#include "store/endpoint.h"
#include "store/ini.h"
#include "store/log.h"
#include "store/sqs.h"

static int PRINTF(2, 3)
bad(char err[CONFIG_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, CONFIG_ERR_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- what options must agree on ---- */

static int
finish_keys(struct config *c, char *err)
{
	struct option_list *l = &c->kms_key;

	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->item[i], "account") != 0)
			continue;
		if (l->n > 1)
			return bad(err, "--kms-key: \"account\" means every "
			    "key of the account; name no other beside it");
		free(l->item[0]);
		l->n = 0;
	}
	if (c->seal_key == NULL && l->n > 0) {
		c->seal_key = strdup(l->item[0]);
		if (c->seal_key == NULL)
			return bad(err, "out of memory");
	} else if (c->seal_key != NULL && strcmp(c->seal_key, "none") == 0) {
		free(TAKE(c->seal_key));
	}
	return 0;
}

static int
finish_endpoint(struct config *c, const char *option, const char *url,
    char *err)
{
	struct endpoint e;
	const char *why;

	if (url == NULL)
		return 0;
	if (endpoint_parse(url, &e, &why) < 0)
		return bad(err, "--%s: the URL %s", option, why);
	/* As AWS's rules have it; loopback is for trying things out. */
	if (c->dual_stack || (c->fips && !endpoint_is_loopback(&e)))
		return bad(err, "--%s chooses among AWS's own endpoints; it "
		    "cannot go with --%s",
		    c->dual_stack ? "dual-stack" : "fips", option);
	if (!e.is_tls && !c->allow_http && !endpoint_is_loopback(&e))
		return bad(err, "--%s: %s is not encrypted; use https, or "
		    "--allow-http", option, url);
	return 0;
}

/* Its name stands in the host's, nowhere else. */
static int
finish_access_point(struct config *c, char *err)
{
	struct s3_arn arn;
	struct endpoint e;
	const char *why;
	size_t len;

	if (!s3_arn_is(c->location.bucket) ||
	    s3_arn_parse(c->location.bucket, &arn, &len, &why) < 0)
		return 0;
	if (c->region != NULL && strcmp(endpoint_partition(c->region),
	    endpoint_partition(arn.region)) != 0)
		return bad(err, "--region: %s is not of the access point's "
		    "partition, as %s is", c->region, arn.region);
	if (c->path_style)
		return bad(err, "--path-style cannot go with an access point");
	if (c->endpoint_url != NULL &&
	    endpoint_parse(c->endpoint_url, &e, &why) == 0 &&
	    endpoint_is_address(&e))
		return bad(err, "--endpoint-url: an access point needs a host "
		    "name there, not %s", e.host);
	return 0;
}

static int
finish_endpoints(struct config *c, char *err)
{
	int r;

	if ((r = finish_endpoint(c, "endpoint-url", c->endpoint_url, err)) < 0)
		return r;
	if ((r = finish_endpoint(c, "kms-endpoint-url", c->kms_endpoint_url,
		 err)) < 0)
		return r;
	if (c->queue != NULL && (r = finish_endpoint(c, "sqs-endpoint-url",
	    c->sqs_endpoint_url, err)) < 0)
		return r;
	if ((r = finish_endpoint(c, "sts-endpoint-url", c->sts_endpoint_url,
		 err)) < 0)
		return r;
	return finish_access_point(c, err);
}

static int
finish_queue(struct config *c, char *err)
{
	struct sqs_url url;
	const char *why;

	if (c->queue == NULL)
		return 0;
	if (sqs_url_parse(c->queue, &url, &why) < 0)
		return bad(err, "--queue: the URL %s", why);
	if (c->fips && c->sqs_endpoint_url == NULL && !url.is_aws &&
	    !endpoint_is_loopback(&url.endpoint))
		return bad(err, "--fips takes AWS's own endpoints; the host of "
		    "--queue is another");
	if (!url.endpoint.is_tls && c->sqs_endpoint_url == NULL &&
	    !c->allow_http && !endpoint_is_loopback(&url.endpoint))
		return bad(err, "--queue: %.200s is not encrypted; use https, "
		    "or --allow-http", c->queue);
	return 0;
}

static int
finish_crypto(struct config *c, char *err)
{
	if (!c->fips)
		return 0;
	if (c->crypto == CRYPTO_SODIUM)
		return bad(err, "--fips needs --crypto=openssl, not sodium");
	c->crypto = CRYPTO_OPENSSL;
	return 0;
}

/* realpath(3) of what need not be there yet; NULL when memory ran out. */
static char *
resolve(const char *path)
{
	char *head = strdup(path), *real = NULL, *ret = NULL, *slash;

	while (head != NULL && (real = realpath(head, NULL)) == NULL &&
	    (slash = strrchr(head, '/')) != NULL)
		*slash = '\0';
	/* Without a second slash where the head is the root. */
	if (head != NULL && asprintf(&ret, "%s%s",
	    real != NULL && real[1] != '\0' ? real : "",
	    path + strlen(head)) < 0)
		ret = NULL;
	free(real);
	free(head);
	return ret;
}

static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

/* Is path, or the nearest above it that is there, in the directory `dir`? By
 * what they are, so that neither a symbolic link nor a bind mount hides it. */
static bool
is_beneath(char *path, const struct stat *dir)
{
	struct stat st;

	for (size_t len = strlen(path); len > 0;) {
		path[len] = '\0';
		if (stat(path, &st) == 0 && st.st_dev == dir->st_dev &&
		    st.st_ino == dir->st_ino)
			return true;
		while (len > 0 && path[--len] != '/')
			;
	}
	return false;
}

/* Where a symbolic link to what is not there yet leads, else NULL. */
static char *
dangling(const char *path)
{
	const char *slash = strrchr(path, '/');
	char target[PATH_MAX], *ret = NULL;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0 || slash == NULL || access(path, F_OK) == 0)
		return NULL;
	target[n] = '\0';
	if (asprintf(&ret, "%.*s%s", target[0] == '/' ? 0 :
	    (int)(slash + 1 - path), path, target) < 0)
		return NULL;
	return ret;
}

/* What the daemon itself writes there it would wait for in vain. */
static bool
is_in_mountpoint(const struct config *c, const char *path)
{
	char *real, *target;
	struct stat dir;
	bool ret;

	if (c->mountpoint == NULL)
		return false;
	target = dangling(path);
	real = resolve(target != NULL ? target : path);
	free(target);
	ret = is_below(path, c->mountpoint) ||
	    (real != NULL && (is_below(real, c->mountpoint) ||
	    (stat(c->mountpoint, &dir) == 0 && is_beneath(real, &dir))));
	free(real);
	return ret;
}

static int
finish_log(struct config *c, char *err)
{
	enum config_level by_flag = c->debug ? config_level(c, "debug") :
	    c->verbose ? config_level(c, "verbose") : LEVEL_NONE;

	if (c->debug && c->verbose)
		return bad(err, "--verbose and --debug exclude each other");
	if (by_flag != LEVEL_NONE && by_flag == config_level(c, "log-level"))
		return bad(err, "--%s and --log-level exclude each other",
		    c->debug ? "debug" : "verbose");
	if (by_flag > config_level(c, "log-level"))
		c->log_level = c->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	if (c->log == NULL || strcmp(c->log, "syslog") == 0)
		return 0;
	if (c->log[0] == '/')
		return !is_in_mountpoint(c, c->log) ? 0 : bad(err,
		    "--log: %s lies in the mountpoint", c->log);
	if (strcmp(c->log, "stderr") != 0)
		return bad(err, "--log: \"%.100s\" is neither stderr, syslog "
		    "nor an absolute file name", c->log);
	if (c->command->bit == COMMAND_MOUNT && !c->foreground)
		return bad(err, "--log=stderr needs --foreground");
	return 0;
}

static int
finish_tree(struct config *c, char *err)
{
	if (c->junk != NULL && c->index == INDEX_ENVELOPE)
		return bad(err, "--junk needs the verdicts in the header; it "
		    "cannot go with --index=envelope");
	if (config_level(c, "uid") == LEVEL_NONE)
		c->uid = geteuid();
	if (config_level(c, "gid") == LEVEL_NONE)
		c->gid = getegid();
	return 0;
}

static int
finish_audit(struct config *c, char *err)
{
	if (c->audit == NULL || strcmp(c->audit, AUDIT_JOURNAL) == 0)
		return 0;
	if (c->audit[0] != '/')
		return bad(err, "--audit: \"%.100s\" is neither journal nor an "
		    "absolute file name", c->audit);
	if (is_in_mountpoint(c, c->audit))
		return bad(err, "--audit: %s lies in the mountpoint",
		    c->audit);
	return 0;
}

/* Nothing that the daemon keeps may lie in what it serves. */
static int
finish_state(struct config *c, char *err)
{
	int r;

	if (c->location.bucket[0] == '\0')
		return 0;
	if (c->state_dir == NULL) {
		r = statedir_default(c->location.url, c->endpoint_url, getenv,
		    &c->state_dir);
		if (r == -ENOENT)
			return bad(err, "there is no home directory to keep "
			    "state in; give --state-dir");
		if (r < 0)
			return bad(err, "out of memory");
	}
	if (is_in_mountpoint(c, c->state_dir))
		return bad(err, "--state-dir: %s lies in the mountpoint",
		    c->state_dir);
	return 0;
}

static int
set_defaults(struct config *c, char *err)
{
	size_t n;
	const struct option *t = option_table(&n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (t[i].def != NULL)
			r = config_set(c, &t[i], t[i].def, LEVEL_DEFAULT,
			    t[i].name, err);
	return r;
}

int
config_finish(struct config *c, char err[CONFIG_ERR_MAX])
{
	int r;

	if ((r = set_defaults(c, err)) < 0 || (r = finish_keys(c, err)) < 0 ||
	    (r = finish_endpoints(c, err)) < 0 ||
	    (r = finish_queue(c, err)) < 0 ||
	    (r = finish_crypto(c, err)) < 0 ||
	    (r = finish_log(c, err)) < 0 ||
	    (r = finish_audit(c, err)) < 0 || (r = finish_tree(c, err)) < 0)
		return r;
	return finish_state(c, err);
}

/* ---- finding the file ---- */

static int
read_file(const char *path, char **ret, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	size_t len = 0;
	ssize_t n = 0;
	char *text;

	*ret = NULL;
	if (fd < 0)
		return -errno;
	if ((text = malloc(INI_FILE_MAX)) == NULL)
		r = -ENOMEM;
	while (r == 0 && len < INI_FILE_MAX &&
	    (n = read(fd, text + len, INI_FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (r == 0 && n < 0)
		r = -errno;
	else if (r == 0 && len == INI_FILE_MAX)
		r = -EMSGSIZE;
	close(fd);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

/* The first of: --config, the user's file, the machine's. NULL: none. */
static char *
find_file(const struct config *c)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int r = -1;

	if (c->config_file != NULL)
		return strdup(c->config_file);
	if (base != NULL && *base == '/')
		r = asprintf(&path, "%s/sesfs/sesfs.conf", base);
	else if (home != NULL && *home == '/')
		r = asprintf(&path, "%s/.config/sesfs/sesfs.conf", home);
	if (r >= 0 && access(path, F_OK) == 0)
		return path;
	if (r >= 0)
		free(path);
	path = strdup("/etc/sesfs/sesfs.conf");
	if (path != NULL && access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* Read it for the sake of a section (NULL: of [defaults]). -ENOENT: there is
 * no file, or no such section in it. */
static int
load_file(struct config *c, const char *section, char *err)
{
	char *path = find_file(c), *text = NULL;
	size_t len = 0;
	int r;

	if (path == NULL)
		return -ENOENT;
	if ((r = read_file(path, &text, &len)) < 0) {
		bad(err, "%s: %s", path, strerror(-r));
		r = -EINVAL;
	} else {
		r = config_parse_file(c,
		    (struct slice){ (const uint8_t *)text, len }, section,
		    path, err);
	}
	free(text);
	free(path);
	return r;
}

/* ---- source and mountpoint ---- */

/* Mounts are known to the system by a name without symbolic links. What cannot
 * be resolved stays: mounting says what is wrong with it. */
static void
resolve_mountpoint(struct config *c)
{
	char *real = realpath(c->mountpoint, NULL);

	if (real == NULL)
		return;
	free(c->mountpoint);
	c->mountpoint = real;
}

static int
set_mountpoint(struct config *c, const char *text, char *err)
{
	static const struct option as_path = { .name = "mountpoint",
		.kind = OPTION_PATH,
		.offset = offsetof(struct config, mountpoint) };
	char why[OPTION_WHY_MAX];
	size_t len;

	if (option_set(&as_path, text, c, why) < 0)
		return bad(err, "mountpoint: %s", why);
	for (len = strlen(c->mountpoint); len > 1 &&
	     c->mountpoint[len - 1] == '/'; len--)
		c->mountpoint[len - 1] = '\0';
	resolve_mountpoint(c);
	return 0;
}

static int
settle_source(struct config *c, char *err)
{
	const char *name = c->args[0], *why;
	bool is_url = strncmp(name, "s3://", 5) == 0;
	int r;

	if (!is_url && (strchr(name, '/') != NULL || *name == '\0' ||
			   strcmp(name, "defaults") == 0))
		return bad(err, "\"%.200s\" is neither s3://BUCKET/PREFIX nor "
		    "a section of sesfs.conf", name);
	r = load_file(c, is_url ? NULL : name, err);
	if (r == -ENOENT && !is_url)
		return bad(err, "\"%.200s\" is neither s3://BUCKET/PREFIX nor "
		    "a section of sesfs.conf", name);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!is_url && c->source == NULL)
		return bad(err, "section [%s] has no source; give it one, "
		    "s3://BUCKET/PREFIX", name);
	if (location_parse(is_url ? name : c->source, &c->location, &why) < 0)
		return bad(err, "%.200s: %s", is_url ? name : c->source, why);
	return 0;
}

static int
settle_mountpoint(struct config *c, char *err)
{
	if (c->args_n > 1)
		return set_mountpoint(c, c->args[1], err);
	if (c->mountpoint == NULL)
		return bad(err, "where to? use: sesfs mount %s MOUNTPOINT",
		    c->args[0]);
	if (c->mountpoint[0] != '/')
		return bad(err, "mountpoint: \"%.200s\" is not an absolute "
		    "path", c->mountpoint);
	resolve_mountpoint(c);
	return 0;
}

/* umount, status, forget and warm take a directory, or the section it is from. */
static int
settle_mounted(struct config *c, char *err)
{
	const char *name = c->args[0];
	int r;

	if (strchr(name, '/') == NULL && access(name, F_OK) != 0) {
		r = load_file(c, name, err);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && c->mountpoint != NULL) {
			resolve_mountpoint(c);
			return 0;
		}
	}
	free(TAKE(c->mountpoint));
	return set_mountpoint(c, name, err);
}

static int
load_aws(struct config *c, char *err)
{
	const struct awsconf_opts o = { .profile = c->profile };

	/* Its log line is the message. */
	if (awsconf_load(&o, &c->aws) < 0)
		return -EINVAL;
	return config_parse_aws(c, c->aws, err);
}

int
config_load(struct config *c, const struct command *cmd, int argc,
    char **argv, char err[CONFIG_ERR_MAX])
{
	int r;

	memset(c, 0, sizeof(*c));
	err[0] = '\0';
	if ((r = config_parse_args(c, cmd, argc, argv, err)) < 0)
		return r;
	if ((cmd->bit & COMMANDS_SOURCE) == 0) {
		if ((r = settle_mounted(c, err)) < 0)
			return r;
		return config_finish(c, err);
	}
	if ((r = settle_source(c, err)) < 0)
		return r;
	if (cmd->bit == COMMAND_MOUNT && (r = settle_mountpoint(c, err)) < 0)
		return r;
	if ((r = load_aws(c, err)) < 0)
		return r;
	return config_finish(c, err);
}
