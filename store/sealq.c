#include "store/sealq.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/index.h"
#include "store/lock.h"
#include "store/log.h"

#define TOGETHER 64 /* objects written in one transaction */

struct sealed {
	int64_t object_id, kms_key_id;
	struct slice key, headers; /* of one allocation, with the struct */
	struct sealed *next;
};

struct sealq {
	struct index *index; /* constant */
	pthread_mutex_t lock;
	struct sealed *first, **last; /* [lock] */
	size_t n;		      /* [lock] */
};

int
sealq_new(struct index *ix, struct sealq **ret)
{
	struct sealq *q = calloc(1, sizeof(*q));

	*ret = q;
	if (q == NULL)
		return -ENOMEM;
	q->index = ix;
	q->last = &q->first;
	pthread_mutex_init(&q->lock, NULL);
	return 0;
}

void
sealq_free(struct sealq *q)
{
	if (q == NULL)
		return;
	sealq_flush(q);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static struct slice
copy(struct slice from, uint8_t **at)
{
	struct slice to = { NULL, from.len };

	if (from.ptr == NULL)
		return from;
	to.ptr = memcpy(*at, from.ptr, from.len);
	*at += from.len;
	return to;
}

static struct sealed *
sealed_new(int64_t object_id, struct slice key, int64_t kms_key_id,
    struct slice headers)
{
	struct sealed *s = calloc(1, sizeof(*s) + key.len + headers.len);
	uint8_t *at = (uint8_t *)(s + 1);

	if (s == NULL)
		return NULL;
	s->object_id = object_id;
	s->kms_key_id = kms_key_id;
	s->key = copy(key, &at);
	s->headers = copy(headers, &at);
	return s;
}

/* Returns whether it is time to write. */
static bool
push(struct sealq *q, struct sealed *s)
{
	LOCK_SCOPE(&q->lock);
	*q->last = s;
	q->last = &s->next;
	return ++q->n >= TOGETHER;
}

static struct sealed *
take_all(struct sealq *q)
{
	struct sealed *s;

	LOCK_SCOPE(&q->lock);
	s = TAKE(q->first);
	q->last = &q->first;
	q->n = 0;
	return s;
}

/* One that is gone meanwhile needs nothing. */
static int
write_all(struct index *ix, const struct sealed *s)
{
	int r = 0;

	for (; s != NULL && (r == 0 || r == -ENOENT); s = s->next)
		r = index_object_set_sealed(ix, s->object_id, s->key,
		    s->kms_key_id, s->headers);
	return r == -ENOENT ? 0 : r;
}

static void
free_all(struct sealed *s)
{
	while (s != NULL) {
		struct sealed *next = s->next;

		free(s);
		s = next;
	}
}

void
sealq_put(struct sealq *q, int64_t object_id, struct slice key,
    int64_t kms_key_id, struct slice headers)
{
	struct sealed *s = sealed_new(object_id, key, kms_key_id, headers);

	if (s == NULL)
		log_warn(-ENOMEM, "sealq: keep a key: out of memory");
	else if (push(q, s))
		sealq_flush(q);
}

void
sealq_flush(struct sealq *q)
{
	struct sealed *all = take_all(q);
	int r, e;

	if (all == NULL)
		return;
	if ((r = index_batch_begin(q->index)) == 0) {
		r = write_all(q->index, all);
		e = index_batch_end(q->index, r == 0);
		r = r < 0 ? r : e;
	}
	if (r < 0 && r != -EROFS)
		log_warn(r, "sealq: keep what is sealed: %s", strerror(-r));
	free_all(all);
}
