#include "fs/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "crypto/envelope.h"
#include "fs/policy_fill.h"
#include "fs/policy_priv.h"

static const struct {
	const char *text, *want;
} literals[] = {
	{ "", "" },
	{ "in/", "in/" },
	{ "*", "${*}" },
	{ "a*b?c", "a${*}b${?}c" },
	{ "$", "$" },
	{ "a$b", "a$b" },
	{ "${x}", "${$}{x}" },
	{ "$${*}", "$${$}{${*}}" },
	{ "{}%", "{}%" },
};

static const struct {
	const char *text;
	bool want;
} references[] = {
	{ "${Key.Arn}", true },
	{ "${*}", false },
	{ "${?}", false },
	{ "${$}{x}", false },
	{ "${*", true },
	{ "${*x}", true },
	{ "${", true },
	{ "$", false },
	{ "x${y}", false },
	{ "", false },
};

static void
test_literals(void)
{
	for (size_t i = 0; i < NELEMS(literals); i++) {
		char *got = policy_literal(literals[i].text);

		CHECK_STR_AT(i, got, literals[i].want);
		/* Whatever is literal refers to nothing. */
		for (const char *p = got; p != NULL && *p != '\0'; p++)
			CHECK_AT(i, !policy_is_reference(p));
		free(got);
	}
	for (size_t i = 0; i < NELEMS(references); i++)
		CHECK_AT(i, policy_is_reference(references[i].text) ==
		    references[i].want);
}

/* ---- texts with blanks ---- */

static int
value(void *arg, FILE *f, const char *name, unsigned indent)
{
	if (strcmp(name, "FAIL") == 0)
		return -ENOMEM;
	fprintf(f, "<%s %u>", name, indent);
	return 0;
}

#define LONG_NAME "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct {
	const char *line;
	int r;
	const char *want;
} fills[] = {
	{ "plain", 0, "plain\n" },
	{ "", 0, "\n" },
	{ "'a' = 1", 0, "\"a\" = 1\n" },
	{ "    x = @NAME@, @B@", 0, "    x = <NAME 4>, <B 4>\n" },
	{ "@A@@B@", 0, "<A 0><B 0>\n" },
	{ "@FAIL@", -ENOMEM, NULL },
	{ "a@b", -EINVAL, NULL },
	{ "@", -EINVAL, NULL },
	{ "@@", -EINVAL, NULL },
	{ "@NAME", -EINVAL, NULL },
	{ "@" LONG_NAME "@", -EINVAL, NULL },
};

static void
test_fills(void)
{
	for (size_t i = 0; i < NELEMS(fills); i++) {
		const char *const lines[] = { fills[i].line, NULL };
		char *out = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&out, &len);

		CHECK_EQ_AT(i, policy_fill(f, lines, value, NULL), fills[i].r);
		fclose(f);
		if (fills[i].want != NULL)
			CHECK_STR_AT(i, out, fills[i].want);
		free(out);
	}
}

/* ---- documents ---- */

static const char *const keys[] = { "alias/a", "alias/b" };
static const struct policy_facts facts = {
	.partition = "aws", .region = "us-east-1", .account = "123456789012",
	.ses_account = "123456789012", .owner = "123456789012",
	.bucket = "b", .prefix = "in/", .key = keys, .key_len = NELEMS(keys),
	.queue_arn = "arn:aws:sqs:us-east-1:123456789012:q",
	.accept = ACCEPT_DEFAULT,
};

/* No two statements of a document may have one Sid. */
static bool
is_unique(const json_t *doc)
{
	json_t *list = json_object_get(doc, "Statement"), *a, *b;
	size_t i, j;

	json_array_foreach (list, i, a)
		json_array_foreach (list, j, b)
			if (i != j && json_equal(json_object_get(a, "Sid"),
			    json_object_get(b, "Sid")))
				return false;
	return json_array_size(list) > 0;
}

static void
test_documents(void)
{
	json_t *(*const make[])(const struct policy_facts *) = {
		policy_identity, policy_bucket, policy_queue };
	struct policy_facts broken = facts;
	json_t *doc;

	broken.prefix = "in\xff/";
	broken.queue_arn = "\xff";
	for (size_t i = 0; i < NELEMS(make); i++) {
		doc = make[i](&facts);
		CHECK_AT(i, is_unique(doc));
		json_decref(doc);
		/* What cannot be said as it is is not said in part. */
		doc = make[i](&broken);
		CHECK_AT(i, doc == NULL);
		json_decref(doc);
	}
	doc = policy_key(&facts, keys[1]);
	CHECK(is_unique(doc));
	json_decref(doc);
}

/* A set-up's own key for the first, as many others as are allowed. */
static void
test_view(void)
{
	const char *many[POLICY_KEYS_MAX];
	struct policy_facts f = facts;
	const struct policy_setup s = { &f, "alias/a" };
	const struct policy_words w = { "p", "r", "a", "${k}", "${q}" };
	struct policy_view v;

	for (size_t i = 0; i < NELEMS(many); i++)
		many[i] = "alias/a";
	f.key = many;
	f.key_len = NELEMS(many);
	f.seal_key = "alias/a";
	f.bucket = "a.b-c";
	policy_see(&s, &w, &v);
	CHECK_EQ(v.f.key_len, POLICY_KEYS_MAX);
	CHECK_STR(v.f.key[0], "${k}");
	CHECK_STR(v.f.seal_key, "${k}");
	CHECK_STR(v.name, "sesfs-a-b-c");
	CHECK_STR(v.dead_name, "sesfs-a-b-c-dead");
	CHECK_STR(policy_word(&v, "BUCKET"), "a.b-c");
	CHECK(policy_word(&v, "KEY_POLICY") == NULL);
}

int
main(void)
{
	test_literals();
	test_fills();
	test_documents();
	test_view();
	return check_done();
}
