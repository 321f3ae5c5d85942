#include <string.h>

#include "fs/cmd.h"

int
cmd_forget(const struct config *c)
{
	const char *what = c->args[1], *request;
	char dir[CMD_PATH_MAX];
	json_t *result;
	int status;

	if (strcmp(what, "keys") == 0)
		request = "{\"cmd\":\"forget\",\"what\":\"keys\"}";
	else if (strcmp(what, "cache") == 0)
		request = "{\"cmd\":\"forget\",\"what\":\"cache\"}";
	else
		return cmd_fail(EXIT_USE, "forget what? keys or cache, not "
		    "\"%.60s\"", what);
	if ((status = cmd_state_dir(c->mountpoint, dir)) != 0 ||
	    (status = cmd_ask(dir, request, NULL, NULL, &result)) != 0)
		return status;
	json_decref(result);
	return 0;
}
