/* What AWS and we call a request is the same, in its journal and in our log;
 * and AWS knows who asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "net.h"
#include "store/buf.h"
#include "store/log.h"

static char path[] = "/tmp/sesfs-ids.XXXXXX";

/* All kinds of requests, good and refused. */
static void
ask_everything(struct net *n)
{
	const struct pair context = { "aws:ses:message-id", "m1" };
	struct sts_opts so = { .aws = n->aws, .region = "us-east-1",
		.endpoint_url = n->cloud.url };
	uint8_t key[KMS_DATA_KEY_LEN], blob[ENVELOPE_EDK_MAX];
	uint8_t plain[KMS_PLAIN_MAX];
	char arn[KMS_ARN_MAX];
	struct kms_key_info info;
	struct sts_identity id;
	struct s3_object o;
	struct s3_page page;
	enum refusal why;
	size_t len, plain_len;

	CHECK_EQ(s3_list(n->s3, "", NULL, NULL, 10, &page), 0);
	s3_page_free(&page);
	CHECK_EQ(s3_get(n->s3, "k", NULL, 100, &o), 0);
	s3_object_free(&o);
	CHECK_EQ(s3_get(n->s3, "none", NULL, 100, &o), -ENOENT);
	s3_object_free(&o);
	CHECK_EQ(s3_head(n->s3, "k", &o), 0);
	s3_object_free(&o);
	CHECK_EQ(kms_generate_data_key(n->kms, NET_KEY, &context, 1, key, blob,
	    &len, arn, &why), 0);
	CHECK_EQ(kms_decrypt(n->kms, NET_KEY, NULL, (struct slice){ blob, len },
	    &context, 1, plain, &plain_len, arn, &why), 0);
	CHECK_EQ(kms_decrypt(n->kms, NET_KEY, NULL, (struct slice){ blob, len },
	    NULL, 0, plain, &plain_len, arn, &why), -ENOKEY);
	CHECK_EQ(kms_describe_key(n->kms, NET_KEY, &info, &why), 0);
	CHECK_EQ(sts_get_caller_identity(&so, &id), 0);
}
#define REQUESTS 9

static char *
read_log(struct buf *b)
{
	buf_free(b);
	*b = (struct buf)BUF_INIT(1 << 20);
	CHECK_EQ(buf_add_file(b, path), 0);
	CHECK_EQ(truncate(path, 0), 0);
	return (char *)(uintptr_t)buf_str(b);
}

static const char *
member(const json_t *entry, const char *name)
{
	const char *s = json_string_value(json_object_get(entry, name));

	return s != NULL ? s : "";
}

/* Is there a line that has this text and then this id? */
static bool
has_line(const char *log, const char *id, const char *what)
{
	const char *at = log, *line, *found;
	char want[64];

	snprintf(want, sizeof(want), "(request %s", id);
	for (; (at = strstr(at, want)) != NULL; at++) {
		for (line = at; line > log && line[-1] != '\n';)
			line--;
		if ((found = strstr(line, what)) != NULL && found < at)
			return true;
	}
	return false;
}

static void
test_debug(struct net *n)
{
	struct buf b = BUF_INIT(1);
	json_t *journal, *entry;
	const char *text;
	size_t i, seen = 0;

	net_reset(n);
	log_set_level(LOG_LEVEL_DEBUG);
	ask_everything(n);
	log_set_level(LOG_LEVEL_INFO);
	text = read_log(&b);
	journal = net_log(n);
	json_array_foreach(journal, i, entry) {
		const char *id = member(entry, "request_id");
		bool is_bad = json_integer_value(json_object_get(entry,
		    "status")) >= 400;

		CHECK_STR_AT(i, member(entry, "user_agent"),
		    "sesfs/" SESFS_VERSION " app/net-test---"
		    "012345678901234567890123456789012345678");
		CHECK_AT(i, has_line(text, id, " ms "));
		if (is_bad)
			CHECK_AT(i, has_line(text, id,
			    strncmp(member(entry, "op"), "kms", 3) == 0 ?
				"InvalidCiphertext" : "NoSuchKey"));
		seen++;
	}
	CHECK_EQ(seen, REQUESTS);
	CHECK(strstr(text, "aws: s3.get /k: HTTP 200 in ") != NULL);
	CHECK(strstr(text, ", host sesfs-cloud)") != NULL);
	CHECK(strstr(text, "testsecret") == NULL);
	CHECK(strstr(text, "Signature=") == NULL);
	json_decref(journal);
	buf_free(&b);
}

/* What failed, also when the next attempt is good, but no more. */
static void
test_info(struct net *n)
{
	struct buf b = BUF_INIT(1);
	json_t *journal, *entry;
	const char *text;
	struct s3_object o;
	size_t i, failed = 0;

	net_reset(n);
	net_post(n, "set", "s3_500=100&fault_limit=2");
	CHECK_EQ(s3_get(n->s3, "k", NULL, 100, &o), 0);
	s3_object_free(&o);
	text = read_log(&b);
	journal = net_log(n);
	json_array_foreach(journal, i, entry) {
		const char *id = member(entry, "request_id");
		bool is_bad = json_integer_value(json_object_get(entry,
		    "status")) == 500;

		CHECK_AT(i, has_line(text, id, "s3.get /k: InternalError: ") ==
		    is_bad);
		failed += is_bad;
	}
	CHECK_EQ(failed, 2);
	CHECK(strstr(text, "again in ") != NULL);
	CHECK(strstr(text, "HTTP 200") == NULL);
	json_decref(journal);
	buf_free(&b);
}

int
main(void)
{
	struct net n;

	close(mkstemp(path));
	net_start(&n);
	net_put(&n, "k", "body", NULL, 0);
	CHECK_EQ(log_open(path), 0);
	test_debug(&n);
	test_info(&n);
	CHECK_EQ(log_open("stderr"), 0);
	net_stop(&n);
	unlink(path);
	return check_done();
}
