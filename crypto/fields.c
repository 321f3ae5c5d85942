#include "crypto/fields.h"

#include <errno.h>
#include <string.h>

static const char *const names[FIELDS] = {
	[FIELD_KEY] = "x-amz-key",
	[FIELD_KEY_V2] = "x-amz-key-v2",
	[FIELD_IV] = "x-amz-iv",
	[FIELD_MATDESC] = "x-amz-matdesc",
	[FIELD_WRAP_ALG] = "x-amz-wrap-alg",
	[FIELD_CEK_ALG] = "x-amz-cek-alg",
	[FIELD_TAG_LEN] = "x-amz-tag-len",
	[FIELD_LEN] = "x-amz-unencrypted-content-length",
	[FIELD_MD5] = "x-amz-unencrypted-content-md5",
	[FIELD_3] = "x-amz-3",
	[FIELD_C] = "x-amz-c",
	[FIELD_D] = "x-amz-d",
	[FIELD_I] = "x-amz-i",
	[FIELD_W] = "x-amz-w",
	[FIELD_T] = "x-amz-t",
	[FIELD_M] = "x-amz-m",
};

#define NAME_MAX_LEN 40 /* bytes, more than any known name */

enum field
fields_lookup(const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < FIELDS; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			break;
	}
	return (enum field)i;
}

/* Without regard to (ASCII) case, in any locale. */
static enum field
lookup_header(const char *name)
{
	char lower[NAME_MAX_LEN];
	size_t len;

	for (len = 0; name[len] != '\0'; len++) {
		char c = name[len];

		if (len == sizeof(lower))
			return FIELDS;
		lower[len] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	return fields_lookup(lower, len);
}

void
fields_set(struct fields *f, enum field which, const char *value)
{
	bool has = value != NULL && value[0] != '\0';

	f->value[which] = has ? value : NULL;
	f->present &= ~FIELD_BIT(which);
	f->present |= has ? FIELD_BIT(which) : 0;
}

int
fields_read(const struct pair *meta, size_t meta_len, struct fields *ret)
{
	unsigned seen = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < meta_len; i++) {
		enum field which = lookup_header(meta[i].name);

		if (which == FIELDS)
			continue;
		if (seen & FIELD_BIT(which))
			return -EBADMSG;
		seen |= FIELD_BIT(which);
		fields_set(ret, which, meta[i].value);
	}
	return 0;
}

void
fields_merge(struct fields *f, const struct fields *more)
{
	for (unsigned i = 0; i < FIELDS; i++) {
		if (f->value[i] == NULL)
			fields_set(f, (enum field)i, more->value[i]);
	}
}
