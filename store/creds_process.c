/* credential_process is run by the shell, as most SDKs do, because the field
 * has quoting, pipes and variables in that setting. (botocore divides it into
 * words as a shell would, and expands nothing.) What it prints is a secret
 * and never leaves this file but into a struct creds_value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/creds_json.h"
#include "store/creds_providers.h"
#include "store/run.h"

#define OUTPUT_MAX 65536 /* bytes */
#define TIMEOUT_MS 60000

struct process {
	const struct awsconf *conf;
	const char *profile;
};

static int
run(const char *command, struct buf *out, char why[CREDS_WHY_MAX])
{
	char sh[] = "/bin/sh", c[] = "-c", *copy = strdup(command);
	char *argv[] = { sh, c, copy, NULL };
	int r;

	if (copy == NULL)
		return -ENOMEM;
	r = run_program(argv, TIMEOUT_MS, out);
	free(copy);
	if (r == -ETIMEDOUT)
		snprintf(why, CREDS_WHY_MAX, "it took longer than a minute");
	else if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "%s", strerror(-r));
	else if (r > 0)
		snprintf(why, CREDS_WHY_MAX, "exit status %d; run the "
		    "command by hand: its standard error says why", r);
	return r > 0 ? -EIO : r;
}

static int
process_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const struct process *p = arg;
	const char *command = awsconf_get(p->conf, p->profile,
	    "credential_process");
	struct buf out = BUF_INIT(OUTPUT_MAX);
	int r;

	if (command == NULL && awsconf_get(p->conf, p->profile,
	    "login_session") != NULL) {
		snprintf(why, CREDS_WHY_MAX, "the login of aws login is not "
		    "read; add credential_process = aws configure "
		    "export-credentials --profile %.60s --format process",
		    p->profile);
		return -EINVAL;
	}
	if (command == NULL) {
		snprintf(why, CREDS_WHY_MAX, "profile %s has none", p->profile);
		return -ENOENT;
	}
	r = run(command, &out, why);
	if (r == 0)
		r = creds_json_parse(CREDS_JSON_PROCESS,
		    (struct slice){ out.ptr, out.len }, ret, why);
	buf_free(&out);
	return r == -ENOENT ? -EIO : r;
}

int
creds_process_provider(const struct awsconf *conf, const char *profile,
    struct creds_provider *ret)
{
	struct process *p;

	if ((p = malloc(sizeof(*p))) == NULL)
		return -ENOMEM;
	*p = (struct process){ conf, profile };
	*ret = (struct creds_provider){ .name = "credential_process",
		.fetch = process_fetch, .free = free, .arg = p };
	return 0;
}
