/* option.c -- finding options and reading their values. */
#include "fs/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/envelope.h"
#include "fs/value.h"
#include "store/endpoint.h"
#include "store/kms_arn.h"

static bool
is_name(const char *want, const char *name, size_t len)
{
	if (want == NULL || strlen(want) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (want[i] != (name[i] == '_' ? '-' : name[i]))
			return false;
	return true;
}

const struct option *
option_find(const char *name, size_t len)
{
	size_t n;
	const struct option *t = option_table(&n);

	for (size_t i = 0; i < n; i++)
		if (is_name(t[i].name, name, len) ||
		    is_name(t[i].alias, name, len))
			return &t[i];
	return NULL;
}

const struct option *
option_find_letter(char letter)
{
	size_t n;
	const struct option *t = option_table(&n);

	for (size_t i = 0; i < n; i++)
		if (letter != '\0' && t[i].letter == letter)
			return &t[i];
	return NULL;
}

const char *
option_nearest(const char *name, unsigned commands)
{
	const char *words[OPTION_MAX];
	size_t n, n_words = 0;
	const struct option *t = option_table(&n);

	for (size_t i = 0; i < n; i++)
		if ((t[i].commands & commands) != 0)
			words[n_words++] = t[i].name;
	return value_nearest(name, words, n_words);
}

const struct command *
option_command(const char *name)
{
	size_t n;
	const struct command *t = option_commands(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(t[i].name, name) == 0)
			return &t[i];
	return NULL;
}

/* Say why and return err. */
static int PRINTF(3, 4)
no(char why[OPTION_WHY_MAX], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, OPTION_WHY_MAX, fmt, ap);
	va_end(ap);
	return err;
}

/* For messages: a value may be long or hold control characters. */
static const char *
shown(const char *text, char buf[64])
{
	size_t n = 0;

	for (; *text != '\0' && n < 60; text++)
		buf[n++] = iscntrl((unsigned char)*text) ? '?' : *text;
	snprintf(buf + n, 4, "%s", *text != '\0' ? "..." : "");
	return buf;
}

static int
set_text(char **field, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

struct number_kind {
	int (*parse)(const char *, uint64_t *);
	const char *what;
};

static const struct number_kind *
number_kind(enum option_kind kind)
{
	static const struct number_kind kinds[] = {
		[OPTION_COUNT] = { value_count, "a whole number" },
		[OPTION_OCTAL] = { value_octal, "an octal number" },
		[OPTION_SIZE] = { value_size,
		    "a size (a number with K, M, G or T)" },
		[OPTION_SECONDS] = { value_seconds,
		    "a time (seconds, or a number with s, m, h or d)" },
	};

	return &kinds[kind];
}

static int
set_number(const struct option *o, enum option_kind kind, const char *text,
    uint64_t *field, char *why)
{
	const struct number_kind *k = number_kind(kind);
	char buf[64];
	uint64_t v;
	int r = k->parse(text, &v);

	if (r == -EINVAL)
		return no(why, r, "\"%s\" is not %s", shown(text, buf),
		    k->what);
	if (r == 0 && v >= o->min && (o->max == 0 || v <= o->max)) {
		*field = v;
		return 0;
	}
	if (kind == OPTION_OCTAL)
		return no(why, -ERANGE, "%s is out of range (0 to %llo)",
		    shown(text, buf), (unsigned long long)o->max);
	return no(why, -ERANGE, "%s is out of range (%llu to %llu)",
	    shown(text, buf), (unsigned long long)o->min,
	    (unsigned long long)(o->max == 0 ? UINT64_MAX : o->max));
}

static int
set_percent(const struct option *o, const char *text, uint64_t *field,
    char *why)
{
	char digits[8];
	size_t len = strcspn(text, "%");

	if (len >= sizeof(digits) ||
	    (text[len] != '\0' && text[len + 1] != '\0'))
		len = sizeof(digits) - 1;
	memcpy(digits, text, strnlen(text, len));
	digits[strnlen(text, len)] = '\0';
	return set_number(o, OPTION_COUNT, digits, field, why);
}

/* Place of `text` among the words of a|b|c, or -1. */
static int
choice(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (int i = 0;; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && strncmp(words, text, n) == 0)
			return i;
		if (words[n] == '\0')
			return -1;
		words += n + 1;
	}
}

static int
set_choice(const struct option *o, const char *text, unsigned *field,
    char *why)
{
	char buf[64];
	int i = choice(o->arg, text);

	if (i < 0)
		return no(why, -EINVAL, "\"%s\" is not one of %s",
		    shown(text, buf), o->arg);
	*field = (unsigned)i;
	return 0;
}

/* The words in the order of enum accept's bits. */
#define ACCEPT_WORDS "kms-gcm|kmsctx-gcm|commit|cbc|instruction|plain|renamed"
_Static_assert(ACCEPT_RENAMED == 1 << 6, "ACCEPT_WORDS follows enum accept");

/* A list that begins with '+' adds to the default. */
static int
set_accept(const char *text, unsigned *field, char *why)
{
	unsigned bits = *text == '+' ? ACCEPT_DEFAULT : 0;
	char word[32], buf[64];

	while (*text != '\0') {
		size_t n = strcspn(text, ",:+ ");
		int i = -1;

		if (n < sizeof(word)) {
			memcpy(word, text, n);
			word[n] = '\0';
			i = choice(ACCEPT_WORDS, word);
		}
		if (n > 0 && i < 0)
			return no(why, -EINVAL,
			    "\"%.40s\" is no format (%s)", shown(text, buf),
			    ACCEPT_WORDS);
		if (n > 0)
			bits |= 1u << i;
		text += n + (text[n] != '\0');
	}
	if (bits == 0)
		return no(why, -EINVAL, "names no format");
	*field = bits;
	return 0;
}

static int
set_name(const char *text, char **field, char *why)
{
	char buf[64];

	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			return no(why, -EINVAL, "\"%s\" has characters that "
			    "do not belong there", shown(text, buf));
	if (*text == '\0' || strlen(text) > 63)
		return no(why, -EINVAL, "must have 1 to 63 characters");
	return set_text(field, text);
}

static int
set_url(const char *text, char **field, char *why)
{
	struct endpoint e;
	const char *fault;
	size_t len;
	int r;

	if (endpoint_parse(text, &e, &fault) < 0)
		return no(why, -EINVAL, "needs a URL like https://host:port; "
		    "this one %s", fault);
	if ((r = set_text(field, text)) < 0)
		return r;
	for (len = strlen(*field); (*field)[len - 1] == '/'; len--)
		(*field)[len - 1] = '\0';
	return 0;
}

/* The daemon leaves its directory, so paths are made absolute at once. */
static int
set_path(const char *text, char **field, char *why)
{
	char *cwd, *path;
	int r;

	if (*text == '\0')
		return no(why, -EINVAL, "is empty");
	if (*text == '/')
		return set_text(field, text);
	if ((cwd = getcwd(NULL, 0)) == NULL)
		return no(why, -EINVAL, "the current directory is gone");
	r = asprintf(&path, "%s/%s", cwd, text);
	free(cwd);
	if (r < 0)
		return -ENOMEM;
	free(*field);
	*field = path;
	return 0;
}

static bool
is_account(const char *text)
{
	return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static int
set_account(const char *text, char **field, char *why)
{
	char buf[64];

	if (!is_account(text))
		return no(why, -EINVAL,
		    "\"%s\" is not an AWS account id (12 digits)",
		    shown(text, buf));
	return set_text(field, text);
}

static int
set_folder(const char *text, char **field, char *why)
{
	char buf[64];
	size_t len = strlen(text);

	if (len == 0 || len > 200 || strchr(text, '/') != NULL ||
	    text[0] == '.' || text[len - 1] == '.' ||
	    strstr(text, "..") != NULL || has_control(text))
		return no(why, -EINVAL, "\"%s\" is not a folder name "
		    "(A or A.B)", shown(text, buf));
	return set_text(field, text);
}

static int
set_prefix(const char *text, char **field, char *why)
{
	size_t len = strlen(text);
	int r;

	if (len > 1000)
		return no(why, -ERANGE, "is longer than an S3 key");
	if ((r = set_text(field, text)) < 0)
		return r;
	if (len > 0 && (*field)[len - 1] == '/')
		(*field)[len - 1] = '\0';
	return 0;
}

/* A KMS key: an ARN, an id, or an alias. */
static bool
is_kms_key(const char *text)
{
	size_t len = strlen(text);
	struct kms_arn arn;

	if (len < 7 || len > 255)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    strchr(":/_-", text[i]) == NULL)
			return false;
	if (strncmp(text, "arn:", 4) == 0)
		return kms_arn_parse(text, &arn) &&
		    is_account(arn.account);
	if (strncmp(text, "alias/", 6) == 0)
		return true;
	return strncmp(text, "mrk-", 4) == 0 ||
	    (len == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36);
}

static int
set_key(const char *text, char **field, char *why)
{
	char buf[64];

	if (strcmp(text, "none") != 0 && !is_kms_key(text))
		return no(why, -EINVAL, "\"%s\" is not a KMS key (an ARN, "
		    "an id or alias/NAME)", shown(text, buf));
	return set_text(field, text);
}

/* A name as SES has them for rule sets and rules. */
static bool
is_rule_name(const char *s, size_t len)
{
	if (len < 1 || len > 64 || !isalnum((unsigned char)s[0]) ||
	    !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) &&
		    (s[i] == '\0' || strchr("_.-", s[i]) == NULL))
			return false;
	return true;
}

static int
set_rule(const char *text, char **field, char *why)
{
	size_t len = strcspn(text, "/");
	char buf[64];

	if (text[len] != '/' || !is_rule_name(text, len) ||
	    !is_rule_name(text + len + 1, strlen(text + len + 1)))
		return no(why, -EINVAL, "\"%s\" is not the name of a receipt "
		    "rule (SET/RULE)", shown(text, buf));
	return set_text(field, text);
}

static int
list_add(struct option_list *l, const char *text)
{
	char **items = reallocarray(l->item, l->n + 1, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	l->item = items;
	if ((items[l->n] = strdup(text)) == NULL)
		return -ENOMEM;
	l->n++;
	return 0;
}

/* One key, or several with blanks between. */
static int
set_keys(const char *text, struct option_list *field, char *why)
{
	char word[256], buf[64];
	int r;

	for (text += strspn(text, " \t"); *text != '\0';
	     text += strspn(text, " \t")) {
		size_t n = strcspn(text, " \t");

		snprintf(word, sizeof(word), "%.*s", (int)(n > 255 ? 255 : n),
		    text);
		if (n > 255 ||
		    (strcmp(word, "account") != 0 && !is_kms_key(word)))
			return no(why, -EINVAL, "\"%s\" is not a KMS key (an "
			    "ARN, an id, alias/NAME or \"account\")",
			    shown(word, buf));
		for (size_t i = 0; i < field->n; i++)
			if (strcmp(field->item[i], word) == 0)
				return no(why, -EINVAL, "%s is named twice",
				    shown(word, buf));
		if ((r = list_add(field, word)) < 0)
			return r;
		text += n;
	}
	if (field->n == 0)
		return no(why, -EINVAL, "names no key");
	return 0;
}

static int
set_bool(const char *text, bool *field, char *why)
{
	char buf[64];

	if (value_bool(text, field) < 0)
		return no(why, -EINVAL, "\"%s\" is neither yes nor no",
		    shown(text, buf));
	return 0;
}

static int
set_plain(const char *text, char **field, char *why)
{
	if (*text == '\0')
		return no(why, -EINVAL, "is empty");
	if (has_control(text))
		return no(why, -EINVAL, "has control characters in it");
	return set_text(field, text);
}

int
option_set(const struct option *o, const char *text, void *base,
    char why[OPTION_WHY_MAX])
{
	void *field = (char *)base + o->offset;

	why[0] = '\0';
	switch (o->kind) {
	case OPTION_BOOL:
		return set_bool(text, field, why);
	case OPTION_COUNT:
	case OPTION_OCTAL:
	case OPTION_SIZE:
	case OPTION_SECONDS:
		return set_number(o, o->kind, text, field, why);
	case OPTION_POLL:
		if (strcmp(text, "auto") != 0)
			return set_number(o, OPTION_SECONDS, text, field, why);
		*(uint64_t *)field = 0;
		return 0;
	case OPTION_PERCENT:
		return set_percent(o, text, field, why);
	case OPTION_CHOICE:
		return set_choice(o, text, field, why);
	case OPTION_ACCEPT:
		return set_accept(text, field, why);
	case OPTION_TEXT:
		return set_plain(text, field, why);
	case OPTION_NAME:
		return set_name(text, field, why);
	case OPTION_URL:
		return set_url(text, field, why);
	case OPTION_PATH:
		return set_path(text, field, why);
	case OPTION_ACCOUNT:
		return set_account(text, field, why);
	case OPTION_FOLDER:
		return set_folder(text, field, why);
	case OPTION_PREFIX:
		return set_prefix(text, field, why);
	case OPTION_KEYS:
		return set_keys(text, field, why);
	case OPTION_KEY:
		return set_key(text, field, why);
	case OPTION_RULE:
		return set_rule(text, field, why);
	}
	return -EINVAL;
}

static size_t
field_size(enum option_kind kind)
{
	switch (kind) {
	case OPTION_BOOL:
		return sizeof(bool);
	case OPTION_COUNT:
	case OPTION_OCTAL:
	case OPTION_SIZE:
	case OPTION_SECONDS:
	case OPTION_POLL:
	case OPTION_PERCENT:
		return sizeof(uint64_t);
	case OPTION_CHOICE:
	case OPTION_ACCEPT:
		return sizeof(unsigned);
	case OPTION_KEYS:
		return sizeof(struct option_list);
	default:
		return sizeof(char *);
	}
}

void
option_clear(const struct option *o, void *base)
{
	void *field = (char *)base + o->offset;

	if (o->kind == OPTION_KEYS) {
		struct option_list *l = field;

		for (size_t i = 0; i < l->n; i++)
			free(l->item[i]);
		free(l->item);
	} else if (o->kind >= OPTION_TEXT) {
		free(*(char **)field);
	}
	memset(field, 0, field_size(o->kind));
}
