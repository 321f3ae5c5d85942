#include "fs/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (16 * 1024 * 1024) /* bytes of mountinfo read at most */

/* Copy a field up to a space, undoing \ooo escapes. Returns what follows the
 * field, or NULL when it does not fit or does not end. */
static const char *
field(const char *at, const char *end, char *ret, size_t max)
{
	size_t n = 0;

	while (at < end && *at != ' ') {
		char c = *at++;

		if (c == '\\' && end - at >= 3) {
			c = (char)((at[0] - '0') << 6 | (at[1] - '0') << 3 |
			    (at[2] - '0'));
			at += 3;
		}
		if (n + 1 >= max)
			return NULL;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return at < end ? at + 1 : NULL;
}

/* id parent major:minor root mountpoint options [optional...] - type ... */
static int
parse_line(const char *at, const char *end, struct mountinfo *ret)
{
	char number[32], skip[4096];
	unsigned parent;

	for (int i = 0; i < 3; i++) {
		if ((at = field(at, end, number, sizeof(number))) == NULL)
			return -EINVAL;
		if (i == 0 && sscanf(number, "%u", &ret->id) != 1)
			return -EINVAL;
		if (i == 1 && sscanf(number, "%u", &parent) != 1)
			return -EINVAL;
		if (i == 2 && sscanf(number, "%u:%u", &ret->major,
				  &ret->minor) != 2)
			return -EINVAL;
	}
	if ((at = field(at, end, skip, sizeof(skip))) == NULL ||
	    (at = field(at, end, ret->mountpoint,
		 sizeof(ret->mountpoint))) == NULL)
		return -EINVAL;
	do {
		if ((at = field(at, end, skip, sizeof(skip))) == NULL)
			return -EINVAL;
	} while (strcmp(skip, "-") != 0);
	return field(at, end, ret->type, sizeof(ret->type)) == NULL ? -EINVAL :
								      0;
}

/* The end of the line that begins at `at`. */
static const char *
line_end(const char *at, const char *end)
{
	const char *nl = memchr(at, '\n', (size_t)(end - at));

	return nl != NULL ? nl : end;
}

bool
mountinfo_has(const char *text, size_t len, unsigned major, unsigned minor)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		const char *stop = line_end(at, end);
		struct mountinfo one = { 0 };

		if (parse_line(at, stop, &one) == 0 && one.major == major &&
		    one.minor == minor)
			return true;
		at = stop + 1;
	}
	return false;
}

int
mountinfo_find(const char *text, size_t len, const char *path,
    struct mountinfo *ret)
{
	const char *at = text, *end = text + len;
	struct mountinfo one;
	int r = -ENOENT;

	memset(ret, 0, sizeof(*ret));
	while (at < end) {
		const char *stop = line_end(at, end);

		memset(&one, 0, sizeof(one));
		if (parse_line(at, stop, &one) == 0 &&
		    strcmp(one.mountpoint, path) == 0) {
			*ret = one; /* later lines lie on top */
			r = 0;
		}
		at = stop + 1;
	}
	return r;
}

/* The whole file; procfs has no size to ask for. */
static int
slurp(int fd, char **ret, size_t *ret_len)
{
	size_t cap = 64 * 1024, len = 0;
	char *buf = malloc(cap);
	ssize_t n;

	while (buf != NULL && (n = read(fd, buf + len, cap - len)) > 0) {
		len += (size_t)n;
		if (len < cap)
			continue;
		if (cap >= TEXT_MAX) {
			free(buf);
			return -EMSGSIZE;
		}
		cap *= 2;
		char *bigger = realloc(buf, cap);

		if (bigger == NULL)
			free(buf);
		buf = bigger;
	}
	if (buf == NULL)
		return -ENOMEM;
	*ret = buf;
	*ret_len = len;
	return 0;
}

static int
slurp_proc(char **ret, size_t *ret_len)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = slurp(fd, ret, ret_len);
	close(fd);
	return r;
}

int
mountinfo_read(const char *path, struct mountinfo *ret)
{
	char *text;
	size_t len;
	int r = slurp_proc(&text, &len);

	if (r < 0)
		return r;
	r = mountinfo_find(text, len, path, ret);
	free(text);
	return r;
}

int
mountinfo_read_has(unsigned major, unsigned minor)
{
	char *text;
	size_t len;
	int r = slurp_proc(&text, &len);

	if (r < 0)
		return r;
	r = mountinfo_has(text, len, major, minor);
	free(text);
	return r;
}
