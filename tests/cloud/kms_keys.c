/* The keys and their names; blobs are in kms_blob.c. */
#include "kms.h"
#include "kms_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* %1$s is the region, %2$s the account. */
static const struct {
	const char *arn, *alias;
} defaults[] = {
	{ "arn:aws:kms:%1$s:%2$s:key/0b7d51f8-3f0e-4c0a-9c1e-5e5aa0c0ffee",
	    "alias/aws/ses" },
	{ "arn:aws:kms:%1$s:%2$s:key/5ec0dd00-0000-4000-8000-000000000002",
	    "alias/second" },
	{ "arn:aws:kms:%1$s:%2$s:key/mrk-1234abcd12ab34cd56ef1234567890ab",
	    "alias/multi" },
	{ "arn:aws:kms:eu-west-1:%2$s:key/e0000000-0000-4000-8000-000000000003",
	    "alias/elsewhere" },
	{ "arn:aws:kms:%1$s:999999999999:key/"
	  "deadbeef-0000-4000-8000-000000000bad", NULL },
};

/* The format strings above are data, so they are filled in by hand. */
static void
fill_in(const char *fmt, const char *region, const char *account,
    struct buf *ret)
{
	for (; *fmt != '\0'; fmt++) {
		if (strncmp(fmt, "%1$s", 4) == 0 ||
		    strncmp(fmt, "%2$s", 4) == 0) {
			buf_str(ret, fmt[1] == '1' ? region : account);
			fmt += 3;
		} else {
			buf_char(ret, *fmt);
		}
	}
}

struct kms *
kms_new(const char *region, const char *account)
{
	struct kms *k = xcalloc(1, sizeof *k);
	struct buf arn = { 0 };

	pthread_rwlock_init(&k->lock, NULL);
	snprintf(k->account, sizeof k->account, "%s", account);
	for (size_t i = 0; i < NELEMS(defaults); i++) {
		buf_clear(&arn);
		fill_in(defaults[i].arn, region, account, &arn);
		if (kms_add_key(k, arn.p) < 0 ||
		    (defaults[i].alias != NULL &&
			kms_add_alias(k, defaults[i].alias, arn.p) < 0))
			abort();
	}
	buf_free(&arn);
	return k;
}

void
kms_free(struct kms *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->nopaque; i++) {
		buf_free(&k->opaque[i].context);
		buf_free(&k->opaque[i].blob);
		buf_free(&k->opaque[i].plain);
	}
	free(k->opaque);
	pthread_rwlock_destroy(&k->lock);
	free(k);
}

/* Split arn:aws:kms:REGION:ACCOUNT:RESOURCE. */
int
kms_parse_arn(const char *arn, struct kms_name *ret)
{
	int at = 0;

	if (strlen(arn) >= KMS_ARN_MAX ||
	    sscanf(arn, "arn:aws:kms:%31[^:]:%15[0-9]:%n", ret->region,
		ret->account, &at) != 2 ||
	    at == 0 || arn[at] == '\0')
		return -EINVAL;
	ret->resource = arn + at;
	return 0;
}

struct kms_key *
kms_find_locked(struct kms *k, const char *arn)
{
	for (size_t i = 0; i < k->nkeys; i++)
		if (strcmp(k->keys[i].arn, arn) == 0)
			return &k->keys[i];
	return NULL;
}

int
kms_add_key(struct kms *k, const char *arn)
{
	struct kms_name name;
	int r = 0;

	if (kms_parse_arn(arn, &name) < 0 ||
	    strncmp(name.resource, "key/", 4) != 0)
		return -EINVAL;
	pthread_rwlock_wrlock(&k->lock);
	if (kms_find_locked(k, arn) != NULL) {
		r = 0;
	} else if (k->nkeys == KMS_KEYS_MAX) {
		r = -ENOSPC;
	} else {
		strcpy(k->keys[k->nkeys].arn, arn);
		kms_tag(arn, k->keys[k->nkeys].tag);
		strcpy(k->keys[k->nkeys].usage, KMS_USAGE);
		k->keys[k->nkeys++].enabled = true;
	}
	pthread_rwlock_unlock(&k->lock);
	return r;
}

int
kms_add_alias(struct kms *k, const char *alias, const char *key_arn)
{
	struct kms_name key, name;
	struct kms_alias *a;
	int r = -ENOSPC;

	if (kms_parse_arn(key_arn, &key) < 0)
		return -EINVAL;
	if (kms_parse_arn(alias, &name) == 0)
		alias = name.resource;
	if (strncmp(alias, "alias/", 6) != 0 || strlen(alias) >= 200)
		return -EINVAL;
	pthread_rwlock_wrlock(&k->lock);
	if (k->naliases < KMS_KEYS_MAX) {
		a = &k->aliases[k->naliases++];
		snprintf(a->arn, sizeof a->arn, "arn:aws:kms:%s:%s:%s",
		    key.region, key.account, alias);
		strcpy(a->key_arn, key_arn);
		r = 0;
	}
	pthread_rwlock_unlock(&k->lock);
	return r;
}

static bool
is_multi_region(const char *resource)
{
	return strncmp(resource, "key/mrk-", 8) == 0;
}

/* A multi-region key is taken to have a replica in every region. */
static bool
is_replica(const char *a, const char *b)
{
	struct kms_name na, nb;

	return kms_parse_arn(a, &na) == 0 && kms_parse_arn(b, &nb) == 0 &&
	    is_multi_region(na.resource) &&
	    strcmp(na.resource, nb.resource) == 0 &&
	    strcmp(na.account, nb.account) == 0;
}

/* The key that `arn` means in its region, as the caller will see it. */
static int
resolve_arn_locked(struct kms *k, const char *arn, char ret_arn[KMS_ARN_MAX])
{
	for (size_t i = 0; i < k->naliases; i++)
		if (strcmp(k->aliases[i].arn, arn) == 0)
			arn = k->aliases[i].key_arn;
	for (size_t i = 0; i < k->nkeys; i++) {
		if (strcmp(k->keys[i].arn, arn) == 0 ||
		    is_replica(k->keys[i].arn, arn)) {
			snprintf(ret_arn, KMS_ARN_MAX, "%s", arn);
			return 0;
		}
	}
	return -ENOENT;
}

int
kms_resolve(struct kms *k, const char *region, const char *name,
    char ret_arn[KMS_ARN_MAX])
{
	struct kms_name parsed;
	char arn[KMS_ARN_MAX];
	int n, r;

	if (strncmp(name, "arn:", 4) == 0) {
		if (kms_parse_arn(name, &parsed) < 0 ||
		    strcmp(parsed.region, region) != 0)
			return -ENOENT;
		n = snprintf(arn, sizeof arn, "%s", name);
	} else {
		n = snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:%s%s", region,
		    k->account, strncmp(name, "alias/", 6) == 0 ? "" : "key/",
		    name);
	}
	if (n >= (int)sizeof arn)
		return -ENOENT;
	pthread_rwlock_rdlock(&k->lock);
	r = resolve_arn_locked(k, arn, ret_arn);
	pthread_rwlock_unlock(&k->lock);
	return r;
}

int
kms_enable(struct kms *k, const char *arn, bool enabled)
{
	struct kms_key *key;

	pthread_rwlock_wrlock(&k->lock);
	key = kms_find_locked(k, arn);
	if (key != NULL)
		key->enabled = enabled;
	pthread_rwlock_unlock(&k->lock);
	return key != NULL ? 0 : -ENOENT;
}

int
kms_set_usage(struct kms *k, const char *arn, const char *usage)
{
	struct kms_key *key;

	if (strlen(usage) >= KMS_USAGE_MAX)
		return -EINVAL;
	pthread_rwlock_wrlock(&k->lock);
	key = kms_find_locked(k, arn);
	if (key != NULL)
		strcpy(key->usage, usage);
	pthread_rwlock_unlock(&k->lock);
	return key != NULL ? 0 : -ENOENT;
}

void
kms_get_usage(struct kms *k, const char *arn, char ret[KMS_USAGE_MAX])
{
	struct kms_key *key;

	pthread_rwlock_rdlock(&k->lock);
	key = kms_find_locked(k, arn);
	/* A replica is like its primary, which nobody has changed. */
	strcpy(ret, key != NULL ? key->usage : KMS_USAGE);
	pthread_rwlock_unlock(&k->lock);
}

bool
kms_is_enabled(struct kms *k, const char *arn)
{
	bool ret = true;
	struct kms_key *key;

	pthread_rwlock_rdlock(&k->lock);
	key = kms_find_locked(k, arn);
	if (key != NULL)
		ret = key->enabled;
	pthread_rwlock_unlock(&k->lock);
	return ret;
}

void
kms_list(struct kms *k, struct buf *b)
{
	pthread_rwlock_rdlock(&k->lock);
	for (size_t i = 0; i < k->nkeys; i++) {
		buf_fmt(b, "%s %s", k->keys[i].arn,
		    k->keys[i].enabled ? "enabled" : "disabled");
		for (size_t j = 0; j < k->naliases; j++)
			if (strcmp(k->aliases[j].key_arn, k->keys[i].arn) == 0)
				buf_fmt(b, " %s", strstr(k->aliases[j].arn,
				    "alias/"));
		buf_char(b, '\n');
	}
	pthread_rwlock_unlock(&k->lock);
}

bool
kms_alias_of(struct kms *k, const char *arn, size_t i,
    char ret_alias[KMS_ARN_MAX])
{
	bool found = false;

	pthread_rwlock_rdlock(&k->lock);
	for (size_t j = 0; j < k->naliases && !found; j++) {
		if (strcmp(k->aliases[j].key_arn, arn) != 0 || i-- > 0)
			continue;
		snprintf(ret_alias, KMS_ARN_MAX, "%s",
		    strstr(k->aliases[j].arn, "alias/"));
		found = true;
	}
	pthread_rwlock_unlock(&k->lock);
	return found;
}

bool
kms_each(struct kms *k, const char *region, size_t i, char ret_arn[KMS_ARN_MAX])
{
	struct kms_name name;
	bool found = false;

	pthread_rwlock_rdlock(&k->lock);
	for (size_t j = 0; j < k->nkeys && !found; j++) {
		if (kms_parse_arn(k->keys[j].arn, &name) < 0 ||
		    strcmp(name.region, region) != 0 ||
		    strcmp(name.account, k->account) != 0 || i-- > 0)
			continue;
		strcpy(ret_arn, k->keys[j].arn);
		found = true;
	}
	pthread_rwlock_unlock(&k->lock);
	return found;
}
