#include "cloud.h"

#include "stamp.h"

#include <stdio.h>

int64_t
cloud_now(const struct cloud *c)
{
	return stamp_now() + settings_get(&c->settings, SET_CLOCK_OFFSET);
}

void
cloud_need_bucket(struct cloud *c, const char *name)
{
	struct bucket_info info = { .created = cloud_now(c) };

	snprintf(info.name, sizeof info.name, "%s", name);
	snprintf(info.region, sizeof info.region, "%s", c->region);
	snprintf(info.owner, sizeof info.owner, "%s", c->account);
	store_create(c->store, &info);
}
