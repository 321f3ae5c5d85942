/* credential_process runs as botocore runs it, by the shell, because the field
 * has quoting, pipes and variables in that setting. What it prints is a secret
 * and never leaves this file but into a struct creds_value; its stderr goes to
 * ours, where its author wanted it, and not into the log. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/buf.h"
#include "store/creds_providers.h"
#include "store/stamp.h"

#define OUTPUT_MAX 65536 /* bytes */
#define TIMEOUT_MS 60000

extern char **environ;

static int
spawn_shell(const char *command, int out, pid_t *ret)
{
	char sh[] = "/bin/sh", c[] = "-c", *copy = strdup(command);
	char *argv[] = { sh, c, copy, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, dfl;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	/* Its own group, so that all of a pipeline can be ended. */
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigemptyset(&dfl);
	sigaddset(&dfl, SIGPIPE);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &dfl);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = -posix_spawn(ret, sh, &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	free(copy);
	return r;
}

/* Read to the end of file or of time. */
static int
read_output(int fd, int64_t until_ms, struct buf *out)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until_ms - stamp_now_ms();
		uint8_t chunk[1024];
		ssize_t n;
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		r = n > 0 ? buf_add(out, chunk, (size_t)n) : 0;
		sodium_memzero(chunk, sizeof(chunk));
		if (r < 0)
			return r;
	}
}

/* Wait for the process; past the time, or when its output was no good, end
 * it. */
static int
reap(pid_t pid, int64_t until_ms, bool must_end)
{
	int status = 0;
	pid_t r;

	if (must_end)
		kill(-pid, SIGKILL);
	while ((r = waitpid(pid, &status, must_end ? 0 : WNOHANG)) == 0 ||
	    (r < 0 && errno == EINTR)) {
		if (stamp_now_ms() >= until_ms) {
			kill(-pid, SIGKILL);
			must_end = true;
		} else {
			poll(NULL, 0, 5);
		}
	}
	return r == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
run(const char *command, struct buf *out, char why[CREDS_WHY_MAX])
{
	int64_t until_ms = stamp_now_ms() + TIMEOUT_MS;
	int fd[2], r, status;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	r = spawn_shell(command, fd[1], &pid);
	close(fd[1]);
	if (r < 0) {
		close(fd[0]);
		return r;
	}
	r = read_output(fd[0], until_ms, out);
	close(fd[0]);
	status = reap(pid, until_ms, r < 0);
	if (r < 0)
		snprintf(why, CREDS_WHY_MAX, "credential_process: %s",
		    r == -ETIMEDOUT ? "took longer than a minute" :
		    strerror(-r));
	else if (status != 0)
		snprintf(why, CREDS_WHY_MAX,
		    "credential_process: exit status %d", status);
	return r < 0 ? r : status != 0 ? -EIO : 0;
}

static int
copy_string(const json_t *o, const char *name, char *ret, size_t size)
{
	const json_t *v = json_object_get(o, name);

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v) || json_string_length(v) >= size)
		return -EINVAL;
	memcpy(ret, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int
take_json(const json_t *o, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const json_t *version = json_object_get(o, "Version");
	char expires[64] = "";

	if (!json_is_integer(version) || json_integer_value(version) != 1) {
		snprintf(why, CREDS_WHY_MAX, "credential_process: Version "
		    "is not 1");
		return -EINVAL;
	}
	if (copy_string(o, "AccessKeyId", ret->key_id, sizeof(ret->key_id)) ||
	    copy_string(o, "SecretAccessKey", ret->secret,
		sizeof(ret->secret)) ||
	    copy_string(o, "SessionToken", ret->token, sizeof(ret->token)) ||
	    copy_string(o, "Expiration", expires, sizeof(expires)) ||
	    ret->key_id[0] == '\0' || ret->secret[0] == '\0') {
		snprintf(why, CREDS_WHY_MAX, "credential_process: no proper "
		    "AccessKeyId and SecretAccessKey");
		return -EINVAL;
	}
	if (expires[0] != '\0' &&
	    stamp_parse_iso(expires, &ret->expires_unix) < 0) {
		snprintf(why, CREDS_WHY_MAX, "credential_process: Expiration "
		    "is not an ISO 8601 time");
		return -EINVAL;
	}
	return 0;
}

/* jansson's strings hold secrets while they live. */
static void
wipe_strings(json_t *o)
{
	const char *name;
	json_t *v;

	json_object_foreach(o, name, v) {
		const char *s = json_string_value(v);
		void *p;

		if (s == NULL)
			continue;
		memcpy(&p, &s, sizeof(p)); /* ours to spoil: it goes now */
		sodium_memzero(p, json_string_length(v));
	}
}

int
creds_process_parse(struct slice json, struct creds_value *ret,
    char why[CREDS_WHY_MAX])
{
	json_t *o = json_loadb((const char *)json.ptr, json.len, 0, NULL);
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!json_is_object(o)) {
		json_decref(o);
		snprintf(why, CREDS_WHY_MAX,
		    "credential_process: output is not a JSON object");
		return -EINVAL;
	}
	r = take_json(o, ret, why);
	if (r < 0)
		creds_value_wipe(ret);
	wipe_strings(o);
	json_decref(o);
	return r;
}

static int
process_fetch(void *arg, struct creds_value *ret, char why[CREDS_WHY_MAX])
{
	const char *command = awsconf_get(arg, NULL, "credential_process");
	struct buf out = BUF_INIT(OUTPUT_MAX);
	int r;

	if (command == NULL) {
		snprintf(why, CREDS_WHY_MAX, "profile %s has none",
		    awsconf_profile(arg));
		return -ENOENT;
	}
	r = run(command, &out, why);
	if (r == 0)
		r = creds_process_parse((struct slice){ out.ptr, out.len },
		    ret, why);
	buf_free(&out);
	return r == -ENOENT ? -EIO : r;
}

int
creds_process_provider(const struct awsconf *conf,
    struct creds_provider *ret)
{
	void *arg;

	memcpy(&arg, &conf, sizeof(arg)); /* only ever read */
	*ret = (struct creds_provider){ "credential_process", process_fetch,
		NULL, arg };
	return 0;
}
