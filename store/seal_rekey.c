/* Replacing a root without a moment in which a box could be lost:
 *
 *	1. The new root is recorded as seal.root.next. From here on it seals;
 *	   both open.
 *	2. Every box of the old generation is boxed again, some hundred rows to
 *	   a transaction, in passes over all objects until a pass finds none:
 *	   a box made just before 1 may reach the index during the first.
 *	3. One transaction moves seal.root.next to seal.root.
 *
 * Whatever stops it leaves a valid index, and the next call goes on with 2. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/lock.h"
#include "store/log.h"
#include "store/seal_internal.h"

#define BATCH 256
#define PLAIN_MAX 65536 /* bytes; more in a column is not ours */

struct moved {
	int64_t id;
	uint8_t *key, *headers; /* new boxes, NULL: as it was */
	size_t key_len, headers_len;
};

struct mover {
	struct seal *seal;
	uint8_t old;	/* generation to move */
	uint8_t *plain; /* PLAIN_MAX bytes, locked */
	struct moved row[BATCH];
	size_t n;
	uint64_t count; /* rows moved in this pass */
};

static void
batch_clear(struct mover *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->row[i].key);
		free(m->row[i].headers);
	}
	m->n = 0;
}

static void
mover_free(struct mover *m)
{
	if (m == NULL)
		return;
	batch_clear(m);
	sodium_free(m->plain); /* wipes */
	free(m);
}
DEFINE_FREEP(struct mover, mover_free)

/* Box a column again when it is of the old generation. A box that does not
 * open is left: it does not open for others either. */
static int
rebox(struct mover *m, enum seal_column col, int64_t row, const uint8_t *box,
    size_t len, uint8_t **ret, size_t *ret_len)
{
	size_t plain_len;
	int r;

	if (box == NULL || len < SEAL_OVERHEAD || box[0] != m->old ||
	    len - SEAL_OVERHEAD > PLAIN_MAX)
		return 0;
	plain_len = len - SEAL_OVERHEAD;
	r = seal_open(m->seal, col, row, box, len, m->plain);
	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return r;
	if ((*ret = malloc(len)) == NULL)
		return -ENOMEM;
	*ret_len = len;
	return seal_box(m->seal, col, row, m->plain, plain_len, *ret);
}

static int
batch_store(struct mover *m)
{
	struct index *ix = m->seal->opts.index;
	int r, end;

	if (m->n == 0)
		return 0;
	if ((r = index_batch_begin(ix)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < m->n; i++) {
		const struct moved *w = &m->row[i];

		r = index_object_set_sealed(ix, w->id,
		    (struct slice){ w->key, w->key_len }, 0,
		    (struct slice){ w->headers, w->headers_len });
		if (r == -ENOENT)
			r = 0; /* dropped meanwhile */
	}
	end = index_batch_end(ix, r == 0);
	m->count += m->n;
	batch_clear(m);
	return r < 0 ? r : end;
}

static int
move_row(void *arg, const struct object *o)
{
	struct mover *m = arg;
	struct moved *w = &m->row[m->n];
	int r;

	*w = (struct moved){ .id = o->id };
	m->n++; /* batch_clear frees it from here on */
	if ((r = rebox(m, SEAL_CONTENT_KEY, o->id, o->key_sealed,
		 o->key_sealed_len, &w->key, &w->key_len)) < 0 ||
	    (r = rebox(m, SEAL_HEADERS, o->id, o->headers_sealed,
		 o->headers_sealed_len, &w->headers, &w->headers_len)) < 0)
		return r;
	if (w->key == NULL && w->headers == NULL)
		m->n--;
	return m->n == BATCH ? batch_store(m) : 0;
}

static int
move_all(struct seal *s, uint8_t old)
{
	CLEANUP(mover_freep) struct mover *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL || (m->plain = sodium_malloc(PLAIN_MAX)) == NULL)
		return -ENOMEM;
	m->seal = s;
	m->old = old;
	do {
		m->count = 0;
		if ((r = index_each_object(s->opts.index, -1, move_row,
			 m)) < 0 ||
		    (r = batch_store(m)) < 0)
			return r;
		log_info(0, "seal: rekey: %llu rows moved",
		    (unsigned long long)m->count);
	} while (m->count > 0);
	return 0;
}

/* Make later roots under *key_id (NULL: as before), which is taken. */
static void
set_key_id_locked(struct seal *s, char **key_id)
{
	if (*key_id == NULL)
		return;
	free(s->key_id);
	s->key_id = TAKE(*key_id);
}

/* Step 1. key_id: taken on success. */
static int
begin(struct seal *s, char **key_id)
{
	uint8_t key[KMS_DATA_KEY_LEN] = { 0 };
	uint64_t before;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	seal_claim_locked(s);
	before = s->forgotten;
	pthread_mutex_unlock(&s->lock);
	/* Without a root there is nothing to replace: seal_box makes one. */
	if (s->root[SEAL_CUR].arn[0] != '\0')
		r = seal_root_make(s, SEAL_NEXT, *key_id, key);
	LOCK_SCOPE(&s->lock);
	if (r == 0) {
		set_key_id_locked(s, key_id);
		if (s->root[SEAL_NEXT].arn[0] != '\0' && s->forgotten == before)
			seal_install_locked(s, SEAL_NEXT, 0, key);
	}
	sodium_memzero(key, sizeof(key));
	seal_settle_locked(s);
	return r;
}

/* Steps 2 and 3. key_id: taken on success, NULL: none. */
static int
finish(struct seal *s, char **key_id)
{
	uint8_t old;
	int r;

	pthread_mutex_lock(&s->lock);
	old = s->root[SEAL_CUR].generation;
	pthread_mutex_unlock(&s->lock);
	if ((r = move_all(s, old)) < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	seal_claim_locked(s);
	pthread_mutex_unlock(&s->lock);
	r = seal_root_promote(s);
	LOCK_SCOPE(&s->lock);
	if (r == 0)
		set_key_id_locked(s, key_id);
	seal_settle_locked(s);
	return r;
}

/* Is a rekey under way? ret_arn: its key. */
static bool
is_begun(struct seal *s, char ret_arn[KMS_ARN_MAX])
{
	LOCK_SCOPE(&s->lock);
	memcpy(ret_arn, s->root[SEAL_NEXT].arn, KMS_ARN_MAX);
	return ret_arn[0] != '\0';
}

static int
rekey(struct seal *s, char **key_id)
{
	char arn[KMS_ARN_MAX], *none = NULL;
	int r;

	if (is_begun(s, arn)) {
		if (*key_id == NULL || kms_arn_matches(*key_id, arn))
			return finish(s, key_id);
		if ((r = finish(s, &none)) < 0)
			return r;
	}
	if (*key_id == NULL)
		return 0;
	if ((r = begin(s, key_id)) < 0)
		return r;
	return is_begun(s, arn) ? finish(s, &none) : 0;
}

int
seal_rekey(struct seal *s, const char *new_key_id)
{
	char *key_id = NULL;
	int r;

	if (s->opts.key_id == NULL)
		return new_key_id == NULL ? 0 : -ENOKEY;
	if (new_key_id != NULL && (key_id = strdup(new_key_id)) == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	/* Claimed, so that a seal_reset under way ends first. */
	if ((r = seal_claim_alone_locked(s)) == 0) {
		s->is_rekeying = true;
		seal_settle_locked(s);
	}
	pthread_mutex_unlock(&s->lock);
	if (r == 0) {
		r = rekey(s, &key_id);
		LOCK_SCOPE(&s->lock);
		s->is_rekeying = false;
	}
	free(key_id);
	return r;
}
