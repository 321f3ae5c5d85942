#include "store/source.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/fetch.h"
#include "store/hdrpack.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/plain.h"
#include "store/unwrap.h"

/* A body that fails its tag is fetched again: damage on the way must not
 * refuse mail for good, and twice the same bytes are what the bucket holds. */
#define FETCHES_MAX 4

/* One message being opened; whoever comes meanwhile waits for its result. */
struct flight {
	int64_t id;
	unsigned waiters; /* [source.lock] */
	bool is_done;	  /* [source.lock] */
	int result;
	struct message *message;
	struct flight *next; /* [source.lock] */
};

struct source {
	struct source_opts o; /* constant */
	struct fetch_opts fetch; /* constant */
	struct unwrap *unwrap;
	struct plain *plain;
	pthread_mutex_t lock;
	pthread_cond_t landed; /* [lock] a flight is done */
	struct flight *flights; /* [lock] */
	atomic_uint_fast64_t opens, decrypts, auth_failures;
};

int
source_new(const struct source_opts *o, struct source **ret)
{
	CLEANUP(source_freep) struct source *s = NULL;
	const struct unwrap_opts u = {
		.kms = o->kms,
		.index = o->index,
		.keyring = o->keyring,
		.seal = o->seal,
		.keys = o->keys,
		.key_ttl_s = o->key_ttl_s,
		.now_s = o->now_s,
	};
	int r;

	*ret = NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	s->o = *o;
	s->fetch = (struct fetch_opts){ o->s3, o->cache, o->seal, o->policy };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->landed, NULL);
	if ((r = unwrap_new(&u, &s->unwrap)) < 0 ||
	    (r = plain_new(o->plain_limit, &s->plain)) < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	unwrap_free(s->unwrap);
	plain_free(s->plain);
	pthread_cond_destroy(&s->landed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool
source_key_is_mail(const char *key)
{
	static const char instruction[] = ".instruction";
	const char *slash = strrchr(key, '/');
	const char *base = slash != NULL ? slash + 1 : key;
	size_t len = strlen(base), suffix = sizeof(instruction) - 1;

	return len > 0 && strcmp(base, "AMAZON_SES_SETUP_NOTIFICATION") != 0 &&
	    (len < suffix || strcmp(base + len - suffix, instruction) != 0);
}

/* Which bit of enum accept let this envelope in. */
static uint8_t
accept_bit(const struct envelope *e)
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

/* One object on its way to a message. */
struct opening {
	struct object *o;
	bool asked_kms;	     /* the key is as fresh as can be */
	bool has_new_box;    /* o->key_sealed is not what the index has */
	enum refusal why;
	struct envelope *envelope; /* of the body being opened; NULL when a
				    * held key made it needless */
	struct message *message; /* decrypted, not yet published */
	size_t len;		 /* bytes of it */
};

static int
read_envelope(struct source *s, struct opening *op, const struct blob *b)
{
	int r;

	envelope_free(TAKE(op->envelope));
	if ((r = fetch_envelope(&s->fetch, op->o, b, b->len, &op->envelope,
		 &op->why)) < 0)
		return r;
	op->o->suite = (uint8_t)op->envelope->suite;
	op->o->format = accept_bit(op->envelope);
	return 0;
}

/* The content key: what is held, else (with the envelope) from KMS. The first
 * look at an object always reads its envelope. */
static int
get_key(struct source *s, struct opening *op, const struct blob *b,
    struct content_key *ret)
{
	bool is_first = op->o->state == OBJECT_PENDING;
	const uint8_t *box;
	int r;

	if (is_first && (r = read_envelope(s, op, b)) < 0)
		return r;
	if ((r = unwrap_held(s->unwrap, op->o, ret)) != -ENOENT)
		return r;
	if (!is_first && (r = read_envelope(s, op, b)) < 0)
		return r;
	op->asked_kms = true;
	if (op->envelope->suite == SUITE_PLAIN) {
		memset(ret, 0, sizeof(*ret));
		ret->suite = SUITE_PLAIN;
		return 0;
	}
	box = op->o->key_sealed;
	r = unwrap_fetch(s->unwrap, op->envelope, op->o, ret, &op->why);
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
decrypt(struct source *s, struct opening *op, const struct blob *b,
    const struct content_key *key)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	int r;

	/* The budget was taken for the size in the index. */
	if (b->len != op->o->size) {
		op->why = LENGTH_MISMATCH;
		return -EBADMSG;
	}
	if ((r = plain_message(s->plain, op->o->id, b->len, &m)) < 0)
		return r;
	atomic_fetch_add(&s->decrypts, 1);
	if ((r = content_open(key, b->body, b->len, message_buf(m), &op->len,
		 &op->why)) < 0)
		return r;
	if (!has_right_length(op)) {
		op->why = LENGTH_MISMATCH;
		return -EBADMSG;
	}
	op->message = TAKE(m);
	return 0;
}

/* Open one fetched body. A held key that does not open it may be an old one:
 * KMS is asked before the body is called bad. */
static int
open_body(struct source *s, struct opening *op, const struct blob *b)
{
	struct content_key key;
	int r;

	for (;;) {
		bool was_held;

		op->why = REFUSAL_NONE;
		if ((r = get_key(s, op, b, &key)) < 0)
			return r;
		was_held = !op->asked_kms;
		r = decrypt(s, op, b, &key);
		sodium_memzero(&key, sizeof(key));
		if (r != -EBADMSG || !was_held)
			return r;
		unwrap_drop(s->unwrap, op->o->id);
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

/* From S3, again while each try brings other bytes. What opens is cached and
 * left in *b. */
static int
open_remote(struct source *s, struct opening *op, struct blob *b)
{
	struct blob before = { 0 };
	int r = 0;

	for (int i = 0; i < FETCHES_MAX; i++) {
		bool same;

		if ((r = fetch_remote(&s->fetch, op->o, b, &op->why)) < 0)
			break;
		r = open_body(s, op, b);
		if (r == 0)
			fetch_keep(&s->fetch, op->o, b,
			    (enum suite)op->o->suite);
		if (r != -EBADMSG || op->why != AUTH_FAILED)
			break;
		atomic_fetch_add(&s->auth_failures, 1);
		same = before.body != NULL && is_same_body(&before, b);
		blob_clear(&before);
		before = *b;
		memset(b, 0, sizeof(*b));
		if (same)
			break;
	}
	blob_clear(&before);
	return r;
}

/* From the cache, else from S3. The disk's copy may have been damaged (or
 * planted): when it does not open, S3 decides. */
static int
open_any(struct source *s, struct opening *op)
{
	struct blob b = { 0 };
	int r = fetch_cached(&s->fetch, op->o, &b);

	if (r == 0 && (r = open_body(s, op, &b)) == -EBADMSG) {
		blobcache_drop(s->o.cache, op->o->id);
		blob_clear(&b);
		op->asked_kms = false;
		r = -ENOENT;
	}
	if (r == -ENOENT)
		r = open_remote(s, op, &b);
	if (op->o->suite == SUITE_PLAIN && b.body != NULL)
		sodium_memzero(b.body, b.len);
	blob_clear(&b);
	envelope_free(TAKE(op->envelope));
	return r;
}

static int
refused(const struct object *o, enum refusal why)
{
	return log_err(-EBADMSG, "source: open %s: %s", o->key,
	    refusal_name(why));
}

/* What a caller of source_open sees, said once in the log. */
static int
explain(const struct object *o, int r, enum refusal why)
{
	switch (r) {
	case 0:
	case -ECANCELED: /* the daemon ends */
		return r;
	case -EBADMSG:
		return refused(o, why);
	case -ENOKEY:
		return log_err(r, "source: open %s: %s", o->key,
		    refusal_name(why));
	case -ESTALE:
	case -EMSGSIZE:
		return log_err(-EBADMSG, "source: open %s: the object is "
		    "another one than was listed", o->key);
	case -ENOENT:
		return log_warn(r, "source: open %s: gone from the bucket",
		    o->key);
	default:
		return log_err(r, "source: open %s: %s", o->key, strerror(-r));
	}
}

/* Read the header of what was decrypted, and seal what the index keeps. */
static int
take_headers(struct source *s, struct object *o, const uint8_t *msg, size_t len,
    struct rfc822 *h)
{
	uint8_t packed[HDRPACK_MAX];
	size_t n;

	rfc822_parse(msg, len, h);
	o->plain_size = len;
	o->crlf_size = h->crlf_size;
	n = hdrpack_pack(h, packed, sizeof(packed));
	if ((o->headers_sealed = malloc(n + SEAL_OVERHEAD)) == NULL) {
		sodium_memzero(packed, sizeof(packed));
		return -ENOMEM;
	}
	o->headers_sealed_len = n + SEAL_OVERHEAD;
	if (seal_box(s->o.seal, SEAL_HEADERS, o->id, packed, n,
		o->headers_sealed) < 0) {
		free(TAKE(o->headers_sealed)); /* memory only */
		o->headers_sealed_len = 0;
	}
	sodium_memzero(packed, sizeof(packed));
	return 0;
}

static bool
lacks_headers(struct source *s, const struct object *o)
{
	char arn[KMS_ARN_MAX];

	return o->headers_sealed == NULL &&
	    seal_get_state(s->o.seal, arn) == SEAL_OPEN;
}

/* What the seal lacks and is at hand now is sealed, so that the next time it
 * need not be asked for: a key that came from KMS, header fields that were lost
 * with an old root. When it cannot be kept, only that is lost. */
static void
keep_sealed(struct source *s, struct object *o, bool has_new_key,
    struct slice msg)
{
	struct slice key = { NULL, 0 }, headers = { NULL, 0 };
	struct rfc822 h;
	int r = 0;

	if (has_new_key)
		key = (struct slice){ o->key_sealed, o->key_sealed_len };
	if (lacks_headers(s, o)) {
		r = take_headers(s, o, msg.ptr, msg.len, &h);
		sodium_memzero(&h, sizeof(h));
		headers = (struct slice){ o->headers_sealed,
			o->headers_sealed_len };
	}
	if (r == 0 && (key.ptr != NULL || headers.ptr != NULL))
		r = index_object_set_sealed(s->o.index, o->id, key, headers);
	if (r < 0 && r != -ENOENT && r != -EROFS)
		log_warn(r, "source: keep what is sealed of %s: %s", o->key,
		    strerror(-r));
}

static int
open_object(struct source *s, int64_t id, struct message **ret)
{
	struct object o;
	struct opening op = { .o = &o };
	int r;

	*ret = NULL;
	if ((r = index_object(s->o.index, id, &o)) < 0)
		return r;
	/* The index may have been written by others: a format may be any. */
	if (o.format >= 32 || !(s->o.policy.accept & (1u << o.format))) {
		r = refused(&o, POLICY_REFUSED);
		object_clear(&o);
		return r;
	}
	/* Body and plaintext; a published message keeps the second half. */
	plain_take(s->plain, 2 * o.size);
	if ((r = open_any(s, &op)) == 0) {
		plain_publish(op.message, op.len);
		*ret = op.message;
	}
	plain_give(s->plain, r == 0 ? o.size : 2 * o.size);
	r = explain(&o, r, op.why);
	if (r == 0 && (op.has_new_box || lacks_headers(s, &o)))
		keep_sealed(s, &o, op.has_new_box, message_data(*ret));
	object_clear(&o);
	return r;
}

/* [lock] */
static struct flight *
find_flight_locked(struct source *s, int64_t id)
{
	for (struct flight *f = s->flights; f != NULL; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

/* Wait for another's flight; the pilot has taken our reference. [lock] */
static int
join_locked(struct source *s, struct flight *f, struct message **ret)
{
	int r;

	f->waiters++;
	while (!f->is_done)
		pthread_cond_wait(&s->landed, &s->lock);
	r = f->result;
	*ret = f->message;
	if (--f->waiters == 0)
		free(f);
	return r;
}

/* Hand the result to all who wait, each with a reference of their own. [lock]
 */
static void
land_locked(struct source *s, struct flight *f, int r, struct message *m)
{
	struct flight **at = &s->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->result = r;
	f->message = m;
	f->is_done = true;
	for (unsigned i = 0; m != NULL && i < f->waiters; i++)
		message_ref(m);
	if (f->waiters == 0)
		free(f);
	else
		pthread_cond_broadcast(&s->landed);
}

int
source_open(struct source *s, int64_t id, struct message **ret)
{
	struct flight *f;
	int r;

	*ret = NULL;
	atomic_fetch_add(&s->opens, 1);
	if ((*ret = plain_find(s->plain, id)) != NULL)
		return 0;

	pthread_mutex_lock(&s->lock);
	if ((f = find_flight_locked(s, id)) != NULL) {
		r = join_locked(s, f, ret);
		pthread_mutex_unlock(&s->lock);
		return r;
	}
	if ((f = calloc(1, sizeof(*f))) != NULL) {
		f->id = id;
		f->next = s->flights;
		s->flights = f;
	}
	pthread_mutex_unlock(&s->lock);
	if (f == NULL)
		return -ENOMEM;

	r = open_object(s, id, ret);

	LOCK_SCOPE(&s->lock);
	land_locked(s, f, r, *ret);
	return r;
}

/* ---- first look ---- */

static int
examine_whole(struct source *s, struct object *o, struct rfc822 *h,
    enum refusal *ret_why)
{
	struct opening op = { .o = o };
	int r;

	plain_take(s->plain, 2 * o->size);
	if ((r = open_any(s, &op)) == 0)
		r = take_headers(s, o, message_buf(op.message), op.len, h);
	message_unref(op.message);
	plain_give(s->plain, 2 * o->size);
	*ret_why = op.why;
	return r;
}

/* No KMS: the envelope and, from the body's length, the message's. */
static int
examine_envelope(struct source *s, struct object *o, enum refusal *ret_why)
{
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	struct blob b = { 0 };
	uint64_t len;
	int r;

	if ((r = fetch_head(&s->fetch, o, &b, &len, ret_why)) == 0 &&
	    (r = fetch_envelope(&s->fetch, o, &b, len, &e, ret_why)) == 0) {
		o->suite = (uint8_t)e->suite;
		o->format = accept_bit(e);
		o->plain_size = content_plain_len(e->suite, len);
		o->crlf_size = 0;
		if (e->suite != SUITE_CBC && !envelope_len_is(e,
						 o->plain_size)) {
			*ret_why = LENGTH_MISMATCH;
			r = -EBADMSG;
		}
		/* Only the padding knows how long a CBC message is. */
		if (e->suite == SUITE_CBC)
			r = -EXDEV; /* look at the whole */
	}
	blob_clear(&b);
	return r;
}

int
source_examine(struct source *s, struct object *o, bool envelope_only,
    struct rfc822 *headers, enum refusal *ret_why)
{
	struct rfc822 own;
	int r = -EXDEV;

	*ret_why = REFUSAL_NONE;
	if (!source_key_is_mail(o->key))
		return -ENOMSG;
	if (o->size > s->o.max_message_size) {
		*ret_why = TOO_LARGE;
		return 0;
	}
	if (envelope_only)
		r = examine_envelope(s, o, ret_why);
	if (r == -EXDEV) {
		r = examine_whole(s, o, headers != NULL ? headers : &own,
		    ret_why);
		if (headers == NULL)
			sodium_memzero(&own, sizeof(own));
	}
	if (r == -EBADMSG || r == -ENOKEY)
		return 0; /* *ret_why has it */
	*ret_why = REFUSAL_NONE;
	return r;
}

int
source_headers(struct source *s, const struct object *o, struct rfc822 *ret)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	uint8_t packed[HDRPACK_MAX];
	struct slice msg;
	int r;

	if (o->headers_sealed != NULL &&
	    o->headers_sealed_len > SEAL_OVERHEAD &&
	    o->headers_sealed_len <= HDRPACK_MAX + SEAL_OVERHEAD) {
		r = seal_open(s->o.seal, SEAL_HEADERS, o->id,
		    o->headers_sealed, o->headers_sealed_len, packed);
		if (r == 0)
			r = hdrpack_unpack(packed,
			    o->headers_sealed_len - SEAL_OVERHEAD, ret);
		sodium_memzero(packed, sizeof(packed));
		if (r == 0)
			return 0;
		if (r != -ENOKEY && r != -EBADMSG)
			return r;
	}
	if ((r = source_open(s, o->id, &m)) < 0)
		return r;
	msg = message_data(m);
	message_served(m, msg.len);
	rfc822_parse(msg.ptr, msg.len, ret);
	return 0;
}

/* ---- forgetting ---- */

void
source_policy_id(struct source *s, uint8_t ret[SOURCE_POLICY_ID_LEN])
{
	const char *account = s->o.policy.source_account;
	const char *key[64];
	size_t n = keypolicy_candidates(s->o.keys, NULL, key, NELEMS(key));
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, SOURCE_POLICY_ID_LEN);
	crypto_generichash_update(&st, (const uint8_t *)&s->o.policy.accept,
	    sizeof(s->o.policy.accept));
	crypto_generichash_update(&st,
	    (const uint8_t *)&s->o.max_message_size,
	    sizeof(s->o.max_message_size));
	if (account != NULL)
		crypto_generichash_update(&st, (const uint8_t *)account,
		    strlen(account) + 1);
	for (size_t i = 0; i < n; i++)
		if (key[i] != NULL)
			crypto_generichash_update(&st,
			    (const uint8_t *)key[i], strlen(key[i]) + 1);
	crypto_generichash_final(&st, ret, SOURCE_POLICY_ID_LEN);
}

int
source_recover(struct source *s)
{
	int r = seal_recover(s->o.seal);

	return r < 0 ? r : 0;
}

void
source_forget_keys(struct source *s)
{
	unwrap_forget(s->unwrap);
	plain_wipe_all(s->plain);
}

void
source_expire(struct source *s)
{
	int64_t now = s->o.now_s();

	plain_expire(s->plain, now);
	keyring_expire(s->o.keyring, now);
	seal_expire(s->o.seal, now);
}

void
source_get_stats(struct source *s, struct source_stats *ret)
{
	struct unwrap_stats u;

	unwrap_get_stats(s->unwrap, &u);
	ret->keys_from_ring = u.from_ring;
	ret->keys_from_seal = u.from_seal;
	ret->keys_from_kms = u.from_kms;
	ret->opens = atomic_load(&s->opens);
	ret->decrypts = atomic_load(&s->decrypts);
	ret->auth_failures = atomic_load(&s->auth_failures);
	plain_get_stats(s->plain, &ret->plain_bytes, &ret->plain_messages);
}
