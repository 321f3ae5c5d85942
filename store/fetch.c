#include "store/fetch.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/log.h"

#define INSTRUCTION_NAME " instruction" /* the space keeps headers out */
#define INSTRUCTION_SUFFIX ".instruction"
#define INSTRUCTION_MAX (64 * 1024) /* bytes */

static const struct pair *
instruction_pair(const struct blob *b)
{
	if (b->meta_len == 0 ||
	    strcmp(b->meta[b->meta_len - 1].name, INSTRUCTION_NAME) != 0)
		return NULL;
	return &b->meta[b->meta_len - 1];
}

int
fetch_envelope(const struct fetch_opts *f, const struct object *o,
    const struct blob *b, uint64_t body_len, struct envelope **ret,
    enum refusal *ret_why)
{
	const struct pair *in = instruction_pair(b);
	struct slice file = { NULL, 0 };

	if (in != NULL)
		file = (struct slice){ (const uint8_t *)in->value,
			strlen(in->value) };
	return envelope_parse(b->meta, b->meta_len - (in != NULL), file, o->key,
	    body_len, &f->policy, ret, ret_why);
}

size_t
fetch_pack(const struct blob *b, uint8_t *ret)
{
	return metapack_pack(b->meta, b->meta_len, ret);
}

struct envelope *
fetch_kept(const struct fetch_opts *f, const struct object *o)
{
	struct pair meta[METAPACK_PAIRS_MAX];
	struct blob b = { .meta = meta };
	struct envelope *e = NULL;
	enum refusal why = REFUSAL_NONE;
	int r = metapack_unpack(o->envelope, o->envelope_len, meta);

	if (r >= 0) {
		b.meta_len = (size_t)r;
		r = fetch_envelope(f, o, &b, o->size, &e, &why);
	}
	if (r < 0)
		log_warn(r, "fetch: envelope of %s as the index keeps it: %s",
		    o->key, why != REFUSAL_NONE ? refusal_name(why) :
						  strerror(-r));
	else if (e->suite == SUITE_PLAIN)
		envelope_free(TAKE(e));
	return e;
}

/* Open a body that was sealed before it was cached, in place of the box. */
static int
open_sealed_plain(const struct fetch_opts *f, const struct object *o,
    struct blob *b)
{
	uint8_t *plain;
	int r;

	if (b->len < SEAL_OVERHEAD)
		return -ENOENT;
	if ((plain = malloc(b->len - SEAL_OVERHEAD + 1)) == NULL)
		return -ENOMEM;
	if ((r = seal_open(f->seal, SEAL_BODY, o->id, b->body, b->len,
		 plain)) < 0) {
		free(plain);
		return r == -EBADMSG ? -ENOENT : r;
	}
	/* The blob's own block ends with its arena; hand the body over there:
	 * the box is longer, so the plaintext fits where it was. */
	memcpy(b->body, plain, b->len - SEAL_OVERHEAD);
	b->len -= SEAL_OVERHEAD;
	sodium_memzero(plain, b->len);
	free(plain);
	return 0;
}

int
fetch_cached(const struct fetch_opts *f, const struct object *o,
    struct blob *ret)
{
	int r;

	if ((r = blobcache_get(f->cache, o->id, o->size + SEAL_OVERHEAD,
		 ret)) < 0)
		return r;
	if (strcmp(ret->etag, o->etag) != 0)
		r = -ENOENT;
	else if (ret->is_sealed_plain)
		r = open_sealed_plain(f, o, ret);
	if (r < 0)
		blob_clear(ret);
	return r;
}

/* Does policy let this object have an instruction file? Then fetch it. Returns
 * 1 and the zero-terminated text, 0 when there is none. */
static int
fetch_instruction(const struct fetch_opts *f, const struct object *o,
    const struct pair *meta, size_t meta_len, struct s3_object *ret)
{
	char key[S3_KEY_MAX + sizeof(INSTRUCTION_SUFFIX)];
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!(f->policy.accept & ACCEPT_INSTRUCTION) ||
	    !envelope_wants_instruction(meta, meta_len))
		return 0;
	if (snprintf(key, sizeof(key), "%s%s", o->key, INSTRUCTION_SUFFIX) >
	    S3_KEY_MAX)
		return 0;
	r = s3_get(f->s3, key, NULL, INSTRUCTION_MAX, ret);
	if (r == -ENOENT || r == -EMSGSIZE)
		return 0; /* none, or nothing that could be one */
	return r < 0 ? r : 1;
}

/* Move an S3 reply (and the instruction file) into a blob, its body as it is. */
static int
to_blob(struct s3_object *s3, const struct s3_object *in, struct blob *ret)
{
	size_t n = s3->meta_len + (in != NULL), bytes = 0;
	uint8_t *at;

	for (size_t i = 0; i < s3->meta_len; i++)
		bytes += strlen(s3->meta[i].name) + strlen(s3->meta[i].value) +
		    2;
	if (in != NULL)
		bytes += sizeof(INSTRUCTION_NAME) + in->len + 1;
	memset(ret, 0, sizeof(*ret));
	if ((at = malloc(n * sizeof(struct pair) + bytes + 1)) == NULL)
		return -ENOMEM;
	ret->arena_ = at;
	ret->meta = (struct pair *)at;
	at += n * sizeof(struct pair);
	ret->len = s3->body != NULL ? s3->len : 0;
	ret->body = ret->body_arena_ = TAKE(s3->body);
	memcpy(ret->etag, s3->etag, sizeof(ret->etag));
	for (size_t i = 0; i < s3->meta_len; i++) {
		size_t nl = strlen(s3->meta[i].name) + 1;
		size_t vl = strlen(s3->meta[i].value) + 1;

		ret->meta[i].name = memcpy(at, s3->meta[i].name, nl);
		ret->meta[i].value = memcpy(at + nl, s3->meta[i].value, vl);
		at += nl + vl;
	}
	ret->meta_len = n;
	if (in != NULL) {
		ret->meta[n - 1].name = memcpy(at, INSTRUCTION_NAME,
		    sizeof(INSTRUCTION_NAME));
		at += sizeof(INSTRUCTION_NAME);
		/* A NUL would cut the text short of what JSON must refuse. */
		for (size_t i = 0; i < in->len; i++)
			at[i] = in->body[i] != 0 ? in->body[i] : 1;
		at[in->len] = '\0';
		ret->meta[n - 1].value = (char *)at;
	}
	return 0;
}

static int
assemble(const struct fetch_opts *f, const struct object *o,
    struct s3_object *s3, struct blob *ret, enum refusal *ret_why)
{
	struct s3_object in;
	int r;

	if (s3->meta_overflow) {
		*ret_why = TOO_LARGE;
		return -EBADMSG;
	}
	if ((r = fetch_instruction(f, o, s3->meta, s3->meta_len, &in)) < 0)
		return r;
	r = to_blob(s3, r == 1 ? &in : NULL, ret);
	s3_object_free(&in);
	return r;
}

int
fetch_remote(const struct fetch_opts *f, const struct object *o,
    struct blob *ret, enum refusal *ret_why)
{
	struct s3_object s3;
	int r;

	*ret_why = REFUSAL_NONE;
	memset(ret, 0, sizeof(*ret));
	if ((r = s3_get(f->s3, o->key, o->etag, o->size, &s3)) < 0)
		return r;
	r = assemble(f, o, &s3, ret, ret_why);
	s3_object_free(&s3);
	return r;
}

int
fetch_head(const struct fetch_opts *f, const struct object *o,
    struct blob *ret, uint64_t *ret_len, enum refusal *ret_why)
{
	struct s3_object s3;
	int r;

	*ret_why = REFUSAL_NONE;
	memset(ret, 0, sizeof(*ret));
	if ((r = s3_head(f->s3, o->key, &s3)) < 0)
		return r;
	*ret_len = s3.len;
	if (strcmp(s3.etag, o->etag) != 0)
		r = -ESTALE;
	else
		r = assemble(f, o, &s3, ret, ret_why);
	s3_object_free(&s3);
	return r;
}

void
fetch_keep(const struct fetch_opts *f, const struct object *o,
    const struct blob *b, enum suite suite)
{
	struct blob sealed = *b, kept = *b;
	uint8_t *box;
	int r;

	if (suite != SUITE_PLAIN) {
		/* CBC has no tag: nobody else would see damage on disk. */
		kept.is_unauthenticated = suite == SUITE_CBC;
		if ((r = blobcache_put(f->cache, o->id, &kept)) < 0)
			log_warn(r, "fetch: cache %s: %s", o->key,
			    strerror(-r));
		return;
	}
	if ((box = malloc(b->len + SEAL_OVERHEAD)) == NULL)
		return;
	if (seal_box(f->seal, SEAL_BODY, o->id, b->body, b->len, box) == 0) {
		sealed.body = box;
		sealed.len = b->len + SEAL_OVERHEAD;
		sealed.is_sealed_plain = true;
		if ((r = blobcache_put(f->cache, o->id, &sealed)) < 0)
			log_warn(r, "fetch: cache %s: %s", o->key,
			    strerror(-r));
	}
	free(box);
}
