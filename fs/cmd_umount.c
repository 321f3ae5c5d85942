#include <errno.h>
#include <string.h>

#include "fs/cmd.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "fs/statedir.h"

/* The daemon finishes what it has begun and wipes its keys. */
#define GONE_MS 30000

int
cmd_umount(const struct config *c)
{
	char state_dir[CMD_PATH_MAX] = "";
	struct mountinfo info;
	int r = mountinfo_read(c->mountpoint, &info);

	if (r < 0)
		return cmd_fail(1, "%s: %s", c->mountpoint, r == -ENOENT ?
		    "nothing is mounted there" : strerror(-r));
	if (strcmp(info.type, "fuse.sesfs") != 0)
		return cmd_fail(1, "%s: a %s is mounted there, not sesfs",
		    c->mountpoint, info.type);
	/* A dead daemon's mount is taken away all the same. */
	if (cmd_state_dir(c->mountpoint, state_dir) != 0)
		state_dir[0] = '\0';
	if ((r = mount_detach(c->mountpoint, c->lazy)) < 0)
		return cmd_fail(1, "%s: %s%s", c->mountpoint, strerror(-r),
		    r == -EBUSY ? "; close what is open there, or use --lazy" :
				  "");
	if (state_dir[0] != '\0' &&
	    statedir_wait_unlocked(state_dir, GONE_MS) < 0)
		return cmd_fail(1, "%s: unmounted, but its daemon has not "
		    "ended yet: it waits for what is open or under way",
		    c->mountpoint);
	return 0;
}
