#include "sessions.h"

#include "rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "ASIA"

struct sessions {
	pthread_mutex_t lock;
	uint64_t issued; /* [lock] */
	struct session ring[SESSIONS]; /* [lock] */
};

struct sessions *
sessions_new(void)
{
	struct sessions *s = xcalloc(1, sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void
sessions_free(struct sessions *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
fill(struct rng *r, char *p, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i++)
		p[i] = set[rng_below(r, 64)];
	p[len] = '\0';
}

/* The key id says which it is, so that finding it needs no search. */
void
sessions_issue(struct sessions *s, const char *arn, int64_t expires_unix,
    struct session *ret)
{
	struct rng rng;
	uint64_t n;

	*ret = (struct session){ .expires_unix = expires_unix };
	snprintf(ret->arn, sizeof ret->arn, "%s", arn);
	pthread_mutex_lock(&s->lock);
	n = s->issued++;
	rng = rng_for(0x5e55, n);
	snprintf(ret->access_key, sizeof ret->access_key, PREFIX "%016llX",
	    (unsigned long long)n);
	fill(&rng, ret->secret, 40);
	fill(&rng, ret->token, SESSION_TOKEN_LEN);
	s->ring[n % SESSIONS] = *ret;
	pthread_mutex_unlock(&s->lock);
}

int
sessions_find(struct sessions *s, const char *access_key, struct session *ret)
{
	const struct session *at;
	int r = -ENOENT;

	if (strncmp(access_key, PREFIX, strlen(PREFIX)) != 0)
		return r;
	pthread_mutex_lock(&s->lock);
	at = &s->ring[strtoull(access_key + strlen(PREFIX), NULL, 16) %
	    SESSIONS];
	if (strcmp(at->access_key, access_key) == 0) {
		*ret = *at;
		r = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void
sessions_end(struct sessions *s, int64_t at_unix)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SESSIONS; i++)
		if (s->ring[i].expires_unix > at_unix)
			s->ring[i].expires_unix = at_unix;
	pthread_mutex_unlock(&s->lock);
}
