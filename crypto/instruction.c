#include "crypto/instruction.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The text of a value, or NULL when it may not have that type. */
static const char *
value_text(struct instruction *in, enum field which, const json_t *value)
{
	char *number;

	if (json_is_string(value))
		return json_string_value(value);
	if (!json_is_integer(value) ||
	    (which != FIELD_TAG_LEN && which != FIELD_LEN))
		return NULL;
	number = in->number[which == FIELD_LEN];
	snprintf(number, sizeof(in->number[0]), "%" JSON_INTEGER_FORMAT,
	    json_integer_value(value));
	return number;
}

int
instruction_parse(struct slice file, struct instruction *ret)
{
	const char *name, *text;
	json_t *value;

	memset(ret, 0, sizeof(*ret));
	ret->root = json_loadb((const char *)file.ptr, file.len,
	    JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(ret->root))
		goto bad;
	json_object_foreach(ret->root, name, value) {
		enum field which = fields_lookup(name, strlen(name));

		if (which == FIELDS ||
		    (text = value_text(ret, which, value)) == NULL)
			goto bad;
		fields_set(&ret->fields, which, text);
	}
	return 0;
bad:
	instruction_drop(ret);
	return -EBADMSG;
}

void
instruction_drop(struct instruction *in)
{
	json_decref(in->root);
	memset(in, 0, sizeof(*in));
}
