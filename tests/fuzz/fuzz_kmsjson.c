/* An answer of KMS. */
#include <errno.h>
#include <string.h>

#include "store/kms_json.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice json = { data, len };
	static struct kms_json_answer a;
	struct kms_key_info k;
	int r = kms_json_answer(json, &a);

	MUST(r == 0 || r == -EPROTO);
	MUST((r == 0) == kms_arn_matches(a.arn, a.arn));
	MUST(a.plain_len <= sizeof(a.plain) && a.blob_len <= sizeof(a.blob));
	MUST(r == 0 || (a.plain_len == 0 && a.arn[0] == '\0'));
	r = kms_json_key_info(json, &k);
	MUST(r == 0 || (r == -EPROTO && k.arn[0] == '\0'));
	return 0;
}
