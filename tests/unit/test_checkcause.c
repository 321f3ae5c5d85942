#include <errno.h>

#include "check.h"
#include "fs/check.h"

static const struct {
	int err, status;
	const char *code, *cause;
} rows[] = {
	{ -EACCES, 403, "AccessDenied", "denied" },
	{ -EACCES, 403, "HTTP 403", "denied" },
	{ -ENOKEY, 400, "AccessDeniedException", "denied" },
	{ -EACCES, 403, "InvalidClientTokenId", "access-key" },
	{ -EACCES, 403, "SignatureDoesNotMatch", "secret-key" },
	{ -EACCES, 400, "ExpiredToken", "expired" },
	{ -EACCES, 403, "RequestTimeTooSkewed", "clock" },
	{ -EIO, 400, "AuthorizationHeaderMalformed", "region" },
	{ -EIO, 301, "PermanentRedirect", "region" },
	{ -EACCES, 403, "OptInRequired", "region-disabled" },
	{ -ENXIO, 404, "NoSuchBucket", "no-such-bucket" },
	{ -ENOKEY, 400, "NotFoundException", "no-such-key" },
	{ -ENOKEY, 400, "DisabledException", "key-disabled" },
	{ -ENOKEY, 400, "KMSInvalidStateException", "key-state" },
	{ -ENOKEY, 400, "InvalidKeyUsageException", "key-usage" },
	{ -ENOKEY, 400, "IncorrectKeyException", "wrong-key" },
	{ -ENOKEY, 400, "InvalidCiphertextException", "not-authentic" },
	{ -ENOENT, 400, "QueueDoesNotExist", "no-such-queue" },
	{ -ENOENT, 404, "NoSuchKey", "gone" },
	{ -ENOENT, 404, "HTTP 404", "malformed" },
	{ -EIO, 405, "HTTP 405", "malformed" },
	{ -EREMOTE, 403, "InvalidObjectState", "archived" },
	{ -EAGAIN, 503, "SlowDown", "busy" },
	{ -EAGAIN, 400, "ThrottlingException", "busy" },
	{ -EPROTO, 200, "", "malformed" },
	{ -EPERM, 0, "", "plain-http" },
	{ -EHOSTUNREACH, 0, "", "dns" },
	{ -ETIMEDOUT, 0, "", "unreachable" },
	{ -ENETUNREACH, 0, "", "unreachable" },
	{ -ECONNRESET, 0, "", "unreachable" },
	{ -EIO, 418, "Teapot", "failed" },
};

static void
test_causes(void)
{
	for (size_t i = 0; i < NELEMS(rows); i++) {
		struct awserr e = { .status = rows[i].status };
		struct check_cause c;

		strcpy(e.code, rows[i].code);
		c = check_cause(rows[i].err, &e);
		CHECK_STR_AT(i, c.cause, rows[i].cause);
		/* Only a refusal is mended by an action alone. */
		CHECK_EQ_AT(i, c.fix == NULL, strcmp(c.cause, "denied") == 0);
	}
}

static void
test_a_404_of_aws(void)
{
	const struct awserr e = { .status = 404, .code = "HTTP 404",
		.request_id = "4442587FB7D0A2F9" };

	CHECK_STR(check_cause(-ENOENT, &e).cause, "gone");
}

static const struct {
	int err;
	bool is_tls;
	const char *why, *cause;
} networks[] = {
	{ -EHOSTUNREACH, true, "Could not resolve host: x", "dns" },
	{ -ECONNREFUSED, true, "Failed to connect", "unreachable" },
	{ -ETIMEDOUT, false, "Connection timed out", "unreachable" },
	{ -ECONNRESET, true, "Recv failure: Connection reset", "unreachable" },
	{ -EPROTO, true, "SSL certificate problem: self-signed certificate",
	    "tls-certificate" },
	{ -ECONNRESET, true, "TLS connect error: unsupported protocol", "tls" },
	{ -ECONNRESET, true, "OpenSSL/3.0: wrong version number", "tls" },
	{ -EPROTO, true, "", "tls" },
	{ -EPROTO, false, "", "unreachable" },
	{ -ENETUNREACH, true, "SSL: wrong version number", "tls" },
	{ -ENETUNREACH, true, "CONNECT tunnel failed, response 407",
	    "unreachable" },
};

static void
test_networks(void)
{
	for (size_t i = 0; i < NELEMS(networks); i++) {
		struct check_cause c = check_cause_of_network(networks[i].err,
		    networks[i].is_tls, networks[i].why);

		CHECK_STR_AT(i, c.cause, networks[i].cause);
		CHECK_AT(i, c.fix != NULL);
	}
}

int
main(void)
{
	test_causes();
	test_a_404_of_aws();
	test_networks();
	return check_done();
}
