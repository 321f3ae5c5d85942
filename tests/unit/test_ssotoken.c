/* The files of ~/.aws/sso/cache. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "crypto/sha1.h"
#include "store/sso_token.h"

#define BASE "{\"startUrl\":\"https://x\",\"accessToken\":\"a\","

static const struct {
	const char *json;
	int64_t expires; /* 0: malformed */
	int64_t client_expires;
	const char *refresh;
} cases[] = {
	/* As awscli 2 writes it, with an sso-session, ... */
	{ BASE "\"expiresAt\":\"2030-01-01T00:00:00Z\",\"clientId\":\"i\","
	    "\"clientSecret\":\"s\",\"registrationExpiresAt\":"
	    "\"2030-01-02T00:00:00Z\",\"refreshToken\":\"r\"}",
	    1893456000, 1893542400, "r" },
	/* ... without one, and as it did once. */
	{ BASE "\"expiresAt\":\"2030-01-01T00:00:00Z\"}", 1893456000, 0, "" },
	{ BASE "\"expiresAt\":\"2030-01-01T00:00:00UTC\"}", 1893456000, 0,
	    "" },
	{ BASE "\"expiresAt\":\"UTC\"}", 0, 0, "" },
	{ BASE "\"expiresAt\":\"\"}", 0, 0, "" },
	{ BASE "\"expiresAt\":1893456000}", 0, 0, "" },
	{ BASE "\"x\":1}", 0, 0, "" },
	{ "{\"accessToken\":\"\",\"expiresAt\":\"2030-01-01T00:00:00Z\"}", 0, 0,
	    "" },
	{ "{\"accessToken\":\"a\\u0000\","
	    "\"expiresAt\":\"2030-01-01T00:00:00Z\"}", 0, 0, "" },
	{ BASE "\"expiresAt\":\"2030-01-01T00:00:00Z\",\"refreshToken\":1}", 0,
	    0, "" },
	{ "[]", 0, 0, "" },
	{ "", 0, 0, "" },
};

static struct slice
slice_of(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static void
test_parse(struct sso_token *t)
{
	for (size_t i = 0; i < NELEMS(cases); i++) {
		bool is_good = cases[i].expires != 0;

		CHECK_EQ_AT(i, sso_token_parse(slice_of(cases[i].json), t),
		    is_good ? 0 : -EPROTO);
		CHECK_EQ_AT(i, t->expires_unix, cases[i].expires);
		CHECK_EQ_AT(i, t->client_expires_unix,
		    cases[i].client_expires);
		CHECK_STR_AT(i, t->access, is_good ? "a" : "");
		CHECK_STR_AT(i, t->refresh, cases[i].refresh);
	}
}

static const struct {
	const char *json;
	int want;
	const char *refresh;
} answers[] = {
	{ "{\"accessToken\":\"b\",\"expiresIn\":60,\"refreshToken\":\"q\"}", 0,
	    "q" },
	{ "{\"accessToken\":\"b\",\"expiresIn\":60}", 0, "r" },
	{ "{\"accessToken\":\"b\",\"expiresIn\":0}", -EPROTO, "r" },
	{ "{\"accessToken\":\"b\",\"expiresIn\":-1}", -EPROTO, "r" },
	{ "{\"accessToken\":\"b\",\"expiresIn\":\"60\"}", -EPROTO, "r" },
	{ "{\"expiresIn\":60}", -EPROTO, "r" },
	{ "{\"accessToken\":\"b\",\"expiresIn\":60,\"refreshToken\":7}",
	    -EPROTO, "r" },
	{ "", -EPROTO, "r" },
};

static void
test_take(struct sso_token *t)
{
	for (size_t i = 0; i < NELEMS(answers); i++) {
		CHECK_EQ(sso_token_parse(slice_of(cases[0].json), t), 0);
		CHECK_EQ_AT(i, sso_token_take(slice_of(answers[i].json), 1000,
		    t), answers[i].want);
		CHECK_STR_AT(i, t->access, answers[i].want == 0 ? "b" : "a");
		CHECK_STR_AT(i, t->refresh, answers[i].refresh);
		CHECK_EQ_AT(i, t->expires_unix, answers[i].want == 0 ? 1060 :
		    1893456000);
	}
}

/* Only the token changes, and nobody sees half of it. */
static void
test_save(struct sso_token *t)
{
	char dir[] = "/tmp/sesfs-sso.XXXXXX", *path;
	struct buf text = BUF_INIT(65536);
	struct stat st;
	FILE *f;

	CHECK(mkdtemp(dir) != NULL);
	CHECK_EQ(sso_token_path(dir, "my-session", &path), 0);
	CHECK_STR(path + strlen(dir),
	    "/9e28173066ce536e277c5fb355efd9c64f398167.json");
	CHECK_EQ(sso_token_load(path, t), -ENOENT);
	CHECK_EQ(sso_token_save(path, t), -ENOENT);
	f = fopen(path, "we");
	CHECK(f != NULL && fputs(cases[0].json, f) >= 0 && fclose(f) == 0);
	CHECK_EQ(chmod(path, 0644), 0);
	CHECK_EQ(sso_token_load(path, t), 0);
	CHECK_EQ(sso_token_take(slice_of(answers[0].json), 1000, t), 0);
	CHECK_EQ(sso_token_save(path, t), 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK_EQ(buf_add_file(&text, path), 0);
	CHECK_STR(buf_str(&text), "{\"startUrl\": \"https://x\", "
	    "\"accessToken\": \"b\", \"expiresAt\": \"1970-01-01T00:17:40Z\", "
	    "\"clientId\": \"i\", \"clientSecret\": \"s\", "
	    "\"registrationExpiresAt\": \"2030-01-02T00:00:00Z\", "
	    "\"refreshToken\": \"q\"}");
	buf_free(&text);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(rmdir(dir), 0); /* nothing else is left in it */
	free(path);
}

static void
test_sha1(void)
{
	char hex[SHA1_HEX_LEN + 1];

	/* FIPS 180's examples. */
	CHECK_EQ(sha1_hex("abc", 3, hex), 0);
	CHECK_STR(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	CHECK_EQ(sha1_hex("", 0, hex), 0);
	CHECK_STR(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

int
main(void)
{
	struct sso_token *t;

	CHECK(sodium_init() >= 0);
	t = sso_token_new();
	CHECK(t != NULL);
	test_sha1();
	test_parse(t);
	test_take(t);
	test_save(t);
	sso_token_free(t);
	return check_done();
}
