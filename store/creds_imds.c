#include <errno.h>
#include <stdlib.h>

#include "store/creds_providers.h"
#include "store/imds.h"

struct instance {
	struct creds_setup setup;
	bool must_be;
	bool was; /* it has answered before: now it ought to */
};

static int
imds_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	struct instance *in = arg;
	int r = imds_credentials(&in->setup, ret, why);

	in->was = in->was || r == 0;
	return r == -ENOENT && (in->must_be || in->was) ? -EHOSTUNREACH : r;
}

int
creds_imds_provider(const struct creds_setup *setup, bool must_be,
    struct creds_provider *ret)
{
	struct instance *in;

	if ((in = malloc(sizeof(*in))) == NULL)
		return -ENOMEM;
	*in = (struct instance){ *setup, must_be, false };
	*ret = (struct creds_provider){ .name = IMDS_SOURCE,
		.fetch = imds_fetch, .free = free, .arg = in };
	return 0;
}
