#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/sha1.h"
#include "store/creds_json.h"
#include "store/sso_token.h"
#include "store/stamp.h"

#define FILE_MAX 65536 /* bytes */

struct sso_token *
sso_token_new(void)
{
	struct sso_token *t = sodium_malloc(sizeof(*t));

	if (t != NULL)
		memset(t, 0, sizeof(*t));
	return t;
}

void
sso_token_free(struct sso_token *t)
{
	sodium_free(t);
}

static bool
get(const json_t *o, const char *name, char ret[SSO_TOKEN_MAX])
{
	return creds_json_string(o, name, ret, SSO_TOKEN_MAX);
}

/* Older awscli wrote "2026-01-31T12:00:00UTC". */
static bool
get_time(const json_t *o, const char *name, int64_t *ret)
{
	const char *s = json_string_value(json_object_get(o, name));
	size_t n = s != NULL ? strlen(s) : 0;
	char text[64];

	*ret = 0;
	if (n == 0 || n >= sizeof(text))
		return n == 0;
	memcpy(text, s, n + 1);
	if (n > 3 && strcmp(text + n - 3, "UTC") == 0)
		strcpy(text + n - 3, "Z");
	return stamp_parse_iso(text, ret) == 0;
}

int
sso_token_parse(struct slice json, struct sso_token *ret)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	bool is_good;

	memset(ret, 0, sizeof(*ret));
	is_good = json_is_object(o) && get(o, "accessToken", ret->access) &&
	    ret->access[0] != '\0' &&
	    get_time(o, "expiresAt", &ret->expires_unix) &&
	    ret->expires_unix > 0 && get(o, "refreshToken", ret->refresh) &&
	    get(o, "clientId", ret->client_id) &&
	    get(o, "clientSecret", ret->client_secret) &&
	    get_time(o, "registrationExpiresAt", &ret->client_expires_unix);
	json_decref(o);
	if (!is_good)
		sodium_memzero(ret, sizeof(*ret));
	return is_good ? 0 : -EPROTO;
}

int
sso_token_take(struct slice json, int64_t now_unix, struct sso_token *t)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	json_int_t life = json_integer_value(json_object_get(o, "expiresIn"));
	struct sso_token *n = sso_token_new();
	bool is_good = n != NULL && json_is_object(o) && life > 0 &&
	    life < 1000000000 && get(o, "accessToken", n->access) &&
	    n->access[0] != '\0' && get(o, "refreshToken", n->refresh);

	json_decref(o);
	if (is_good) {
		memcpy(t->access, n->access, sizeof(t->access));
		t->expires_unix = now_unix + life;
		if (n->refresh[0] != '\0')
			memcpy(t->refresh, n->refresh, sizeof(t->refresh));
	}
	sso_token_free(n);
	return is_good ? 0 : -EPROTO;
}

static int
append(const char *text, size_t len, void *arg)
{
	return buf_add(arg, text, len) < 0 ? -1 : 0;
}

int
sso_token_format(struct slice json, const struct sso_token *t,
    struct buf *ret)
{
	json_t *o = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	time_t at = (time_t)t->expires_unix;
	char expires[32];
	struct tm tm;
	int r = json_is_object(o) ? 0 : -EPROTO;

	if (gmtime_r(&at, &tm) == NULL)
		r = -EPROTO;
	else
		strftime(expires, sizeof(expires), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (r == 0 && (json_object_set_new(o, "accessToken",
			   json_string(t->access)) < 0 ||
			  json_object_set_new(o, "expiresAt",
			      json_string(expires)) < 0 ||
			  json_object_set_new(o, "refreshToken",
			      json_string(t->refresh)) < 0))
		r = -EPROTO;
	if (r == 0 && json_dump_callback(o, append, ret, 0) < 0)
		r = -EMSGSIZE;
	json_decref(o);
	return r;
}

int
sso_token_path(const char *dir, const char *name, char **ret)
{
	char hex[SHA1_HEX_LEN + 1];
	int r = sha1_hex(name, strlen(name), hex);

	*ret = NULL;
	if (r == 0 && asprintf(ret, "%s/%s.json", dir, hex) < 0) {
		*ret = NULL;
		r = -ENOMEM;
	}
	return r;
}

int
sso_token_load(const char *path, struct sso_token *ret)
{
	struct buf text = BUF_INIT(FILE_MAX);
	int r = buf_add_file(&text, path);

	if (r == 0)
		r = sso_token_parse((struct slice){ text.ptr, text.len }, ret);
	buf_free(&text);
	return r;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* mkostemps() makes it 0600. */
static int
replace(const char *path, const struct buf *text)
{
	static const char suffix[] = ".tmp";
	char *tmp;
	int fd, r;

	if (asprintf(&tmp, "%s.XXXXXX%s", path, suffix) < 0)
		return -ENOMEM;
	if ((fd = mkostemps(tmp, sizeof(suffix) - 1, O_CLOEXEC)) < 0) {
		r = -errno;
		free(tmp);
		return r;
	}
	r = write_all(fd, text->ptr, text->len);
	close(fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	free(tmp);
	return r;
}

int
sso_token_save(const char *path, const struct sso_token *t)
{
	struct buf old = BUF_INIT(FILE_MAX), text = BUF_INIT(FILE_MAX);
	int r = buf_add_file(&old, path);

	if (r == 0)
		r = sso_token_format((struct slice){ old.ptr, old.len }, t,
		    &text);
	if (r == 0)
		r = replace(path, &text);
	buf_free(&old);
	buf_free(&text);
	return r;
}
