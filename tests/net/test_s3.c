/* Listing and reading from the local cloud. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "net.h"

#define KEYS 3500

static char *expected[KEYS];

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names that break signing, XML or the log of someone or other. */
static const char *const odd[] = {
	"odd/plus+plus", "odd/per%cent", "odd/%2Falready%20escaped", "odd/a&b",
	"odd/space d", "odd/ends in space ", "odd/tilde~", "odd/star*(paren)!'",
	"odd/quote\"<tag>", "odd/question?mark#hash", "odd/equals=;:@,$",
	"odd/\x01\x02\x1f" "control", "odd/tab\tnewline\n", "odd/\x7f" "del",
	"odd/\xc3\xb6\xe2\x82\xac\xf0\x9f\x93\xa7", "odd//double//slash",
	"odd/./dot/../dots", "odd/back\\slash", "odd/[br]{ace}|^`",
	"odd/\xef\xbf\xbd" "replacement", "odd/trailing/",
};

static void
fill(struct net *n)
{
	size_t k = 0;
	char *longest = malloc(1025);

	for (; k < NELEMS(odd); k++)
		expected[k] = strdup(odd[k]);
	memset(longest, '%', 1024);
	memcpy(longest, "odd/", 4);
	longest[1024] = '\0';
	expected[k++] = longest;
	for (; k < KEYS; k++)
		if (asprintf(&expected[k], "mail/%08zx", k * 2654435761U) < 0)
			abort();
	for (k = 0; k < KEYS; k++)
		net_put(n, expected[k], "body", NULL, 0);
	qsort(expected, KEYS, sizeof(*expected), by_bytes);
}

/* All keys come once, in order, in as few requests as can be. */
static void
test_list_all(struct net *n)
{
	char *token = NULL;
	size_t at = 0, pages = 0;
	struct s3_page p;

	do {
		int r = s3_list(n->s3, "", NULL, token, 1000, &p);

		CHECK_EQ(r, 0);
		free(token);
		token = r == 0 && p.next_token != NULL ? strdup(p.next_token) :
		    NULL;
		for (size_t i = 0; i < p.n; i++, at++) {
			if (at >= KEYS)
				break;
			CHECK_STR_AT(at, p.item[i].key, expected[at]);
			CHECK_EQ_AT(at, p.item[i].size, 4);
			CHECK_EQ_AT(at, p.item[i].last_modified_unix,
			    1700000000);
			/* MD5 of "body" */
			CHECK_STR_AT(at, p.item[i].etag,
			    "841a2d689ad86bd1611447453c22c6fc");
		}
		pages++;
		s3_page_free(&p);
	} while (token != NULL && pages < 10);
	CHECK_EQ(at, KEYS);
	CHECK_EQ(pages, 4);
	CHECK_EQ(net_count(n, "s3.list"), 4);
}

static void
test_list_parts(struct net *n)
{
	struct s3_page p;

	CHECK_EQ(s3_list(n->s3, "odd/", NULL, NULL, 1000, &p), 0);
	CHECK_EQ(p.n, NELEMS(odd) + 1);
	CHECK(!p.is_truncated && p.next_token == NULL);
	s3_page_free(&p);
	CHECK_EQ(s3_list(n->s3, "odd/", "odd/plus+plus", NULL, 2, &p), 0);
	CHECK_EQ(p.n, 2);
	CHECK(p.n > 0 && strcmp(p.item[0].key, "odd/plus+plus") > 0);
	CHECK(p.is_truncated);
	s3_page_free(&p);
	CHECK_EQ(s3_list(n->s3, "none & such+", NULL, NULL, 1000, &p), 0);
	CHECK_EQ(p.n, 0);
	s3_page_free(&p);
}

static void
test_get_odd(struct net *n)
{
	struct s3_object o;

	for (size_t i = 0; i < NELEMS(odd); i++) {
		CHECK_EQ_AT(i, s3_get(n->s3, odd[i], NULL, 100, &o), 0);
		CHECK_EQ_AT(i, o.len, 4);
		CHECK_AT(i, o.body != NULL && memcmp(o.body, "body", 4) == 0);
		s3_object_free(&o);
		CHECK_EQ_AT(i, s3_head(n->s3, odd[i], &o), 0);
		CHECK_EQ_AT(i, o.len, 4);
		CHECK_AT(i, o.body == NULL);
		s3_object_free(&o);
	}
}

static void
test_meta(struct net *n)
{
	struct pair h[] = { { "x-amz-meta-x-amz-iv", "AAAA" },
		{ "X-Amz-Meta-X-Amz-Key-V2", "BBBB" },
		{ "x-amz-meta-empty", "" } };
	struct s3_object o;
	int found = 0;

	net_put(n, "meta", "", h, NELEMS(h));
	CHECK_EQ(s3_get(n->s3, "meta", NULL, 0, &o), 0);
	CHECK_EQ(o.len, 0);
	CHECK(o.body != NULL);
	CHECK(!o.meta_overflow);
	for (size_t i = 0; i < o.meta_len; i++)
		found += (strcmp(o.meta[i].name, "x-amz-iv") == 0 &&
			     strcmp(o.meta[i].value, "AAAA") == 0) ||
		    (strcmp(o.meta[i].name, "x-amz-key-v2") == 0 &&
			strcmp(o.meta[i].value, "BBBB") == 0);
	CHECK_EQ(found, 2);
	CHECK_EQ(o.last_modified_unix, 1700000000);
	s3_object_free(&o);
}

static void
test_meta_overflow(struct net *n)
{
	static char name[70][32];
	struct pair h[70];
	struct s3_object o;

	for (int i = 0; i < 70; i++) {
		snprintf(name[i], sizeof(name[i]), "x-amz-meta-m%d", i);
		h[i] = (struct pair){ name[i], "v" };
	}
	net_put(n, "many", "x", h, NELEMS(h));
	CHECK_EQ(s3_head(n->s3, "many", &o), 0);
	CHECK(o.meta_overflow);
	CHECK_EQ(o.meta_len, S3_META_MAX);
	s3_object_free(&o);
}

static void
test_conditions(struct net *n)
{
	struct s3_object o;

	net_put(n, "cond", "first", NULL, 0);
	CHECK_EQ(s3_head(n->s3, "cond", &o), 0);
	net_reset(n);
	{
		char etag[S3_ETAG_MAX];

		memcpy(etag, o.etag, sizeof(etag));
		s3_object_free(&o);
		CHECK_EQ(s3_get(n->s3, "cond", etag, 100, &o), 0);
		s3_object_free(&o);
		net_put(n, "cond", "other", NULL, 0);
		CHECK_EQ(s3_get(n->s3, "cond", etag, 100, &o), -ESTALE);
		CHECK(o.body == NULL);
	}
	CHECK_EQ(s3_get(n->s3, "cond", NULL, 4, &o), -EMSGSIZE);
	CHECK_EQ(s3_get(n->s3, "absent", NULL, 4, &o), -ENOENT);
	CHECK_EQ(s3_head(n->s3, "absent", &o), -ENOENT);
	CHECK_EQ(s3_get(n->s3, "", NULL, 4, &o), -EINVAL);
	/* None of these is worth a second try. */
	CHECK_EQ(net_count(n, "s3.get"), 4);
	CHECK_EQ(net_count(n, "s3.head"), 1);
}

static void
with_bucket(struct net *n, const char *bucket, const char *region,
    const char *owner, bool pays, struct s3 **ret)
{
	CHECK_EQ(s3_new(&(struct s3_opts){ .aws = n->aws, .bucket = bucket,
	    .region = region, .endpoint_url = n->cloud.url,
	    .expected_bucket_owner = owner, .requester_pays = pays }, ret), 0);
}

static void
test_region(struct net *n)
{
	char region[32] = "";
	struct s3_page p;
	struct s3 *s;

	net_post(n, "bucket?bucket=faraway&region=eu-west-1", "");
	/* 301 to the endpoint's region, 400 to another wrong one. */
	for (int i = 0; i < 2; i++) {
		net_reset(n);
		with_bucket(n, "faraway", i == 0 ? NULL : "ap-south-1", NULL,
		    false, &s);
		CHECK_EQ_AT(i, s3_list(s, "", NULL, NULL, 10, &p), 0);
		s3_page_free(&p);
		CHECK_EQ_AT(i, s3_list(s, "", NULL, NULL, 10, &p), 0);
		s3_page_free(&p);
		CHECK_EQ_AT(i, s3_reach(s, "", region), 0);
		CHECK_STR_AT(i, region, "eu-west-1");
		CHECK_EQ_AT(i, net_count(n, "s3.list"), 4);
		s3_free(s);
	}
	with_bucket(n, "faraway", NULL, NULL, false, &s);
	CHECK_EQ(s3_reach(s, "", region), 0);
	CHECK_STR(region, "eu-west-1");
	s3_free(s);
	with_bucket(n, "nonesuch", NULL, NULL, false, &s);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), -ENXIO);
	CHECK_EQ(s3_reach(s, "", region), -ENXIO);
	s3_free(s);
}

static void
test_owner(struct net *n)
{
	struct s3_page p;
	struct s3 *s;

	net_post(n, "bucket?bucket=payer&requester_pays=1&owner=210987654321",
	    "");
	with_bucket(n, "bucket", "us-east-1", "123456789012", false, &s);
	CHECK_EQ(s3_list(s, "meta", NULL, NULL, 10, &p), 0);
	s3_page_free(&p);
	s3_free(s);
	with_bucket(n, "bucket", "us-east-1", "210987654321", false, &s);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), -EACCES);
	s3_free(s);
	with_bucket(n, "payer", "us-east-1", NULL, false, &s);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), -EACCES);
	s3_free(s);
	with_bucket(n, "payer", "us-east-1", NULL, true, &s);
	CHECK_EQ(s3_list(s, "", NULL, NULL, 10, &p), 0);
	s3_page_free(&p);
	s3_free(s);
}

static void
test_archived(struct net *n)
{
	struct pair glacier = { "x-amz-storage-class", "DEEP_ARCHIVE" };
	struct pair instant = { "x-amz-storage-class", "GLACIER_IR" };
	struct s3_page p;
	struct s3_object o;

	net_put(n, "arch/1", "x", &glacier, 1);
	net_put(n, "arch/2", "x", &instant, 1);
	CHECK_EQ(s3_list(n->s3, "arch/", NULL, NULL, 10, &p), 0);
	CHECK_EQ(p.n, 2);
	CHECK(p.n == 2 && p.item[0].is_archived && !p.item[1].is_archived);
	s3_page_free(&p);
	CHECK_EQ(s3_get(n->s3, "arch/1", NULL, 10, &o), -EREMOTE);
}

int
main(void)
{
	struct net n;

	net_start(&n);
	fill(&n);
	net_reset(&n);
	test_list_all(&n);
	test_list_parts(&n);
	test_get_odd(&n);
	test_meta(&n);
	test_meta_overflow(&n);
	test_conditions(&n);
	test_region(&n);
	test_owner(&n);
	test_archived(&n);
	net_stop(&n);
	for (size_t i = 0; i < KEYS; i++)
		free(expected[i]);
	return check_done();
}
