#include "store/opening.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/source.h"

/* A body that fails its tag is fetched again: damage on the way must not
 * refuse mail for good, and twice the same bytes are what the bucket holds. */
#define FETCHES_MAX 4

uint8_t
opening_accept_bit(const struct envelope *e)
{
	switch (e->suite) {
	case SUITE_CBC:
		return 3;
	case SUITE_COMMIT:
		return 2;
	case SUITE_GCM:
		return e->wrap == WRAP_KMS ? 0 : 1;
	case SUITE_PLAIN:
		break;
	}
	return 5;
}

static int
read_envelope(struct opener *p, struct opening *op, const struct blob *b)
{
	int r;

	envelope_free(TAKE(op->envelope));
	if ((r = fetch_envelope(&p->fetch, op->o, b, b->len, &op->envelope,
		 &op->why)) < 0)
		return r;
	op->o->suite = (uint8_t)op->envelope->suite;
	op->o->format = opening_accept_bit(op->envelope);
	return 0;
}

/* The content key: what is held, else (with the envelope) from KMS. The first
 * look at an object always reads its envelope. */
static int
get_key(struct opener *p, struct opening *op, const struct blob *b,
    struct content_key *ret)
{
	bool is_first = op->o->state == OBJECT_PENDING;
	const uint8_t *box;
	int r;

	if (is_first && (r = read_envelope(p, op, b)) < 0)
		return r;
	if (op->has_held) {
		*ret = op->held;
		op->has_held = false;
		return 0;
	}
	if ((r = unwrap_held(p->unwrap, op->o, true, ret)) != -ENOENT)
		return r;
	if (!is_first && (r = read_envelope(p, op, b)) < 0)
		return r;
	if (op->envelope->suite == SUITE_PLAIN) {
		op->asked_kms = true; /* nobody knows it better */
		memset(ret, 0, sizeof(*ret));
		ret->suite = SUITE_PLAIN;
		return 0;
	}
	if (op->is_local)
		return -EINPROGRESS;
	op->asked_kms = true;
	box = op->o->key_sealed;
	r = unwrap_fetch(p->unwrap, op->envelope, op->o, &op->early, ret,
	    &op->why, op->kms_request);
	if (op->o->key_sealed != box)
		op->has_new_box = true;
	return r;
}

/* Is the message as long as was promised: by the index once it is published,
 * by the (unauthenticated) metadata before? */
static bool
has_right_length(const struct opening *op)
{
	if (op->o->state != OBJECT_PENDING)
		return op->len == op->o->plain_size;
	return op->envelope == NULL ||
	    envelope_len_is(op->envelope, op->len);
}

static int
decrypt(struct opener *p, struct opening *op, const struct blob *b,
    const struct content_key *key)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	int r;

	/* The budget was taken for the size in the index. */
	if (b->len != op->o->size) {
		op->why = LENGTH_MISMATCH;
		return -EBADMSG;
	}
	if ((r = plain_message(p->plain, op->o->id, b->len, &m)) < 0)
		return r;
	atomic_fetch_add(&p->decrypts, 1);
	if ((r = content_open(key, b->body, b->len, message_buf(m), &op->len,
		 &op->why)) < 0)
		return r;
	if (!has_right_length(op)) {
		op->why = LENGTH_MISMATCH;
		return -EBADMSG;
	}
	op->message = TAKE(m);
	op->is_ciphertext = key->suite != SUITE_PLAIN;
	return 0;
}

/* Open one fetched body. A held key that does not open it may be an old one:
 * KMS is asked before the body is called bad. */
static int
open_body(struct opener *p, struct opening *op, const struct blob *b)
{
	struct content_key key;
	int r;

	for (;;) {
		bool was_held;

		op->why = REFUSAL_NONE;
		if ((r = get_key(p, op, b, &key)) < 0)
			return r;
		was_held = !op->asked_kms;
		r = decrypt(p, op, b, &key);
		sodium_memzero(&key, sizeof(key));
		if (r != -EBADMSG || !was_held)
			return r;
		unwrap_drop(p->unwrap, op->o->id);
		free(TAKE(op->o->key_sealed));
	}
}

/* The same bytes twice are the bucket's own; different ones were damaged on
 * the way. */
static bool
is_same_body(const struct blob *a, const struct blob *b)
{
	return a->len == b->len && memcmp(a->body, b->body, a->len) == 0;
}

/* The body has to be fetched, and KMS to be asked as well when no key is held:
 * both at once, where the index says what to ask. What it says is checked as a
 * body's own envelope is, so that nothing is asked that policy forbids; nor
 * for a body that is not to be had. */
static void
ask_ahead(struct opener *p, struct opening *op)
{
	struct envelope *e = NULL;
	int r;

	if (op->o->state != OBJECT_READY)
		return;
	r = unwrap_held(p->unwrap, op->o, false, &op->held);
	if ((op->has_held = r == 0) || r != -ENOENT ||
	    s3_is_unreachable(p->fetch.s3))
		return;
	if (op->o->envelope != NULL && op->o->key_sealed == NULL)
		e = fetch_kept(&p->fetch, op->o);
	unwrap_begin(p->unwrap, op->o, e, &op->early);
}

/* From S3, again while each try brings other bytes. What opens is cached and
 * left in *b. */
static int
open_remote(struct opener *p, struct opening *op, struct blob *b)
{
	struct blob before = { 0 };
	int r = 0;

	ask_ahead(p, op);
	for (int i = 0; i < FETCHES_MAX; i++) {
		bool same;

		if ((r = fetch_remote(&p->fetch, op->o, b, &op->why)) < 0)
			break;
		r = open_body(p, op, b);
		if (r == 0)
			fetch_keep(&p->fetch, op->o, b,
			    (enum suite)op->o->suite);
		if (r != -EBADMSG || op->why != AUTH_FAILED)
			break;
		atomic_fetch_add(&p->auth_failures, 1);
		same = before.body != NULL && is_same_body(&before, b);
		blob_clear(&before);
		before = *b;
		memset(b, 0, sizeof(*b));
		if (same)
			break;
	}
	blob_clear(&before);
	unwrap_end(p->unwrap, op->o, &op->early, r);
	sodium_memzero(&op->held, sizeof(op->held));
	return r;
}

/* The disk's copy may have been damaged (or planted): when it does not open,
 * it is as good as none. */
static int
open_cached(struct opener *p, struct opening *op, struct blob *b)
{
	int r = fetch_cached(&p->fetch, op->o, b);

	if (r < 0 || (r = open_body(p, op, b)) != -EBADMSG)
		return r;
	if (!op->is_local)
		blobcache_drop(p->fetch.cache, op->o->id);
	blob_clear(b);
	op->asked_kms = false;
	return -ENOENT;
}

int
opening_run(struct opener *p, struct opening *op)
{
	struct blob b = { 0 };
	int r;

	if (op->is_local && !unwrap_has_seal(p->unwrap))
		return -EINPROGRESS;
	r = open_cached(p, op, &b);
	if (op->is_local && r < 0)
		r = -EINPROGRESS;
	else if (r == -ENOENT)
		r = open_remote(p, op, &b);
	b.is_ciphertext = r == 0 && op->is_ciphertext;
	blob_clear(&b);
	envelope_free(TAKE(op->envelope));
	return r;
}
