#include "permit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINCIPALS_MAX 16
#define PRINCIPAL_LEN 160 /* bytes with the zero */
#define USER "user/test"

struct permits {
	pthread_rwlock_t lock;
	size_t n; /* [lock]; read without it to see that there is none */
	char name[PRINCIPALS_MAX][PRINCIPAL_LEN]; /* [lock] */
	struct iam_policy *policy[PRINCIPALS_MAX]; /* [lock] */
};

struct permits *
permits_new(void)
{
	struct permits *p = xcalloc(1, sizeof *p);

	pthread_rwlock_init(&p->lock, NULL);
	return p;
}

void
permits_free(struct permits *p)
{
	if (p == NULL)
		return;
	permits_reset(p);
	pthread_rwlock_destroy(&p->lock);
	free(p);
}

static size_t
find_locked(const struct permits *p, const char *principal)
{
	size_t i = 0;

	while (i < p->n && strcmp(p->name[i], principal) != 0)
		i++;
	return i;
}

int
permits_set(struct permits *p, const char *principal, const char *text,
    size_t len, char why[IAM_WHY_MAX])
{
	struct iam_policy *policy;
	size_t i;
	int r = 0;

	if (strlen(principal) >= PRINCIPAL_LEN ||
	    (strncmp(principal, "user/", 5) != 0 &&
		strncmp(principal, "role/", 5) != 0)) {
		snprintf(why, IAM_WHY_MAX, "principal: neither user/NAME nor "
		    "role/NAME");
		return -EINVAL;
	}
	if (iam_policy_parse(text, len, &policy, why) < 0)
		return -EINVAL;
	pthread_rwlock_wrlock(&p->lock);
	i = find_locked(p, principal);
	if (i == PRINCIPALS_MAX) {
		snprintf(why, IAM_WHY_MAX, "too many principals");
		r = -ENOSPC;
	} else {
		strcpy(p->name[i], principal);
		iam_policy_free(TAKE(p->policy[i]));
		p->policy[i] = TAKE(policy);
		if (i == p->n)
			__atomic_store_n(&p->n, i + 1, __ATOMIC_RELEASE);
	}
	pthread_rwlock_unlock(&p->lock);
	iam_policy_free(policy);
	return r;
}

void
permits_reset(struct permits *p)
{
	pthread_rwlock_wrlock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		iam_policy_free(TAKE(p->policy[i]));
	__atomic_store_n(&p->n, 0, __ATOMIC_RELEASE);
	pthread_rwlock_unlock(&p->lock);
}

const char *
permit_caller(const struct cloud *c, struct request *req)
{
	return req->caller != NULL ? req->caller
				   : arena_fmt(&req->arena,
		"arn:aws:iam::%s:" USER, c->account);
}

/* arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION has the policies of the role
 * of that name. */
static const char *
principal_of(struct request *req)
{
	const char *role;

	if (req->caller == NULL ||
	    (role = strstr(req->caller, ":assumed-role/")) == NULL)
		return USER;
	role += strlen(":assumed-role/");
	return arena_fmt(&req->arena, "role/%.*s", (int)strcspn(role, "/"),
	    role);
}

static enum iam_verdict
decide(struct permits *p, struct request *req, const struct iam_ask *ask)
{
	enum iam_verdict v = IAM_ALLOWED;
	size_t i;

	pthread_rwlock_rdlock(&p->lock);
	i = find_locked(p, principal_of(req));
	if (i < p->n)
		v = iam_policy_decide(p->policy[i], ask);
	pthread_rwlock_unlock(&p->lock);
	return v;
}

bool
permit_is_limited(const struct cloud *c, enum op op)
{
	return __atomic_load_n(&c->permits->n, __ATOMIC_ACQUIRE) > 0 ||
	    settings_is_denied(&c->settings, op);
}

const char *
permit_refuses(struct cloud *c, struct request *req,
    const struct iam_ask *ask, const char *shown)
{
	enum iam_verdict v = IAM_NOT_ALLOWED;

	if (!settings_is_denied(&c->settings, op_by_action(ask->action)) &&
	    (v = decide(c->permits, req, ask)) == IAM_ALLOWED)
		return NULL;
	req->fault = "denied";
	return arena_fmt(&req->arena, "User: %s is not authorized to perform: "
	    "%s on resource: %s %s%s%s", permit_caller(c, req), ask->action,
	    shown, v == IAM_DENIED ? "with an explicit deny in an "
	    "identity-based policy" : "because no identity-based policy "
	    "allows the ", v == IAM_DENIED ? "" : ask->action,
	    v == IAM_DENIED ? "" : " action");
}
