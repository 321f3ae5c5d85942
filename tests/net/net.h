/* net.h -- the local cloud and a client of it, for the tests beside this.
 *
 * Everything here ends the test with a message when it fails: without a cloud
 * there is nothing to test. */
#ifndef SESFS_TESTS_NET_H
#define SESFS_TESTS_NET_H

#include <jansson.h>
#include <sys/types.h>

#include "store/kms.h"
#include "store/s3.h"
#include "store/sts.h"

#define NET_KEY "arn:aws:kms:us-east-1:123456789012:key/" \
		"0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee"
#define NET_KEY2 "arn:aws:kms:us-east-1:123456789012:key/" \
		 "5ec0dd00-0000-4000-8000-000000000002"

struct net_cloud {
	pid_t pid;
	int port;
	char dir[64], url[64];
};

/* Start the cloud named by the environment's SESFS_CLOUD; with TLS, by the
 * files SESFS_TLS_CERT and SESFS_TLS_KEY. Exits with 77 (skip) without it. */
void net_cloud_start(struct net_cloud *c, bool is_tls);
void net_cloud_stop(struct net_cloud *c);

/* What the client's one provider hands out, and how often it did. */
struct net_keys {
	const char *key_id, *secret, *token;
	int fetches;
};

struct net {
	struct net_cloud cloud;
	struct net_keys keys;
	struct http *http;
	struct creds *creds;
	struct aws *aws;
	struct s3 *s3;	 /* of "bucket" in us-east-1 */
	struct kms *kms; /* us-east-1, no pace */
};

/* A cloud with an empty "bucket", and a client whose waits are short: six
 * attempts, silence of half a second is a stall, calls end after 5 s. */
void net_start(struct net *n);
/* The same, with calls that end after deadline_ms and at most kms_rate calls a
 * second to KMS. */
void net_start_paced(struct net *n, unsigned kms_rate, int64_t deadline_ms);
void net_stop(struct net *n);

/* POST /_cloud/<path and query>. */
void net_post(struct net *n, const char *path, const char *body);

/* Put an object, by the cloud's own command. meta: "name: value" headers. */
void net_put(struct net *n, const char *key, const char *body,
    const struct pair *header, size_t header_len);

/* Requests counted by the cloud under a name such as "s3.get" since the last
 * net_reset(). */
int net_count(struct net *n, const char *name);

/* The cloud's journal of requests since the last net_reset(), oldest first: an
 * array, the caller's. */
json_t *net_log(struct net *n) MUST_CHECK;

/* Let the credentials' clock jump. */
void net_skip(struct net *n, int64_t seconds);

/* Settings to their defaults, counters to zero. */
void net_reset(struct net *n);

#endif
