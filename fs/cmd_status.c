#include <stdio.h>

#include "fs/cmd.h"
#include "fs/status.h"
#include "fs/text.h"

int
cmd_status(const struct config *c)
{
	char dir[CMD_PATH_MAX];
	json_t *doc;
	const char *request = "{\"cmd\":\"status\"}";
	int status;

	if (c->all)
		request = "{\"cmd\":\"status\",\"all\":true}";
	if ((status = cmd_state_dir(c->mountpoint, dir)) != 0 ||
	    (status = cmd_ask(dir, request, NULL, NULL, &doc)) != 0)
		return status;
	if (c->json)
		text_dump(stdout, doc, JSON_INDENT(2) | JSON_REAL_PRECISION(8));
	else
		status_print(stdout, doc);
	json_decref(doc);
	return cmd_printed(0);
}
