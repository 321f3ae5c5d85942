/* What is refused before anything is sent, and what is said of a transfer that
 * failed. Real servers: tests/mount/test_transport.py. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store/http_why.h"
#include "store/log.h"
#include "store/tls.h"

curl_version_info_data *__real_curl_version_info(CURLversion v);
curl_version_info_data *__wrap_curl_version_info(CURLversion v);

static const char *library; /* NULL: the true one */

curl_version_info_data *
__wrap_curl_version_info(CURLversion v)
{
	static curl_version_info_data data;

	data = *__real_curl_version_info(v);
	if (library != NULL)
		data.ssl_version = library[0] != '\0' ? library : NULL;
	return &data;
}

static char path[] = "/tmp/sesfs-tls.XXXXXX";

static void
write_bundle(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
test_bundles(void)
{
	static const struct {
		const char *text;
		int want;
	} t[] = {
		{ "-----BEGIN CERTIFICATE-----\nMII=\n", 0 },
		{ "# ours\n\n-----BEGIN TRUSTED CERTIFICATE-----\r\n", 0 },
		{ "-----BEGIN X509 CERTIFICATE-----", 0 },
		{ "", -EINVAL },
		{ "MII=\n", -EINVAL },
		{ "-----BEGIN EC PRIVATE KEY-----\nMII=\n", -EINVAL },
		{ "x -----BEGIN CERTIFICATE-----\n", -EINVAL },
	};

	for (size_t i = 0; i < NELEMS(t); i++) {
		write_bundle(t[i].text);
		CHECK_EQ_AT(i, tls_check(&(struct tls_opts){
		    .ca_bundle = path }), t[i].want);
	}
	CHECK_EQ(tls_check(&(struct tls_opts){ .ca_bundle = "/nonesuch" }),
	    -EINVAL);
	CHECK_EQ(tls_check(&(struct tls_opts){ .ca_bundle = "/" }), -EINVAL);
	CHECK_EQ(tls_check(&(struct tls_opts){ .ca_bundle = NULL }), 0);
}

/* Of what only OpenSSL is told, nothing is given up in silence. */
static void
test_fips(void)
{
	const struct tls_opts fips = { .fips = true }, plain = { .fips = false };
	CURL *easy = curl_easy_init();

	library = "GnuTLS/3.7.9";
	CHECK_EQ(tls_check(&fips), -EINVAL);
	CHECK_EQ(tls_check(&plain), 0);
	library = ""; /* no TLS at all */
	CHECK_EQ(tls_check(&fips), -EINVAL);
	library = "OpenSSL/3.0.19";
	CHECK_EQ(tls_check(&fips), 0);
	library = NULL;
	CHECK(tls_setup(easy, &plain));
	CHECK(tls_setup(easy, &fips));
	curl_easy_cleanup(easy);
}

static const struct {
	CURLcode code;
	const char *text;
	int want;
	const char *says; /* "": the text and nothing more */
} whys[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, "Could not resolve host: h",
	    -EHOSTUNREACH, "" },
	{ CURLE_COULDNT_CONNECT, "Failed to connect", -ECONNREFUSED, "" },
	{ CURLE_OPERATION_TIMEDOUT, "Timed out", -ETIMEDOUT, "" },
	{ CURLE_RECV_ERROR, "Connection reset", -ECONNRESET, "" },
	{ CURLE_FTP_PORT_FAILED, "what?", -EIO, "" },
	/* Broken connections are tried again, what was said is not. */
	{ CURLE_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: Connection reset by "
	    "peer in connection to h:443", -ECONNRESET, "" },
	{ CURLE_SSL_CONNECT_ERROR, "error:0A000126:SSL routines::unexpected "
	    "eof while reading", -ECONNRESET, "" },
	{ CURLE_SSL_CONNECT_ERROR, "error:0A000102:SSL routines::unsupported "
	    "protocol", -EPROTO, "needs TLS 1.2" },
	{ CURLE_SSL_CONNECT_ERROR, "error:0A00042E:SSL routines::tlsv1 alert "
	    "protocol version", -EPROTO, "needs TLS 1.2" },
	{ CURLE_SSL_CONNECT_ERROR, "error:0A00010B:SSL routines::wrong "
	    "version number", -ENETUNREACH, "is it an http:// port?" },
	{ CURLE_SSL_CONNECT_ERROR, "error:0A000410:SSL routines::sslv3 alert "
	    "handshake failure", -EPROTO, "--fips allows" },
	{ CURLE_PEER_FAILED_VERIFICATION, "SSL: no alternative certificate "
	    "subject name matches target host name 'h'", -EPROTO,
	    "use a name" },
	{ CURLE_PEER_FAILED_VERIFICATION, "SSL: certificate subject name 'a' "
	    "does not match target host name 'h'", -EPROTO, "use a name" },
	{ CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: unable to "
	    "get local issuer certificate", -EPROTO, "--ca-bundle" },
};

#define SECRET "S3cret"

/* Proxies that libcurl does not take, and the part of our words to look for. */
static const struct {
	const char *text, *want;
	int err;
} quoted[] = {
	{ "Unsupported proxy syntax in 'http://bob:" SECRET "@p.example:99999'"
	    ": Port number was not a decimal number between 0 and 65535",
	    "cannot be read", -EINVAL },
	{ "Unsupported proxy scheme for 'foo://bob:" SECRET "@p.example:80'",
	    "begins with http://", -EINVAL },
	{ "Unsupported proxy syntax in 'http://bob:S3cr" "et@p.example:80'",
	    "cannot be read", -EINVAL },
	{ "Unsupported proxy syntax in 'http://bob:" SECRET "@pro xy'",
	    "cannot be read", -EINVAL },
	{ "Unsupported proxy syntax in 'http://bob:" SECRET "#x@127.0.0.1:3'",
	    "cannot be read", -EINVAL },
	{ "Unsupported proxy syntax in 'http://bob:" SECRET "/x@127.0.0.1:3'",
	    "cannot be read", -EINVAL },
	{ "Unsupported proxy syntax in 'bob:" SECRET "@[::1'",
	    "cannot be read", -EINVAL },
	/* Too long for libcurl's buffer, that it has no end. */
	{ "Unsupported proxy syntax in 'http://bob:" SECRET, "cannot be read",
	    -EINVAL },
	{ "Unsupported proxy 'https://bob:" SECRET "@h', libcurl is built "
	    "without the HTTPS-proxy support.", "none that this libcurl",
	    -EINVAL },
	/* Whatever libcurl comes to quote. */
	{ "no use of 'http://bob:" SECRET "@h:1' here", "no use of 'h:1' here",
	    -ECONNREFUSED },
	{ "no use of \"bob:" SECRET " ://'@h\"", "no use of \"h\"",
	    -ECONNREFUSED },
	{ "no use of http://bob:" SECRET " @" SECRET "@h:1 here",
	    "no use of http://h:1 here", -ECONNREFUSED },
	{ "no use of bob:" SECRET "@h", "no use of h", -ECONNREFUSED },
	{ SECRET "@h", "h", -ECONNREFUSED },
};

static void
test_quoted(void)
{
	CURL *easy = curl_easy_init();
	char why[HTTP_WHY_MAX];

	for (size_t i = 0; i < NELEMS(quoted); i++) {
		CHECK_EQ_AT(i, http_why(easy, CURLE_COULDNT_CONNECT,
		    quoted[i].text, why), quoted[i].err);
		CHECK_AT(i, strstr(why, SECRET) == NULL &&
		    strstr(why, "bob") == NULL);
		CHECK_AT(i, strstr(why, quoted[i].want) != NULL);
	}
	curl_easy_cleanup(easy);
}

static void
test_whys(void)
{
	CURL *easy = curl_easy_init();
	char why[HTTP_WHY_MAX], longest[CURL_ERROR_SIZE];

	for (size_t i = 0; i < NELEMS(whys); i++) {
		CHECK_EQ_AT(i, http_why(easy, whys[i].code, whys[i].text, why),
		    whys[i].want);
		CHECK_AT(i, strncmp(why, whys[i].text,
		    strlen(whys[i].text)) == 0);
		if (whys[i].says[0] == '\0')
			CHECK_STR_AT(i, why, whys[i].text);
		else
			CHECK_AT(i, strstr(why, whys[i].says) != NULL);
	}
	/* Without text there is curl's name of the code. */
	CHECK_EQ(http_why(easy, CURLE_GOT_NOTHING, "", why), -ECONNRESET);
	CHECK_STR(why, curl_easy_strerror(CURLE_GOT_NOTHING));
	/* However long it is, the advice stays whole. */
	memset(longest, 'x', sizeof(longest));
	strcpy(longest + sizeof(longest) - 30, " matches target host name");
	CHECK_EQ(http_why(easy, CURLE_PEER_FAILED_VERIFICATION, longest, why),
	    -EPROTO);
	CHECK(strstr(why, "in the server's certificate") != NULL);
	curl_easy_cleanup(easy);
}

int
main(void)
{
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(log_open("/dev/null"), 0);
	CHECK_EQ(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
	test_bundles();
	test_fips();
	test_whys();
	test_quoted();
	unlink(path);
	curl_global_cleanup();
	return check_done();
}
