#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "store/tls_seen.h"

/* As in tls.c: libssl comes with libcurl, or not at all. */
#pragma weak SSL_get_version
#pragma weak SSL_get_current_cipher
#pragma weak SSL_CIPHER_get_name
#pragma weak SSL_get1_peer_certificate

/* "Amazon RSA 2048 M02", else the whole name. */
static void
name_issuer(const X509 *cert, char *ret, int size)
{
	X509_NAME *n = X509_get_issuer_name(cert);

	if (X509_NAME_get_text_by_NID(n, NID_commonName, ret, size) < 0)
		X509_NAME_oneline(n, ret, size);
}

void
tls_seen(CURL *easy, char *ret, size_t size)
{
	struct curl_tlssessioninfo *info = NULL;
	char issuer[128] = "?";
	X509 *cert;
	SSL *ssl;

	ret[0] = '\0';
	if (SSL_get_version == NULL || SSL_get1_peer_certificate == NULL ||
	    curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
	    info == NULL || info->backend != CURLSSLBACKEND_OPENSSL ||
	    (ssl = info->internals) == NULL)
		return;
	if ((cert = SSL_get1_peer_certificate(ssl)) != NULL)
		name_issuer(cert, issuer, sizeof(issuer));
	X509_free(cert);
	snprintf(ret, size, "%s %s, certificate issued by %s",
	    SSL_get_version(ssl),
	    SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)), issuer);
}
