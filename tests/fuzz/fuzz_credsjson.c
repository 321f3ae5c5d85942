/* Credentials as JSON, in each form, and errors; and as XML of STS. */
#include <errno.h>
#include <string.h>

#include "store/creds_json.h"
#include "store/sts.h"
#include "tests/fuzz/fuzz.h"

static void
is_whole(const struct creds_value *v, int r)
{
	static const struct creds_value none;

	MUST(r == 0 || r == -EPROTO);
	MUST(memchr(v->key_id, '\0', sizeof(v->key_id)) != NULL);
	MUST(memchr(v->secret, '\0', sizeof(v->secret)) != NULL);
	MUST(memchr(v->token, '\0', sizeof(v->token)) != NULL);
	if (r == 0)
		MUST(v->key_id[0] != '\0' && v->secret[0] != '\0');
	else
		MUST(memcmp(v, &none, sizeof(none)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct creds_value v;
	struct slice all = { data, len };
	char why[CREDS_WHY_MAX], text[40];

	for (int form = CREDS_JSON_PROCESS; form <= CREDS_JSON_PORTAL;
	     form++) {
		why[0] = '\0';
		is_whole(&v, creds_json_parse((enum creds_json)form, all, &v,
		    why));
		MUST((why[0] != '\0') == (v.key_id[0] == '\0'));
	}
	creds_json_error(all, text, sizeof(text));
	MUST(memchr(text, '\0', sizeof(text)) != NULL);
	is_whole(&v, sts_parse_credentials(all, &v));
	return 0;
}
