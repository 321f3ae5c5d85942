#include "store/blobold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/log.h"

#define SHARDS 256
#define DIGITS "0123456789abcdef"

bool
blobold_is_shard(const char *name)
{
	return strlen(name) == 2 && strspn(name, DIGITS) == 2;
}

static void
empty(int fd, const atomic_bool *is_stopping)
{
	struct dirent *e;
	DIR *d = fdopendir(fd);

	if (d == NULL) {
		close(fd);
		return;
	}
	while (!atomic_load(is_stopping) && (e = readdir(d)) != NULL)
		unlinkat(fd, e->d_name, 0); /* what stays keeps rmdir away */
	closedir(d);
}

/* A shard that is a link is removed, and nothing of where it points. */
static void
remove_shard(int dirfd, const char *name, const atomic_bool *is_stopping)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		log_warn(0, "blobcache: blobs/%s is no directory: removed",
		    name);
		unlinkat(dirfd, name, 0);
		return;
	}
	if (fd >= 0)
		empty(fd, is_stopping);
	if (!atomic_load(is_stopping) && unlinkat(dirfd, name, AT_REMOVEDIR) <
	    0 && errno != ENOENT)
		log_warn(-errno, "blobcache: remove blobs/%s: %s", name,
		    strerror(errno));
}

void
blobold_remove(int dirfd, const atomic_bool *is_stopping)
{
	char name[3];

	log_info(0, "blobcache: blobs/ has files of an older version: removing "
	    "them; what they held is fetched again when it is read");
	for (unsigned i = 0; i < SHARDS && !atomic_load(is_stopping); i++) {
		snprintf(name, sizeof(name), "%02x", i & 0xff);
		remove_shard(dirfd, name, is_stopping);
	}
}
