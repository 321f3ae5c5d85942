#include "check.h"

#include <errno.h>

#include "fs/mountinfo.h"

static const char text[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "nonsense\n"
    "30 22 0:40 / /mnt/a\\040b rw - fuse.sesfs s3://x rw\n"
    "31 22 0:41 / /mnt/twice rw master:1 propagate_from:2 - tmpfs t rw\n"
    "32 31 0:42 / /mnt/twice rw - fuse.sesfs s3://y rw\n"
    "33 22 0:43 / /mnt/cut rw";

static const struct {
	const char *path;
	int want;
	unsigned id, minor;
	const char *type;
} cases[] = {
	{ "/", 0, 22, 1, "ext4" },
	{ "/mnt/a b", 0, 30, 40, "fuse.sesfs" },
	{ "/mnt/twice", 0, 32, 42, "fuse.sesfs" },
	{ "/mnt/cut", -ENOENT, 0, 0, "" },
	{ "/mnt", -ENOENT, 0, 0, "" },
};

int
main(void)
{
	struct mountinfo info;

	for (size_t i = 0; i < NELEMS(cases); i++) {
		CHECK_EQ_AT(i, mountinfo_find(text, strlen(text),
		    cases[i].path, &info), cases[i].want);
		CHECK_EQ_AT(i, info.id, cases[i].id);
		CHECK_EQ_AT(i, info.minor, cases[i].minor);
		CHECK_STR_AT(i, info.type, cases[i].type);
	}
	CHECK(mountinfo_has(text, strlen(text), 0, 41)); /* covered */
	CHECK(mountinfo_has(text, strlen(text), 8, 1));
	CHECK(!mountinfo_has(text, strlen(text), 0, 1));
	CHECK(!mountinfo_has(text, strlen(text), 0, 43));
	CHECK_EQ(mountinfo_read_has(0, 0), 0);
	CHECK_EQ(mountinfo_read("/proc", &info), 0);
	CHECK_EQ(mountinfo_read_has(info.major, info.minor), 1);
	CHECK_STR(info.type, "proc");
	return check_done();
}
