/* A sesfs.conf, then the command line in its first line: refused with one
 * line of reason, or values within their bounds. */
#include <errno.h>
#include <string.h>

#include "fs/config.h"
#include "store/endpoint.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 8

static void
check_values(const struct config *c)
{
	struct endpoint e;
	const char *why;

	MUST(c->jobs <= 1024);
	MUST(c->umask <= 0777);
	MUST(c->kms_key.n == 0 || c->kms_key.item != NULL);
	MUST(c->endpoint_url == NULL || (endpoint_parse(c->endpoint_url, &e,
	    &why) == 0 && strchr(e.host, '@') == NULL));
	MUST(c->state_dir == NULL || c->state_dir[0] == '/');
}

static void
fuzz_args(const uint8_t *data, size_t len)
{
	char line[256], *argv[WORDS_MAX], err[CONFIG_ERR_MAX] = "";
	struct config c = { 0 };
	int argc = 0, r;

	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	memcpy(line, data, len);
	line[len] = '\0';
	for (char *w = strtok(line, " \n"); w != NULL && argc < WORDS_MAX;
	     w = strtok(NULL, " \n"))
		argv[argc++] = w;
	r = config_parse_args(&c, option_command("mount"), argc, argv, err);
	MUST((r == 0) == (err[0] == '\0'));
	if (r == 0)
		check_values(&c);
	config_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char err[CONFIG_ERR_MAX] = "";
	struct config c = { 0 };
	int r = config_parse_file(&c, (struct slice){ data, len }, "a", "f",
	    err);

	MUST(r != -EINVAL || err[0] != '\0');
	if (r == 0)
		check_values(&c);
	config_free(&c);
	fuzz_args(data, len);
	return 0;
}
