#include "crypto/sigv4.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/sigv4_canonical.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SECRET_MAX 512 /* bytes */

/* The chain of AWS: secret, day, region, service, "aws4_request". */
static int
derive_key(const char *secret, struct sigv4_key *key)
{
	char seed[SECRET_MAX + 5];
	int n, r;

	n = snprintf(seed, sizeof(seed), "AWS4%s", secret);
	if (n < 0 || (size_t)n >= sizeof(seed)) {
		r = -EMSGSIZE;
	} else if ((r = hmac_sha256(seed, (size_t)n, key->day, 8,
			key->key)) == 0) {
		const char *steps[] = { key->region, key->service,
			"aws4_request" };

		for (size_t i = 0; r == 0 && i < NELEMS(steps); i++) {
			uint8_t next[SHA256_LEN];

			r = hmac_sha256(key->key, sizeof(key->key), steps[i],
			    strlen(steps[i]), next);
			memcpy(key->key, next, sizeof(next));
			sodium_memzero(next, sizeof(next));
		}
	}
	sodium_memzero(seed, sizeof(seed));
	return r;
}

/* Make `key` the one for this request, which it mostly is already. */
static int
fit_key(const struct sigv4_request *req, const char *secret, const char *day,
    struct sigv4_key *key)
{
	uint8_t digest[SHA256_LEN];
	int r;

	if (strlen(req->region) >= sizeof(key->region) ||
	    strlen(req->service) >= sizeof(key->service))
		return -EMSGSIZE;
	if ((r = sha256(secret, strlen(secret), digest)) < 0)
		return r;
	if (sodium_memcmp(digest, key->secret_digest, sizeof(digest)) == 0 &&
	    memcmp(day, key->day, 8) == 0 &&
	    strcmp(req->region, key->region) == 0 &&
	    strcmp(req->service, key->service) == 0)
		return 0;
	memcpy(key->secret_digest, digest, sizeof(digest));
	memcpy(key->day, day, 8);
	key->day[8] = '\0';
	strcpy(key->region, req->region);
	strcpy(key->service, req->service);
	if ((r = derive_key(secret, key)) < 0)
		sodium_memzero(key, sizeof(*key));
	return r;
}

static int
format_date(int64_t at_unix, char ret[SIGV4_DATE_LEN + 1])
{
	time_t t = (time_t)at_unix;
	struct tm tm;

	if (at_unix < 0 || gmtime_r(&t, &tm) == NULL ||
	    tm.tm_year > 9999 - 1900)
		return -EINVAL;
	return strftime(ret, SIGV4_DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &tm) ==
		SIGV4_DATE_LEN
	    ? 0
	    : -EINVAL;
}

/* The headers to sign: the caller's and ours. Returns how many. */
static int
gather_headers(const struct sigv4_request *req,
    const struct sigv4_creds *creds, const char *date,
    struct pair ret[SIGV4_HEADERS_MAX])
{
	size_t n = req->headers_len;

	if (n + 3 > SIGV4_HEADERS_MAX)
		return -EMSGSIZE;
	if (n > 0)
		memcpy(ret, req->headers, n * sizeof(*ret));
	ret[n++] = (struct pair){ "x-amz-date", date };
	if (creds->token != NULL)
		ret[n++] = (struct pair){ "x-amz-security-token",
			creds->token };
	if (strcmp(req->service, "s3") == 0)
		ret[n++] = (struct pair){ "x-amz-content-sha256",
			req->payload_hash };
	return (int)n;
}

/* Sign the canonical request's digest with a key that fits. */
static int
authorize(const struct sigv4_creds *creds, const struct sigv4_key *key,
    const char *request_hex, const char *signed_headers,
    struct sigv4_signed *ret)
{
	uint8_t mac[SHA256_LEN];
	char scope[96], text[256], mac_hex[SHA256_HEX_LEN + 1];
	int n, r;

	snprintf(scope, sizeof(scope), "%s/%s/%s/aws4_request", key->day,
	    key->region, key->service);
	n = snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", ret->date,
	    scope, request_hex);
	if ((r = hmac_sha256(key->key, sizeof(key->key), text, (size_t)n,
		 mac)) < 0)
		return r;
	sodium_bin2hex(mac_hex, sizeof(mac_hex), mac, sizeof(mac));
	n = snprintf(ret->authorization, sizeof(ret->authorization),
	    ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
	    creds->access_key, scope, signed_headers, mac_hex);
	return n < (int)sizeof(ret->authorization) ? 0 : -EMSGSIZE;
}

int
sigv4_sign(const struct sigv4_request *req, const struct sigv4_creds *creds,
    struct sigv4_key *key, struct sigv4_signed *ret)
{
	struct pair headers[SIGV4_HEADERS_MAX];
	char request_hex[SHA256_HEX_LEN + 1];
	char signed_headers[SIGV4_SIGNED_HEADERS_MAX];
	int n, r;

	ret->authorization[0] = '\0';
	if ((r = format_date(req->at_unix, ret->date)) < 0 ||
	    (r = fit_key(req, creds->secret_key, ret->date, key)) < 0 ||
	    (r = n = gather_headers(req, creds, ret->date, headers)) < 0 ||
	    (r = sigv4_canonical(req, headers, (size_t)n, ret, signed_headers,
		 request_hex)) < 0)
		return r;
	if ((r = authorize(creds, key, request_hex, signed_headers, ret)) < 0)
		sodium_memzero(ret->authorization,
		    sizeof(ret->authorization));
	return r;
}
