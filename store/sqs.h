/* sqs.h -- the queue that S3 tells of new objects.
 *
 * A queue is named by its URL, as the console shows it. Its region and account
 * are read from there, and nothing else is believed of it: the request goes to
 * AWS's own endpoint of that region, unless the URL names a host of another
 * kind (a VPC endpoint, an emulator), which then is the endpoint. Errors as in
 * s3.h, -ENOENT being "no such queue". */
#ifndef SESFS_STORE_SQS_H
#define SESFS_STORE_SQS_H

#include "crypto/base.h"
#include "store/aws.h"

#define SQS_NAME_MAX 81	    /* bytes with the zero */
#define SQS_ARN_MAX 256	    /* bytes with the zero */

/* A queue URL, taken apart. */
struct sqs_url {
	struct endpoint endpoint; /* scheme, host and port; no base path */
	bool is_aws;		  /* the host is AWS's own of that region */
	char region[ENDPOINT_REGION_MAX]; /* "" when the host does not tell */
	char account[13];		  /* 12 digits */
	char name[SQS_NAME_MAX];
};

/* Read https://sqs.REGION.amazonaws.com/ACCOUNT/NAME and its kin: FIPS and dual
 * stack hosts of any partition, the old REGION.queue.amazonaws.com, VPC
 * endpoints, and any other host. Returns 0; -EINVAL with the reason in *ret_why
 * (never NULL), which does not repeat the URL. Pure. */
int sqs_url_parse(const char *url, struct sqs_url *ret, const char **ret_why)
    MUST_CHECK;

struct sqs_opts {
	struct aws *aws;
	const char *url;	  /* of the queue */
	const char *region;	  /* when the URL does not tell; not NULL */
	const char *endpoint_url; /* NULL: as the URL says */
	bool fips, dual_stack;
};

/* What is known of a queue. */
struct sqs_attributes {
	char arn[SQS_ARN_MAX];
	int64_t visibility_s;	 /* a received message is hidden so long */
	int64_t waiting, hidden; /* messages, approximately */
	char *policy;		 /* JSON; NULL when it has none */
	char kms_key[SQS_ARN_MAX]; /* that encrypts it: id, alias or ARN; "" for
				    * SQS's own keys */
};
void sqs_attributes_free(struct sqs_attributes *a); /* members */

/* Where and in which region (ENDPOINT_REGION_MAX bytes) the queue is asked.
 * Returns 0; -EINVAL, logged. */
int sqs_endpoint(const struct sqs_opts *o, struct endpoint *ret,
    char ret_region[ENDPOINT_REGION_MAX]) MUST_CHECK;

/* GetQueueAttributes. ret is to be freed after a 0. */
int sqs_get_attributes(const struct sqs_opts *o, struct sqs_attributes *ret)
    MUST_CHECK;

#endif
