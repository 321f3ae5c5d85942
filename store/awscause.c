#include <string.h>

#include "crypto/base.h"
#include "store/awscause.h"

#define ACCESS_KEY                                                             \
	{ "access-key", "give an access key that AWS knows; see CREDENTIALS "  \
	    "in sesfs(1)" }
#define SECRET_KEY                                                             \
	{ "secret-key", "give the secret key that goes with the access key" }
#define EXPIRED { "expired", "log in again, or renew the credentials" }
#define CLOCK { "clock", "set the clock (timedatectl set-ntp true)" }
#define REGION { "region", "give the region of the bucket: --region" }

static const struct {
	const char *code;
	struct awscause cause;
} table[] = {
	{ "InvalidAccessKeyId", ACCESS_KEY },
	{ "InvalidClientTokenId", ACCESS_KEY },
	{ "UnrecognizedClientException", ACCESS_KEY },
	{ "SignatureDoesNotMatch", SECRET_KEY },
	{ "InvalidSignatureException", SECRET_KEY },
	{ "ExpiredToken", EXPIRED },
	{ "ExpiredTokenException", EXPIRED },
	{ "TokenRefreshRequired", EXPIRED },
	{ "InvalidToken", EXPIRED },
	{ "RequestTimeTooSkewed", CLOCK },
	{ "RequestExpired", CLOCK },
	{ "RequestInTheFuture", CLOCK },
	{ "AuthorizationHeaderMalformed", REGION },
	{ "PermanentRedirect", REGION },
	{ "IllegalLocationConstraintException", REGION },
	{ "OptInRequired", { "region-disabled",
	    "enable the region for the account" } },
	{ "NoSuchBucket", { "no-such-bucket", "mend the name of the bucket" } },
	{ "InvalidObjectState", { "archived",
	    "restore the object, or keep mail out of archive classes" } },
	{ "NotFoundException", { "no-such-key", "give a key that exists, by "
	    "its ARN: an id or alias is looked for in --region alone" } },
	{ "InvalidArnException", { "no-such-key", "give the ARN of a key" } },
	{ "DisabledException", { "key-disabled",
	    "enable the key: aws kms enable-key --key-id KEY --region REGION" } },
	{ "KMSInvalidStateException", { "key-state",
	    "take a key that is not about to be deleted" } },
	{ "InvalidKeyUsageException", { "key-usage",
	    "take a symmetric key for ENCRYPT_DECRYPT" } },
	{ "InvalidCiphertextException", { "not-authentic", "the data key was "
	    "not made by this key with this context" } },
	{ "IncorrectKeyException", { "wrong-key",
	    "give the key that SES uses: --kms-key" } },
	{ "QueueDoesNotExist", { "no-such-queue", "mend the queue's URL" } },
};

const struct awscause *
awscause_of(const char *code)
{
	for (size_t i = 0; i < NELEMS(table); i++)
		if (strcmp(code, table[i].code) == 0)
			return &table[i].cause;
	return NULL;
}
