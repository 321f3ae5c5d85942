/* policy_priv.h -- what the files of policy share. */
#ifndef SESFS_FS_POLICY_PRIV_H
#define SESFS_FS_POLICY_PRIV_H

#include "fs/policy.h"

/* A document while it is made. When anything fails it is none: a policy that
 * lacks a condition allows more, not less. */
struct policy_maker {
	const struct policy_facts *f;
	json_t *list; /* of statements */
	json_t *last; /* the one being filled in; in the list */
	char *prefix; /* of the keys, as a pattern */
	bool is_failed;
};

/* policy_make.c: a document, statement by statement. Values are taken over. */
void policy_start(struct policy_maker *m, const struct policy_facts *f);
json_t *policy_finish(struct policy_maker *m) MUST_CHECK;
/* Another statement, "Allow" or "Deny"; what follows goes into it. */
void policy_begin(struct policy_maker *m, const char *sid, const char *effect);
void policy_put(struct policy_maker *m, const char *name, json_t *value);
/* A condition; all must hold. */
void policy_when(struct policy_maker *m, const char *operator, const char *key,
    json_t *value);
void policy_when_present(struct policy_maker *m, const char *key);
void policy_principal(struct policy_maker *m, const char *kind, json_t *who);
/* Whoever IAM lets in that account. */
void policy_principal_account(struct policy_maker *m, const char *account);
json_t *policy_text(struct policy_maker *m, const char *fmt, ...) PRINTF(2, 3);
/* An array of words, the last one NULL. */
json_t *policy_words(struct policy_maker *m, ...);

/* policy_keys.c: which keys a statement is about. */
enum which { KEYS_NAMED, KEY_ALIAS, KEYS_ALL, KEY_ITSELF };

struct policy_keys {
	enum which which;
	const char *const *key; /* of KEYS_NAMED; aliases are skipped */
	size_t len;
	const char *alias; /* of KEY_ALIAS */
	unsigned n;	   /* of these, for unique Sids */
};

bool policy_is_alias(const char *key);
/* What reading, sealing and `sesfs check` do with keys; a statement or more. */
void policy_may_decrypt(struct policy_maker *m, const struct policy_keys *k);
void policy_may_seal(struct policy_maker *m, const struct policy_keys *k);
void policy_may_describe(struct policy_maker *m, const struct policy_keys *k);
/* Do one of them about the keys of --kms-key: together for those that have an
 * ARN, by itself for each alias. */
void policy_for_keys(struct policy_maker *m,
    void (*say)(struct policy_maker *, const struct policy_keys *));

/* policy_setup.c: the facts of a set-up, in the words of its language. */
#define POLICY_NAME_MAX (sizeof("sesfs-") + 63)

struct policy_words {
	const char *partition, *region, *account, *key_arn, *queue_arn;
};
struct policy_view {
	struct policy_facts f;
	const char *alias;
	const char *key[POLICY_KEYS_MAX];
	char name[POLICY_NAME_MAX]; /* "sesfs-BUCKET", of queue and policy */
	char dead_name[POLICY_NAME_MAX + 5];
};
void policy_see(const struct policy_setup *s, const struct policy_words *w,
    struct policy_view *ret);
/* What a blank stands for: a word, which is no pattern and may be empty; NULL
 * when it is a document. */
const char *policy_word(const struct policy_view *v, const char *blank);
/* NULL: out of memory. */
json_t *policy_document(const struct policy_view *v, const char *blank)
    MUST_CHECK;

#endif
