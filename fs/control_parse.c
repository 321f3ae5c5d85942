#include <errno.h>
#include <string.h>

#include "fs/control.h"
#include "store/log.h"

static int
no(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* The place of a string member among words, or -1. */
static int
word_of(const json_t *req, const char *key, const char *const *words, int n)
{
	const char *s = json_string_value(json_object_get(req, key));

	for (int i = 0; s != NULL && i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return i;
	return -1;
}

static bool
take_folder(const json_t *value, char ret[256])
{
	const char *s = json_string_value(value);

	if (s == NULL || json_string_length(value) != strlen(s) ||
	    strlen(s) >= 256)
		return false;
	strcpy(ret, s);
	return true;
}

static int
parse_object(json_t *req, struct control_request *ret, const char **ret_why)
{
	static const char *const cmds[] = { "status", "sync", "forget",
		"warm", "log-level" };
	static const char *const things[] = { "keys", "cache" };
	static const char *const levels[] = { "err", "warn", "info", "debug" };
	size_t members = 1;
	int i;

	if ((i = word_of(req, "cmd", cmds, NELEMS(cmds))) < 0)
		return no(ret_why, "no such command");
	ret->cmd = (enum control_cmd)i;
	if (ret->cmd == CONTROL_STATUS && json_object_get(req, "all")) {
		if (!json_is_boolean(json_object_get(req, "all")))
			return no(ret_why, "all: not a boolean");
		ret->all = json_is_true(json_object_get(req, "all"));
		members++;
	} else if (ret->cmd == CONTROL_FORGET) {
		if ((i = word_of(req, "what", things, NELEMS(things))) < 0)
			return no(ret_why, "what: neither keys nor cache");
		ret->forget = (enum control_forget)i;
		members++;
	} else if (ret->cmd == CONTROL_WARM && json_object_get(req, "folder")) {
		if (!take_folder(json_object_get(req, "folder"), ret->folder))
			return no(ret_why, "folder: not a name");
		ret->has_folder = true;
		members++;
	} else if (ret->cmd == CONTROL_LOG_LEVEL) {
		if ((i = word_of(req, "level", levels, NELEMS(levels))) < 0)
			return no(ret_why, "level: no such level");
		ret->level = (unsigned)i;
		members++;
	}
	if (json_object_size(req) != members)
		return no(ret_why, "unknown member");
	return 0;
}

int
control_parse(const char *line, size_t len, struct control_request *ret,
    const char **ret_why)
{
	json_t *req;
	int r;

	memset(ret, 0, sizeof(*ret));
	*ret_why = "";
	if (len > CONTROL_REQUEST_MAX)
		return no(ret_why, "request too long");
	req = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(req))
		r = no(ret_why, "not a JSON object");
	else
		r = parse_object(req, ret, ret_why);
	json_decref(req);
	return r;
}
