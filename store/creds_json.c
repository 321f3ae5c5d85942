#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "store/creds_json.h"
#include "store/stamp.h"

struct form {
	const char *within; /* the object is a member of this name, or NULL */
	const char *key_id, *secret, *token, *expires;
	bool has_version, must_expire, is_in_ms;
};

static const struct form forms[] = {
	[CREDS_JSON_PROCESS] = { NULL, "AccessKeyId", "SecretAccessKey",
	    "SessionToken", "Expiration", true, false, false },
	[CREDS_JSON_METADATA] = { NULL, "AccessKeyId", "SecretAccessKey",
	    "Token", "Expiration", false, false, false },
	[CREDS_JSON_PORTAL] = { "roleCredentials", "accessKeyId",
	    "secretAccessKey", "sessionToken", "expiration", false, true,
	    true },
};

static int
fail(char why[CREDS_WHY_MAX], const char *what)
{
	snprintf(why, CREDS_WHY_MAX, "%s", what);
	return -EPROTO;
}

bool
creds_json_string(const json_t *o, const char *name, char *ret, size_t size)
{
	const json_t *v = json_object_get(o, name);

	ret[0] = '\0';
	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_string(v) || json_string_length(v) >= size ||
	    strlen(json_string_value(v)) != json_string_length(v))
		return false;
	memcpy(ret, json_string_value(v), json_string_length(v) + 1);
	return true;
}

/* IMDS says "Code": "Success", or what is wrong with the role. */
static bool
is_failure(const json_t *o)
{
	const char *code = json_string_value(json_object_get(o, "Code"));

	return code != NULL && strcmp(code, "Success") != 0;
}

static bool
take_expiry(const struct form *f, const json_t *o, struct creds_value *ret)
{
	const json_t *v = json_object_get(o, f->expires);
	char text[64] = "";

	if (f->is_in_ms) {
		ret->expires_unix = json_integer_value(v) / 1000;
		return json_is_integer(v) && ret->expires_unix > 0;
	}
	if (!creds_json_string(o, f->expires, text, sizeof(text)))
		return false;
	return text[0] == '\0' ? !f->must_expire :
	    stamp_parse_iso(text, &ret->expires_unix) == 0;
}

static int
take(const struct form *f, const json_t *o, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	const json_t *version = json_object_get(o, "Version");

	if (!json_is_object(o))
		return fail(why, "not a JSON object with credentials");
	if (is_failure(o)) {
		snprintf(why, CREDS_WHY_MAX, "%.80s: %.120s",
		    json_string_value(json_object_get(o, "Code")),
		    json_is_string(json_object_get(o, "Message")) ?
		    json_string_value(json_object_get(o, "Message")) : "");
		return -EPROTO;
	}
	if (f->has_version && (!json_is_integer(version) ||
	    json_integer_value(version) != 1))
		return fail(why, "Version is not 1");
	if (!creds_json_string(o, f->key_id, ret->key_id, sizeof(ret->key_id)) ||
	    !creds_json_string(o, f->secret, ret->secret, sizeof(ret->secret)) ||
	    !creds_json_string(o, f->token, ret->token, sizeof(ret->token)) ||
	    ret->key_id[0] == '\0' || ret->secret[0] == '\0')
		return fail(why, "no proper access key and secret key");
	if (!take_expiry(f, o, ret))
		return fail(why, "the time of expiry is not one");
	return 0;
}

int
creds_json_parse(enum creds_json form, struct slice json,
    struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct form *f = &forms[form];
	json_t *all = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	const json_t *o = f->within != NULL ? json_object_get(all, f->within) :
	    all;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = take(f, o, ret, why);
	if (r < 0)
		creds_value_wipe(ret);
	json_decref(all);
	return r;
}

static const char *
first_string(const json_t *o, const char *const name[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_is_string(json_object_get(o, name[i])))
			return json_string_value(json_object_get(o, name[i]));
	return "";
}

void
creds_json_error(struct slice json, char *ret, size_t size)
{
	static const char *const codes[] = { "__type", "code", "Code",
		"error" };
	static const char *const texts[] = { "message", "Message",
		"error_description" };
	json_t *o = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	const char *code = first_string(o, codes, NELEMS(codes));
	const char *text = first_string(o, texts, NELEMS(texts));

	snprintf(ret, size, "%.80s%s%.160s", code,
	    code[0] != '\0' && text[0] != '\0' ? ": " : "", text);
	json_decref(o);
}
