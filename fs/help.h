/* help.h -- --help, from the tables of options.c. */
#ifndef SESFS_FS_HELP_H
#define SESFS_FS_HELP_H

#include <stdio.h>

#include "fs/option.h"

/* The commands, a line each. */
void help_commands(FILE *f);
/* One command: its use and every option it takes. */
void help_command(FILE *f, const struct command *cmd);

#endif
