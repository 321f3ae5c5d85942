#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "store/run.h"

/* Run it in a shell; its output in `out`. */
static int
run(const char *script, int64_t timeout_ms, struct buf *out)
{
	char sh[] = "/bin/sh", c[] = "-c", text[256];
	char *argv[] = { sh, c, text, NULL };

	snprintf(text, sizeof(text), "%s", script);
	return run_program(argv, timeout_ms, out);
}

static void
test_ends(void)
{
	static const struct {
		const char *script;
		int want;
		const char *prints;
	} cases[] = {
		{ "echo this; exit 0", 0, "this\n" },
		{ "exit 7", 7, "" },
		{ "kill -9 $$", -EIO, "" },
		{ "echo 0123456789012345678901234567890123456789", -EMSGSIZE,
		    NULL },
		{ "sleep 60", -ETIMEDOUT, NULL },
		{ "cat", 0, "" }, /* no input */
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		struct buf out = BUF_INIT(32);

		CHECK_EQ_AT(i, run(cases[i].script,
		    cases[i].want == -ETIMEDOUT ? 200 : 60000, &out),
		    cases[i].want);
		if (cases[i].prints != NULL)
			CHECK_STR(buf_str(&out), cases[i].prints);
		buf_free(&out);
	}
}

/* What we ignore or block is not the program's. */
static void
test_signals(void)
{
	const int sig[] = { SIGPIPE, SIGXFSZ };
	struct buf out = BUF_INIT(64);
	sigset_t all;
	uint64_t ignored;

	for (size_t i = 0; i < NELEMS(sig); i++)
		signal(sig[i], SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	CHECK_EQ(run("sed -n 's/^SigIgn:\t/0x/p' /proc/self/status", 60000,
	    &out), 0);
	CHECK(out.len > 2);
	ignored = strtoull(buf_str(&out), NULL, 16);
	for (size_t i = 0; i < NELEMS(sig); i++)
		CHECK_EQ_AT(i, ignored >> (sig[i] - 1) & 1, 0);
	buf_free(&out);
	CHECK_EQ(run("sed -n 's/^SigBlk:\t/0x/p' /proc/self/status", 60000,
	    &out), 0);
	CHECK(out.len > 2);
	CHECK_EQ(strtoull(buf_str(&out), NULL, 16), 0);
	buf_free(&out);
}

int
main(void)
{
	test_ends();
	test_signals();
	return check_done();
}
