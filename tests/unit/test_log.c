#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "store/buf.h"
#include "store/log.h"

static char path[] = "/tmp/sesfs-log.XXXXXX";

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void *
fail(void *arg)
{
	log_err(-1, "hidden: another thread's");
	return arg;
}

int
main(void)
{
	char kept[32] = "";
	atomic_bool is_quiet = true;
	struct buf b = BUF_INIT(1 << 20);
	const char *text;
	char huge[5000];
	struct stat st;
	pthread_t t;

	close(mkstemp(path));
	unlink(path);
	CHECK_EQ(log_open("/nonesuch/log"), -ENOENT);
	CHECK_EQ(log_open(path), 0);
	log_set_level(LOG_LEVEL_INFO);
	CHECK_EQ(log_err(-EACCES, "s3: get %s: refused", "a\nb\033[1mc"),
	    -EACCES);
	CHECK_EQ(log_debug(3, "hidden"), 3);
	CHECK_EQ(log_warn(0, "\xc3\xb6 stays, \xc2\x9b does not"), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(log_info(i, "again %d", i), i);
	/* one cause, another, and none in particular */
	for (int i = 0; i < 10; i++)
		CHECK_EQ(log_err_about(i, i % 2 ? "odd" : "even", "by cause %d",
		    i), i);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(log_warn_about(i, NULL, "by none %d", i), i);
	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(log_debug(i, "all of %d", i), i);
	log_set_level(LOG_LEVEL_INFO);
	memset(huge, '\n', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	CHECK_EQ(log_err(0, "%s", huge), 0);
	errno = EPIPE;
	CHECK_EQ(log_err(0, "errno is kept"), 0);
	CHECK_EQ(errno, EPIPE);
	log_set_thread_quiet(&is_quiet);
	CHECK(log_thread_is_quiet());
	CHECK_EQ(log_err(-5, "hidden: nobody waits"), -5);
	log_set_level(LOG_LEVEL_DEBUG);
	CHECK_EQ(log_err(-5, "a quiet error"), -5);
	log_set_level(LOG_LEVEL_INFO);
	atomic_store(&is_quiet, false);
	CHECK_EQ(log_err(-5, "somebody waits now"), -5);
	log_set_thread_quiet(NULL);
	CHECK(!log_thread_is_quiet());
	log_set_level(LOG_LEVEL_NONE);
	CHECK_EQ(log_err(-1, "hidden, not kept"), -1);
	log_keep(kept, sizeof(kept));
	CHECK_EQ(log_warn(-1, "hidden: a warning"), -1);
	CHECK_STR(kept, "");
	CHECK_EQ(log_err(-1, "hidden: %s", "a\nb"), -1);
	CHECK_STR(kept, "hidden: a\\x0ab");
	/* What follows from it, and what others say. */
	CHECK_EQ(log_err(-1, "hidden: so nothing works"), -1);
	CHECK_STR(kept, "hidden: a\\x0ab");
	log_keep(kept, sizeof(kept));
	CHECK_STR(kept, "");
	CHECK_EQ(pthread_create(&t, NULL, fail, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_STR(kept, "");
	CHECK_EQ(log_err(-1, "hidden: %s", "a\nb"), -1);
	CHECK_STR(kept, "hidden: a\\x0ab");
	log_keep(NULL, 0);
	CHECK_EQ(log_err(-1, "hidden, not kept"), -1);
	CHECK_STR(kept, "hidden: a\\x0ab");
	CHECK_EQ(log_open("stderr"), 0);

	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(buf_add_file(&b, path), 0);
	text = buf_str(&b);
	CHECK(strstr(text, "Z sesfs: error: s3: get a\\x0ab\\x1b[1mc: "
	    "refused\n") != NULL);
	CHECK(strstr(text, "warning: \xc3\xb6 stays, \\xc2\\x9b does not\n") !=
	    NULL);
	CHECK(strstr(text, "hidden") == NULL);
	CHECK_EQ(count(text, "again"), 20);
	CHECK_EQ(count(text, "error: by cause 0\n"), 1);
	CHECK_EQ(count(text, "error: by cause 1\n"), 1);
	CHECK_EQ(count(text, "by cause"), 2);
	CHECK_EQ(count(text, "by none"), 10);
	CHECK_EQ(count(text, "all of"), 100);
	CHECK_EQ(count(text, "debug: a quiet error\n"), 1);
	CHECK_EQ(count(text, "error: somebody waits now\n"), 1);
	CHECK_EQ(count(text, "\n"), 138);
	CHECK_EQ(text[4] == '-' && text[10] == 'T', 1);
	buf_free(&b);
	unlink(path);
	return check_done();
}
