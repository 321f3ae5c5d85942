#include "store/keypolicy.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/kms.h"
#include "store/lock.h"

struct keypolicy {
	char **key; /* constant */
	size_t key_len; /* constant */
	keypolicy_account_fn *ask; /* constant */
	void *ask_arg; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t answered; /* [lock] is_asking became false */
	bool is_asking;		 /* [lock] */
	char account[16];	 /* [lock] "" until learnt */
};

int
keypolicy_new(const char *const *keys, size_t n, keypolicy_account_fn *account,
    void *arg, struct keypolicy **ret)
{
	CLEANUP(keypolicy_freep) struct keypolicy *p = NULL;

	*ret = NULL;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->answered, NULL);
	p->ask = account;
	p->ask_arg = arg;
	if ((p->key = calloc(n + 1, sizeof(*p->key))) == NULL)
		return -ENOMEM;
	for (; p->key_len < n; p->key_len++)
		if ((p->key[p->key_len] = strdup(keys[p->key_len])) == NULL)
			return -ENOMEM;
	*ret = TAKE(p);
	return 0;
}

void
keypolicy_free(struct keypolicy *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->key_len; i++)
		free(p->key[i]);
	free(p->key);
	pthread_cond_destroy(&p->answered);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* How likely a configured key is the labelled one: 0 it is, 1 its alias may be,
 * 2 it is not. */
static int
rank(const char *key, const char *hint)
{
	if (hint == NULL)
		return 0;
	if (strcmp(key, hint) == 0)
		return 0;
	if (!kms_arn_matches(key, hint))
		return 2;
	return strstr(key, "alias/") != NULL ? 1 : 0;
}

size_t
keypolicy_candidates(const struct keypolicy *p, const char *hint,
    const char **ret, size_t max)
{
	size_t n = 0;

	if (p->key_len == 0) {
		ret[0] = NULL;
		return 1;
	}
	/* The label only says whom to ask first; every configured key may be
	 * asked, none that is not configured. */
	for (int r = 0; r <= 2; r++)
		for (size_t i = 0; i < p->key_len && n < max; i++)
			if (rank(p->key[i], hint) == r)
				ret[n++] = p->key[i];
	return n;
}

/* The account's ID, learnt at the first call; who comes meanwhile waits for the
 * answer, and asks himself when it was none. */
static int
account_get(struct keypolicy *p, char ret[16])
{
	int r;

	pthread_mutex_lock(&p->lock);
	while (p->is_asking)
		pthread_cond_wait(&p->answered, &p->lock);
	memcpy(ret, p->account, sizeof(p->account));
	p->is_asking = ret[0] == '\0';
	pthread_mutex_unlock(&p->lock);
	if (ret[0] != '\0')
		return 0;

	r = p->ask(p->ask_arg, ret);
	LOCK_SCOPE(&p->lock);
	if (r == 0)
		memcpy(p->account, ret, sizeof(p->account));
	p->is_asking = false;
	pthread_cond_broadcast(&p->answered);
	return r;
}

int
keypolicy_allows(struct keypolicy *p, const char *arn)
{
	char account[16], want[32];
	const char *at = arn;
	int r;

	for (size_t i = 0; i < p->key_len; i++)
		if (kms_arn_matches(p->key[i], arn))
			return 1;
	if (p->key_len > 0)
		return 0;
	if ((r = account_get(p, account)) < 0)
		return r;
	/* arn:partition:kms:region:ACCOUNT:key/... */
	for (int colons = 0; colons < 4; colons++)
		if ((at = strchr(at, ':')) == NULL)
			return 0;
		else
			at++;
	strcpy(want, account);
	strcat(want, ":key/");
	return strncmp(at, want, strlen(want)) == 0;
}

int
keypolicy_names(struct keypolicy *p, const char *arn, const char **ret,
    size_t max)
{
	size_t n = 0;
	int r;

	if (p->key_len == 0) {
		if ((r = keypolicy_allows(p, arn)) == 1)
			ret[0] = arn;
		return r;
	}
	for (int likely = 0; likely <= 1; likely++)
		for (size_t i = 0; i < p->key_len && n < max; i++)
			if (rank(p->key[i], arn) == likely)
				ret[n++] = p->key[i];
	return (int)n;
}
