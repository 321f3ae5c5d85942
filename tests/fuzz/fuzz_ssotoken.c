/* A file of ~/.aws/sso/cache, and an answer of CreateToken. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/sso_token.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sso_token t, again;
	struct slice all = { data, len };
	struct buf text = BUF_INIT(1 << 20);
	int r;

	MUST(sodium_init() >= 0);
	r = sso_token_parse(all, &t);
	MUST(r == 0 || r == -EPROTO);
	MUST((r == 0) == (t.access[0] != '\0'));
	if (r == 0) {
		MUST(t.expires_unix > 0);
		/* What is written back reads the same. */
		r = sso_token_format(all, &t, &text);
		MUST(r == 0 || r == -EPROTO);
		if (r == 0) {
			MUST(sso_token_parse((struct slice){ text.ptr,
			    text.len }, &again) == 0);
			MUST(strcmp(again.access, t.access) == 0);
			MUST(strcmp(again.refresh, t.refresh) == 0);
			MUST(strcmp(again.client_secret,
			    t.client_secret) == 0);
			MUST(again.expires_unix == t.expires_unix);
		}
	}
	buf_free(&text);
	r = sso_token_take(all, 1000, &t);
	MUST(r == 0 || r == -EPROTO);
	MUST(r < 0 || (t.access[0] != '\0' && t.expires_unix > 1000));
	return 0;
}
