/* A page of ListObjectsV2. */
#include <errno.h>
#include <string.h>

#include "store/s3_list.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct s3_list_want want = { "", 20 };
	struct s3_page p;
	const char *why;
	int r = s3_list_parse((struct slice){ data, len }, &want, &p, &why);

	MUST(r == 0 || r == -EPROTO);
	MUST((why == NULL) == (r == 0));
	MUST(r == 0 || (p.n == 0 && p.item == NULL));
	MUST(p.n <= 20);
	for (size_t i = 0; i < p.n; i++) {
		size_t n = strlen(p.item[i].key);

		MUST(n >= 1 && n <= S3_KEY_MAX);
		MUST(strlen(p.item[i].etag) < S3_ETAG_MAX);
		MUST(i == 0 || strcmp(p.item[i - 1].key, p.item[i].key) < 0);
	}
	MUST(!p.is_truncated || p.next_token != NULL || r < 0);
	s3_page_free(&p);
	return 0;
}
