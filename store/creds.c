#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/buf.h"
#include "store/creds.h"
#include "store/creds_providers.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"

#define EARLY_S 300	 /* renew so long before the end ... */
#define EARLY_RANDOM_S 60 /* ... and up to so much earlier */
#define AGAIN_S 60	 /* after a failed renewal of valid ones */
#define FAILED_S 5	 /* a failure is everybody's for so long */
#define YOUNG_S 10	 /* younger ones are not rejected */

struct creds {
	struct creds_provider provider[CREDS_PROVIDERS_MAX]; /* constant */
	size_t provider_len;				     /* constant */
	int64_t (*now_unix)(void);			     /* constant */

	/* Both in locked memory; `next` is of whoever has is_in_flight. */
	struct creds_value *current; /* [lock] */
	struct creds_value *next;

	pthread_mutex_t lock;
	pthread_cond_t settled; /* [lock] is_in_flight became false */
	bool is_in_flight;	/* [lock] somebody fetches */
	bool has_thread;	/* [lock] `thread` is to be joined */
	bool is_rejected;	/* [lock] current is not to be used */
	int err;		/* [lock] of the last fetch */
	uint64_t fetches;	/* [lock] that have settled */
	int64_t fetched_unix;	/* [lock] when the last one began */
	int64_t renew_unix;	/* [lock] when to renew, 0 = never */
	const char *source;	/* [lock] provider's name */
	pthread_t thread;	/* [lock] background renewal */
};

void
creds_value_wipe(struct creds_value *v)
{
	sodium_memzero(v, sizeof(*v));
}

static void
free_providers(const struct creds_provider *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].free != NULL)
			p[i].free(p[i].arg);
}

int
creds_new(const struct creds_opts *o, struct creds **ret)
{
	struct creds *c = NULL;
	bool fits = o->provider_len <= CREDS_PROVIDERS_MAX;

	*ret = NULL;
	if (!fits || (c = calloc(1, sizeof(*c))) == NULL) {
		free_providers(o->provider, o->provider_len);
		return fits ? -ENOMEM : -EINVAL;
	}
	memcpy(c->provider, o->provider,
	    o->provider_len * sizeof(*o->provider));
	c->provider_len = o->provider_len;
	c->now_unix = o->now_unix != NULL ? o->now_unix : stamp_now_unix;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->settled, NULL);
	c->current = sodium_malloc(sizeof(*c->current));
	c->next = sodium_malloc(sizeof(*c->next));
	if (c->current == NULL || c->next == NULL) {
		creds_free(c);
		return -ENOMEM;
	}
	creds_value_wipe(c->current);
	creds_value_wipe(c->next);
	*ret = c;
	return 0;
}

void
creds_free(struct creds *c)
{
	if (c == NULL)
		return;
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	free_providers(c->provider, c->provider_len);
	sodium_free(c->current); /* wipes */
	sodium_free(c->next);
	pthread_cond_destroy(&c->settled);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Ask the chain, into c->next. No lock is held; is_in_flight is ours. Returns
 * the provider's number, or an error after logging it. */
static int
ask_chain(struct creds *c)
{
	struct buf tried = BUF_INIT(8192);
	int r = -ENOENT;
	size_t i;

	for (i = 0; i < c->provider_len; i++) {
		char why[CREDS_WHY_MAX] = "";

		creds_value_wipe(c->next);
		r = c->provider[i].fetch(c->provider[i].arg, c->next, why);
		if (r == 0 && c->next->expires_unix != 0 &&
		    c->next->expires_unix <= c->now_unix()) {
			snprintf(why, sizeof(why), "already expired");
			r = -EKEYEXPIRED;
		}
		if (r != -ENOENT && r < 0)
			log_err(r, "creds: get credentials: %s: %s",
			    c->provider[i].name,
			    why[0] != '\0' ? why : strerror(-r));
		if (r != -ENOENT)
			break;
		r = buf_printf(&tried, "%s%s (%s)", i > 0 ? ", " : "",
		    c->provider[i].name, why) < 0 ? -ENOMEM : -ENOENT;
	}
	if (r == -ENOENT) {
		const char *list = buf_str(&tried);

		log_err(r, "creds: no credentials found; tried %s",
		    list != NULL ? list : "nothing");
	}
	buf_free(&tried);
	return r < 0 ? r : (int)i;
}

static bool
is_same(const struct creds_value *a, const struct creds_value *b)
{
	return strcmp(a->key_id, b->key_id) == 0 &&
	    strcmp(a->secret, b->secret) == 0 &&
	    strcmp(a->token, b->token) == 0;
}

static int64_t
renewal_time(int64_t now, int64_t expires)
{
	int64_t early = EARLY_S + randombytes_uniform(EARLY_RANDOM_S + 1);

	if (expires == 0)
		return 0;
	if (early > (expires - now) / 2)
		early = (expires - now) / 2;
	return expires - early;
}

static void
adopt_locked(struct creds *c, int provider, int64_t now)
{
	uint64_t generation = c->current->generation;

	/* The number changes only with the keys, so that who holds rejected
	 * ones can tell that there are no others. */
	if (!is_same(c->current, c->next))
		generation++;
	*c->current = *c->next;
	c->current->generation = generation;
	c->is_rejected = false;
	c->source = c->provider[provider].name;
	c->renew_unix = renewal_time(now, c->current->expires_unix);
}

/* Fetch and share the result. The caller set is_in_flight. */
static void
fetch(struct creds *c)
{
	int64_t now = c->now_unix();
	int provider = ask_chain(c);

	LOCK_SCOPE(&c->lock);
	c->err = provider < 0 ? provider : 0;
	if (provider >= 0)
		adopt_locked(c, provider, now);
	else if (c->renew_unix != 0)
		c->renew_unix = now + AGAIN_S;
	creds_value_wipe(c->next);
	c->fetched_unix = now;
	c->fetches++;
	c->is_in_flight = false;
	pthread_cond_broadcast(&c->settled);
}

static void *
renew(void *arg)
{
	fetch(arg);
	return NULL;
}

static void
renew_in_background_locked(struct creds *c)
{
	/* The last thread has settled, so that joining does not wait long. */
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	c->has_thread = pthread_create(&c->thread, NULL, renew, c) == 0;
	c->is_in_flight = c->has_thread;
	if (!c->has_thread)
		c->renew_unix = c->now_unix() + AGAIN_S;
}

static bool
is_usable_locked(const struct creds *c, int64_t now)
{
	return c->current->key_id[0] != '\0' && !c->is_rejected &&
	    (c->current->expires_unix == 0 || now < c->current->expires_unix);
}

enum step { DONE, FAILED, FETCH };

/* One look at the state: take a copy, wait for another's fetch, or claim the
 * fetch. */
static enum step
look(struct creds *c, struct creds_value *ret)
{
	LOCK_SCOPE(&c->lock);
	for (;;) {
		int64_t now = c->now_unix();
		uint64_t seen = c->fetches;

		if (is_usable_locked(c, now)) {
			if (c->renew_unix != 0 && now >= c->renew_unix &&
			    !c->is_in_flight)
				renew_in_background_locked(c);
			*ret = *c->current;
			return DONE;
		}
		if (c->err < 0 && !c->is_in_flight &&
		    now - c->fetched_unix < FAILED_S)
			return FAILED;
		if (!c->is_in_flight) {
			c->is_in_flight = true;
			return FETCH;
		}
		while (c->fetches == seen)
			pthread_cond_wait(&c->settled, &c->lock);
	}
}

int
creds_get(struct creds *c, struct creds_value *ret)
{
	enum step s;

	creds_value_wipe(ret);
	while ((s = look(c, ret)) == FETCH)
		fetch(c);
	return s == DONE ? 0 : -EACCES;
}

bool
creds_reject(struct creds *c, uint64_t generation)
{
	LOCK_SCOPE(&c->lock);
	if (c->current->generation != generation)
		return true;
	if (c->now_unix() - c->fetched_unix < YOUNG_S)
		return false;
	c->is_rejected = true;
	return true;
}

const char *
creds_source(struct creds *c)
{
	LOCK_SCOPE(&c->lock);
	return c->source;
}

int
creds_new_default(const struct awsconf *conf, struct creds **ret)
{
	struct creds_provider p[4];
	size_t n = 0;
	int r = 0;

	*ret = NULL;
	if (!awsconf_has_explicit_profile(conf) &&
	    (r = creds_env_provider(conf, &p[n])) == 0)
		n++;
	if (r == 0 && (r = creds_file_provider(conf, false, &p[n])) == 0)
		n++;
	if (r == 0 && (r = creds_process_provider(conf, &p[n])) == 0)
		n++;
	if (r == 0 && (r = creds_file_provider(conf, true, &p[n])) == 0)
		n++;
	if (r < 0) {
		free_providers(p, n);
		return r;
	}
	return creds_new(&(struct creds_opts){ .provider = p,
	    .provider_len = n }, ret);
}
