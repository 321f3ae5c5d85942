#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/creds_providers.h"

struct file {
	const struct awsconf *conf;
	const char *profile;
	bool is_config;
};

struct reading {
	const struct file *file;
	struct creds_value *ret;
	bool is_too_long;
};

static void
copy(struct reading *r, struct slice s, char *ret, size_t size)
{
	if (s.len >= size) {
		r->is_too_long = true;
		return;
	}
	if (s.len > 0)
		memcpy(ret, s.ptr, s.len);
	ret[s.len] = '\0';
}

static int
take_item(void *arg, const struct ini_item *item)
{
	struct reading *r = arg;
	struct creds_value *v = r->ret;

	if (item->kind != INI_VALUE ||
	    !awsconf_is_profile(item->section, r->file->is_config,
		r->file->profile))
		return 0;
	if (ini_is(item->key, "aws_access_key_id"))
		copy(r, item->value, v->key_id, sizeof(v->key_id));
	else if (ini_is(item->key, "aws_secret_access_key"))
		copy(r, item->value, v->secret, sizeof(v->secret));
	else if (ini_is(item->key, "aws_session_token") ||
	    (ini_is(item->key, "aws_security_token") && v->token[0] == '\0'))
		copy(r, item->value, v->token, sizeof(v->token));
	return 0;
}

static int
file_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct file *f = arg;
	struct reading r = { f, ret, false };
	const char *path = f->is_config ? awsconf_config_path(f->conf) :
	    awsconf_credentials_path(f->conf);
	int err = ini_read(path, 0, take_item, &r);

	if (err < 0 && err != -ENOENT && err != -ENOTDIR) {
		snprintf(why, CREDS_WHY_MAX, "%s: %s", path, strerror(-err));
		return err;
	}
	if (err < 0 || ret->key_id[0] == '\0') {
		snprintf(why, CREDS_WHY_MAX, "%s: no keys of profile %s", path,
		    f->profile);
		return -ENOENT;
	}
	if (ret->secret[0] == '\0' || r.is_too_long) {
		snprintf(why, CREDS_WHY_MAX, "%s: profile %s: %s", path,
		    f->profile, r.is_too_long ? "a key is too long" :
		    "no aws_secret_access_key");
		return -EINVAL;
	}
	return 0;
}

int
creds_file_provider(const struct awsconf *conf, const char *profile,
    bool is_config, struct creds_provider *ret)
{
	struct file *f;

	if ((f = malloc(sizeof(*f))) == NULL)
		return -ENOMEM;
	*f = (struct file){ conf, profile, is_config };
	*ret = (struct creds_provider){ .fetch = file_fetch, .free = free,
		.arg = f };
	snprintf(ret->name, sizeof(ret->name), "%s", is_config ?
	    "config file" : "credentials file");
	return 0;
}
