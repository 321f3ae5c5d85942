#include "store/plain.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "store/bigmem.h"
#include "store/lock.h"
#include "store/source.h"
#include "store/stamp.h"

struct message {
	struct plain *owner; /* constant */
	int64_t id;	     /* constant */
	uint8_t *buf;	     /* constant after plain_publish */
	size_t cap, len;     /* bytes; constant after plain_publish */
	bool is_mapped;	     /* constant */
	bool is_charged;     /* constant after plain_publish: owns its budget */
	unsigned refs;	     /* [lock] */
	size_t served;	     /* [lock] bytes given to readers */
	int64_t idle_since_s; /* [lock] */
	struct message *prev, *next; /* [lock] held list, newest first */
	struct message *chain;	     /* [lock] of the same bucket */
	bool is_held;		     /* [lock] in list and bucket */
};

#define BUCKETS 1024 /* a power of two */

struct plain {
	uint64_t limit; /* constant */
	pthread_mutex_t lock;
	pthread_cond_t given; /* [lock] bytes came back */
	uint64_t taken;	      /* [lock] bytes */
	uint64_t tickets;     /* [lock] handed out to who asks */
	uint64_t turn;	      /* [lock] the ticket to be served next */
	struct message *head, *tail; /* [lock] */
	struct message *bucket[BUCKETS]; /* [lock] by id */
	uint64_t held;		     /* [lock] messages in the list */
};

int
plain_new(uint64_t limit, struct plain **ret)
{
	struct plain *p = calloc(1, sizeof(*p));

	*ret = p;
	if (p == NULL)
		return -ENOMEM;
	p->limit = limit;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->given, NULL);
	return 0;
}

static struct message **
bucket_of(struct plain *p, int64_t id)
{
	return &p->bucket[(uint64_t)id & (BUCKETS - 1)];
}

static struct message *
find_locked(struct plain *p, int64_t id)
{
	struct message *m = *bucket_of(p, id);

	while (m != NULL && m->id != id)
		m = m->chain;
	return m;
}

static void
unlink_locked(struct plain *p, struct message *m)
{
	struct message **at = bucket_of(p, m->id);

	if (!m->is_held)
		return;
	while (*at != m)
		at = &(*at)->chain;
	*at = m->chain;
	*(m->prev ? &m->prev->next : &p->head) = m->next;
	*(m->next ? &m->next->prev : &p->tail) = m->prev;
	m->prev = m->next = m->chain = NULL;
	m->is_held = false;
	p->held--;
}

static void
push_locked(struct plain *p, struct message *m)
{
	struct message **at = bucket_of(p, m->id);

	m->prev = NULL;
	m->next = p->head;
	*(p->head ? &p->head->prev : &p->tail) = m;
	p->head = m;
	m->chain = *at;
	*at = m;
	m->is_held = true;
	p->held++;
}

/* Wipe and free one that nobody uses and no list has; gives its bytes back. */
static void
message_destroy(struct message *m)
{
	struct plain *p = m->owner;

	if (m->is_mapped) {
		sodium_munlock(m->buf, m->cap); /* wipes, also when not locked */
		munmap(m->buf, m->cap);
	} else {
		sodium_memzero(m->buf, m->cap);
		free(m->buf);
	}
	if (m->is_charged)
		plain_give(p, m->cap);
	free(m);
}

/* Take one idle held message out of the list, the least recently used first.
 * now_s: only one that has been idle long enough; INT64_MAX: any. */
static struct message *
pop_idle_locked(struct plain *p, int64_t now_s)
{
	for (struct message *m = p->tail; m != NULL; m = m->prev)
		if (m->refs == 0 && now_s - m->idle_since_s >= PLAIN_IDLE_S) {
			unlink_locked(p, m);
			return m;
		}
	return NULL;
}

static void
wipe_idle(struct plain *p, int64_t now_s)
{
	for (;;) {
		struct message *m;

		pthread_mutex_lock(&p->lock);
		m = pop_idle_locked(p, now_s);
		pthread_mutex_unlock(&p->lock);
		if (m == NULL)
			return;
		message_destroy(m);
	}
}

void
plain_free(struct plain *p)
{
	if (p == NULL)
		return;
	wipe_idle(p, INT64_MAX);
	pthread_cond_destroy(&p->given);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Wait until it is this ticket's turn and its bytes are there, or an idle
 * message can make room for them: that is returned, to be destroyed without the
 * lock. [lock] */
static struct message *
wait_locked(struct plain *p, uint64_t ticket, uint64_t bytes)
{
	struct message *m;

	for (;;) {
		if (p->turn == ticket) {
			if (p->taken == 0 || p->taken + bytes <= p->limit)
				return NULL;
			if ((m = pop_idle_locked(p, INT64_MAX)) != NULL)
				return m;
		}
		pthread_cond_wait(&p->given, &p->lock);
	}
}

void
plain_take(struct plain *p, uint64_t bytes)
{
	struct message *m;
	uint64_t ticket;

	pthread_mutex_lock(&p->lock);
	ticket = p->tickets++;
	while ((m = wait_locked(p, ticket, bytes)) != NULL) {
		pthread_mutex_unlock(&p->lock);
		message_destroy(m);
		pthread_mutex_lock(&p->lock);
	}
	p->taken += bytes;
	p->turn++;
	if (p->turn != p->tickets)
		pthread_cond_broadcast(&p->given);
	pthread_mutex_unlock(&p->lock);
}

/* Take what fits when nobody is before us; else an idle message that is in the
 * way, to be destroyed without the lock, or NULL. */
static bool
try_locked(struct plain *p, uint64_t bytes, struct message **ret_idle)
{
	*ret_idle = NULL;
	if (p->turn != p->tickets)
		return false;
	if (p->taken != 0 && p->taken + bytes > p->limit) {
		*ret_idle = pop_idle_locked(p, INT64_MAX);
		return false;
	}
	p->taken += bytes;
	return true;
}

bool
plain_try_take(struct plain *p, uint64_t bytes)
{
	struct message *m;
	bool has;

	do {
		pthread_mutex_lock(&p->lock);
		has = try_locked(p, bytes, &m);
		pthread_mutex_unlock(&p->lock);
		if (m != NULL)
			message_destroy(m);
	} while (m != NULL);
	return has;
}

void
plain_give(struct plain *p, uint64_t bytes)
{
	LOCK_SCOPE(&p->lock);
	p->taken -= bytes;
	pthread_cond_broadcast(&p->given);
}

struct message *
plain_find(struct plain *p, int64_t id)
{
	struct message *m;

	LOCK_SCOPE(&p->lock);
	if ((m = find_locked(p, id)) == NULL)
		return NULL;
	m->refs++;
	unlink_locked(p, m);
	push_locked(p, m);
	return m;
}

int
plain_message(struct plain *p, int64_t id, size_t len, struct message **ret)
{
	struct message *m = calloc(1, sizeof(*m));

	*ret = NULL;
	if (m == NULL)
		return -ENOMEM;
	m->owner = p;
	m->id = id;
	m->cap = m->len = len;
	m->refs = 1;
	m->is_mapped = len >= PLAIN_MAP_MIN;
	if (m->is_mapped) {
		m->buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m->buf == MAP_FAILED)
			m->buf = NULL;
		bigmem_advise(m->buf, len);
		if (m->buf != NULL)
			/* Also sets MADV_DONTDUMP; over RLIMIT_MEMLOCK it
			 * fails and the pages stay swappable for the seconds
			 * they are held (sesfs(7) says so). */
			(void)sodium_mlock(m->buf, len);
	} else {
		m->buf = malloc(len ? len : 1);
	}
	if (m->buf == NULL) {
		free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

uint8_t *
message_buf(struct message *m)
{
	return m->buf;
}

struct slice
message_data(const struct message *m)
{
	return (struct slice){ m->buf, m->len };
}

void
plain_publish(struct message *m, size_t len)
{
	LOCK_SCOPE(&m->owner->lock);
	m->len = len;
	m->is_charged = true;
	/* Another reader's copy of it may be held already. */
	if (len > 0 && find_locked(m->owner, m->id) == NULL)
		push_locked(m->owner, m);
}

void
message_served(struct message *m, size_t n)
{
	LOCK_SCOPE(&m->owner->lock);
	m->served += n;
	if (m->served >= m->len)
		unlink_locked(m->owner, m);
}

void
message_ref(struct message *m)
{
	LOCK_SCOPE(&m->owner->lock);
	m->refs++;
}

void
message_unref(struct message *m)
{
	bool is_last;

	if (m == NULL)
		return;
	pthread_mutex_lock(&m->owner->lock);
	is_last = --m->refs == 0 && !m->is_held;
	m->idle_since_s = stamp_now_ms() / 1000;
	if (m->refs == 0 && m->is_held)
		pthread_cond_broadcast(&m->owner->given);
	pthread_mutex_unlock(&m->owner->lock);
	if (is_last)
		message_destroy(m);
}

void
plain_wipe_all(struct plain *p)
{
	wipe_idle(p, INT64_MAX);
}

void
plain_expire(struct plain *p, int64_t now_s)
{
	wipe_idle(p, now_s);
}

void
plain_get_stats(struct plain *p, uint64_t *ret_bytes, uint64_t *ret_held)
{
	LOCK_SCOPE(&p->lock);
	*ret_bytes = p->taken;
	*ret_held = p->held;
}
