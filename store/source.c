#include "store/source.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdrpack.h"
#include "store/http.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/opening.h"
#include "store/sealq.h"

/* Who wants a message opened. */
enum haste {
	AT_HAND, /* one who takes what is there, and waits for nothing */
	WAITING, /* a reader */
	AHEAD,	 /* nobody yet */
};

/* One message being opened; whoever comes meanwhile waits for its result. */
struct flight {
	int64_t id;
	unsigned waiters; /* [source.lock] */
	bool is_done;	  /* [source.lock] */
	atomic_bool is_quiet; /* no reader waits for it */
	int result;
	struct source_trace trace;
	struct message *message;
	struct flight *next; /* [source.lock] */
};

struct source {
	struct source_opts o; /* constant */
	struct opener opener;
	struct sealq *sealq; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t landed; /* [lock] a flight is done */
	struct flight *flights; /* [lock] */
	atomic_uint_fast64_t opens;
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
		.jobs = o->jobs,
		.key_ttl_s = o->key_ttl_s,
		.now_s = o->now_s,
	};
	int r;

	*ret = NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	s->o = *o;
	s->opener.fetch = (struct fetch_opts){ o->s3, o->cache, o->seal,
		o->policy };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->landed, NULL);
	if ((r = unwrap_new(&u, &s->opener.unwrap)) < 0 ||
	    (r = plain_new(o->plain_limit, &s->opener.plain)) < 0 ||
	    (r = sealq_new(o->index, &s->sealq)) < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	sealq_free(s->sealq);
	unwrap_free(s->opener.unwrap);
	plain_free(s->opener.plain);
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

/* What a caller of source_open sees. */
static int
seen_as(int r)
{
	return r == -ESTALE || r == -EMSGSIZE ? -EBADMSG : r;
}

/* Why an opening failed, said once in the log. */
static void
explain(const struct object *o, int r, enum refusal why)
{
	switch (r) {
	case 0:
	case -ECANCELED: /* the daemon ends */
	case -EINPROGRESS:
		break;
	case -EBADMSG:
	case -ENOKEY:
		log_err(r, "source: open %s: %s", o->key, refusal_name(why));
		break;
	case -ESTALE:
	case -EMSGSIZE:
		log_err(r, "source: open %s: the object is another one than "
		    "was listed", o->key);
		break;
	case -ENOENT:
		log_warn(r, "source: open %s: gone from the bucket", o->key);
		break;
	default:
		log_err(r, "source: open %s: %s", o->key, strerror(-r));
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
	if (r < 0)
		log_warn(r, "source: keep what is sealed of %s: %s", o->key,
		    strerror(-r));
	else if (key.ptr != NULL || headers.ptr != NULL)
		sealq_put(s->sealq, o->id, key, has_new_key ? o->kms_key_id : 0,
		    headers);
}

/* Body and plaintext; a published message keeps the second half. */
static bool
take_budget(struct source *s, bool may_wait, uint64_t bytes)
{
	if (!may_wait)
		return plain_try_take(s->opener.plain, bytes);
	plain_take(s->opener.plain, bytes);
	return true;
}

static int
open_with_budget(struct source *s, struct opening *op, struct message **ret)
{
	uint64_t size = op->o->size;
	int r;

	if (!take_budget(s, !op->is_local, 2 * size))
		return -EINPROGRESS;
	if ((r = opening_run(&s->opener, op)) == 0) {
		plain_publish(op->message, op->len);
		*ret = op->message;
	}
	plain_give(s->opener.plain, r == 0 ? size : 2 * size);
	return r;
}

static int
open_object(struct source *s, struct opening *op, struct message **ret)
{
	/* The index may have been written by others: a format may be any. */
	if (op->o->format >= 32 ||
	    !(s->o.policy.accept & (1u << op->o->format))) {
		op->why = POLICY_REFUSED;
		return -EBADMSG;
	}
	return open_with_budget(s, op, ret);
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
join_locked(struct source *s, struct flight *f, enum haste haste,
    struct source_trace *trace, struct message **ret)
{
	int r;

	if (haste == WAITING)
		atomic_store(&f->is_quiet, false);
	if (http_thread_prio() == HTTP_FOREGROUND)
		http_raise(s->o.http, f->id);
	f->waiters++;
	while (!f->is_done)
		pthread_cond_wait(&s->landed, &s->lock);
	r = f->result;
	*trace = f->trace;
	*ret = f->message;
	if (--f->waiters == 0)
		free(f);
	return r;
}

/* Hand the result to all who wait, each with a reference of their own. Returns
 * whether no reader does. */
static bool
land(struct source *s, struct flight *f, int r,
    const struct source_trace *trace, struct message *m)
{
	struct flight **at = &s->flights;
	bool is_quiet;

	LOCK_SCOPE(&s->lock);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	is_quiet = atomic_load(&f->is_quiet);
	f->result = r;
	f->trace = *trace;
	f->message = m;
	f->is_done = true;
	for (unsigned i = 0; m != NULL && i < f->waiters; i++)
		message_ref(m);
	if (f->waiters == 0)
		free(f);
	else
		pthread_cond_broadcast(&s->landed);
	return is_quiet;
}

/* Our own flight, or none and the result of the one we found. -EINPROGRESS:
 * there is one, and we may not wait. */
static int
claim(struct source *s, int64_t id, enum haste haste, struct flight **ret_ours,
    struct source_trace *trace, struct message **ret)
{
	struct flight *f;

	*ret_ours = NULL;
	LOCK_SCOPE(&s->lock);
	if ((f = find_flight_locked(s, id)) != NULL)
		return haste == AT_HAND ? -EINPROGRESS :
		    join_locked(s, f, haste, trace, ret);
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return -ENOMEM;
	f->id = id;
	atomic_init(&f->is_quiet, haste == AHEAD);
	f->next = s->flights;
	s->flights = f;
	*ret_ours = f;
	return 0;
}

/* What fails is explained when it has landed: nobody joins any more, so that it
 * is known whether a reader wants to hear of it. */
static int
fly(struct source *s, struct flight *f, enum haste haste,
    struct source_trace *trace, struct message **ret)
{
	struct object o;
	struct opening op = { .o = &o, .is_local = haste == AT_HAND };
	atomic_bool is_quiet;
	int r;

	*ret = NULL;
	if ((r = index_object(s->o.index, f->id, &o)) < 0) {
		(void)land(s, f, r, trace, NULL);
		return r;
	}
	log_set_thread_quiet(&f->is_quiet);
	http_set_thread_cause(f->id);
	r = open_object(s, &op, ret);
	http_set_thread_cause(0);
	log_set_thread_quiet(NULL);
	memcpy(trace->kms_request, op.kms_request, sizeof(op.kms_request));
	if (r == 0 && (op.has_new_box || lacks_headers(s, &o)))
		keep_sealed(s, &o, op.has_new_box, message_data(*ret));
	atomic_init(&is_quiet, land(s, f, seen_as(r), trace, *ret));
	log_set_thread_quiet(&is_quiet);
	explain(&o, r, op.why);
	log_set_thread_quiet(NULL);
	object_clear(&o);
	return seen_as(r);
}

static int
open_once(struct source *s, int64_t id, enum haste haste,
    struct source_trace *trace, struct message **ret)
{
	struct flight *f;
	int r;

	*trace = (struct source_trace){ "" };
	if ((*ret = plain_find(s->opener.plain, id)) != NULL)
		return 0;
	if ((r = claim(s, id, haste, &f, trace, ret)) < 0 || f == NULL)
		return r;
	return fly(s, f, haste, trace, ret);
}

/* Who joined one that could not wait has to fly themselves. */
static int
open_waiting(struct source *s, int64_t id, enum haste haste,
    struct source_trace *trace, struct message **ret)
{
	int r;

	atomic_fetch_add(&s->opens, 1);
	do
		r = open_once(s, id, haste, trace, ret);
	while (r == -EINPROGRESS);
	return r;
}

int
source_open_traced(struct source *s, int64_t id, struct source_trace *ret_trace,
    struct message **ret)
{
	return open_waiting(s, id, WAITING, ret_trace, ret);
}

int
source_open(struct source *s, int64_t id, struct message **ret)
{
	struct source_trace trace;

	return source_open_traced(s, id, &trace, ret);
}

void
source_open_ahead(struct source *s, int64_t id)
{
	struct source_trace trace;
	struct message *m;

	if (open_waiting(s, id, AHEAD, &trace, &m) == 0)
		message_unref(m);
}

int
source_open_local(struct source *s, int64_t id, struct message **ret)
{
	struct source_trace trace; /* nobody is asked */
	int r = open_once(s, id, AT_HAND, &trace, ret);

	if (r == 0)
		atomic_fetch_add(&s->opens, 1);
	return r;
}

bool
source_is_local(struct source *s, int64_t id)
{
	char arn[KMS_ARN_MAX];

	return blobcache_has(s->o.cache, id) &&
	    seal_get_state(s->o.seal, arn) == SEAL_OPEN;
}

bool
source_has_key(struct source *s, const struct object *o)
{
	struct content_key key;

	if (o->suite == SUITE_PLAIN)
		return true;
	if (unwrap_held(s->opener.unwrap, o, false, &key) < 0)
		return false;
	sodium_memzero(&key, sizeof(key));
	return true;
}

static bool
is_warm(struct source *s, const struct object *o)
{
	struct content_key key;
	bool has_key = o->key_sealed != NULL || o->suite == SUITE_PLAIN;

	if (!has_key && keyring_get(s->o.keyring, o->id, s->o.now_s(),
			    &key) == 0) {
		sodium_memzero(&key, sizeof(key));
		has_key = true;
	}
	return has_key && blobcache_has(s->o.cache, o->id);
}

int
source_warm(struct source *s, int64_t id, uint64_t *ret_bytes)
{
	CLEANUP(message_unrefp) struct message *m = NULL;
	struct object o;
	int r;

	*ret_bytes = 0;
	if ((r = index_object(s->o.index, id, &o)) < 0)
		return r;
	if (!is_warm(s, &o)) {
		*ret_bytes = o.size;
		if ((r = source_open(s, id, &m)) == 0)
			message_served(m, message_data(m).len);
	}
	object_clear(&o);
	return r;
}

/* ---- first look ---- */

static int
examine_whole(struct source *s, struct object *o, struct rfc822 *h,
    enum refusal *ret_why)
{
	struct opening op = { .o = o };
	int r;

	plain_take(s->opener.plain, 2 * o->size);
	if ((r = opening_run(&s->opener, &op)) == 0)
		r = take_headers(s, o, message_buf(op.message), op.len, h);
	message_unref(op.message);
	plain_give(s->opener.plain, 2 * o->size);
	*ret_why = op.why;
	return r;
}

/* So that KMS can be asked as soon as the message is wanted. */
static int
keep_envelope(struct object *o, const struct blob *b)
{
	uint8_t packed[METAPACK_MAX];
	size_t len = fetch_pack(b, packed);

	if (len == 0)
		return 0; /* asked when the body is there */
	if ((o->envelope = malloc(len)) == NULL)
		return -ENOMEM;
	memcpy(o->envelope, packed, len);
	o->envelope_len = len;
	return 0;
}

/* No KMS: the envelope and, from the body's length, the message's. */
static int
examine_envelope(struct source *s, struct object *o, enum refusal *ret_why)
{
	CLEANUP(envelope_freep) struct envelope *e = NULL;
	struct blob b = { 0 };
	uint64_t len;
	int r;

	if ((r = fetch_head(&s->opener.fetch, o, &b, &len, ret_why)) == 0 &&
	    (r = fetch_envelope(&s->opener.fetch, o, &b, len, &e, ret_why)) == 0) {
		o->suite = (uint8_t)e->suite;
		o->format = opening_accept_bit(e);
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
		if (r == 0 && e->suite != SUITE_PLAIN)
			r = keep_envelope(o, &b);
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
	int r;

	sealq_flush(s->sealq); /* under a root that may be gone after this */
	r = seal_recover(s->o.seal);
	return r < 0 ? r : 0;
}

void
source_forget_keys(struct source *s)
{
	unwrap_forget(s->opener.unwrap);
	plain_wipe_all(s->opener.plain);
}

void
source_expire(struct source *s)
{
	int64_t now = s->o.now_s();

	sealq_flush(s->sealq);
	plain_expire(s->opener.plain, now);
	keyring_expire(s->o.keyring, now);
	seal_expire(s->o.seal, now);
}

void
source_get_stats(struct source *s, struct source_stats *ret)
{
	struct unwrap_stats u;

	unwrap_get_stats(s->opener.unwrap, &u);
	ret->keys_from_ring = u.from_ring;
	ret->keys_from_seal = u.from_seal;
	ret->keys_from_kms = u.from_kms;
	ret->keys_early = u.early;
	ret->keys_unused = u.unused;
	ret->opens = atomic_load(&s->opens);
	ret->decrypts = atomic_load(&s->opener.decrypts);
	ret->auth_failures = atomic_load(&s->opener.auth_failures);
	plain_get_stats(s->opener.plain, &ret->plain_bytes, &ret->plain_messages);
}
