/* config.h -- everything a run of sesfs was told.
 *
 * Filled once by main, read only afterwards; modules get their own small
 * x_opts. A value comes from the highest of: a flag or -o word, the mount's
 * section of sesfs.conf, its section [defaults], the environment and the AWS
 * profile, the default. */
#ifndef SESFS_FS_CONFIG_H
#define SESFS_FS_CONFIG_H

#include <sys/types.h>

#include "crypto/base.h"
#include "fs/location.h"
#include "fs/option.h"
#include "store/awsconf.h"

#define CONFIG_ERR_MAX 1024 /* bytes of a message, with the zero */

enum config_level {
	LEVEL_NONE,
	LEVEL_DEFAULT,
	LEVEL_AWS,	/* AWS_* variables, ~/.aws/config */
	LEVEL_DEFAULTS, /* [defaults] of sesfs.conf */
	LEVEL_SECTION,
	LEVEL_ARGS,
};

enum config_delete { DELETE_HIDE, DELETE_REFUSE };
enum config_index { INDEX_HEADERS, INDEX_ENVELOPE };

struct config {
	const struct command *command;
	char **args; /* positional arguments; borrowed from argv */
	size_t args_n;
	struct location location; /* of SOURCE; bucket "" when none */
	struct awsconf *aws; /* ~/.aws/config; NULL for commands without a
			      * source */

	/* by the table */
	char *config_file, *source, *mountpoint; /* mountpoint: absolute */
	char *region, *profile, *ca_bundle, *expected_bucket_owner;
	char *endpoint_url, *kms_endpoint_url, *sts_endpoint_url;
	char *queue, *sqs_endpoint_url;
	struct option_list kms_key;
	char *seal_key; /* NULL: secrets stay in memory */
	char *account, *inbox, *junk, *state_dir, *log, *audit, *rule;
	unsigned accept, crypto, index, delete_mode, log_level;
	uint64_t cache_size, max_message_size;
	uint64_t poll_s, key_ttl_s;
	uint64_t jobs, kms_rate;
	uint64_t uid, gid, umask;
	uint64_t sample;
	bool read_only, allow_other, nonempty, foreground, allow_http;
	bool fips, dual_stack, path_style, requester_pays;
	bool verbose, debug, json, all, refused, brief, lazy;
	bool terraform, cloudformation;

	uint8_t level_[OPTION_MAX]; /* enum config_level of each option */
};

/* A zeroed struct is an empty configuration. */
void config_free(struct config *c); /* frees members */

/* Set one option. where: what names it in a message ("--jobs",
 * "/etc/sesfs/sesfs.conf:3: jobs"). A value of a higher level is kept.
 * Returns 0; -EINVAL with err filled in. */
int config_set(struct config *c, const struct option *o, const char *text,
    enum config_level level, const char *where,
    char err[CONFIG_ERR_MAX]) MUST_CHECK;

/* Flags, -o words and positional arguments of a command, argv[0] being the
 * first after its name. -EINVAL with err. */
int config_parse_args(struct config *c, const struct command *cmd, int argc,
    char **argv, char err[CONFIG_ERR_MAX]) MUST_CHECK;

/* A sesfs.conf. section: the mount that is wanted, NULL for none (every section
 * is checked all the same). file: its name for messages. -EINVAL with err;
 * -ENOENT when there is no such section. */
int config_parse_file(struct config *c, struct slice text,
    const char *section, const char *file, char err[CONFIG_ERR_MAX])
    MUST_CHECK;

/* What the environment and the AWS profile say. -EINVAL with err. */
int config_parse_aws(struct config *c, const struct awsconf *aws,
    char err[CONFIG_ERR_MAX]) MUST_CHECK;

/* Defaults, then everything that concerns several options at once. -EINVAL
 * with err. Needs the source to have been settled. */
int config_finish(struct config *c, char err[CONFIG_ERR_MAX]) MUST_CHECK;

/* All of these in the right order, with the files and the environment of this
 * machine: what main calls. -EINVAL with err, "" when it has been logged. */
int config_load(struct config *c, const struct command *cmd, int argc,
    char **argv, char err[CONFIG_ERR_MAX]) MUST_CHECK;

/* Where an option's value came from. */
enum config_level config_level(const struct config *c, const char *name);

#endif
