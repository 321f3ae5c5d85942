#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/awsconf.h"
#include "store/log.h"

#define ENTRIES_MAX 20000

/* One setting; strings are in one allocation, owned through `section`. */
struct entry {
	bool is_config;
	char *section, *key, *subkey, *value;
};

struct awsconf {
	awsconf_getenv_fn *getenv;
	char *profile;
	bool has_explicit_profile;
	char *config_path, *credentials_path;
	struct entry *entry;
	size_t len, cap;
};

/* What ini_read() is given. */
struct reading {
	struct awsconf *conf;
	bool is_config;
	const char *path;
};

static char *
put(char **at, struct slice s)
{
	char *start = *at;

	if (s.len > 0)
		memcpy(start, s.ptr, s.len);
	start[s.len] = '\0';
	*at += s.len + 1;
	return start;
}

static int
grow(struct awsconf *c)
{
	size_t cap = c->cap > 0 ? c->cap * 2 : 64;
	struct entry *more;

	if (c->len < c->cap)
		return 0;
	if (c->len >= ENTRIES_MAX)
		return -EMSGSIZE;
	if ((more = realloc(c->entry, cap * sizeof(*more))) == NULL)
		return -ENOMEM;
	c->entry = more;
	c->cap = cap;
	return 0;
}

/* Secrets are not kept here. */
static bool
is_secret(const struct ini_item *item)
{
	return ini_is(item->key, "aws_secret_access_key") ||
	    ini_is(item->key, "aws_session_token") ||
	    ini_is(item->key, "aws_security_token");
}

static int
take_item(void *arg, const struct ini_item *item)
{
	struct reading *r = arg;
	struct awsconf *c = r->conf;
	struct entry e = { .is_config = r->is_config };
	char *at;
	int err;

	if (item->kind == INI_CONTINUED) {
		log_warn(0, "config: read %s: line %u is indented and left "
		    "out", r->path, item->line);
		return 0;
	}
	if (is_secret(item))
		return 0;
	if ((err = grow(c)) < 0)
		return err;
	at = malloc(item->section.len + item->key.len + item->subkey.len +
	    item->value.len + 4);
	if (at == NULL)
		return -ENOMEM;
	e.section = put(&at, item->section);
	e.key = put(&at, item->key);
	e.subkey = put(&at, item->subkey);
	e.value = put(&at, item->value);
	c->entry[c->len++] = e;
	return 0;
}

char *
awsconf_path(const struct awsconf *c, const char *path)
{
	const char *home = awsconf_env(c, "HOME");
	char *s = NULL;

	if (path[0] != '~' || (path[1] != '/' && path[1] != '\0') ||
	    home == NULL)
		return strdup(path);
	return asprintf(&s, "%s%s", home, path + 1) < 0 ? NULL : s;
}

static char *
file_path(const struct awsconf *c, const char *env, const char *otherwise)
{
	const char *path = awsconf_env(c, env);

	return awsconf_path(c, path != NULL ? path : otherwise);
}

static int
read_file(struct awsconf *c, const char *path, bool is_config)
{
	struct reading r = { c, is_config, path };
	int err = ini_read(path, 0, take_item, &r);

	return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}

bool
awsconf_has_profile(const struct awsconf *c, const char *profile)
{
	for (size_t i = 0; i < c->len; i++) {
		const char *s = c->entry[i].section;

		if (awsconf_is_profile((struct slice){ (const uint8_t *)s,
		    strlen(s) }, c->entry[i].is_config, profile))
			return true;
	}
	return false;
}

static struct slice
cut_blank(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	return s;
}

/* Is the section `[type name]`? The name may be quoted, as shlex has it. */
static bool
is_section(struct slice s, const char *type, const char *name)
{
	size_t n = strlen(type);

	if (s.len <= n || memcmp(s.ptr, type, n) != 0 ||
	    (s.ptr[n] != ' ' && s.ptr[n] != '\t'))
		return false;
	s = cut_blank((struct slice){ s.ptr + n, s.len - n });
	if (s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') &&
	    s.ptr[s.len - 1] == s.ptr[0])
		s = (struct slice){ s.ptr + 1, s.len - 2 };
	return s.len == strlen(name) && memcmp(s.ptr, name, s.len) == 0;
}

static bool
is_ignoring_endpoints(const struct awsconf *c)
{
	return awsconf_bool(c, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	    "ignore_configured_endpoint_urls");
}

static int
choose_profile(struct awsconf *c, const char *option)
{
	const char *name = option;

	c->has_explicit_profile = option != NULL;
	if (name == NULL)
		name = awsconf_env(c, "AWS_PROFILE");
	if (name == NULL)
		name = awsconf_env(c, "AWS_DEFAULT_PROFILE");
	c->profile = strdup(name != NULL ? name : "default");
	if (c->profile == NULL)
		return -ENOMEM;
	if (name != NULL && strcmp(name, "default") != 0 &&
	    !awsconf_has_profile(c, name))
		return log_err(-ENOENT, "config: profile %s: neither in %s "
		    "nor in %s", name, c->config_path, c->credentials_path);
	return 0;
}

/* A name that leads nowhere would send requests to AWS that were meant for
 * somewhere else. */
static int
check_services(const struct awsconf *c)
{
	const char *name = awsconf_get(c, NULL, "services");

	if (name == NULL || is_ignoring_endpoints(c))
		return 0;
	for (size_t i = 0; i < c->len; i++) {
		const char *s = c->entry[i].section;

		if (c->entry[i].is_config && is_section((struct slice){
		    (const uint8_t *)s, strlen(s) }, "services", name))
			return 0;
	}
	return log_err(-ENOENT, "config: profile %s: services = %s: there is "
	    "no [services %s] in %s", c->profile, name, name, c->config_path);
}

int
awsconf_load(const struct awsconf_opts *o, struct awsconf **ret)
{
	CLEANUP(awsconf_freep) struct awsconf *c = NULL;
	int r;

	*ret = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	c->getenv = o->getenv != NULL ? o->getenv : getenv;
	c->config_path = file_path(c, "AWS_CONFIG_FILE", "~/.aws/config");
	c->credentials_path = file_path(c, "AWS_SHARED_CREDENTIALS_FILE",
	    "~/.aws/credentials");
	if (c->config_path == NULL || c->credentials_path == NULL)
		return -ENOMEM;
	if ((r = read_file(c, c->config_path, true)) < 0 ||
	    (r = read_file(c, c->credentials_path, false)) < 0 ||
	    (r = choose_profile(c, o->profile)) < 0 ||
	    (r = check_services(c)) < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

void
awsconf_free(struct awsconf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->len; i++)
		free(c->entry[i].section);
	free(c->entry);
	free(c->profile);
	free(c->config_path);
	free(c->credentials_path);
	free(c);
}

const char *
awsconf_profile(const struct awsconf *c)
{
	return c->profile;
}

bool
awsconf_has_explicit_profile(const struct awsconf *c)
{
	return c->has_explicit_profile;
}

const char *
awsconf_config_path(const struct awsconf *c)
{
	return c->config_path;
}

const char *
awsconf_credentials_path(const struct awsconf *c)
{
	return c->credentials_path;
}

char *
awsconf_env(const struct awsconf *c, const char *name)
{
	char *v = c->getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

bool
awsconf_is_profile(struct slice s, bool is_config, const char *profile)
{
	if (is_config && is_section(s, "profile", profile))
		return true;
	if (is_config && strcmp(profile, "default") != 0)
		return false;
	return s.len == strlen(profile) && memcmp(s.ptr, profile, s.len) == 0;
}

static bool
is_key(const struct entry *e, const char *key, const char *subkey)
{
	return strcasecmp(e->key, key) == 0 &&
	    strcasecmp(e->subkey, subkey != NULL ? subkey : "") == 0;
}

static const char *
profile_get(const struct awsconf *c, bool is_config, const char *profile,
    const char *key)
{
	/* From the end: the last one counts. */
	for (size_t i = c->len; i > 0; i--) {
		const struct entry *e = &c->entry[i - 1];
		struct slice s = { (const uint8_t *)e->section,
			strlen(e->section) };

		if (e->is_config == is_config && is_key(e, key, NULL) &&
		    awsconf_is_profile(s, is_config, profile))
			return e->value[0] != '\0' ? e->value : NULL;
	}
	return NULL;
}

const char *
awsconf_get(const struct awsconf *c, const char *profile, const char *key)
{
	const char *v;

	if (profile == NULL)
		profile = c->profile;
	v = profile_get(c, false, profile, key);
	return v != NULL ? v : profile_get(c, true, profile, key);
}

const char *
awsconf_section_get(const struct awsconf *c, const char *type,
    const char *name, const char *key, const char *subkey)
{
	for (size_t i = c->len; i > 0; i--) {
		const struct entry *e = &c->entry[i - 1];
		struct slice s = { (const uint8_t *)e->section,
			strlen(e->section) };

		if (e->is_config && is_key(e, key, subkey) &&
		    is_section(s, type, name))
			return e->value[0] != '\0' ? e->value : NULL;
	}
	return NULL;
}

const char *
awsconf_endpoint_url(const struct awsconf *c, const char *service)
{
	char name[64];
	const char *v, *services;
	int n = snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", service);

	if (n >= (int)sizeof(name) || is_ignoring_endpoints(c))
		return NULL;
	for (char *p = name + sizeof("AWS_ENDPOINT_URL_") - 1; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	if ((v = awsconf_env(c, name)) != NULL ||
	    (v = awsconf_env(c, "AWS_ENDPOINT_URL")) != NULL)
		return v;
	services = awsconf_get(c, NULL, "services");
	if (services != NULL && (v = awsconf_section_get(c, "services",
	    services, service, "endpoint_url")) != NULL)
		return v;
	return awsconf_get(c, NULL, "endpoint_url");
}

bool
awsconf_bool(const struct awsconf *c, const char *env, const char *key)
{
	const char *v = awsconf_env(c, env);

	if (v == NULL)
		v = awsconf_get(c, NULL, key);
	return v != NULL && strcasecmp(v, "true") == 0;
}
