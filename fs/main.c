/* main.c -- which command, with which configuration. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "crypto/crypto.h"
#include "fs/cmd.h"
#include "fs/help.h"
#include "fs/value.h"
#include "store/log.h"

static cmd_fn *
function_of(const struct command *cmd)
{
	static const struct {
		unsigned bit;
		cmd_fn *run;
	} functions[] = {
		{ COMMAND_MOUNT, cmd_mount },
		{ COMMAND_UMOUNT, cmd_umount },
		{ COMMAND_SYNC, cmd_sync },
		{ COMMAND_LS, cmd_ls },
		{ COMMAND_CAT, cmd_cat },
		{ COMMAND_VERIFY, cmd_verify },
		{ COMMAND_CHECK, cmd_check },
		{ COMMAND_STATUS, cmd_status },
		{ COMMAND_FORGET, cmd_forget },
		{ COMMAND_REKEY, cmd_rekey },
		{ COMMAND_WARM, cmd_warm },
		{ COMMAND_POLICY, cmd_policy },
	};

	for (size_t i = 0; i < NELEMS(functions); i++)
		if (functions[i].bit == cmd->bit)
			return functions[i].run;
	abort();
}

/* Keys and plaintext stay out of core files and away from debuggers. */
static int
harden(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return cmd_fail(1, "cannot switch core dumps off: %s; does "
		    "a sandbox forbid prctl(2) or setrlimit(2)?",
		    strerror(errno));
	return 0;
}

/* A reader that goes away, or a file that may not grow, is an error of write(2),
 * not the end of us. */
static void
ignore_signals(void)
{
	const struct sigaction sa = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
}

static int
prepare(const struct config *c)
{
	const char *log = c->log != NULL ? c->log : "stderr";
	int r;

	log_set_level((enum log_level)c->log_level);
	if ((r = log_open(log)) < 0)
		return cmd_fail(1, "cannot log to %s: %s; choose another place "
		    "with --log", log, strerror(-r));
	if ((r = crypto_init((enum crypto_backend)c->crypto)) < 0)
		return cmd_fail(1, "%s", r == -ENOTSUP ?
		    "--crypto=sodium needs a CPU with AES instructions" :
		    "the cryptographic library does not start");
	return 0;
}

static int
run(const struct command *cmd, int argc, char **argv)
{
	struct config c;
	char err[CONFIG_ERR_MAX];
	int status;

	if (config_load(&c, cmd, argc, argv, err) < 0) {
		config_free(&c);
		return err[0] != '\0' ? cmd_fail(EXIT_USE, "%s", err) :
					EXIT_USE;
	}
	if ((status = harden()) == 0 && (status = prepare(&c)) == 0)
		status = function_of(cmd)(&c);
	config_free(&c);
	return status;
}

static int
unknown_command(const char *name)
{
	const char *words[16], *near;
	size_t n;
	const struct command *t = option_commands(&n);

	for (size_t i = 0; i < n; i++)
		words[i] = t[i].name;
	if ((near = value_nearest(name, words, n)) != NULL)
		return cmd_fail(EXIT_USE, "no command \"%.60s\"; did you mean "
		    "%s?", name, near);
	return cmd_fail(EXIT_USE, "no command \"%.60s\"; see sesfs help",
	    name);
}

static int
help(const char *name)
{
	const struct command *cmd;

	if (name == NULL) {
		help_commands(stdout);
		return 0;
	}
	if ((cmd = option_command(name)) == NULL)
		return unknown_command(name);
	help_command(stdout, cmd);
	return 0;
}

static bool
wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* Asked as other programs are asked, or of one command. */
static bool
wants_version(int argc, char **argv)
{
	if (strcmp(argv[0], "version") == 0)
		return true;
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--version") == 0 ||
		    (i == 0 && strcmp(argv[i], "-V") == 0))
			return true;
	return false;
}

static int
version(void)
{
	puts("sesfs " SESFS_VERSION);
	return 0;
}

/* `sesfs SOURCE MOUNTPOINT -o ...`: how mount.fuse3 calls a file system. */
static bool
is_mount_call(int argc, char **argv)
{
	if (argc < 3 || option_command(argv[1]) != NULL)
		return false;
	return strncmp(argv[1], "s3://", 5) == 0 ||
	    (argc > 3 && argv[2][0] == '/' && strcmp(argv[3], "-o") == 0);
}

int
main(int argc, char **argv)
{
	const struct command *cmd;

	/* Names on a terminal are UTF-8 whatever the locale says. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "");
	ignore_signals();
	if (argc < 2) {
		help_commands(stderr);
		return EXIT_USE;
	}
	if (wants_version(argc - 1, argv + 1))
		return version();
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	if (is_mount_call(argc, argv))
		return run(option_command("mount"), argc - 1, argv + 1);
	if ((cmd = option_command(argv[1])) == NULL)
		return unknown_command(argv[1]);
	if (wants_help(argc - 2, argv + 2))
		return help(argv[1]);
	return run(cmd, argc - 2, argv + 2);
}
