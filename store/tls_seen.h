/* tls_seen.h -- what the TLS of a connection agreed on. */
#ifndef SESFS_STORE_TLS_SEEN_H
#define SESFS_STORE_TLS_SEEN_H

#include <curl/curl.h>
#include <stddef.h>

/* Version, cipher and the issuer of the server's certificate, of a transfer in
 * progress: from its callbacks only. "" when there is no TLS, or libcurl's
 * library is not OpenSSL. */
void tls_seen(CURL *easy, char *ret, size_t size);

#endif
