#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/buf.h"
#include "store/creds.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/stamp.h"

#define EARLY_S 300	 /* renew so long before the end ... */
#define EARLY_RANDOM_S 60 /* ... and up to so much earlier */
#define AGAIN_S 1	 /* after a failure; twice as long each time ... */
#define AGAIN_MAX_S 60	 /* ... up to this */
#define DECLINED_S 900	 /* after a person did not answer */
#define YOUNG_S 10	 /* younger ones are not rejected */
#define LOOK_S 30 /* how often the renewer looks at a clock that may jump */

struct creds {
	struct creds_provider provider[CREDS_PROVIDERS_MAX]; /* constant */
	size_t provider_len;				     /* constant */
	int64_t (*now_unix)(void);			     /* constant */
	bool is_lazy;					     /* constant */

	/* Both in locked memory; `next` is of whoever has is_in_flight, as are
	 * `chosen` and `why`. */
	struct creds_value *current; /* [lock] */
	struct creds_value *next;
	int chosen; /* number of the provider that decided, or -1 */
	char why[CREDS_WHY_MAX];

	pthread_mutex_t lock;
	pthread_cond_t settled; /* [lock] is_in_flight became false */
	pthread_cond_t turn;	/* [lock] the renewer has a reason to look */
	bool is_in_flight;	/* [lock] somebody fetches */
	bool is_ending;		/* [lock] no more renewals */
	bool has_thread;	/* [lock] `thread` is to be joined */
	bool is_rejected;	/* [lock] current is not to be used */
	int err;		/* [lock] of the last fetch */
	unsigned failures;	/* [lock] in a row */
	uint64_t fetches;	/* [lock] that have settled */
	int64_t fetched_unix;	/* [lock] when the last one began */
	int64_t renew_unix;	/* [lock] when to renew, 0 = never */
	int64_t retry_unix;	/* [lock] after a failure: not before this */
	const char *source;	/* [lock] provider's name */
	char failure[CREDS_WHY_MAX]; /* [lock] of the last fetch */
	char logged[CREDS_WHY_MAX];  /* [lock] the failure logged last */
	pthread_t thread;	     /* [lock] the renewer */
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

static void
init_locks(struct creds *c)
{
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->settled, NULL);
	cond_init_monotonic(&c->turn);
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
	c->is_lazy = o->is_lazy;
	c->chosen = -1;
	init_locks(c);
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

static void
end_renewals(struct creds *c)
{
	LOCK_SCOPE(&c->lock);
	c->is_ending = true;
	pthread_cond_signal(&c->turn);
}

void
creds_free(struct creds *c)
{
	if (c == NULL)
		return;
	end_renewals(c);
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	free_providers(c->provider, c->provider_len);
	sodium_free(c->current); /* wipes */
	sodium_free(c->next);
	pthread_cond_destroy(&c->settled);
	pthread_cond_destroy(&c->turn);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- asking the chain, into c->next; is_in_flight is ours ---- */

static int
ask_one(struct creds *c, size_t i, char why[CREDS_WHY_MAX])
{
	const struct creds_provider *p = &c->provider[i];
	int r;

	why[0] = '\0';
	creds_value_wipe(c->next);
	r = p->fetch(p->arg, c->next, why);
	if (r == 0 && c->next->expires_unix != 0 &&
	    c->next->expires_unix <= c->now_unix()) {
		snprintf(why, CREDS_WHY_MAX, "what it gave has expired "
		    "already; is this machine's clock right?");
		r = -EKEYEXPIRED;
	}
	if (r < 0 && why[0] == '\0')
		snprintf(why, CREDS_WHY_MAX, "%s", strerror(-r));
	return r;
}

static void
note(char ret[CREDS_WHY_MAX], const char *name, const char *why)
{
	snprintf(ret, CREDS_WHY_MAX, "%.*s: %.*s", CREDS_NAME_MAX, name,
	    CREDS_WHY_MAX - CREDS_NAME_MAX - 3, why);
}

/* The first that is configured decides. */
static int
ask_all(struct creds *c)
{
	struct buf tried = BUF_INIT(CREDS_PROVIDERS_MAX * CREDS_WHY_MAX);
	char why[CREDS_WHY_MAX] = "";
	int r = -ENOENT;

	for (size_t i = 0; i < c->provider_len && r == -ENOENT; i++) {
		r = ask_one(c, i, why);
		if (r == 0)
			c->chosen = (int)i;
		else if (r != -ENOENT)
			note(c->why, c->provider[i].name, why);
		else
			log_info(0, "creds: get credentials: %s: %s",
			    c->provider[i].name, why);
		if (r == -ENOENT && buf_printf(&tried, "%s%s",
		    i > 0 ? ", " : "", c->provider[i].name) < 0)
			r = -ENOMEM;
	}
	if (r == -ENOENT && c->provider_len == 1) {
		note(c->why, c->provider[0].name, why);
	} else if (r == -ENOENT) {
		const char *list = buf_str(&tried);

		snprintf(c->why, sizeof(c->why), "none found (see "
		    "CREDENTIALS in sesfs(1)), tried %s (%.160s)",
		    list != NULL ? list : "nothing", why);
	}
	buf_free(&tried);
	return r;
}

static int
ask_chain(struct creds *c)
{
	char why[CREDS_WHY_MAX];
	int r;

	if (c->chosen < 0)
		return ask_all(c);
	if ((r = ask_one(c, (size_t)c->chosen, why)) < 0)
		note(c->why, c->provider[c->chosen].name, why);
	return r;
}

/* ---- what came of it ---- */

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
	int64_t life = expires - now;

	if (expires == 0)
		return 0;
	if (life < 2 * EARLY_S)
		return expires - life / 2 -
		    randombytes_uniform((uint32_t)(life / 10) + 1);
	return expires - EARLY_S - randombytes_uniform(EARLY_RANDOM_S + 1);
}

static void *renew(void *arg);

/* Signals are for the program's own threads. */
static void
start_renewer_locked(struct creds *c)
{
	sigset_t all, old;

	if (c->has_thread || c->is_lazy || c->is_ending)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	c->has_thread = pthread_create(&c->thread, NULL, renew, c) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
adopt_locked(struct creds *c, int64_t now)
{
	uint64_t generation = c->current->generation;

	/* The number changes only with the keys, so that who holds rejected
	 * ones can tell that there are no others. */
	if (!is_same(c->current, c->next))
		generation++;
	*c->current = *c->next;
	c->current->generation = generation;
	c->is_rejected = false;
	c->source = c->provider[c->chosen].name;
	c->failures = 0;
	c->failure[0] = '\0';
	c->renew_unix = renewal_time(now, c->current->expires_unix);
	if (c->renew_unix != 0)
		start_renewer_locked(c);
	if (c->logged[0] != '\0')
		log_warn(0, "creds: get credentials: %s: good again",
		    c->source);
	c->logged[0] = '\0';
}

static int64_t
again_s(unsigned failures, int err)
{
	int64_t s = failures > 6 ? AGAIN_MAX_S : AGAIN_S << (failures - 1);

	if (err == -ECANCELED)
		return DECLINED_S;
	if (s > AGAIN_MAX_S)
		s = AGAIN_MAX_S;
	return s - randombytes_uniform((uint32_t)s / 4 + 1);
}

static bool
has_valid_locked(const struct creds *c, int64_t now)
{
	return c->current->key_id[0] != '\0' && !c->is_rejected &&
	    (c->current->expires_unix == 0 || now < c->current->expires_unix);
}

/* The same, but for a request's id, which is another each time? */
static bool
is_same_failure(const char *a, const char *b)
{
	static const char mark[] = "(request ";
	const char *id_a = strstr(a, mark), *id_b = strstr(b, mark);

	if (id_a == NULL || id_b == NULL || id_a - a != id_b - b)
		return strcmp(a, b) == 0;
	return strncmp(a, b, (size_t)(id_a - a)) == 0 &&
	    strcmp(id_a + strcspn(id_a, ")"), id_b + strcspn(id_b, ")")) == 0;
}

static void
fail_locked(struct creds *c, int err)
{
	int64_t now = c->now_unix();
	bool is_valid = has_valid_locked(c, now);
	bool had = c->current->key_id[0] != '\0';

	c->failures++;
	c->retry_unix = now + again_s(c->failures, err);
	if (c->renew_unix != 0)
		c->renew_unix = c->retry_unix;
	snprintf(c->failure, sizeof(c->failure), "%.*s%s", CREDS_WHY_MAX - 40,
	    c->why, had && !is_valid ? " (the old ones have expired)" : "");
	if (is_same_failure(c->failure, c->logged))
		return;
	memcpy(c->logged, c->failure, sizeof(c->logged));
	if (is_valid)
		log_warn(0, "creds: renew credentials: %s; using the old ones "
		    "while they are valid", c->failure);
	else
		log_err(err, "creds: get credentials: %s", c->failure);
}

/* Fetch and share the result. The caller set is_in_flight. */
static void
fetch(struct creds *c)
{
	int64_t now = c->now_unix();
	int r = ask_chain(c);

	LOCK_SCOPE(&c->lock);
	c->err = r;
	if (r < 0)
		fail_locked(c, r);
	else
		adopt_locked(c, now);
	creds_value_wipe(c->next);
	c->fetched_unix = now;
	c->fetches++;
	c->is_in_flight = false;
	pthread_cond_broadcast(&c->settled);
	pthread_cond_signal(&c->turn);
}

/* ---- the renewer ---- */

static bool
is_due_locked(const struct creds *c, int64_t now)
{
	return c->renew_unix != 0 && now >= c->renew_unix && !c->is_in_flight;
}

static void
wait_turn_locked(struct creds *c, int64_t now)
{
	int64_t s = c->renew_unix == 0 || c->is_in_flight ? LOOK_S :
	    c->renew_unix - now;
	const struct timespec until = cond_after_ms(1000 *
	    (s < LOOK_S ? s : LOOK_S));

	pthread_cond_timedwait(&c->turn, &c->lock, &until);
}

/* Wait until it is time, and claim the fetch; false at the end. */
static bool
await_turn(struct creds *c)
{
	int64_t now;

	LOCK_SCOPE(&c->lock);
	while (!c->is_ending && !is_due_locked(c, now = c->now_unix()))
		wait_turn_locked(c, now);
	if (!c->is_ending)
		c->is_in_flight = true;
	return !c->is_ending;
}

static void *
renew(void *arg)
{
	struct creds *c = arg;

	while (await_turn(c))
		fetch(c);
	return NULL;
}

/* ---- callers ---- */

enum step { DONE, FAILED, FETCH };

static enum step
claim_locked(struct creds *c)
{
	c->is_in_flight = true;
	return FETCH;
}

/* One look at the state: take a copy, wait for another's fetch, or claim the
 * fetch. */
static enum step
look(struct creds *c, struct creds_value *ret)
{
	LOCK_SCOPE(&c->lock);
	for (;;) {
		int64_t now = c->now_unix();
		uint64_t seen = c->fetches;

		if (has_valid_locked(c, now)) {
			if (is_due_locked(c, now) && c->is_lazy)
				return claim_locked(c);
			/* The thread's own wait may be by another clock. */
			if (is_due_locked(c, now))
				pthread_cond_signal(&c->turn);
			*ret = *c->current;
			return DONE;
		}
		if (c->err < 0 && !c->is_in_flight && now < c->retry_unix)
			return FAILED;
		if (!c->is_in_flight)
			return claim_locked(c);
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

int
creds_failure(struct creds *c, char ret[CREDS_WHY_MAX])
{
	LOCK_SCOPE(&c->lock);
	memcpy(ret, c->failure, CREDS_WHY_MAX);
	return c->err;
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
	c->retry_unix = 0;
	return true;
}

const char *
creds_source(struct creds *c)
{
	LOCK_SCOPE(&c->lock);
	return c->source;
}

bool
creds_may_ask(const struct creds *c)
{
	for (size_t i = 0; i < c->provider_len; i++)
		if (c->provider[i].may_ask)
			return true;
	return false;
}
