#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "fs/check.h"
#include "fs/progress.h"

/* The keyring's slab, the seal's keys and a message or two. */
#define MEMLOCK_WANTED (4ULL << 20)

/* ---- FUSE ---- */

/* Is an executable in $PATH (or where Debian has it)? */
static bool
has_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	if (path == NULL)
		path = "/usr/bin:/bin";
	while (*path != '\0') {
		size_t n = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name);
		if (access(file, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

static bool
fuse_conf_allows_other(void)
{
	FILE *f = fopen("/etc/fuse.conf", "re");
	char line[256];
	bool ret = false;

	while (f != NULL && !ret && fgets(line, sizeof(line), f) != NULL) {
		const char *at = line + strspn(line, " \t");

		ret = strncmp(at, "user_allow_other", 16) == 0 &&
		    strchr(" \t\r\n", at[16]) != NULL;
	}
	if (f != NULL)
		fclose(f);
	return ret;
}

static void
check_fuse(struct check *k)
{
	struct check_finding f = { .name = "fuse", .result = CHECK_MISSING };
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		f.cause = errno == EACCES ? "permission" : "no-fuse";
		f.fix = errno == EACCES ?
		    "chmod 666 /dev/fuse, as udev does" :
		    "modprobe fuse; in a container --device /dev/fuse and "
		    "CAP_SYS_ADMIN";
		check_note(k, &f, "/dev/fuse: %s", strerror(errno));
		return;
	}
	close(fd);
	if (geteuid() != 0 && !has_program("fusermount3")) {
		f.cause = "no-fusermount3";
		f.fix = "apt-get install fuse3";
		check_note(k, &f, "fusermount3 is not there, and only root "
		    "mounts without it");
	} else if (geteuid() != 0 && k->c->allow_other &&
	    !fuse_conf_allows_other()) {
		f.cause = "user-allow-other";
		f.fix = "a line user_allow_other in /etc/fuse.conf";
		check_note(k, &f, "--allow-other is not open to ordinary "
		    "users");
	} else {
		check_ok(k, "fuse", "/dev/fuse%s%s",
		    geteuid() != 0 ? ", fusermount3" : "",
		    k->c->allow_other ? ", others may be let in" : "");
	}
}

/* ---- locked memory ---- */

/* The limit does not bind everybody, so it is tried. */
static bool
can_lock(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool ret;

	if (p == MAP_FAILED)
		return false;
	ret = mlock(p, len) == 0;
	munmap(p, len);
	return ret;
}

static void
check_memlock(struct check *k)
{
	struct rlimit rl = { 0 };
	char have[32] = "any amount", wanted[32];

	getrlimit(RLIMIT_MEMLOCK, &rl);
	if (rl.rlim_cur != RLIM_INFINITY)
		progress_size(rl.rlim_cur, have);
	progress_size(MEMLOCK_WANTED, wanted);
	if (can_lock(MEMLOCK_WANTED))
		check_ok(k, "memlock", "%s can be locked, the limit is %s",
		    wanted, have);
	else
		check_note(k, &(struct check_finding){ "memlock", CHECK_WARN,
		    "memlock", NULL, "ulimit -l 65536, or LimitMEMLOCK=64M in "
		    "the unit" }, "%s cannot be locked, the limit is %s: keys "
		    "may reach swap", wanted, have);
}

/* ---- core dumps ---- */

/* Main has switched them off; did that take? A process that is not dumpable
 * leaves no core, whatever the pattern says, and cannot be traced. */
static void
check_dumpable(struct check *k)
{
	struct rlimit rl = { 0 };
	char pattern[256] = "";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");

	if (f != NULL && fgets(pattern, sizeof(pattern), f) != NULL)
		pattern[strcspn(pattern, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
		check_ok(k, "dumpable", "no core dumps, no tracing");
	else if (pattern[0] != '|' && getrlimit(RLIMIT_CORE, &rl) == 0 &&
	    rl.rlim_max == 0)
		check_note(k, &(struct check_finding){ "dumpable", CHECK_WARN,
		    "dumpable", NULL, "a sandbox that lets prctl(2) set "
		    "PR_SET_DUMPABLE" }, "other programs of yours may trace "
		    "sesfs, though it dumps no core");
	else
		check_note(k, &(struct check_finding){ "dumpable",
		    CHECK_MISSING, "dumpable", NULL, "a sandbox that lets "
		    "prctl(2) set PR_SET_DUMPABLE" }, "a crash may write keys "
		    "and mail to %s, and other programs of yours may trace "
		    "sesfs", pattern[0] != '\0' ? pattern : "a core file");
}

/* ---- FIPS ---- */

/* --fips chooses endpoints and TLS; whose code computes is not its to choose. */
static void
check_fips(struct check *k)
{
	struct check_finding f = { "fips", CHECK_WARN, "no-fips-module",
		NULL, "openssl fipsinstall, and fips=yes in the "
		"default_properties of openssl.cnf" };
	bool seals = k->c->seal_key != NULL;

	if (!k->c->fips)
		return;
	if (!crypto_has_fips_module()) {
		check_note(k, &f, "OpenSSL's FIPS module is not active: its "
		    "other code decrypts mail, signs requests and speaks "
		    "TLS%s", seals ? "; libsodium seals what is kept "
		    "(XChaCha20-Poly1305)" : "");
	} else if (seals) {
		f.cause = "not-fips";
		f.fix = "--seal-key=none, if nothing else than FIPS may be "
		    "used";
		check_note(k, &f, "OpenSSL's FIPS module is active, but "
		    "libsodium seals what is kept (XChaCha20-Poly1305)");
	} else {
		check_ok(k, "fips", "OpenSSL's FIPS module decrypts mail and "
		    "signs requests");
	}
}

void
check_machine(struct check *k)
{
	check_fuse(k);
	check_memlock(k);
	check_dumpable(k);
	check_fips(k);
}
