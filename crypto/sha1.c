#include "crypto/sha1.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>

int
sha1_hex(const void *data, size_t len, char ret[SHA1_HEX_LEN + 1])
{
	uint8_t sum[SHA1_HEX_LEN / 2];
	unsigned n = sizeof(sum);

	ret[0] = '\0';
	if (EVP_Digest(data, len, sum, &n, EVP_sha1(), NULL) != 1 ||
	    n != sizeof(sum))
		return -EIO;
	sodium_bin2hex(ret, SHA1_HEX_LEN + 1, sum, sizeof(sum));
	return 0;
}
