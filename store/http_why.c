#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "store/http_why.h"

static const struct {
	CURLcode code;
	int err;
} code_err[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH },
	{ CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH },
	{ CURLE_COULDNT_CONNECT, -ECONNREFUSED },
	{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
	{ CURLE_PARTIAL_FILE, -ECONNRESET },
	{ CURLE_GOT_NOTHING, -ECONNRESET },
	{ CURLE_SEND_ERROR, -ECONNRESET },
	{ CURLE_RECV_ERROR, -ECONNRESET },
	/* Mostly a peer that hung up while shaking hands. */
	{ CURLE_SSL_CONNECT_ERROR, -ECONNRESET },
	{ CURLE_PEER_FAILED_VERIFICATION, -EPROTO },
	{ CURLE_SSL_CACERT_BADFILE, -EPROTO },
	{ CURLE_SSL_CERTPROBLEM, -EPROTO },
	{ CURLE_SSL_CIPHER, -EPROTO },
	{ CURLE_SSL_ISSUER_ERROR, -EPROTO },
	{ CURLE_SSL_INVALIDCERTSTATUS, -EPROTO },
	{ CURLE_WEIRD_SERVER_REPLY, -EPROTO },
	{ CURLE_UNSUPPORTED_PROTOCOL, -EPROTO },
	{ CURLE_URL_MALFORMAT, -EINVAL },
	{ CURLE_OUT_OF_MEMORY, -ENOMEM },
};

/* What ends a handshake for good, in OpenSSL's words: libcurl has one code for
 * them and for a connection that broke. */
static const struct {
	const char *text;
	int err;
	const char *advice;
} handshake[] = {
	{ "unsupported protocol", -EPROTO, "the server has nothing newer than "
	    "TLS 1.1, which is not safe; sesfs needs TLS 1.2" },
	{ "alert protocol version", -EPROTO, "the server has nothing newer "
	    "than TLS 1.1, which is not safe; sesfs needs TLS 1.2" },
	/* It may also be a network that wants to be logged in to first. */
	{ "wrong version number", -ENETUNREACH, "this is not TLS; is it an "
	    "http:// port?" },
	{ "alert handshake failure", -EPROTO, "no cipher or group in common; --fips "
	    "allows AES-GCM and NIST's curves alone" },
	{ "no shared cipher", -EPROTO, "no cipher in common" },
	{ "wrong curve", -EPROTO, "no group in common; --fips allows NIST's curves "
	    "alone" },
	{ "dh key too small", -EPROTO, "the server's parameters are too weak" },
	{ "alert certificate required", -EPROTO, "the server wants a certificate of "
	    "ours, which AWS never does" },
};

/* A proxy that libcurl cannot use: it quotes all of the URL, password too. */
static const struct {
	const char *begin, *instead;
} proxy_url[] = {
	{ "Unsupported proxy syntax", "the proxy's URL (https_proxy) cannot be "
	    "read; it is http://USER:PASSWORD@HOST:PORT, with %XX for what is "
	    "neither letter nor digit in user and password" },
	{ "Unsupported proxy scheme", "the proxy's URL (https_proxy) is none "
	    "that libcurl knows; it begins with http://, https:// or "
	    "socks5h://" },
	{ "Unsupported proxy ", "the proxy's URL (https_proxy) is none that "
	    "this libcurl can use" },
};

static int
err_of_code(CURLcode code)
{
	for (size_t i = 0; i < NELEMS(code_err); i++)
		if (code_err[i].code == code)
			return code_err[i].err;
	return -EIO;
}

static const char *
certificate_advice(CURL *easy, const char *text)
{
	long verdict = 0;

	/* "... matches target host name 'x'", "does not match target ...": looked
	 * at before the verdict is known. */
	if (strstr(text, " target ") != NULL)
		return "use a name that is in the server's certificate";
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	switch (verdict) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "it must be renewed, or this machine's clock be set";
	default:
		return "if it is to be trusted, give its issuer's certificate "
		       "with --ca-bundle";
	}
}

/* An error that something can be done about; 0 and NULL when it is none. */
struct verdict {
	int err;
	const char *advice;
};

static struct verdict
judge_handshake(const char *text)
{
	for (size_t i = 0; i < NELEMS(handshake); i++)
		if (strstr(text, handshake[i].text) != NULL)
			return (struct verdict){ handshake[i].err,
				handshake[i].advice };
	return (struct verdict){ 0, NULL };
}

/* Of a refusal by the proxy; NULL for what passes by itself: a timeout, "too
 * early", "too many", an error of its own. */
static const char *
proxy_advice(long status)
{
	if (status < 400 || status >= 500 || status == 408 || status == 425 ||
	    status == 429)
		return NULL;
	return status == 407 ? "the proxy wants a user and password, as in "
		"https_proxy=http://USER:PASSWORD@HOST:PORT" :
		"the proxy refuses; set no_proxy if none is needed";
}

static struct verdict
judge_proxy(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return (struct verdict){ -ENETUNREACH, proxy_advice(status) };
}

static struct verdict
judge(CURL *easy, CURLcode code, const char *text)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return (struct verdict){ -EPROTO,
			certificate_advice(easy, text) };
	if (code == CURLE_SSL_CONNECT_ERROR)
		return judge_handshake(text);
	return judge_proxy(easy);
}

/* Our words for what is not to be quoted, or NULL. */
static const char *
instead_of(const char *text)
{
	for (size_t i = 0; i < NELEMS(proxy_url); i++)
		if (strncmp(text, proxy_url[i].begin,
			strlen(proxy_url[i].begin)) == 0)
			return proxy_url[i].instead;
	return NULL;
}

/* Whatever else is quoted has no user and password left: all from the quote (or
 * scheme, or blank) before them goes. */
static void
cut_userinfo(char *text)
{
	char *at = strrchr(text, '@'), *from;

	if (at == NULL)
		return;
	*at = '\0';
	if ((from = strpbrk(text, "'\"")) != NULL)
		from++;
	else if ((from = strstr(text, "://")) != NULL)
		from += 3;
	else if ((from = strrchr(text, ' ')) != NULL)
		from++;
	else
		from = text;
	memmove(from, at + 1, strlen(at + 1) + 1);
}

int
http_why(CURL *easy, CURLcode code, const char *curl_text,
    char ret[HTTP_WHY_MAX])
{
	const struct verdict v = judge(easy, code, curl_text);
	const char *instead = instead_of(curl_text);
	char text[CURL_ERROR_SIZE];

	if (instead != NULL) {
		snprintf(ret, HTTP_WHY_MAX, "%s", instead);
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "%s", curl_text[0] != '\0' ? curl_text :
	    curl_easy_strerror(code));
	cut_userinfo(text);
	if (v.advice == NULL) {
		snprintf(ret, HTTP_WHY_MAX, "%s", text);
		return err_of_code(code);
	}
	snprintf(ret, HTTP_WHY_MAX, "%.130s; %s", text, v.advice);
	return v.err;
}
