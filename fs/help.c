#include "fs/help.h"

#include <string.h>

#define COLUMN 30 /* where the explanations begin */

void
help_commands(FILE *f)
{
	size_t n;
	const struct command *t = option_commands(&n);

	fputs("sesfs shows mail that Amazon SES encrypted into an S3 bucket "
	      "as a Maildir.\n\n", f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "  sesfs %-7s %-24s %s\n", t[i].name, t[i].args,
		    t[i].help);
	fputs("\nSOURCE is s3://BUCKET[/PREFIX] or a section of sesfs.conf.\n"
	      "sesfs help COMMAND lists its options; see also sesfs(1), "
	      "sesfs.conf(5), sesfs(7).\n", f);
}

static void
help_option(FILE *f, const struct option *o)
{
	int n = 0;

	if (o->letter != '\0')
		n = fprintf(f, "  -%c, --%s", o->letter, o->name);
	else
		n = fprintf(f, "      --%s", o->name);
	if (o->arg != NULL)
		n += fprintf(f, "=%s", o->arg);
	if (n >= COLUMN) {
		fputc('\n', f);
		n = 0;
	}
	fprintf(f, "%*s%s", COLUMN - n, "", o->help);
	if (o->arg != NULL && o->def != NULL && *o->def != '\0')
		fprintf(f, " [%s]", o->def);
	fputc('\n', f);
}

void
help_command(FILE *f, const struct command *cmd)
{
	size_t n;
	const struct option *t = option_table(&n);

	fprintf(f, "sesfs %s [options] %s\n    %s\n\n", cmd->name, cmd->args,
	    cmd->help);
	if (cmd->bit & COMMANDS_SOURCE)
		fprintf(f, "%-*s%s\n", COLUMN, "  -o NAME[=VALUE],...",
		    "any of these by its name, as mount(8) does");
	for (size_t i = 0; i < n; i++)
		if (t[i].commands & cmd->bit)
			help_option(f, &t[i]);
	if (cmd->bit == COMMAND_LS)
		fputs("\nFILTER is KEY OP VALUE without blanks; all must hold. "
		      "folder= from= to= cc= subject=\nmessage-id= list-id= "
		      "key= flags= spam= virus= with = or !=; date size and "
		      "arrived\nwith = != < <= > >=, such as date>=2026-01-01 "
		      "or size>1M.\n", f);
}
