#include "fs/filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fs/text.h"
#include "fs/value.h"

static const char *const keys[] = {
	[FILTER_FOLDER] = "folder",
	[FILTER_FROM] = "from",
	[FILTER_TO] = "to",
	[FILTER_CC] = "cc",
	[FILTER_SUBJECT] = "subject",
	[FILTER_MESSAGE_ID] = "message-id",
	[FILTER_LIST_ID] = "list-id",
	[FILTER_SPAM] = "spam",
	[FILTER_VIRUS] = "virus",
	[FILTER_KEY] = "key",
	[FILTER_FLAGS] = "flags",
	[FILTER_SIZE] = "size",
	[FILTER_DATE] = "date",
	[FILTER_ARRIVED] = "arrived",
};

static int
parse_key(const char *arg, size_t len, enum filter_key *ret,
    char err[FILTER_ERR_MAX])
{
	char word[32];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)(len < 31 ? len : 31), arg);
	for (char *p = word; *p != '\0'; p++)
		if (*p == '_')
			*p = '-'; /* message_id, as in the JSON */
	for (size_t i = 0; i < NELEMS(keys); i++) {
		if (strcmp(keys[i], word) == 0) {
			*ret = (enum filter_key)i;
			return 0;
		}
	}
	near = value_nearest(word, keys, NELEMS(keys));
	snprintf(err, FILTER_ERR_MAX, "filter \"%.60s\": no key \"%s\"%s%s%s",
	    arg, word, near != NULL ? "; did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
	return -EINVAL;
}

/* The operator at text; *ret_len its bytes, 0 when there is none. */
static enum filter_op
parse_op(const char *text, size_t *ret_len)
{
	static const struct {
		const char *text;
		enum filter_op op;
	} ops[] = {
		{ "!=", FILTER_NE },
		{ "<=", FILTER_LE },
		{ ">=", FILTER_GE },
		{ "=", FILTER_EQ },
		{ "<", FILTER_LT },
		{ ">", FILTER_GT },
	};

	for (size_t i = 0; i < NELEMS(ops); i++) {
		*ret_len = strlen(ops[i].text);
		if (strncmp(text, ops[i].text, *ret_len) == 0)
			return ops[i].op;
	}
	*ret_len = 0;
	return FILTER_EQ;
}

static int
parse_value(struct filter_term *t, const char *arg, char err[FILTER_ERR_MAX])
{
	uint64_t size;
	int r = 0;

	if (t->key == FILTER_SIZE) {
		r = value_size(t->text, &size);
		if (r == 0 && size >= INT64_MAX)
			r = -ERANGE;
		if (r == 0) {
			t->from = (int64_t)size;
			t->end = t->from + 1;
		}
	} else if (t->key == FILTER_DATE || t->key == FILTER_ARRIVED) {
		r = value_date(t->text, &t->from, &t->end);
	} else if (t->op != FILTER_EQ && t->op != FILTER_NE) {
		snprintf(err, FILTER_ERR_MAX, "filter \"%.100s\": %s knows "
		    "only = and !=", arg, keys[t->key]);
		return -EINVAL;
	}
	if (r < 0)
		snprintf(err, FILTER_ERR_MAX, "filter \"%.100s\": not a %s",
		    arg, t->key == FILTER_SIZE ? "size" :
						 "date (2026-01-31 or "
						 "2026-01-31T08:30)");
	return r < 0 ? -EINVAL : 0;
}

static int
parse_term(const char *arg, struct filter_term *t, char err[FILTER_ERR_MAX])
{
	size_t len = strcspn(arg, "=<>!"), op_len;
	int r;

	t->op = parse_op(arg + len, &op_len);
	if (op_len == 0) {
		snprintf(err, FILTER_ERR_MAX, "filter \"%.100s\": write "
		    "KEY=VALUE", arg);
		return -EINVAL;
	}
	if ((r = parse_key(arg, len, &t->key, err)) < 0)
		return r;
	t->text = arg + len + op_len;
	return parse_value(t, arg, err);
}

int
filter_parse(const char *const *args, size_t n, struct filter *ret,
    char err[FILTER_ERR_MAX])
{
	int r;

	memset(ret, 0, sizeof(*ret));
	if (n > FILTER_TERMS_MAX) {
		snprintf(err, FILTER_ERR_MAX, "more than %d filters",
		    FILTER_TERMS_MAX);
		return -EINVAL;
	}
	for (; ret->n < n; ret->n++)
		if ((r = parse_term(args[ret->n], &ret->term[ret->n],
			 err)) < 0)
			return r;
	return 0;
}

bool
filter_needs_headers(const struct filter *f)
{
	for (size_t i = 0; i < f->n; i++)
		if ((f->term[i].key >= FILTER_FROM &&
			f->term[i].key <= FILTER_VIRUS) ||
		    f->term[i].key == FILTER_DATE)
			return true;
	return false;
}

int64_t
filter_date(const struct filter_message *m)
{
	if (m->headers != NULL && m->headers->date_unix > 0)
		return m->headers->date_unix;
	return m->arrived_unix;
}

static bool
compare(const struct filter_term *t, int64_t v)
{
	switch (t->op) {
	case FILTER_EQ:
		return v >= t->from && v < t->end;
	case FILTER_NE:
		return v < t->from || v >= t->end;
	case FILTER_LT:
		return v < t->from;
	case FILTER_LE:
		return v < t->end;
	case FILTER_GT:
		return v >= t->end;
	case FILTER_GE:
		return v >= t->from;
	}
	return false;
}

static bool
has_flag(const struct filter_message *m, char flag)
{
	return flag == 'N' ? m->is_new : strchr(m->flags, flag) != NULL;
}

static bool
match_flags(const struct filter_term *t, const struct filter_message *m)
{
	for (const char *p = t->text; *p != '\0'; p++)
		if (has_flag(m, *p) != (t->op == FILTER_EQ))
			return false;
	return true;
}

static bool
match_folder(const struct filter_term *t, const struct filter_message *m)
{
	const char *want = strcasecmp(t->text, "INBOX") == 0 ? "" : t->text;

	return m->folder != NULL &&
	    (strcmp(m->folder, want) == 0) == (t->op == FILTER_EQ);
}

static bool
match_header(const struct filter_term *t, const struct filter_message *m)
{
	static const enum rfc822_field fields[] = {
		[FILTER_FROM] = RFC822_FROM,
		[FILTER_TO] = RFC822_TO,
		[FILTER_CC] = RFC822_CC,
		[FILTER_SUBJECT] = RFC822_SUBJECT,
		[FILTER_MESSAGE_ID] = RFC822_MESSAGE_ID,
		[FILTER_LIST_ID] = RFC822_LIST_ID,
		[FILTER_SPAM] = RFC822_SPAM,
		[FILTER_VIRUS] = RFC822_VIRUS,
	};
	const char *value;
	bool is_same;

	if (m->headers == NULL)
		return false;
	value = m->headers->value[fields[t->key]];
	if (t->key == FILTER_SPAM || t->key == FILTER_VIRUS)
		is_same = strcasecmp(value, t->text) == 0;
	else
		is_same = text_contains(value, t->text);
	return is_same == (t->op == FILTER_EQ);
}

static bool
match_term(const struct filter_term *t, const struct filter_message *m)
{
	switch (t->key) {
	case FILTER_FOLDER:
		return match_folder(t, m);
	case FILTER_KEY:
		return text_contains(m->key, t->text) == (t->op == FILTER_EQ);
	case FILTER_FLAGS:
		return match_flags(t, m);
	case FILTER_SIZE:
		return compare(t, (int64_t)m->size);
	case FILTER_DATE:
		return compare(t, filter_date(m));
	case FILTER_ARRIVED:
		return compare(t, m->arrived_unix);
	default:
		return match_header(t, m);
	}
}

bool
filter_matches(const struct filter *f, const struct filter_message *m)
{
	for (size_t i = 0; i < f->n; i++)
		if (!match_term(&f->term[i], m))
			return false;
	return true;
}
