#include "crypto/context.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/envelope.h"

static int
pair_copy(const char *name, const char *value, struct pair *ret)
{
	ret->name = strdup(name);
	ret->value = strdup(value);
	return ret->name != NULL && ret->value != NULL ? 0 : -ENOMEM;
}

/* Copy the pairs of `root` to `ret`, which has room and is all zero. */
static int
copy_pairs(json_t *root, struct pair *ret)
{
	const char *name;
	json_t *value;
	int r;

	json_object_foreach(root, name, value) {
		if (!json_is_string(value))
			return -EBADMSG;
		if ((r = pair_copy(name, json_string_value(value), ret++)) < 0)
			return r;
	}
	return 0;
}

int
context_parse(const char *text, struct pair **ret, size_t *ret_len)
{
	CLEANUP(json_decrefp) json_t *root = NULL;
	struct pair *pairs;
	size_t len;
	int r;

	*ret = NULL;
	*ret_len = 0;
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		return -EBADMSG;
	if ((len = json_object_size(root)) == 0)
		return 0;
	if (len > ENVELOPE_CONTEXT_MAX)
		return -EBADMSG;
	if ((pairs = calloc(len, sizeof(*pairs))) == NULL)
		return -ENOMEM;
	if ((r = copy_pairs(root, pairs)) < 0) {
		context_free(pairs, len);
		return r;
	}
	*ret = pairs;
	*ret_len = len;
	return 0;
}

void
context_free(struct pair *context, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free((char *)(uintptr_t)context[i].name);
		free((char *)(uintptr_t)context[i].value);
	}
	free(context);
}

const char *
context_get(const struct pair *context, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++) {
		if (strcmp(context[i].name, name) == 0)
			return context[i].value;
	}
	return NULL;
}
