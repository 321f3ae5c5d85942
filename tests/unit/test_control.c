#include "fs/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "fs/sockline.h"
#include "fs/statedir.h"
#include "fs/status.h"
#include "store/log.h"

static const struct {
	const char *line;
	int want;
	struct control_request req;
} requests[] = {
	{ "{\"cmd\":\"status\"}", 0, { .cmd = CONTROL_STATUS } },
	{ "{\"cmd\":\"status\",\"all\":true}", 0,
	    { .cmd = CONTROL_STATUS, .all = true } },
	{ "{\"cmd\":\"status\",\"all\":1}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"sync\"}", 0, { .cmd = CONTROL_SYNC } },
	{ "{\"cmd\":\"sync\",\"all\":true}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"forget\",\"what\":\"keys\"}", 0,
	    { .cmd = CONTROL_FORGET, .forget = FORGET_KEYS } },
	{ "{\"cmd\":\"forget\",\"what\":\"cache\"}", 0,
	    { .cmd = CONTROL_FORGET, .forget = FORGET_CACHE } },
	{ "{\"cmd\":\"forget\",\"what\":\"me\"}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"warm\"}", 0, { .cmd = CONTROL_WARM } },
	{ "{\"cmd\":\"warm\",\"folder\":\"Sales.2026\"}", 0,
	    { .cmd = CONTROL_WARM, .has_folder = true,
		.folder = "Sales.2026" } },
	{ "{\"cmd\":\"warm\",\"folder\":\"\"}", 0,
	    { .cmd = CONTROL_WARM, .has_folder = true } },
	{ "{\"cmd\":\"warm\",\"folder\":\"a\\u0000b\"}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"warm\",\"folder\":1}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"warm\",\"what\":\"keys\"}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"forget\"}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"log-level\",\"level\":\"debug\"}", 0,
	    { .cmd = CONTROL_LOG_LEVEL, .level = LOG_LEVEL_DEBUG } },
	{ "{\"cmd\":\"log-level\",\"level\":3}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"status\",\"cmd\":\"sync\"}", -EINVAL, { 0 } },
	{ "{\"cmd\":\"status\"} x", -EINVAL, { 0 } },
	{ "{\"cmd\":7}", -EINVAL, { 0 } },
	{ "{}", -EINVAL, { 0 } },
	{ "[]", -EINVAL, { 0 } },
	{ "\"status\"", -EINVAL, { 0 } },
	{ "", -EINVAL, { 0 } },
};

static void
test_requests(void)
{
	for (size_t i = 0; i < NELEMS(requests); i++) {
		struct control_request req;
		const char *why;

		CHECK_EQ_AT(i, control_parse(requests[i].line,
		    strlen(requests[i].line), &req, &why), requests[i].want);
		if (requests[i].want < 0) {
			CHECK_AT(i, why[0] != '\0');
			continue;
		}
		CHECK_EQ_AT(i, req.cmd, requests[i].req.cmd);
		CHECK_EQ_AT(i, req.all, requests[i].req.all);
		CHECK_EQ_AT(i, req.forget, requests[i].req.forget);
		CHECK_EQ_AT(i, req.has_folder, requests[i].req.has_folder);
		CHECK_STR(req.folder, requests[i].req.folder);
		CHECK_EQ_AT(i, req.level, requests[i].req.level);
	}
}

/* ---- over a socket ---- */

static int
answer(void *arg, const struct control_request *req,
    struct control_client *client, json_t **ret)
{
	switch (req->cmd) {
	case CONTROL_STATUS:
		*ret = json_pack("{s:b}", "all", (int)req->all);
		return 0;
	case CONTROL_SYNC:
		for (int i = 1; i <= 3; i++)
			if (control_progress(client,
				json_pack("{s:i}", "done", i)) < 0)
				return -EPIPE;
		return 0;
	default:
		return -EBUSY;
	}
}

static void
count_progress(void *arg, const json_t *p)
{
	int *n = arg;

	++*n;
	CHECK_EQ(json_integer_value(json_object_get(p, "done")), *n);
}

static void
test_answers(const char *dir)
{
	json_t *j;
	char why[256];
	int n = 0;

	CHECK_EQ(control_ask(dir, "{\"cmd\":\"status\",\"all\":true}", NULL,
	    NULL, &j, why), 0);
	CHECK(json_is_true(json_object_get(j, "all")));
	json_decref(j);
	CHECK_EQ(control_ask(dir, "{\"cmd\":\"sync\"}", count_progress, &n, &j,
	    why), 0);
	CHECK(json_is_null(j));
	CHECK_EQ(n, 3);
	CHECK_EQ(control_ask(dir, "{\"cmd\":\"forget\",\"what\":\"keys\"}",
	    NULL, NULL, &j, why), -EREMOTEIO);
	CHECK_STR(why, strerror(EBUSY));
	CHECK(j == NULL);
	CHECK_EQ(control_ask(dir, "nonsense", NULL, NULL, &j, why),
	    -EREMOTEIO);
	CHECK_STR(why, "not a JSON object");
}

/* A line that never ends is answered, not kept. */
static void
test_endless(const char *dir)
{
	char junk[4096], *line;
	struct sockline in = { 0 };
	size_t len;
	int fd = sockline_connect(dir);

	memset(junk, 'x', sizeof(junk));
	CHECK(fd >= 0);
	CHECK_EQ(sockline_send(fd, -1, junk, sizeof(junk), 5000), 0);
	CHECK_EQ(sockline_read(fd, -1, &in, 4096, 60000, &line, &len), 0);
	CHECK(line != NULL && strstr(line, "request too long") != NULL);
	sockline_free(&in);
	close(fd);
}

static void
test_server(const char *work)
{
	char dir[4096], part[200], why[256];
	struct control *c;
	struct stat st;
	json_t *j;

	/* Longer than sun_path. */
	memset(part, 'd', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	snprintf(dir, sizeof(dir), "%s/%s", work, part);
	CHECK_EQ(mkdir(dir, 0700), 0);
	CHECK_EQ(control_ask(dir, "{}", NULL, NULL, &j, why), -ENOENT);
	for (int i = 0; i < 2; i++) { /* the second over a dead one's socket */
		const struct control_opts o = { dir, answer, NULL };
		char path[8192];

		CHECK_EQ(control_start(&o, &c), 0);
		snprintf(path, sizeof(path), "%s/control", dir);
		CHECK_EQ(stat(path, &st), 0);
		CHECK_EQ(st.st_mode & 0777, 0600);
		test_answers(dir);
		test_endless(dir);
		control_free(c);
		CHECK_EQ(access(path, F_OK), -1);
		if (i == 0)
			CHECK((close(sockline_listen(dir)), true));
		else
			rmdir(dir);
	}
}

/* Ending does not wait for a client that says nothing. */
static void
test_silent_client(const char *work)
{
	const struct control_opts o = { work, answer, NULL };
	struct control *c;
	int fd[3];

	CHECK_EQ(control_start(&o, &c), 0);
	for (size_t i = 0; i < NELEMS(fd); i++)
		CHECK((fd[i] = sockline_connect(work)) >= 0);
	test_answers(work);
	control_free(c);
	for (size_t i = 0; i < NELEMS(fd); i++)
		close(fd[i]);
}

/* ---- the state directory ---- */

static char *
no_env(const char *name)
{
	static char home[] = "/home/x";

	return strcmp(name, "HOME") == 0 ? home : NULL;
}

static void
test_statedir(const char *work)
{
	char dir[4096], *a, *b;
	pid_t pid;
	int fd, fd2;

	snprintf(dir, sizeof(dir), "%s/a/b", work);
	CHECK_EQ(statedir_create(dir), 0);
	CHECK_EQ(statedir_create(dir), 0);
	CHECK_EQ(statedir_lock(dir, &fd, &pid), 0);
	CHECK_EQ(statedir_lock(dir, &fd2, &pid), -EWOULDBLOCK);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(statedir_wait_unlocked(dir, 50), -ETIMEDOUT);
	close(fd);
	CHECK_EQ(statedir_wait_unlocked(dir, 60000), 0);
	CHECK_EQ(statedir_lock(dir, &fd, &pid), 0);
	close(fd);
	CHECK_EQ(chmod(dir, 0750), 0);
	CHECK_EQ(statedir_create(dir), -EACCES);
	CHECK_EQ(chmod(dir, 0700), 0);

	CHECK_EQ(statedir_default("s3://b", NULL, no_env, &a), 0);
	CHECK(strncmp(a, "/home/x/.local/state/sesfs/", 27) == 0);
	CHECK_EQ(statedir_default("s3://b", NULL, no_env, &b), 0);
	CHECK_STR(a, b);
	free(b);
	CHECK_EQ(statedir_default("s3://b", "http://h", no_env, &b), 0);
	CHECK(strcmp(a, b) != 0);
	free(a);
	free(b);
}

static void
test_cost(void)
{
	struct aws_stats s = { 0 };

	s.requests[AWS_S3_LIST] = 1000;
	s.requests[AWS_S3_GET] = 1000;
	s.requests[AWS_KMS_DECRYPT] = 10000;
	s.requests[AWS_STS] = 1000;
	CHECK_EQ((int64_t)(status_cost_usd(&s) * 1e6 + 0.5), 35400);
}

int
main(void)
{
	char work[] = "/tmp/sesfs-test-control-XXXXXX", cmd[64];

	log_set_level(LOG_LEVEL_ERR);
	if (mkdtemp(work) == NULL)
		return 1;
	test_requests();
	test_server(work);
	test_silent_client(work);
	test_statedir(work);
	test_cost();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", work);
	return system(cmd) != 0 || check_done();
}
