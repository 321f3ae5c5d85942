/* What becomes of the results of a pass: messages, refusals, further tries. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/log.h"
#include "store/stamp.h"
#include "store/sync_priv.h"

#define RETRY_MIN_S 60 /* wait before a failed object is tried again */
#define RETRY_MAX_S (6 * 3600)

bool
sync_is_network_error(int r)
{
	return aws_is_out_of_reach(r) || r == -EACCES;
}

static int64_t
retry_at(const struct object *o)
{
	int64_t wait = RETRY_MIN_S;

	for (unsigned i = 0; i < o->tries && wait < RETRY_MAX_S; i++)
		wait *= 2;
	return stamp_now_unix() +
	    (wait < RETRY_MAX_S ? wait : RETRY_MAX_S);
}

static void
result_clear(struct sync_result *r)
{
	object_clear(&r->object);
	if (r->headers != NULL)
		sodium_memzero(r->headers, sizeof(*r->headers));
	free(r->headers);
}

/* A row that changed or went while it was being looked at: the listing that
 * changed it has already said what is to be done instead. */
static int
unless_changed(int r)
{
	return r == -ENOENT ? 0 : r;
}

/* Is it always the same that goes wrong? Before it is counted. */
static void
blame(struct sync *s, const struct sync_result *r)
{
	if (s->p.refused + s->p.failed > 0 &&
	    (s->p.error != r->error || s->p.why != r->why))
		s->p.is_mixed = true;
	s->p.error = r->error;
	s->p.why = r->why;
}

static int
store_failure(struct sync *s, const struct sync_result *r)
{
	blame(s, r);
	s->p.failed++;
	/* Gone or replaced: the next listing says what is there now. When the
	 * pass ends for all, none of them is to blame. */
	if (r->error == -ENOENT || r->error == -ESTALE ||
	    r->error == -ECANCELED)
		return 0;
	log_warn_about(r->error, strerrorname_np(-r->error), "sync: fetch %s: %s, will try again",
	    r->object.key, strerror(-r->error));
	return unless_changed(index_object_retry(s->o.index, r->object.id,
	    sync_is_network_error(r->error) && r->error != -EACCES ?
		stamp_now_unix() :
		retry_at(&r->object)));
}

static int
store_refusal(struct sync *s, const struct sync_result *r)
{
	int e;

	blame(s, r);
	s->p.refused++;
	/* A key that is denied is no trait of the object. */
	log_warn_about(-EBADMSG, r->why == KMS_ACCESS ?
	    refusal_name(r->why) : NULL, "sync: refuse %s: %s", r->object.key,
	    refusal_name(r->why));
	/* Asked again at growing intervals: foreign keys must not cost a call
	 * each for ever, nor hold up what comes after. */
	if (r->why == KMS_ACCESS &&
	    (e = index_object_retry(s->o.index, r->object.id,
		 retry_at(&r->object))) < 0)
		return unless_changed(e);
	return unless_changed(index_object_refused(s->o.index, r->object.id,
	    r->why));
}

static int
by_arrival(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	int64_t d = x->object->last_modified_unix -
	    y->object->last_modified_unix;

	if (d == 0)
		d = x->object->id - y->object->id;
	return d < 0 ? -1 : d > 0;
}

int
sync_store(struct sync *s, struct sync_result *res, size_t n)
{
	struct arrival *a = calloc(n, sizeof(*a));
	size_t ready = 0;
	int r = a == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		s->p.done++;
		s->p.bytes += res[i].object.size;
		if (res[i].error == -ENOMSG)
			continue;
		if (res[i].error != 0)
			r = store_failure(s, &res[i]);
		else if (res[i].why != REFUSAL_NONE)
			r = store_refusal(s, &res[i]);
		else
			a[ready++] = (struct arrival){ &res[i].object,
				res[i].headers };
	}
	if (r == 0 && ready > 0) {
		qsort(a, ready, sizeof(*a), by_arrival);
		r = s->o.deliver(s->o.arg, a, ready);
		s->is_up_again |= s->is_down;
	}
	free(a);
	for (size_t i = 0; i < n; i++)
		result_clear(&res[i]);
	sync_report(s, false);
	return r;
}
