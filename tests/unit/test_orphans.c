#include "check.h"

#include "fs/orphans.h"

#define N 20000

int
main(void)
{
	struct orphans o;
	size_t found = 0;

	orphans_init(&o);
	CHECK(!orphans_take(&o, 5));
	for (int64_t i = 1; i <= N; i++) {
		orphans_add(&o, i * 3);
		orphans_add(&o, i * 3); /* once is enough */
	}
	CHECK_EQ(o.n, N);
	CHECK(!orphans_take(&o, 4));

	/* every second one goes; the others are still found */
	for (int64_t i = 1; i <= N; i += 2)
		found += orphans_take(&o, i * 3);
	CHECK_EQ(found, N / 2);
	for (int64_t i = 1; i <= N; i += 2)
		found += orphans_take(&o, i * 3);
	CHECK_EQ(found, N / 2);
	for (int64_t i = 2; i <= N; i += 2)
		found += orphans_take(&o, i * 3);
	CHECK_EQ(found, N);
	CHECK_EQ(o.n, 0);

	/* coming and going does not make it larger */
	found = o.cap;
	for (int64_t i = 1; i <= 4 * N; i++) {
		orphans_add(&o, i);
		CHECK_AT(i, orphans_take(&o, i));
	}
	CHECK_EQ(o.cap, found);
	orphans_destroy(&o);
	return check_done();
}
