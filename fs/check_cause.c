#include <errno.h>
#include <string.h>

#include "fs/check.h"
#include "store/awscause.h"

#define DENIED { "denied", NULL }

static const struct {
	int err;
	struct check_cause why;
} errors[] = {
	{ -ENXIO, { "no-such-bucket", "mend the name of the bucket" } },
	{ -ENOENT, { "gone", "try again: it was there a moment ago" } },
	{ -EACCES, DENIED },
	{ -EAGAIN, { "busy", "try again: AWS could not answer now" } },
	{ -EMSGSIZE, { "too-large", "raise --max-message-size" } },
	{ -EREMOTE, { "archived",
	    "restore the object, or keep mail out of archive classes" } },
	{ -EPROTO, { "malformed", "is that endpoint really what it is said to "
	    "be?" } },
	{ -EPERM, { "plain-http", "https://, or --allow-http" } },
};

/* What AWS says has a code in its body or at least an id: this is some server of
 * the web that knows no such page. (A refusal may be a proxy's, but for AWS.) */
static bool
is_not_aws(const struct awserr *e)
{
	return e->status >= 400 && e->status < 500 && e->status != 403 &&
	    strncmp(e->code, "HTTP ", 5) == 0 && e->request_id[0] == '\0';
}

struct check_cause
check_cause(int err, const struct awserr *e)
{
	const struct awscause *c;
	char action[AWSERR_ACTION_MAX];

	if (e->status == 0 && (err == -ETIMEDOUT || err == -ECONNRESET ||
	    err == -ECONNREFUSED || err == -EHOSTUNREACH ||
	    err == -ENETUNREACH))
		return check_cause_of_network(err, false, "");
	if (is_not_aws(e))
		return (struct check_cause){ "malformed", "mend the endpoint "
		    "URL: what answers there is not that service of AWS" };
	if ((c = awscause_of(e->code)) != NULL)
		return (struct check_cause){ c->word, c->advice };
	if (awserr_is_denied(e, "", action))
		return (struct check_cause)DENIED;
	for (size_t i = 0; i < NELEMS(errors); i++)
		if (err == errors[i].err)
			return errors[i].why;
	return (struct check_cause){ "failed", "look AWS's answer up" };
}

struct check_cause
check_cause_of_network(int err, bool is_tls, const char *why)
{
	bool says_tls = strstr(why, "SSL") != NULL ||
	    strstr(why, "TLS") != NULL || strstr(why, "certificate") != NULL;

	if (err == -EHOSTUNREACH)
		return (struct check_cause){ "dns", "the name server, and the "
		    "region or endpoint URL that make up that name" };
	if (is_tls && says_tls && strstr(why, "certificate") != NULL)
		return (struct check_cause){ "tls-certificate", "--ca-bundle "
		    "with who signed it, if that is whom you trust" };
	if (is_tls && (says_tls || err == -EPROTO))
		return (struct check_cause){ "tls", "a server with TLS 1.2 or "
		    "1.3 there, and nothing in between that breaks it" };
	return (struct check_cause){ "unreachable", "the network, a firewall, "
	    "https_proxy, or the endpoint URL" };
}
