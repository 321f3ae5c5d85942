#include <errno.h>
#include <string.h>

#include "fs/check.h"

#define DENIED { "denied", NULL }
#define KEY_ID                                                                 \
	{ "access-key", "an access key that AWS knows; see CREDENTIALS in "    \
	    "sesfs(1)" }
#define SECRET                                                                 \
	{ "secret-key", "the secret key that goes with the access key" }
#define EXPIRED                                                                \
	{ "expired", "new credentials: log in again, or renew them" }
#define CLOCK { "clock", "set the clock (timedatectl set-ntp true)" }
#define REGION { "region", "--region, the one of the bucket" }

static const struct {
	const char *code;
	struct check_cause why;
} codes[] = {
	{ "AccessDenied", DENIED },
	{ "AccessDeniedException", DENIED },
	{ "InvalidAccessKeyId", KEY_ID },
	{ "InvalidClientTokenId", KEY_ID },
	{ "UnrecognizedClientException", KEY_ID },
	{ "SignatureDoesNotMatch", SECRET },
	{ "InvalidSignatureException", SECRET },
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
	{ "InvalidObjectState", { "archived",
	    "restore the object, or keep mail out of archive classes" } },
	{ "NotFoundException", { "no-such-key", "the key's ARN: an id or alias "
	    "is looked for in --region alone" } },
	{ "DisabledException", { "key-disabled", "aws kms enable-key" } },
	{ "KMSInvalidStateException", { "key-state",
	    "a key that is not about to be deleted" } },
	{ "InvalidKeyUsageException", { "key-usage",
	    "a symmetric key for ENCRYPT_DECRYPT" } },
	{ "InvalidArnException", { "no-such-key", "the ARN of a key" } },
	{ "InvalidCiphertextException", { "not-authentic", "the data key was "
	    "not made by this key with this context" } },
	{ "IncorrectKeyException", { "wrong-key",
	    "--kms-key, the key that SES uses" } },
	{ "QueueDoesNotExist", { "no-such-queue", "the queue's URL" } },
};

static const struct {
	int err;
	struct check_cause why;
} errors[] = {
	{ -ENXIO, { "no-such-bucket", "the name of the bucket" } },
	{ -ENOENT, { "gone", "try again: it was there a moment ago" } },
	{ -EACCES, DENIED },
	{ -EAGAIN, { "busy", "try again: AWS could not answer now" } },
	{ -EMSGSIZE, { "too-large", "--max-message-size" } },
	{ -EREMOTE, { "archived",
	    "restore the object, or keep mail out of archive classes" } },
	{ -EPROTO, { "malformed", "is that endpoint really what it is said to "
	    "be?" } },
	{ -EPERM, { "plain-http", "https://, or --allow-http" } },
};

struct check_cause
check_cause(int err, const struct awserr *e)
{
	if (e->status == 0 && (err == -ETIMEDOUT || err == -ECONNRESET ||
	    err == -ECONNREFUSED || err == -EHOSTUNREACH))
		return check_cause_of_network(err, false, "");
	for (size_t i = 0; i < NELEMS(codes); i++)
		if (strcmp(e->code, codes[i].code) == 0)
			return codes[i].why;
	for (size_t i = 0; i < NELEMS(errors); i++)
		if (err == errors[i].err)
			return errors[i].why;
	return (struct check_cause){ "failed", "look AWS's answer up" };
}

struct check_cause
check_cause_of_network(int err, bool is_tls, const char *why)
{
	bool says_tls = strstr(why, "SSL") != NULL ||
	    strstr(why, "TLS") != NULL || strstr(why, "certificate") != NULL;

	if (err == -EHOSTUNREACH)
		return (struct check_cause){ "dns", "the name server, and the "
		    "region or endpoint URL that make up that name" };
	if (is_tls && says_tls && strstr(why, "certificate") != NULL)
		return (struct check_cause){ "tls-certificate", "--ca-bundle "
		    "with who signed it, if that is whom you trust" };
	if (is_tls && (says_tls || err == -EPROTO))
		return (struct check_cause){ "tls", "a server with TLS 1.2 or "
		    "1.3 there, and nothing in between that breaks it" };
	return (struct check_cause){ "unreachable", "the network, a firewall, "
	    "https_proxy, or the endpoint URL" };
}
