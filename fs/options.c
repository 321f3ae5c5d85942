/* options.c -- the table itself: every option and every command. */
#include "fs/config.h"

#include "store/log.h"

#define AT(member) offsetof(struct config, member)
#define AWS "AWS_ENDPOINT_URL"

/* A poll interval that a person would call one, and no more than that: the
 * price of listing every second is what --poll=auto protects against. */
#define DAY 86400

static const struct option table[] = {
	/* --- where the mail is --- */
	{ "region", 0, NULL, OPTION_NAME, AT(region), 0, 0, "NAME", NULL,
	    "AWS_REGION AWS_DEFAULT_REGION", "region",
	    "AWS region of KMS and of the bucket", COMMANDS_SOURCE, false },
	{ "profile", 0, NULL, OPTION_TEXT, AT(profile), 0, 0, "NAME", NULL,
	    "AWS_PROFILE AWS_DEFAULT_PROFILE", NULL,
	    "profile of ~/.aws/config to take credentials from",
	    COMMANDS_SOURCE, false },
	{ "endpoint-url", 0, NULL, OPTION_URL, AT(endpoint_url), 0, 0, "URL",
	    NULL, AWS "_S3 " AWS, "s3", "S3 at another address",
	    COMMANDS_SOURCE, false },
	{ "kms-endpoint-url", 0, NULL, OPTION_URL, AT(kms_endpoint_url), 0, 0,
	    "URL", NULL, AWS "_KMS " AWS, "kms",
	    "KMS at another address", COMMANDS_SOURCE, false },
	{ "sts-endpoint-url", 0, NULL, OPTION_URL, AT(sts_endpoint_url), 0, 0,
	    "URL", NULL, AWS "_STS " AWS, "sts",
	    "STS at another address", COMMANDS_SOURCE, false },
	{ "queue", 0, NULL, OPTION_TEXT, AT(queue), 0, 0, "URL", NULL, NULL,
	    NULL, "SQS queue that S3 tells of new objects",
	    COMMAND_CHECK | COMMAND_POLICY, false },
	{ "sqs-endpoint-url", 0, NULL, OPTION_URL, AT(sqs_endpoint_url), 0, 0,
	    "URL", NULL, AWS "_SQS " AWS, "sqs", "SQS at another address",
	    COMMAND_CHECK, false },
	{ "allow-http", 0, NULL, OPTION_BOOL, AT(allow_http), 0, 0, NULL, "no",
	    NULL, NULL, "http:// endpoints that are not loopback",
	    COMMANDS_SOURCE, false },
	{ "fips", 0, NULL, OPTION_BOOL, AT(fips), 0, 0, NULL, "no",
	    "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint",
	    "FIPS endpoints and TLS, and --crypto=openssl", COMMANDS_SOURCE, false },
	{ "dual-stack", 0, NULL, OPTION_BOOL, AT(dual_stack), 0, 0, NULL, "no",
	    "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint",
	    "endpoints with IPv6", COMMANDS_SOURCE, false },
	{ "path-style", 0, NULL, OPTION_BOOL, AT(path_style), 0, 0, NULL, "no",
	    NULL, NULL, "the bucket's name in the path of S3 URLs",
	    COMMANDS_SOURCE, false },
	{ "requester-pays", 0, NULL, OPTION_BOOL, AT(requester_pays), 0, 0,
	    NULL, "no", NULL, NULL, "agree to pay for requests",
	    COMMANDS_SOURCE, false },
	{ "expected-bucket-owner", 0, NULL, OPTION_ACCOUNT,
	    AT(expected_bucket_owner), 0, 0, "ACCOUNT", NULL, NULL, NULL,
	    "fail when another account owns the bucket", COMMANDS_SOURCE,
	    false },
	{ "ca-bundle", 0, NULL, OPTION_PATH, AT(ca_bundle), 0, 0, "FILE", NULL,
	    "AWS_CA_BUNDLE", "ca_bundle",
	    "certificates to trust instead of the system's", COMMANDS_SOURCE,
	    false },

	/* --- what is trusted --- */
	{ "kms-key", 0, NULL, OPTION_KEYS, AT(kms_key), 0, 0, "KEY", NULL,
	    NULL, NULL,
	    "KMS key that may unwrap; repeatable (default: account)",
	    COMMANDS_SOURCE, false },
	{ "accept", 0, NULL, OPTION_ACCEPT, AT(accept), 0, 0, "LIST",
	    "kms-gcm,kmsctx-gcm,commit", NULL, NULL,
	    "formats taken; +cbc,instruction,plain,renamed adds to it",
	    COMMANDS_SOURCE, false },
	{ "account", 0, NULL, OPTION_ACCOUNT, AT(account), 0, 0, "ACCOUNT",
	    NULL, NULL, NULL, "AWS account that SES must have received for",
	    COMMANDS_SOURCE, false },
	{ "seal-key", 0, NULL, OPTION_KEY, AT(seal_key), 0, 0, "KEY", NULL,
	    NULL, NULL,
	    "KMS key for secrets at rest, or none (default: first --kms-key)",
	    COMMANDS_SOURCE, false },
	{ "key-ttl", 0, NULL, OPTION_SECONDS, AT(key_ttl_s), 1, 7 * DAY,
	    "SECONDS", "3600", NULL, NULL,
	    "how long an unwrapped key is kept", COMMANDS_SOURCE, false },
	{ "crypto", 0, NULL, OPTION_CHOICE, AT(crypto), 0, 0,
	    "auto|sodium|openssl", "auto", NULL, NULL,
	    "library that decrypts", COMMANDS_SOURCE, false },
	{ "max-message-size", 0, NULL, OPTION_SIZE, AT(max_message_size), 1024,
	    1ULL << 30, "SIZE", "64M", NULL, NULL,
	    "larger objects are refused", COMMANDS_SOURCE, false },

	/* --- the tree --- */
	{ "inbox", 0, NULL, OPTION_PREFIX, AT(inbox), 0, 0, "PREFIX", "", NULL,
	    NULL, "key directory that is the INBOX", COMMANDS_SOURCE, false },
	{ "junk", 0, NULL, OPTION_FOLDER, AT(junk), 0, 0, "FOLDER", NULL, NULL,
	    NULL, "folder for mail that SES found to be spam or a virus",
	    COMMANDS_SOURCE, false },
	{ "index", 0, NULL, OPTION_CHOICE, AT(index), 0, 0, "headers|envelope",
	    "headers", NULL, NULL,
	    "what is learnt of a message when it arrives",
	    COMMANDS_SOURCE, false },
	{ "delete", 0, NULL, OPTION_CHOICE, AT(delete_mode), 0, 0,
	    "hide|refuse|remove", "hide", NULL, NULL,
	    "what removing a message does", COMMAND_MOUNT | COMMAND_POLICY,
	    false },
	{ "read-only", 0, "ro", OPTION_BOOL, AT(read_only), 0, 0, NULL, "no",
	    NULL, NULL, "nothing can be changed",
	    COMMAND_MOUNT | COMMAND_POLICY, false },
	{ "allow-other", 0, NULL, OPTION_BOOL, AT(allow_other), 0, 0, NULL,
	    "no", NULL, NULL, "other users may enter the mount",
	    COMMAND_MOUNT | COMMAND_CHECK, false },
	{ "uid", 0, NULL, OPTION_COUNT, AT(uid), 0, UINT32_MAX - 1, "N", NULL,
	    NULL, NULL, "owner of what is shown (default: yours)",
	    COMMAND_MOUNT, false },
	{ "gid", 0, NULL, OPTION_COUNT, AT(gid), 0, UINT32_MAX - 1, "N", NULL,
	    NULL, NULL, "group of what is shown (default: yours)",
	    COMMAND_MOUNT, false },
	{ "umask", 0, NULL, OPTION_OCTAL, AT(umask), 0, 0777, "OCTAL", "077",
	    NULL, NULL, "permissions that are taken away", COMMAND_MOUNT,
	    false },

	/* --- how it runs --- */
	{ "state-dir", 0, NULL, OPTION_PATH, AT(state_dir), 0, 0, "DIR", NULL,
	    NULL, NULL,
	    "index and cache (default: one per source below "
	    "$XDG_STATE_HOME/sesfs)", COMMANDS_SOURCE, false },
	{ "cache-size", 0, NULL, OPTION_SIZE, AT(cache_size), 0, 1ULL << 50,
	    "SIZE", "1G", NULL, NULL, "ciphertext kept on disk",
	    COMMANDS_SOURCE, false },
	{ "poll", 0, NULL, OPTION_POLL, AT(poll_s), 1, 7 * DAY, "SECONDS",
	    "auto", NULL, NULL, "time between two listings", COMMAND_MOUNT,
	    false },
	{ "jobs", 0, NULL, OPTION_COUNT, AT(jobs), 1, 1024, "N", "64", NULL,
	    NULL, "requests at once", COMMANDS_SOURCE, false },
	{ "kms-rate", 0, NULL, OPTION_COUNT, AT(kms_rate), 1, 100000, "N",
	    "200", NULL, NULL, "KMS requests a second at most",
	    COMMANDS_SOURCE, false },
	{ "foreground", 'f', NULL, OPTION_BOOL, AT(foreground), 0, 0, NULL,
	    "no", NULL, NULL, "stay in the foreground, log to stderr",
	    COMMAND_MOUNT, false },
	{ "log", 0, NULL, OPTION_TEXT, AT(log), 0, 0, "DEST", NULL, NULL, NULL,
	    "stderr, syslog or an absolute file name", COMMANDS_SOURCE,
	    false },
	{ "log-level", 0, NULL, OPTION_CHOICE, AT(log_level), 0, 0,
	    "err|warn|info|debug", "warn", NULL, NULL, "how much is logged",
	    COMMANDS_SOURCE, false },
	{ "audit", 0, NULL, OPTION_TEXT, AT(audit), 0, 0, "FILE|journal", NULL,
	    NULL, NULL, "a line for each message opened: which, when, by whom",
	    COMMAND_MOUNT | COMMAND_CAT | COMMAND_VERIFY, false },
	{ "verbose", 'v', NULL, OPTION_BOOL, AT(verbose), 0, 0, NULL, "no",
	    NULL, NULL, "--log-level=info", COMMANDS_SOURCE, false },
	{ "debug", 'd', NULL, OPTION_BOOL, AT(debug), 0, 0, NULL, "no", NULL,
	    NULL, "--log-level=debug", COMMANDS_SOURCE, false },
	{ "config", 0, NULL, OPTION_PATH, AT(config_file), 0, 0, "FILE", NULL,
	    NULL, NULL, "configuration instead of sesfs.conf", COMMANDS_ALL,
	    false },

	/* --- of single commands --- */
	{ "json", 0, NULL, OPTION_BOOL, AT(json), 0, 0, NULL, "no", NULL, NULL,
	    "print JSON",
	    COMMAND_LS | COMMAND_CHECK | COMMAND_STATUS | COMMAND_VERIFY,
	    false },
	{ "all", 0, NULL, OPTION_BOOL, AT(all), 0, 0, NULL, "no", NULL, NULL,
	    "name every refused object", COMMAND_STATUS, false },
	{ "refused", 0, NULL, OPTION_BOOL, AT(refused), 0, 0, NULL, "no", NULL,
	    NULL, "list refused objects with their reason", COMMAND_LS,
	    false },
	{ "brief", 0, NULL, OPTION_BOOL, AT(brief), 0, 0, NULL, "no", NULL,
	    NULL, "no header fields, hence no KMS", COMMAND_LS, false },
	{ "sample", 0, NULL, OPTION_PERCENT, AT(sample), 1, 100, "PERCENT",
	    "100", NULL, NULL, "read only so many of the messages",
	    COMMAND_VERIFY, false },
	{ "rule", 0, NULL, OPTION_RULE, AT(rule), 0, 0, "SET/RULE", NULL, NULL,
	    NULL, "SES's receipt rule (default: any of the account)",
	    COMMAND_POLICY, false },
	{ "terraform", 0, NULL, OPTION_BOOL, AT(terraform), 0, 0, NULL, "no",
	    NULL, NULL, "print a whole set-up for Terraform", COMMAND_POLICY,
	    false },
	{ "cloudformation", 0, NULL, OPTION_BOOL, AT(cloudformation), 0, 0,
	    NULL, "no", NULL, NULL, "print a whole set-up for CloudFormation",
	    COMMAND_POLICY, false },
	{ "lazy", 'z', NULL, OPTION_BOOL, AT(lazy), 0, 0, NULL, "no", NULL,
	    NULL, "detach although files are in use", COMMAND_UMOUNT, false },

	/* --- of a section --- */
	{ "source", 0, NULL, OPTION_TEXT, AT(source), 0, 0, "s3://BUCKET/...",
	    NULL, NULL, NULL, "what a section mounts", 0, true },
	{ "mountpoint", 0, NULL, OPTION_TEXT, AT(mountpoint), 0, 0, "DIR",
	    NULL, NULL, NULL, "where a section is mounted", 0, true },
};
_Static_assert(NELEMS(table) <= OPTION_MAX, "struct config has a level each");
_Static_assert(LOG_LEVEL_ERR == 0 && LOG_LEVEL_DEBUG == 3,
    "the words of --log-level follow enum log_level");

static const struct command commands[] = {
	{ "mount", COMMAND_MOUNT, "SOURCE [MOUNTPOINT]", 1, 2,
	    "show the mail of a bucket as a Maildir" },
	{ "umount", COMMAND_UMOUNT, "MOUNTPOINT", 1, 1,
	    "unmount and wait until the daemon is gone" },
	{ "sync", COMMAND_SYNC, "SOURCE", 1, 1,
	    "bring the index up to date, then exit" },
	{ "ls", COMMAND_LS, "SOURCE [FILTER ...]", 1, 64,
	    "list messages from the index" },
	{ "cat", COMMAND_CAT, "SOURCE KEY", 2, 2,
	    "print one message, decrypted and verified" },
	{ "verify", COMMAND_VERIFY, "SOURCE", 1, 1,
	    "read, decrypt and check every message" },
	{ "check", COMMAND_CHECK, "SOURCE", 1, 1,
	    "try everything a mount needs and say what is missing" },
	{ "status", COMMAND_STATUS, "MOUNTPOINT", 1, 1,
	    "what a mount is doing, has done and has cost" },
	{ "forget", COMMAND_FORGET, "MOUNTPOINT keys|cache", 2, 2,
	    "wipe unwrapped keys, or drop cached objects" },
	{ "warm", COMMAND_WARM, "MOUNTPOINT [FOLDER]", 1, 2,
	    "fetch and unwrap what is not at hand yet" },
	{ "policy", COMMAND_POLICY, "SOURCE", 1, 1,
	    "print the least that AWS must allow for a mount" },
	{ "rekey", COMMAND_REKEY, "SOURCE", 1, 1,
	    "seal the secrets at rest under a new key" },
};

const struct option *
option_table(size_t *ret_n)
{
	*ret_n = NELEMS(table);
	return table;
}

const struct command *
option_commands(size_t *ret_n)
{
	*ret_n = NELEMS(commands);
	return commands;
}
