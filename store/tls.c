#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/log.h"
#include "store/tls.h"

/* AES-GCM under ephemeral keys: of what SP 800-52 recommends for TLS 1.2 and
 * 1.3, and OpenSSL's FIPS module has. */
#define FIPS_TLS12 "ECDHE-ECDSA-AES256-GCM-SHA384:"                            \
		   "ECDHE-RSA-AES256-GCM-SHA384:"                              \
		   "ECDHE-ECDSA-AES128-GCM-SHA256:"                            \
		   "ECDHE-RSA-AES128-GCM-SHA256"
#define FIPS_TLS13 "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
#define FIPS_GROUPS "P-256:P-384:P-521"

/* libssl comes with libcurl, if it is one that was built with OpenSSL; we do
 * not link it ourselves. */
#pragma weak SSL_CTX_set_options
#pragma weak SSL_CTX_ctrl

static const char *
library(void)
{
	const char *v = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return v != NULL ? v : "no TLS";
}

static bool
is_openssl(void)
{
	return strncmp(library(), "OpenSSL/", 8) == 0;
}

static int
check_bundle(const char *path)
{
	char *line = NULL;
	bool found = false;
	size_t size = 0;
	int err = 0;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return log_err(-EINVAL, "http: read CA bundle %s: %s", path,
		    strerror(errno));
	while (!found && (errno = 0, getline(&line, &size, f)) >= 0)
		found = strncmp(line, "-----BEGIN ", 11) == 0 &&
		    strstr(line, "CERTIFICATE-----") != NULL;
	if (!found)
		err = errno;
	free(line);
	fclose(f);
	if (found)
		return 0;
	return log_err(-EINVAL, "http: read CA bundle %s: %s", path, err != 0 ?
	    strerror(err) : "no PEM certificate in it");
}

int
tls_check(const struct tls_opts *o)
{
	if (o->fips && (!is_openssl() || SSL_CTX_ctrl == NULL))
		return log_err(-EINVAL, "http: --fips: needs a libcurl with "
		    "OpenSSL; this one has %s", library());
	return o->ca_bundle != NULL ? check_bundle(o->ca_bundle) : 0;
}

/* Turns true into false when an option is not taken. */
#define SET(easy, opt, value)                                                  \
	(curl_easy_setopt(easy, opt, value) == CURLE_OK)

/* OpenSSL would keep what it decrypted until the connection brings more, or
 * goes. */
static CURLcode
cleanse(CURL *easy, void *ctx, void *arg)
{
	SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT);
	return CURLE_OK;
}

/* libcurl has no option for the groups towards a proxy, but hands us that
 * context like the other. */
static CURLcode
limit(CURL *easy, void *ctx, void *arg)
{
	char groups[] = FIPS_GROUPS; /* the macro casts a const away */

	if (SSL_CTX_set1_groups_list(ctx, groups) != 1)
		return CURLE_SSL_CIPHER;
	return cleanse(easy, ctx, arg);
}

static bool
setup_fips(CURL *e)
{
	return SET(e, CURLOPT_SSL_CIPHER_LIST, FIPS_TLS12) &&
	    SET(e, CURLOPT_TLS13_CIPHERS, FIPS_TLS13) &&
	    SET(e, CURLOPT_PROXY_SSL_CIPHER_LIST, FIPS_TLS12) &&
	    SET(e, CURLOPT_PROXY_TLS13_CIPHERS, FIPS_TLS13) &&
	    SET(e, CURLOPT_SSL_CTX_FUNCTION, limit);
}

static bool
setup_cleansing(CURL *e)
{
	return SSL_CTX_set_options == NULL || !is_openssl() ||
	    SET(e, CURLOPT_SSL_CTX_FUNCTION, cleanse);
}

bool
tls_setup(CURL *e, const struct tls_opts *o)
{
	return SET(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	    SET(e, CURLOPT_SSL_VERIFYPEER, 1L) &&
	    SET(e, CURLOPT_SSL_VERIFYHOST, 2L) &&
	    SET(e, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	    (o->ca_bundle == NULL ||
		(SET(e, CURLOPT_CAINFO, o->ca_bundle) &&
		    SET(e, CURLOPT_PROXY_CAINFO, o->ca_bundle))) &&
	    (o->fips ? setup_fips(e) : setup_cleansing(e));
}
