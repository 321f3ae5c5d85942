#include "check.h"

#include "fs/held.h"

#define LAST (HELD_MAX - 1)

int
main(void)
{
	static const int64_t some[] = { 0, 1, 63, 64, 65, 127, 1000000, LAST };
	struct held h;

	held_init(&h);
	for (size_t i = 0; i < NELEMS(some); i++) {
		CHECK_AT(i, !held_has(&h, some[i]));
		held_add(&h, some[i]);
		CHECK_AT(i, held_has(&h, some[i]));
	}
	CHECK(!held_has(&h, 62) && !held_has(&h, 66) && !held_has(&h, 2));
	held_remove(&h, 64);
	held_remove(&h, 64);
	CHECK(!held_has(&h, 64) && held_has(&h, 63) && held_has(&h, 65));

	/* what it cannot remember is not held */
	held_add(&h, HELD_MAX);
	held_add(&h, -1);
	held_remove(&h, HELD_MAX);
	held_remove(&h, -1);
	CHECK(!held_has(&h, HELD_MAX) && !held_has(&h, -1));

	/* asked for once is no miss, twice is one */
	CHECK_EQ(held_misses(&h), 0);
	held_asked(&h, 64);
	held_asked(&h, HELD_MAX);
	held_asked(&h, HELD_MAX);
	CHECK_EQ(held_misses(&h), 0);
	held_asked(&h, 64);
	held_asked(&h, 65);
	CHECK_EQ(held_misses(&h), 2);
	held_remove(&h, 64);
	held_asked(&h, 64);
	CHECK_EQ(held_misses(&h), 2);
	held_destroy(&h);

	/* without memory nothing is ever held */
	h = (struct held){ 0 };
	held_add(&h, 1);
	held_asked(&h, 1);
	held_asked(&h, 1);
	CHECK(!held_has(&h, 1) && held_misses(&h) == 0);
	return check_done();
}
