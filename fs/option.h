/* option.h -- the one table of options.
 *
 * Long flags, -o words, keys of sesfs.conf, --help and the test of the man
 * page all come from it. An option is a name, how its text is read, where in
 * struct config the value goes and which commands take it. Pure. */
#ifndef SESFS_FS_OPTION_H
#define SESFS_FS_OPTION_H

#include "crypto/base.h"

#define OPTION_MAX 64	   /* rows the table may have */
#define OPTION_WHY_MAX 256 /* bytes of a reason, with the zero */

/* Commands, as a set. */
enum {
	COMMAND_MOUNT = 1 << 0,
	COMMAND_UMOUNT = 1 << 1,
	COMMAND_SYNC = 1 << 2,
	COMMAND_LS = 1 << 3,
	COMMAND_CAT = 1 << 4,
	COMMAND_VERIFY = 1 << 5,
	COMMAND_CHECK = 1 << 6,
	COMMAND_STATUS = 1 << 7,
	COMMAND_FORGET = 1 << 8,
	COMMAND_REKEY = 1 << 9,
	COMMAND_WARM = 1 << 10,
	COMMAND_POLICY = 1 << 11,
	/* those that read a bucket or its index */
	COMMANDS_SOURCE = COMMAND_MOUNT | COMMAND_SYNC | COMMAND_LS |
	    COMMAND_CAT | COMMAND_VERIFY | COMMAND_CHECK | COMMAND_REKEY |
	    COMMAND_POLICY,
	COMMANDS_ALL = (1 << 12) - 1,
};

enum option_kind {
	OPTION_BOOL,	/* bool */
	OPTION_COUNT,	/* uint64_t, decimal */
	OPTION_OCTAL,	/* uint64_t */
	OPTION_SIZE,	/* uint64_t bytes */
	OPTION_SECONDS, /* uint64_t */
	OPTION_POLL,	/* uint64_t seconds, "auto" is 0 */
	OPTION_PERCENT, /* uint64_t 1..100, "%" allowed */
	OPTION_CHOICE,	/* unsigned: place of the word in `arg`, a|b|c */
	OPTION_ACCEPT,	/* unsigned: enum accept bits */
	OPTION_TEXT,	/* char * */
	OPTION_NAME,	/* char *: letters, digits and -_. (region) */
	OPTION_URL,	/* char * */
	OPTION_PATH,	/* char *: absolute */
	OPTION_ACCOUNT, /* char *: 12 digits */
	OPTION_FOLDER,	/* char *: Maildir++ folder without its dot */
	OPTION_PREFIX,	/* char *: key directory, without slash at its end */
	OPTION_KEYS,	/* struct option_list: KMS keys */
	OPTION_KEY,	/* char *: one KMS key or "none" */
	OPTION_RULE,	/* char *: receipt rule set and rule, SET/RULE */
};

struct option_list {
	char **item;
	size_t n;
};

struct option {
	const char *name;
	char letter;	   /* -x, or 0 */
	const char *alias; /* another -o word, or NULL */
	enum option_kind kind;
	size_t offset;	     /* in struct config */
	uint64_t min, max;   /* of numbers; max 0: no limit */
	const char *arg;     /* its value in the help; NULL for a bool */
	const char *def;     /* default text; NULL: none, or worked out */
	const char *env;     /* AWS_* variables that set it, first one first */
	const char *profile; /* key of an AWS profile that sets it; of a URL
			      * the service (endpoint_url is its key) */
	const char *help;
	unsigned commands;
	bool is_file_only; /* a key of a section, not a flag */
};

/* The table. */
const struct option *option_table(size_t *ret_n);

/* Find by name or alias ('_' counts as '-'), or by letter; NULL when there is
 * none. */
const struct option *option_find(const char *name, size_t len);
const struct option *option_find_letter(char letter);

/* The name that was most likely meant among those that `commands` take, or
 * NULL. */
const char *option_nearest(const char *name, unsigned commands);

/* Read text into the field at base + offset. A string or list that is there is
 * replaced or added to. Returns 0; -EINVAL or -ERANGE with the reason in why;
 * -ENOMEM. */
int option_set(const struct option *o, const char *text, void *base,
    char why[OPTION_WHY_MAX]) MUST_CHECK;

/* Free what the field owns and zero it. */
void option_clear(const struct option *o, void *base);

/* What a command is, for main and the help. */
struct command {
	const char *name;
	unsigned bit;	    /* COMMAND_* */
	const char *args;   /* "SOURCE [FILTER...]" */
	unsigned min, max;  /* positional arguments */
	const char *help;   /* one line */
};
const struct command *option_commands(size_t *ret_n);
const struct command *option_command(const char *name);

#endif
