/* Extended attributes: what sesfs knows of a message beyond its bytes. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "fs/mailbox_priv.h"

#define PREFIX "user.sesfs."

enum attr {
	ATTR_KEY,
	ATTR_ETAG,
	ATTR_FORMAT,
	ATTR_KMS_KEY,
	ATTR_MESSAGE_ID, /* from here on header fields */
	ATTR_SPAM,
	ATTR_VIRUS,
	ATTRS
};

static const char *const attr_name[ATTRS] = {
	[ATTR_KEY] = PREFIX "key",
	[ATTR_ETAG] = PREFIX "etag",
	[ATTR_FORMAT] = PREFIX "format",
	[ATTR_KMS_KEY] = PREFIX "kms-key",
	[ATTR_MESSAGE_ID] = PREFIX "message-id",
	[ATTR_SPAM] = PREFIX "spam",
	[ATTR_VIRUS] = PREFIX "virus",
};

/* By the bit number of enum accept that the index keeps. */
static const char *const format_name[] = { "kms-gcm", "kmsctx-gcm", "commit",
	"cbc", "instruction", "plain" };

/* setxattr's convention: the length, and the bytes when there is room. */
static ssize_t
answer(const char *value, size_t len, char *buf, size_t max)
{
	if (max > 0 && len > max)
		return -ERANGE;
	if (max > 0)
		memcpy(buf, value, len);
	return (ssize_t)len;
}

static ssize_t
answer_text(const char *value, char *buf, size_t max)
{
	return value[0] == '\0' ? -ENODATA :
				  answer(value, strlen(value), buf, max);
}

static ssize_t
header_value(struct mailbox *m, const struct object *o, enum rfc822_field f,
    char *buf, size_t max)
{
	struct rfc822 h;
	ssize_t r;

	if (m->o.source == NULL)
		return -ENODATA;
	if ((r = source_headers(m->o.source, o, &h)) == 0)
		r = answer_text(h.value[f], buf, max);
	sodium_memzero(&h, sizeof(h));
	return r;
}

static ssize_t
value_of(struct mailbox *m, const struct object *o, enum attr a, char *buf,
    size_t max)
{
	struct kms_key_row key;
	int r;

	switch (a) {
	case ATTR_KEY:
		return answer_text(o->key, buf, max);
	case ATTR_ETAG:
		return answer_text(o->etag, buf, max);
	case ATTR_FORMAT:
		return o->format < NELEMS(format_name) ?
		    answer_text(format_name[o->format], buf, max) :
		    -ENODATA;
	case ATTR_KMS_KEY:
		r = index_kms_key_get(m->o.index, o->kms_key_id, &key);
		if (r < 0)
			return r == -ENOENT ? -ENODATA : r;
		return answer_text(key.arn, buf, max);
	case ATTR_MESSAGE_ID:
		return header_value(m, o, RFC822_MESSAGE_ID, buf, max);
	case ATTR_SPAM:
		return header_value(m, o, RFC822_SPAM, buf, max);
	case ATTR_VIRUS:
		return header_value(m, o, RFC822_VIRUS, buf, max);
	case ATTRS:
		break;
	}
	return -ENODATA;
}

/* The object behind an inode; -ENODATA when it is no message. */
static int
object_of(struct mailbox *m, int64_t ino, struct object *ret)
{
	struct node n;
	int r = index_node(m->o.index, ino, &n);

	if (r < 0)
		return r;
	if (n.kind != NODE_MESSAGE)
		return -ENODATA;
	return index_object(m->o.index, n.object_id, ret);
}

bool
mailbox_xattr_may_wait(const char *name)
{
	for (enum attr a = ATTR_MESSAGE_ID; a < ATTRS; a++)
		if (strcmp(name, attr_name[a]) == 0)
			return true;
	return false;
}

ssize_t
mailbox_getxattr(struct mailbox *m, int64_t ino, const char *name, char *buf,
    size_t max)
{
	struct object o;
	ssize_t r;

	for (enum attr a = 0; a < ATTRS; a++) {
		if (strcmp(name, attr_name[a]) != 0)
			continue;
		if ((r = object_of(m, ino, &o)) < 0)
			return r;
		r = value_of(m, &o, a, buf, max);
		object_clear(&o);
		return r;
	}
	/* No access lists, labels or capabilities, which is another thing than
	 * having none: a program that is told so need not ask for each file (ls
	 * -l does twice). */
	return strncmp(name, "user.", 5) == 0 ? -ENODATA : -ENOTSUP;
}
