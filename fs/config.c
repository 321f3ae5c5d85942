/* config.c -- flags, -o words, sesfs.conf and AWS's settings, by one table. */
#include "fs/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/value.h"
#include "store/ini.h"

#define WHERE_MAX 256 /* bytes: "FILE:LINE: KEY" */

static int PRINTF(2, 3)
bad(char err[CONFIG_ERR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, CONFIG_ERR_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static size_t
row(const struct option *o)
{
	size_t n;

	return (size_t)(o - option_table(&n));
}

enum config_level
config_level(const struct config *c, const char *name)
{
	return c->level_[row(option_find(name, strlen(name)))];
}

void
config_free(struct config *c)
{
	size_t n;
	const struct option *t = option_table(&n);

	for (size_t i = 0; i < n; i++)
		option_clear(&t[i], c);
	awsconf_free(c->aws);
	free(c->args);
	memset(c, 0, sizeof(*c));
}

int
config_set(struct config *c, const struct option *o, const char *text,
    enum config_level level, const char *where, char err[CONFIG_ERR_MAX])
{
	uint8_t *have = &c->level_[row(o)];
	char why[OPTION_WHY_MAX];
	int r;

	if (*have > level)
		return 0;
	if (*have == level && o->kind != OPTION_KEYS)
		return bad(err, "%s: given twice", where);
	if (*have < level)
		option_clear(o, c); /* a list does not add to a lower level's */
	if (o->kind == OPTION_PATH && level != LEVEL_ARGS && text[0] != '/')
		return bad(err, "%s: \"%.200s\" is not an absolute path",
		    where, text);
	if ((r = option_set(o, text, c, why)) == -ENOMEM)
		return bad(err, "%s: out of memory", where);
	if (r < 0)
		return bad(err, "%s: %s", where, why);
	*have = (uint8_t)level;
	return 0;
}

/* ---- the command line ---- */

struct args {
	struct config *c;
	const struct command *cmd;
	int argc;
	char **argv;
	int i; /* the argument being read */
	char *err;
};

/* Says of an option that it is not one of this command's. */
static int
unknown(const struct args *a, const char *prefix, const char *name,
    size_t len)
{
	const struct option *o = option_find(name, len);
	char copy[64];
	const char *near;

	snprintf(copy, sizeof(copy), "%.*s", (int)(len < 60 ? len : 60), name);
	if (o != NULL && !o->is_file_only)
		return bad(a->err, "%s%s: not an option of \"%s\"", prefix,
		    copy, a->cmd->name);
	if ((near = option_nearest(copy, a->cmd->bit)) != NULL)
		return bad(a->err, "%s%s: no such option; did you mean %s%s?",
		    prefix, copy, prefix, near);
	return bad(a->err, "%s%s: no such option; see sesfs help %s", prefix,
	    copy, a->cmd->name);
}

/* An option by its long name; value NULL when none was attached. */
static int
set_long(struct args *a, const char *prefix, const char *name, size_t len,
    const char *value)
{
	const struct option *o = option_find(name, len);
	char where[WHERE_MAX];

	if (o == NULL || (o->commands & a->cmd->bit) == 0)
		return unknown(a, prefix, name, len);
	snprintf(where, sizeof(where), "%s%s", prefix, o->name);
	if (value == NULL && o->arg == NULL)
		value = "yes";
	if (value == NULL)
		return bad(a->err, "%s: needs a value (%s)", where, o->arg);
	return config_set(a->c, o, value, LEVEL_ARGS, where, a->err);
}

static int
parse_long(struct args *a, const char *text)
{
	size_t len = strcspn(text, "=");
	const struct option *o = option_find(text, len);
	const char *value = text[len] == '=' ? text + len + 1 : NULL;

	if (value == NULL && o != NULL && o->arg != NULL &&
	    a->i + 1 < a->argc)
		value = a->argv[++a->i];
	return set_long(a, "--", text, len, value);
}

/* Words of fstab and mount(8) that concern the mount as such. */
static bool
is_mount_word(const char *word, size_t len)
{
	static const char *const words[] = { "noauto", "auto", "user", "users",
		"nouser", "_netdev", "nofail", "defaults", "exec", "noexec",
		"suid", "nosuid", "dev", "nodev", "owner", "group" };

	if (len >= 2 && strncmp(word, "x-", 2) == 0)
		return true;
	for (size_t i = 0; i < NELEMS(words); i++)
		if (strlen(words[i]) == len &&
		    strncmp(word, words[i], len) == 0)
			return true;
	return false;
}

/* Of ro and rw the last one holds, as mount(8) has it. That says rw whenever
 * nobody said anything: it takes back a ro before it, and no more. */
static int
set_access(struct args *a, bool is_ro)
{
	const struct option *o = option_find("ro", 2);
	uint8_t *level = &a->c->level_[row(o)];

	if (*level == LEVEL_ARGS) {
		option_clear(o, a->c);
		*level = LEVEL_NONE;
	}
	return is_ro ? set_long(a, "-o ", "ro", 2, NULL) : 0;
}

/* One word of -o, its backslashes removed. */
static int
set_word(struct args *a, const char *word)
{
	size_t len = strcspn(word, "=");

	if (*word == '\0' || is_mount_word(word, len))
		return 0;
	if (strcmp(word, "ro") == 0 || strcmp(word, "rw") == 0)
		return set_access(a, word[1] == 'o');
	return set_long(a, "-o ", word, len,
	    word[len] == '=' ? word + len + 1 : NULL);
}

/* a,b=c with \ before a comma that belongs to a value (or, in the list of
 * accept, a colon instead). */
static int
parse_words(struct args *a, const char *text)
{
	char *word = calloc(1, strlen(text) + 1);
	size_t n = 0;
	int r = 0;

	if (word == NULL)
		return bad(a->err, "out of memory");
	for (; r == 0; text++) {
		if (*text == '\\' && text[1] != '\0') {
			word[n++] = *++text;
		} else if (*text == ',' || *text == '\0') {
			word[n] = '\0';
			r = set_word(a, word);
			n = 0;
			if (*text == '\0')
				break;
		} else {
			word[n++] = *text;
		}
	}
	free(word);
	return r;
}

static int
parse_letters(struct args *a, const char *text)
{
	for (; *text != '\0'; text++) {
		const struct option *o = option_find_letter(*text);
		const char *value;
		int r;

		if (*text == 'o') {
			value = text[1] != '\0' ? text + 1 :
			    a->i + 1 < a->argc	? a->argv[++a->i] :
						  NULL;
			if (value == NULL)
				return bad(a->err, "-o: needs a value");
			return parse_words(a, value);
		}
		if (o == NULL)
			return bad(a->err, "-%c: no such option; see sesfs "
			    "help %s", *text, a->cmd->name);
		if ((r = set_long(a, "--", o->name, strlen(o->name),
			 NULL)) < 0)
			return r;
	}
	return 0;
}

static int
check_arg_count(const struct args *a)
{
	if (a->c->args_n < a->cmd->min || a->c->args_n > a->cmd->max)
		return bad(a->err, "%s; use: sesfs %s [options] %s",
		    a->c->args_n < a->cmd->min ? "something is missing" :
						 "too many arguments",
		    a->cmd->name, a->cmd->args);
	return 0;
}

int
config_parse_args(struct config *c, const struct command *cmd, int argc,
    char **argv, char err[CONFIG_ERR_MAX])
{
	struct args a = { .c = c, .cmd = cmd, .argc = argc, .argv = argv,
		.err = err };
	bool is_end = false;
	int r = 0;

	c->command = cmd;
	c->args = calloc((size_t)argc + 1, sizeof(*c->args));
	if (c->args == NULL)
		return bad(err, "out of memory");
	for (; a.i < argc && r == 0; a.i++) {
		const char *arg = argv[a.i];

		if (is_end || arg[0] != '-' || arg[1] == '\0')
			c->args[c->args_n++] = argv[a.i];
		else if (strcmp(arg, "--") == 0)
			is_end = true;
		else if (arg[1] == '-')
			r = parse_long(&a, arg + 2);
		else
			r = parse_letters(&a, arg + 1);
	}
	return r < 0 ? r : check_arg_count(&a);
}

/* ---- sesfs.conf ---- */

struct file {
	struct config *c;
	struct config scratch; /* where unwanted sections go */
	const char *section, *name;
	bool is_found;
	char *err;
};

/* What a mount takes, but not where the file itself lies. */
static bool
is_file_key(const struct option *o)
{
	return o->is_file_only || ((o->commands & COMMAND_MOUNT) != 0 &&
	    o->offset != offsetof(struct config, config_file));
}

static int
file_value(struct file *f, const struct ini_item *it)
{
	const struct option *o;
	enum config_level level = LEVEL_SECTION;
	struct config *c = f->c;
	char where[WHERE_MAX], value[4096];

	snprintf(where, sizeof(where), "%.180s:%u: %.*s", f->name, it->line,
	    (int)(it->key.len < 40 ? it->key.len : 40), it->key.ptr);
	o = option_find((const char *)it->key.ptr, it->key.len);
	if (o == NULL || !is_file_key(o))
		return bad(f->err, "%s: no such key", where);
	if (it->value.len >= sizeof(value) ||
	    memchr(it->value.ptr, '\0', it->value.len) != NULL)
		return bad(f->err, "%s: no value of this key", where);
	memcpy(value, it->value.ptr, it->value.len);
	value[it->value.len] = '\0';
	if (ini_is(it->section, "defaults"))
		level = LEVEL_DEFAULTS;
	else if (f->section == NULL || !ini_is(it->section, f->section))
		c = &f->scratch;
	return config_set(c, o, value, level, where, f->err);
}

static int
file_item(void *arg, const struct ini_item *it)
{
	struct file *f = arg;

	switch (it->kind) {
	case INI_SECTION:
		config_free(&f->scratch);
		if (f->section != NULL && ini_is(it->section, f->section))
			f->is_found = true;
		return 0;
	case INI_VALUE:
		return file_value(f, it);
	default:
		return bad(f->err, "%s:%u: unexpected indentation", f->name,
		    it->line);
	}
}

int
config_parse_file(struct config *c, struct slice text, const char *section,
    const char *file, char err[CONFIG_ERR_MAX])
{
	struct file f = { .c = c, .section = section, .name = file,
		.err = err };
	unsigned line = 0;
	int r;

	err[0] = '\0';
	r = ini_parse(text, INI_INLINE_COMMENTS, file_item, &f, &line);
	config_free(&f.scratch);
	if (r < 0 && err[0] == '\0')
		return bad(err, "%s:%u: %s", file, line, r == -EMSGSIZE ?
		    "line too long" : "neither [section] nor key = value");
	if (r < 0)
		return r;
	return section != NULL && !f.is_found ? -ENOENT : 0;
}

/* ---- the environment and the AWS profile ---- */

/* First variable of a list with blanks between that is set; its name in ret. */
static const char *
first_env(const struct awsconf *aws, const char *names, char ret[WHERE_MAX])
{
	while (names != NULL && *names != '\0') {
		size_t n = strcspn(names, " ");
		const char *value;

		snprintf(ret, WHERE_MAX, "%.*s", (int)n, names);
		if ((value = awsconf_env(aws, ret)) != NULL)
			return value;
		names += n + (names[n] == ' ');
	}
	return NULL;
}

static const char *
aws_value(const struct option *o, const struct awsconf *aws,
    char ret_where[WHERE_MAX])
{
	const char *value = first_env(aws, o->env, ret_where);

	/* Endpoints may be switched off as a whole, and are also in [services]:
	 * awsconf knows; the variable's name is for the message only. */
	if (o->kind == OPTION_URL) {
		if (value == NULL)
			snprintf(ret_where, WHERE_MAX, "profile %s: "
			    "endpoint_url", awsconf_profile(aws));
		return awsconf_endpoint_url(aws, o->profile);
	}
	if (value != NULL || o->profile == NULL)
		return value;
	snprintf(ret_where, WHERE_MAX, "profile %s: %s", awsconf_profile(aws),
	    o->profile);
	return awsconf_get(aws, NULL, o->profile);
}

int
config_parse_aws(struct config *c, const struct awsconf *aws,
    char err[CONFIG_ERR_MAX])
{
	size_t n;
	const struct option *t = option_table(&n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		char where[WHERE_MAX] = "";
		const char *value = aws_value(&t[i], aws, where);

		if (value != NULL)
			r = config_set(c, &t[i], value, LEVEL_AWS, where, err);
	}
	return r;
}
