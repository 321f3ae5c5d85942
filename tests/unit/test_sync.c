#include "check.h"
#include "store/source.h"
#include "store/sync.h"

static const struct {
	uint64_t lists;
	int64_t at_least, at_most; /* seconds */
} intervals[] = {
	{ 1, 60, 60 },
	{ 9, 60, 60 },
	{ 101, 600, 700 },
	{ 1001, 6400, 6600 },
};

static const struct {
	const char *key;
	bool is_mail;
} keys[] = {
	{ "inbound/abc", true },
	{ "abc", true },
	{ "inbound/", false },
	{ "", false },
	{ "inbound/AMAZON_SES_SETUP_NOTIFICATION", false },
	{ "AMAZON_SES_SETUP_NOTIFICATION", false },
	{ "AMAZON_SES_SETUP_NOTIFICATION/x", true },
	{ "inbound/abc.instruction", false },
	{ ".instruction", false },
	{ "abc.instructions", true },
};

int
main(void)
{
	for (size_t i = 0; i < NELEMS(intervals); i++) {
		int64_t s = sync_poll_interval(intervals[i].lists);

		CHECK_AT(i, s >= intervals[i].at_least);
		CHECK_AT(i, s <= intervals[i].at_most);
		CHECK_AT(i, sync_poll_cost(intervals[i].lists, s) <= 2.0);
	}
	/* a million objects each minute */
	CHECK(sync_poll_cost(1000, 60) > 215);
	CHECK(sync_poll_cost(1000, 60) < 217);
	for (size_t i = 0; i < NELEMS(keys); i++)
		CHECK_AT(i, source_key_is_mail(keys[i].key) ==
		    keys[i].is_mail);
	return check_done();
}
