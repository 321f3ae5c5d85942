/* tls.h -- the TLS that libcurl is to speak.
 *
 * Version 1.2 at least, 1.3 where it is offered, certificates and names always
 * verified; towards a proxy that is spoken to by TLS as well. Threads: any. */
#ifndef SESFS_STORE_TLS_H
#define SESFS_STORE_TLS_H

#include <curl/curl.h>

#include "crypto/base.h"

struct tls_opts {
	const char *ca_bundle; /* PEM file instead of the system's, or NULL */
	bool fips; /* AES-GCM with ephemeral keys on NIST's curves, no more;
		    * towards a proxy as well */
};

/* Can it be had? Returns 0; -EINVAL, logged, when the bundle cannot be read or
 * has no certificate in it, or this libcurl cannot be told what fips asks
 * for. */
int tls_check(const struct tls_opts *o) MUST_CHECK;

/* Tell a fresh handle. Returns false when libcurl does not take an option. */
bool tls_setup(CURL *easy, const struct tls_opts *o) MUST_CHECK;

#endif
