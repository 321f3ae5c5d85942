/* policy.h -- the least that AWS must allow for a mount, as its policies.
 *
 * One function for each document: the identity policy of who mounts, the key
 * policy, the bucket's and the queue's. What they hold follows from the
 * requests that store/ makes and from nothing else: ListObjectsV2, GetObject,
 * HeadObject, Decrypt, GenerateDataKey, and DescribeKey for `sesfs check`.
 *
 * Facts are either known words, or references to be put in by whoever reads the
 * document: `${...}` names one, unless it is `${*}`, `${?}` or `${$}`, which is
 * how IAM writes those characters. policy_literal() makes that of other text.
 * Pure. */
#ifndef SESFS_FS_POLICY_H
#define SESFS_FS_POLICY_H

#include <jansson.h>
#include <stdio.h>

#include "crypto/base.h"

#define POLICY_VERSION "2012-10-17"

struct policy_facts {
	const char *partition;	 /* "aws" */
	const char *region;	 /* of SES, and of keys that name none */
	const char *account;	 /* of who mounts, and of keys that name none */
	const char *ses_account; /* that SES receives for */
	bool is_ses_pinned;	 /* no other SES will do (--account) */
	const char *owner;	 /* of the bucket */
	bool is_owner_pinned;	 /* no other owner will do */
	const char *bucket, *prefix; /* as they are, not literal()ed */
	const char *access_point; /* ARN of the one that is read by; NULL */
	const char *rule_set, *rule; /* of SES; NULL: any */
	const char *const *key; /* ARN, id, alias or alias ARN */
	size_t key_len;		/* 0: every key of the account */
	const char *seal_key;	/* NULL: none */
	const char *queue_arn;	/* NULL: none */
	unsigned accept;	/* enum accept bits */
};

/* Text as a pattern that only this text matches; free(). NULL: out of
 * memory. */
char *policy_literal(const char *text) MUST_CHECK;

/* Each returns a document of its own, or NULL: out of memory, or something of
 * the facts is not UTF-8. */
json_t *policy_identity(const struct policy_facts *f) MUST_CHECK;
/* key: one of f->key, the seal key, or NULL for one of the account's. */
json_t *policy_key(const struct policy_facts *f, const char *key) MUST_CHECK;
json_t *policy_bucket(const struct policy_facts *f) MUST_CHECK;
json_t *policy_queue(const struct policy_facts *f) MUST_CHECK;

/* A whole set-up as a program of Terraform or a template of CloudFormation,
 * written to `out`: key, bucket, receipt rule, queue, these policies. It makes
 * the key, of that alias; of `f` it knows better what account, region and queue
 * are, and takes its own key for the first of f->key and, where it is the same
 * as that, for f->seal_key. Returns 0; -ENOMEM. */
#define POLICY_KEYS_MAX 64
struct policy_setup {
	const struct policy_facts *f; /* rule_set and rule are there, and at
				       * most POLICY_KEYS_MAX keys */
	const char *alias;	      /* "alias/mail" */
};
int policy_terraform(const struct policy_setup *s, FILE *out) MUST_CHECK;
int policy_cloudformation(const struct policy_setup *s, FILE *out) MUST_CHECK;

#endif
