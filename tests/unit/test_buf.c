#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store/buf.h"

static void
test_limits(void)
{
	struct buf b = BUF_INIT(10);

	CHECK_STR(buf_str(&b), "");
	CHECK_EQ(buf_add_str(&b, "12345"), 0);
	CHECK_EQ(buf_add_str(&b, "678901"), -EMSGSIZE);
	CHECK_STR(buf_str(&b), "12345");
	CHECK_EQ(buf_add_str(&b, "67890"), 0);
	CHECK_STR(buf_str(&b), "1234567890");
	CHECK_EQ(buf_add(&b, "", 0), 0);
	CHECK_EQ(buf_printf(&b, "%d", 1), -EMSGSIZE);
	CHECK_EQ(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
	buf_free(&b);
	CHECK(b.ptr == NULL && b.len == 0 && b.max == 10);
	CHECK_EQ(buf_printf(&b, "%s=%d", "x", 7), 0);
	CHECK_STR(buf_str(&b), "x=7");
	buf_free(&b);
}

static void
test_growth(void)
{
	struct buf b = BUF_INIT(1 << 20);
	bool is_right = true;

	for (int i = 0; i < 20000; i++)
		CHECK_EQ(buf_add(&b, &i, sizeof(i)), 0);
	CHECK_EQ(b.len, 20000 * sizeof(int));
	for (int i = 0; i < 20000; i++)
		is_right &= memcmp(b.ptr + (size_t)i * sizeof(i), &i,
		    sizeof(i)) == 0;
	CHECK(is_right);
	buf_free(&b);
}

static void
test_file(void)
{
	char path[] = "/tmp/sesfs-buf.XXXXXX";
	struct buf exact = BUF_INIT(5000), small = BUF_INIT(4999);
	static char text[5000];
	int fd = mkstemp(path);

	memset(text, 'x', sizeof(text));
	CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	CHECK_EQ(buf_add_file(&exact, path), 0);
	CHECK_EQ(exact.len, 5000);
	CHECK_EQ(buf_add_file(&small, path), -EMSGSIZE);
	CHECK_EQ(buf_add_file(&small, "/nonesuch"), -ENOENT);
	buf_free(&exact);
	CHECK_EQ(buf_add_file(&exact, "/tmp"), -EISDIR);
	buf_free(&exact);
	buf_free(&small);
	close(fd);
	unlink(path);
}

int
main(void)
{
	test_limits();
	test_growth();
	test_file();
	return check_done();
}
