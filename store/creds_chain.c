/* Which sources there are, and in which order they are asked. */
#include <errno.h>

#include "store/creds_providers.h"

struct chain {
	struct creds_provider p[CREDS_PROVIDERS_MAX];
	size_t n;
	int err;
};

/* Count in what a maker made. */
static void
add(struct chain *c, int r)
{
	if (r < 0 && c->err == 0)
		c->err = r;
	else if (r == 0)
		c->n++;
}
#define ADD(c, made)                                                           \
	do {                                                                   \
		if ((c)->err == 0)                                             \
			add(c, made);                                          \
	} while (0)

static int
finish(struct chain *c, bool is_lazy, struct creds **ret)
{
	*ret = NULL;
	if (c->err == 0)
		return creds_new(&(struct creds_opts){ .provider = c->p,
		    .provider_len = c->n, .is_lazy = is_lazy }, ret);
	for (size_t i = 0; i < c->n; i++)
		if (c->p[i].free != NULL)
			c->p[i].free(c->p[i].arg);
	return c->err;
}

/* What a profile may hold, but for a role. */
static void
add_profile(struct chain *c, const struct creds_setup *s, const char *profile)
{
	ADD(c, creds_sso_provider(s, profile, &c->p[c->n]));
	ADD(c, creds_file_provider(s->conf, profile, false, &c->p[c->n]));
	ADD(c, creds_process_provider(s->conf, profile, &c->p[c->n]));
	ADD(c, creds_file_provider(s->conf, profile, true, &c->p[c->n]));
}

int
creds_new_profile(const struct creds_setup *s, const char *profile,
    const struct creds_role *for_whom, struct creds **ret)
{
	struct chain c = { .n = 0 };

	/* A source's own keys come before its role; see botocore. */
	if (creds_role_is(s->conf, profile) &&
	    awsconf_get(s->conf, profile, "aws_access_key_id") == NULL) {
		ADD(&c, creds_role_provider(s, profile, for_whom, &c.p[c.n]));
	} else {
		ADD(&c, creds_web_provider(s, profile, false, &c.p[c.n]));
		add_profile(&c, s, profile);
	}
	return finish(&c, true, ret);
}

int
creds_new_default(const struct creds_setup *s, struct creds **ret)
{
	const char *profile = awsconf_profile(s->conf);
	bool is_explicit = awsconf_has_explicit_profile(s->conf);
	struct chain c = { .n = 0 };

	if (!is_explicit)
		ADD(&c, creds_env_provider(s->conf, &c.p[c.n]));
	ADD(&c, creds_web_provider(s, profile, !is_explicit, &c.p[c.n]));
	ADD(&c, creds_role_provider(s, profile, NULL, &c.p[c.n]));
	add_profile(&c, s, profile);
	ADD(&c, creds_container_provider(s, &c.p[c.n]));
	ADD(&c, creds_imds_provider(s, false, &c.p[c.n]));
	return finish(&c, false, ret);
}
