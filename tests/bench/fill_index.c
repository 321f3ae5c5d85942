/* An index as `sesfs sync` would leave it, without fetching a single message.
 *
 *	fill_index [options of sesfs sync] SOURCE
 *
 * Lists the bucket, then publishes whatever is pending with made-up content
 * keys and header fields of the usual lengths, sealed under the real root key.
 * Everything but reading works on it, and a pass over the bucket finds nothing
 * to do: a million messages in a minute instead of an hour. The bucket's
 * objects are taken for kms-gcm, 16 bytes longer than the mail in them. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "fs/graph.h"
#include "store/hdrpack.h"
#include "store/seal.h"
#include "store/unwrap.h"
#include "tests/bench/bench.h"
#include "tests/merge_page.h"

#define BATCH 512 /* published in one transaction */
#define GCM_TAG 16

/* ---- the listing ---- */

static void
merge(struct graph *g, const struct s3_page *page, const char *after)
{
	struct object_listed *l = calloc(page->n + 1, sizeof(*l));

	if (l == NULL)
		exit(1);
	for (size_t i = 0; i < page->n; i++)
		l[i] = (struct object_listed){ page->item[i].key,
			page->item[i].etag, page->item[i].size,
			page->item[i].last_modified_unix };
	must(merge_page(g->index, g->c->location.prefix, after,
		 page->next_token != NULL ? page->item[page->n - 1].key : NULL,
		 l, page->n, NULL, NULL, NULL), "merge");
	free(l);
}

static size_t
list(struct graph *g)
{
	char *token = NULL, *after = NULL;
	size_t n = 0;
	bool more;

	do {
		struct s3_page page;

		must(s3_list(g->s3, g->c->location.prefix, NULL, token, 1000,
			 &page), "list");
		merge(g, &page, after);
		n += page.n;
		free(token);
		free(after);
		more = page.next_token != NULL;
		token = more ? strdup(page.next_token) : NULL;
		after = more ? strdup(page.item[page.n - 1].key) : NULL;
		s3_page_free(&page);
	} while (more);
	return n;
}

/* ---- what looking at a message would have found ---- */

static uint8_t *
box(struct graph *g, enum seal_column col, int64_t id, const void *in,
    size_t len, size_t *ret_len)
{
	uint8_t *out = malloc(len + SEAL_OVERHEAD);

	if (out == NULL)
		exit(1);
	must(seal_box(g->seal, col, id, in, len, out), "seal");
	*ret_len = len + SEAL_OVERHEAD;
	return out;
}

/* The lengths are those of ordinary mail: about 240 bytes in all. */
static void
make_headers(const struct object *o, struct rfc822 *h)
{
	unsigned long long id = (unsigned long long)o->id;

	memset(h, 0, sizeof(*h));
	h->date_unix = o->last_modified_unix;
	h->crlf_size = o->crlf_size;
	snprintf(h->value[RFC822_FROM], RFC822_VALUE_MAX,
	    "Sender Number %llu <sender%llu@example.org>", id % 997, id % 997);
	snprintf(h->value[RFC822_TO], RFC822_VALUE_MAX, "sales@example.com");
	snprintf(h->value[RFC822_SUBJECT], RFC822_VALUE_MAX,
	    "Re: your order %llu and what became of it", id);
	snprintf(h->value[RFC822_DATE], RFC822_VALUE_MAX,
	    "Mon, 21 Sep 2026 13:33:20 +0000");
	snprintf(h->value[RFC822_MESSAGE_ID], RFC822_VALUE_MAX,
	    "<%016llx.%llu@mail.example.org>", id * 0x9e3779b97f4a7c15, id);
	snprintf(h->value[RFC822_SPAM], RFC822_VALUE_MAX, "PASS");
	snprintf(h->value[RFC822_VIRUS], RFC822_VALUE_MAX, "PASS");
}

static void
examine(struct graph *g, struct object *o, struct rfc822 *h)
{
	struct content_key key = { 0 };
	uint8_t packed[HDRPACK_MAX];
	size_t n;

	o->plain_size = o->size - GCM_TAG;
	o->crlf_size = o->plain_size;
	o->suite = SUITE_GCM;
	must(index_kms_key(g->index, g->c->kms_key.item[0], &o->kms_key_id),
	    "find the key");
	randombytes_buf(&key, sizeof(key));
	o->key_sealed = box(g, SEAL_CONTENT_KEY, o->id, &key, sizeof(key),
	    &o->key_sealed_len);
	make_headers(o, h);
	n = hdrpack_pack(h, packed, sizeof(packed));
	o->headers_sealed = box(g, SEAL_HEADERS, o->id, packed, n,
	    &o->headers_sealed_len);
}

static void
publish(struct graph *g)
{
	struct rfc822 *h = calloc(1, sizeof(*h));
	struct object *o = calloc(BATCH, sizeof(*o));
	struct index_cursor at = { 0 };
	struct arrival a[BATCH];
	int n;

	if (h == NULL || o == NULL)
		exit(1);
	while ((n = index_pending(g->index, INT64_MAX, &at, o, BATCH)) > 0) {
		for (int i = 0; i < n; i++) {
			examine(g, &o[i], h);
			a[i] = (struct arrival){ &o[i], h };
		}
		must(mailbox_deliver(g->mailbox, a, (size_t)n), "deliver");
		for (int i = 0; i < n; i++)
			object_clear(&o[i]);
	}
	must(n, "find what is pending");
	free(h);
	free(o);
}

int
main(int argc, char **argv)
{
	char err[CONFIG_ERR_MAX];
	struct config c;
	struct graph g;

	if (config_load(&c, option_command("sync"), argc - 1, argv + 1, err) <
	    0 || c.kms_key.n == 0) {
		fprintf(stderr, "fill_index: %s\n",
		    err[0] != '\0' ? err : "needs --kms-key");
		return 2;
	}
	must(crypto_init((enum crypto_backend)c.crypto), "crypto");
	must(graph_open(&c, GRAPH_CLOUD | GRAPH_INDEX | GRAPH_SOURCE |
		 GRAPH_MAILBOX, &g), "start");
	printf("%zu listed\n", list(&g));
	publish(&g);
	graph_close(&g);
	config_free(&c);
	return 0;
}
